"""Blindness by search: what betrays a system is in nothing that reaches an annotator.

The same search over what reaches the owner after unblinding finds it: the search can see.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect

from emorl.runs.folder import run_folder
from emorl.runs.store import RunStore
from emorl.weights import canonical_direction, direction_key
from emorl_dashboard.study.custody.invites import invite
from emorl_dashboard.study.custody.unblinding import unblind
from emorl_dashboard.study.owner.steps import with_file
from emorl_dashboard.study.planning.creation import seal
from emorl_dashboard.study.planning.draft import create_draft
from emorl_dashboard.study.planning.sources import Source
from emorl_dashboard.study.protocol.plan import Mode, StudyPlan, read_plan
from emorl_dashboard.study.rating.desk import DOUBLE_CLICK_SECONDS
from emorl_dashboard.study.reporting.material import automatic_scores, system_weights
from tests.dashboard.study.samples import (
    OBJECTIVES,
    draft_of,
    system_sources,
    write_finished_run,
)
from tests.e2e.annotating import agree, save, save_and_wait, type_keys, until, wait_for_keys
from tests.e2e.conftest import OpenPage, serve, wait_until_ready
from tests.support.dashboard_atlases import scored_atlas

pytestmark = pytest.mark.browser

RUN = "run-of-the-marshes"
SYSTEMS = ("base", "adapter:empathy", "best")
METHODS = ("rewarded-soup", "zugzwang-7b")
CHOSEN = (0.61803, 0.27272, 0.10925)
N_PROMPTS = 2
PROMPTS = ["The days are long since she left.", "I have not told anybody so far."]
# Words of ordinary language: nothing but the search for names may find a system.
WORDS = ("a quiet grief", "some relief", "old anger", "a wish to rest", "doubt", "hope")


def texts(place: int) -> list[str]:
    return [f"There is {WORDS[place]} in what you say about day {n}." for n in range(N_PROMPTS)]


def score(system: str, index: int) -> float:
    """Return a score whose digits stand nowhere else, rounded or not."""
    place = SYSTEMS.index(system) * N_PROMPTS + index
    return (61, 63, 67, 71, 73, 79)[place] / 100 + 0.00137 + 0.0001137 * place


MAPPED = 0.83719
"""Score of every response at the chosen weights."""


@dataclass(frozen=True)
class Site:
    """A served dashboard with a study of each mode over the same systems."""

    url: str
    artifacts: Path

    def plan(self, mode: Mode) -> StudyPlan:
        return read_plan(self.artifacts, mode)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    artifacts = tmp_path_factory.mktemp("blind")
    answers = {system: texts(place) for place, system in enumerate(SYSTEMS)}
    write_finished_run(artifacts, answers, name=RUN, prompts=PROMPTS, score=score)
    _map(artifacts)
    _seal(artifacts, "rating")
    _seal(artifacts, "pairwise")
    log = tmp_path_factory.mktemp("log") / "blind.log"
    with serve(artifacts, log) as url:
        yield Site(url, artifacts)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def _map(artifacts: Path) -> None:
    """Map the run, so that any weights can be a system."""
    folder = run_folder(artifacts, RUN)
    store = RunStore(folder.database, OBJECTIVES)
    for index in range(N_PROMPTS):
        store.replace_atlas(
            scored_atlas(
                (texts(3)[index],),
                [[1, 0, 0]],
                [[MAPPED, MAPPED + 0.001, MAPPED + 0.002]],
                prompt_index=index,
                split_name="inference",
            )
        )
    store.publish(folder.published)
    store.close()


def _seal(artifacts: Path, mode: Mode) -> None:
    """Seal a study of stored systems, chosen weights and, by rating, an imported file."""
    chosen = Source(kind="weights", run_id=RUN, weights=CHOSEN)
    names = SYSTEMS if mode == "rating" else ("best",)
    draft = draft_of(
        study_id=mode,
        mode=mode,
        seed=f"sesame-{mode}",
        sources=(*system_sources(*names, run_id=RUN), chosen),
        requires_invite=True,
        n_practice=1,
    )
    if mode == "rating":
        file = artifacts / "others.csv"
        rows = [
            f'{name},{index},"{PROMPTS[index]}","{texts(4 + place)[index]}",jsonl'
            for place, name in enumerate(METHODS)
            for index in range(N_PROMPTS)
        ]
        header = "system,prompt_index,prompt,response,data_set"
        file.write_text("\n".join([header, *rows]), encoding="utf-8")
        draft, _, _ = with_file(artifacts, draft, file)
    create_draft(artifacts, draft)
    seal(artifacts, mode)


# ---------------------------------------------------------------------- what betrays a system


@dataclass(frozen=True)
class Secret:
    """Something that betrays a system, in every form in which a page could hold it."""

    name: str
    words: frozenset[str] = frozenset()
    """Found as they stand, whatever the case of letters, but not inside of a longer number."""
    raw: frozenset[bytes] = frozenset()

    def is_in(self, everything: bytes) -> bool:
        lowered = everything.lower()
        return any(
            re.search(rb"(?<![0-9.])" + re.escape(word.lower().encode()) + rb"(?![0-9])", lowered)
            for word in self.words
        ) or any(form in everything for form in self.raw)


def number(name: str, value: float) -> Secret:
    """Return a number as text in the digits that pages use, and as tables transport it."""
    digits = {repr(value), *(f"{value:.{n}f}" for n in (2, 3, 4, 5)), f"{value:.4g}"}
    return Secret(name, frozenset(digits), frozenset({struct.pack("<d", value)}))


def vector(name: str, weights: Sequence[float]) -> list[Secret]:
    """Return weights as a whole, in all notations and scaled to one; and each by itself."""
    whole = set()
    for scaled in (weights, canonical_direction(tuple(weights))):
        for digits in (".2f", ".3f", ".4f", ".5f", ".4g", ""):
            parts = [format(part, digits) if digits else repr(part) for part in scaled]
            whole |= {joint.join(parts) for joint in (",", ", ", " / ", " · ", ";", " ")}
    whole.add(direction_key(tuple(weights)))
    return [Secret(name, frozenset(whole)), *(number(f"{name}: {one}", one) for one in weights)]


def names(plan: StudyPlan) -> list[Secret]:
    """Return the systems' names; what pages call them; and those that are ordinary words."""
    ordinary = {"base": ("base model", '"base"'), "best": ("best ensemble", '"best"')}
    found = []
    for system in plan.systems:
        label = f"only {system.name.removeprefix('adapter:')}"
        forms = ordinary.get(system.name, (system.name, label))
        found.append(Secret(system.name, frozenset(forms)))
    return found


def secrets_of(site: Site, plan: StudyPlan) -> list[Secret]:
    """Return everything that an annotator must not get."""
    stored = system_weights(site.artifacts, plan).set_index("system")
    found = names(plan)
    for system, weights in stored.iterrows():
        if set(weights) <= {0.0, 1.0}:
            continue  # a single objective: numbers that stand everywhere
        found += vector(f"weights of {system}", [float(weight) for weight in weights])
    scores = automatic_scores(site.artifacts, plan)
    found += [
        number(f"{row['criterion']} of {row['system']} at {row['source_item']}", row["score"])
        for row in scores.to_dict("records")
    ]
    return found


# ------------------------------------------------------------------------------ what arrives


@dataclass
class Heard:
    """Every byte that reached a page: messages of its web sockets, its HTML, and the URLs."""

    page: Page
    bytes_: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.page.on("websocket", self._listen)
        self.page.on("request", lambda request: self.bytes_.extend(request.url.encode()))

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._frame)
        socket.on("framesent", self._frame)

    def _frame(self, frame: str | bytes) -> None:
        self.bytes_.extend(frame if isinstance(frame, bytes) else frame.encode())

    def look(self) -> bytes:
        """Add the page as it stands now, and the URL; return everything so far."""
        self.bytes_.extend(self.page.content().encode() + self.page.url.encode())
        return bytes(self.bytes_)


def answer_all(page: Page, heard: Heard, n_items: int) -> None:
    """Rate every item by keyboard: also comment, flag, go back, take back and skip once."""
    for place in range(n_items):
        type_keys(page, "012")
        if place == 1:
            page.get_by_role("button", name="Flag").click()
            expect(page.get_by_text("You flagged this item.")).to_be_visible()
            wait_until_ready(page)
            # Sooner after a save it would count as the second half of a double click.
            page.wait_for_timeout(1000 * DOUBLE_CLICK_SECONDS)
            page.get_by_role("button", name="Back").click()
            expect(page.get_by_text("An earlier item, rated.")).to_be_visible()
            heard.look()
            page.get_by_role("button", name="Return without change").click()
            expect(page.get_by_text(f"Item {place + 1} of")).to_be_visible()
            wait_until_ready(page)
            wait_for_keys(page)
            type_keys(page, "012")
        heard.look()
        said = f"Saved item {place + 1}."
        if place + 1 < n_items:
            save_and_wait(page, said)
            continue
        save(page).click()
        expect(page.get_by_text(said).first).to_be_visible()
        wait_until_ready(page)


@pytest.mark.parametrize("mode", ["rating", "pairwise"])
def test_nothing_that_betrays_a_system_reaches_an_annotator_and_all_of_it_the_owner(
    mode: Mode, watched: OpenPage, served: Site
) -> None:
    plan = served.plan(mode)
    secrets = secrets_of(served, plan)
    n_items = plan.n_of_kind()["rating"]
    everything = _as_annotator(watched, served, plan, n_items)
    shown = [item for item in plan.items if item.kind == "rating"]
    assert len(shown) == n_items == (12 if mode == "rating" else 2)
    for item in shown:  # the search sees every text that was shown
        assert item.response.encode() in everything
    private = [
        Secret(word, frozenset({word})) for word in (plan.seed, RUN, "bartholomew", "others.csv")
    ]
    assert [one.name for one in (*secrets, *private) if one.is_in(everything)] == []

    until((served.artifacts / "studies" / mode / "published" / "notes.parquet").is_file)
    unblind(served.artifacts, mode, by="owner", reason="all ratings are in")
    told = _as_owner(watched, served, mode)
    expected = secrets if mode == "rating" else names(plan)
    lacking = [one.name for one in expected if not one.is_in(told)]
    # The table of items holds the scores of one criterion, the first; the weights of a stored
    # ensemble stand there one by one.
    assert lacking == [
        one.name
        for one in expected
        if one.name.startswith(("empathy of", "fluency of")) or one.name == "weights of best"
    ]


def _as_annotator(watched: OpenPage, served: Site, plan: StudyPlan, n_items: int) -> bytes:
    invite(served.artifacts, plan.study_id, "bartholomew")
    token = invite(served.artifacts, plan.study_id, "eve")
    page = watched(served.url).page
    heard = Heard(page)
    page.goto(f"{served.url}/annotate?invite={token}")
    wait_until_ready(page)
    heard.look()
    agree(page)
    type_keys(page, "012")
    save_and_wait(page, "Exercise saved.")
    answer_all(page, heard, n_items)
    expect(page.get_by_text("Your completion code")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Saved item")).to_have_count(1)
    # Nothing can be downloaded: annotators get no export.
    for control in ("stDownloadButton", "stDataFrame", "stPlotlyChart"):
        expect(page.get_by_test_id(control)).to_have_count(0)
    for path in ("results", "study", "atlas", "compare"):
        page.goto(f"{served.url}/{path}?invite={token}&study={plan.study_id}")
        wait_until_ready(page)
        expect(page.get_by_role("heading", name="Annotate")).to_be_visible()
        heard.look()
    heard.bytes_.extend(page.request.get(f"{served.url}/results?invite={token}").body())
    return heard.look()


def _as_owner(watched: OpenPage, served: Site, study_id: str) -> bytes:
    page = watched(served.url).page
    heard = Heard(page)
    page.goto(f"{served.url}/results?study={study_id}")
    wait_until_ready(page)
    return heard.look()
