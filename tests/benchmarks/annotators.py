"""Thirty annotators at once, and a dashboard that is killed: is every acknowledged rating kept?

``python -m tests.benchmarks.annotators`` runs for five minutes; ``--seconds``, ``--annotators``
and ``--kills`` make it shorter, ``--json`` is for scripts. Each annotator has a tab of its own; it
speaks the app's WebSocket protocol, answers at a human pace, and every now and then
double-clicks, reloads, works in two tabs or loses the connection in the middle of a save. Some
never come, so that the others take over their items. In between the dashboard gets SIGKILL.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from emorl_dashboard.study.custody.invites import invite, invited
from emorl_dashboard.study.planning.building import study_items
from emorl_dashboard.study.planning.draft import StudyDraft
from emorl_dashboard.study.planning.sources import SystemText
from emorl_dashboard.study.protocol.guidelines import guidelines_for
from emorl_dashboard.study.protocol.plan import StudyPlan, studies_folder, write_plan
from emorl_dashboard.study.rating.progress import progress_of
from emorl_dashboard.study.records.store import AnnotationStore
from tests.benchmarks.streamlit_client import ConnectionLostError, Tab

ROOT = Path(__file__).resolve().parents[2]
APP = "dashboard/emorl_dashboard/app.py"
N_SYSTEMS = 5
_ERROR = re.compile(r"^[\w.]+(?:Error|Exception)\b.{0,200}", re.MULTILINE)
SAVED = r"Saved item|Exercise saved"
THINK_SECONDS = (1.0, 4.0)


@dataclass
class Record:
    """What one annotator did and was told."""

    annotator: str
    sent: dict[str, list[tuple[int, ...]]] = field(default_factory=lambda: defaultdict(list))
    """Item -> every answer that was sent, acknowledged or not, in order."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """Item -> position in ``sent`` of the last answer that was called saved."""
    seconds: list[float] = field(default_factory=list)
    """From click to "Saved"."""
    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failures: list[str] = field(default_factory=list)


class Dashboard:
    """The served app; it can be killed and comes back at the same address."""

    def __init__(self, artifacts: Path, log: Path) -> None:
        self.artifacts, self.log = artifacts, log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.site = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "streamlit",
                        "run",
                        APP,
                    ),
                    *("--server.port", str(self.port)),
                ],
                cwd=ROOT,
                env=os.environ | {"EMORL_ARTIFACTS": str(self.artifacts), "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def cpu_seconds(self) -> float:
        """Return the processor time of the running process."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.site}/_stcore/health", timeout=2):
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.2)  # polling a process that has no way to tell us
        raise SystemExit(f"The dashboard did not start; see {self.log}.")


def make_study(artifacts: Path, n_annotators: int, n_prompts: int) -> StudyPlan:
    """Seal a study whose items are given to others after a short while."""
    draft = StudyDraft(
        study_id="load",
        guidelines=guidelines_for(("reflection", "empathy", "fluency")),
        n_items_per_data_set=n_prompts,
        n_ratings_per_item=3,
        n_annotators=n_annotators,
        n_practice=2,
        seed="load",
    )
    texts = [
        SystemText(
            system=f"system {system}",
            data_set="load",
            prompt_index=index,
            prompt=f"Statement {index} of somebody who seeks support with something.",
            text=f"An answer of a dozen words, number {index}, in the manner of {system * 7}.",
        )
        for index in range(n_prompts)
        for system in range(N_SYSTEMS)
    ]
    plan = StudyPlan(
        study_id=draft.study_id,
        run_id="",
        created_at=draft.created_at,
        seed=draft.seed,
        guidelines=draft.guidelines,
        items=study_items(draft, texts),
        n_ratings_per_item=draft.n_ratings_per_item,
        n_annotators=n_annotators,
        requires_invite=True,
        lease_seconds=20.0,
        abandoned_seconds=30.0,
    )
    write_plan(artifacts, plan)
    return plan


class Annotator(threading.Thread):
    """Rates until the time is over, with mishaps."""

    def __init__(
        self, site: str, token: str, record: Record, stop: threading.Event, seed: int
    ) -> None:
        super().__init__(daemon=True)
        self.site, self.query = site, f"invite={token}"
        self.record, self.stop = record, stop
        self.draw = random.Random(seed)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self._work(Tab(self.site, self.query))
            except ConnectionLostError:
                self.record.events["connections lost"] += 1
                # The dashboard was killed and is coming back; thirty do not knock at once.
                self.stop.wait(self.draw.uniform(0.5, 3.0))
            except Exception as error:  # noqa: BLE001 - a benchmark reports what went wrong
                self.record.failures.append(repr(error))
                self.stop.wait(1)

    def _work(self, tab: Tab) -> None:
        """Work in one tab until it is left."""
        while not self.stop.is_set():
            if not self._is_at_item(tab):
                continue
            self.stop.wait(self.draw.uniform(*THINK_SECONDS))
            mishap = self.draw.random()
            if mishap < 0.03:
                self.record.events["reloads"] += 1
                tab.close()
                return
            if mishap < 0.06:
                self._lose_connection(tab)
                return
            if mishap < 0.09:
                self._two_tabs(tab)
            else:
                self._save(tab, times=2 if mishap < 0.2 else 1)
                self.record.events["double clicks"] += mishap < 0.2

    def _is_at_item(self, tab: Tab) -> bool:
        """Get to the next item: agree first, help out at the end."""
        if tab.seen.item is not None:
            return True
        (box,) = list(tab.seen.checkboxes.values()) or [""]
        if box:
            tab.rerun({box: True})
            tab.rerun({box: True, tab.seen.buttons["Start"]: None})
        elif "Look for items that others left" in tab.seen.buttons:
            tab.click("Look for items that others left")
            self.record.events["helped out"] += 1
        else:
            self.stop.wait(2.0)
            tab.rerun({})
        return False

    def _answer(self, tab: Tab) -> tuple[str, dict[str, list[str] | bool | None]]:
        code = tab.seen.item
        assert code is not None
        values = tuple(self.draw.randrange(3) for _ in tab.seen.groups)
        states: dict[str, list[str] | bool | None] = {
            name: [choices[value]]
            for (name, choices), value in zip(tab.seen.groups.items(), values, strict=True)
        }
        states[tab.seen.buttons["Save and go on"]] = None
        self.record.sent[code].append(values)
        return code, states

    def _save(self, tab: Tab, *, times: int = 1) -> None:
        code, states = self._answer(tab)
        number = len(self.record.sent[code]) - 1
        seconds = tab.rerun(states, times=times, until=SAVED)
        if tab.seen.says(SAVED):
            self.record.acknowledged[code] = number
            self.record.seconds.append(seconds)
        elif tab.seen.says("given to somebody else"):
            self.record.events["refused"] += 1
        else:
            self.record.failures.append(f"no word about {code}: {tab.seen.texts[:4]}")

    def _lose_connection(self, tab: Tab) -> None:
        self.record.events["connections cut"] += 1
        _, states = self._answer(tab)
        tab.send(states)
        tab.kill()

    def _two_tabs(self, tab: Tab) -> None:
        """Answer one item in two tabs, one after the other: the later answer counts."""
        self.record.events["two tabs"] += 1
        other = Tab(self.site, self.query)
        if other.seen.item == tab.seen.item:
            self._save(other)
        self._save(tab)
        other.close()


def check(plan: StudyPlan, artifacts: Path, records: list[Record]) -> dict[str, Any]:
    """Compare what is stored with what was acknowledged."""
    store = AnnotationStore(studies_folder(artifacts))
    states = {one.annotator: store.states(plan.study_id, one.annotator) for one in records}
    lost, doubled, moved = [], [], []

    for one in records:
        for code, number in one.acknowledged.items():
            state = states[one.annotator].get(code)
            values = None if state is None else tuple(state.values.values())
            # An answer sent later, without a word from the server, may have come through.
            if values not in one.sent[code][number:]:
                lost.append((one.annotator, code))
        firsts: dict[str, datetime] = {}
        for code in states[one.annotator]:
            events = store.history(plan.study_id, one.annotator, code)
            if len(events) != len({event["event_id"] for event in events}) or (
                len(events) > 3 * len(one.sent[code])
            ):
                doubled.append((one.annotator, code))
            firsts[code] = events[0]["shown_at"]
        shown = sorted(firsts, key=firsts.__getitem__)
        moved += _out_of_order(plan, store, one.annotator, shown)
    over = _over(plan, states)
    store.close()
    return {"lost": lost, "stored twice": doubled, "over k": over, "out of order": moved}


def _over(plan: StudyPlan, states: dict[str, Any]) -> list[str]:
    raters: dict[str, int] = defaultdict(int)
    for own in states.values():
        for code, state in own.items():
            raters[code] += state.kind == "rating"
    return [
        code
        for code, n in raters.items()
        if (limit := plan.n_places(code)) is not None and n > limit
    ]


def _out_of_order(
    plan: StudyPlan, store: AnnotationStore, annotator: str, seen: list[str]
) -> list[tuple[str, str]]:
    """Return share items that came in another order than the annotator's own."""
    with store.standing(plan, {}) as standing:
        progress = progress_of(plan, annotator, standing, place=_place(annotator))
    own = {item.code for item in plan.items if _place(annotator) in item.places}
    shown = [code for code in seen if code in own]
    expected = [code for code in progress.order if code in set(shown)]
    return [(annotator, a) for a, b in zip(shown, expected, strict=True) if a != b]


def _place(annotator: str) -> int:
    return int(annotator.split("-")[1])


def run(n_annotators: int, seconds: float, n_kills: int) -> dict[str, Any]:
    """Run the whole benchmark and return its figures."""
    n_absent = max(1, n_annotators // 6)
    with tempfile.TemporaryDirectory() as folder:
        artifacts = Path(folder)
        n_places = n_annotators + n_absent
        n_prompts = max(4, int(seconds / 3.5 * n_places / 3 / N_SYSTEMS))
        plan = make_study(artifacts, n_places, n_prompts)
        tokens = {
            f"person-{place}": invite(artifacts, plan.study_id, f"person-{place}")
            for place in range(1, n_places + 1)
        }
        assert [one.place for one in invited(artifacts, plan.study_id)] == [
            *range(1, n_places + 1)
        ]
        dashboard = Dashboard(artifacts, artifacts / "dashboard.log")
        dashboard.start()
        records = [Record(name) for name in list(tokens)[:n_annotators]]
        stop = threading.Event()
        people = [
            Annotator(dashboard.site, tokens[one.annotator], one, stop, seed)
            for seed, one in enumerate(records)
        ]
        for person in people:
            person.start()
        cpu_seconds = 0.0
        for phase in range(n_kills + 1):
            # Only the time counts in which the dashboard serves.
            stop.wait(seconds / (n_kills + 1))
            cpu_seconds += dashboard.cpu_seconds()
            if phase < n_kills:
                dashboard.kill()
                dashboard.start()
        stop.set()
        for person in people:
            person.join(60)
        dashboard.kill()
        found = check(plan, artifacts, records)
        complaints = Counter(_ERROR.findall(dashboard.log.read_text(encoding="utf-8")))
    waits = np.array([second for one in records for second in one.seconds])
    events: dict[str, int] = defaultdict(int)
    for one in records:
        for name, n in one.events.items():
            events[name] += n
    return {
        "annotators": n_annotators,
        "seconds": seconds,
        "kills": n_kills,
        "acknowledged": len(waits),
        "save p50 ms": round(1000 * float(np.quantile(waits, 0.5)), 1),
        "save p95 ms": round(1000 * float(np.quantile(waits, 0.95)), 1),
        "server CPU ms per save": round(1000 * cpu_seconds / len(waits), 1),
        "load average": os.getloadavg()[0],
        "save max ms": round(1000 * float(waits.max()), 1),
        **{f"n {name}": len(cases) for name, cases in found.items()},
        "mishaps": dict(events),
        "errors in the log": dict(complaints.most_common(5)),
        "failures": [failure for one in records for failure in one.failures][:5],
    }


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotators", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(options.annotators, options.seconds, options.kills)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>16}: {value}")


if __name__ == "__main__":
    main()
