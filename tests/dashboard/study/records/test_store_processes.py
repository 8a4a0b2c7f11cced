"""Other processes: a second dashboard, a killed one, a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emorl.errors import StoreError
from emorl_dashboard.study.records.store import AnnotationStore

pytestmark = pytest.mark.slow

OPEN = """
import sys
from pathlib import Path
from emorl_dashboard.study.records.store import AnnotationStore
store = AnnotationStore(Path(sys.argv[1]))
"""
# Prints the number of each submission once it is acknowledged.
WRITE = (
    OPEN
    + """
from tests.dashboard.study.samples import rating
for number in range(int(sys.argv[2]), 10**9):
    store.record(rating(*[number % 3] * 3, item_code=f"item{number}", request_id=f"r{number}"))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""
)
# Writes until no file may grow any more, then gives room and tries the same answer again.
FILL = (
    OPEN
    + """
import resource, signal
from emorl.errors import DiskError
from tests.dashboard.study.samples import rating
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
for number in range(1000):
    submission = rating(1, 1, 1, item_code=f"item{number}", request_id=f"r{number}")
    try:
        store.record(submission)
    except DiskError as error:
        sys.stdout.write(f"{number}\\n{error}\\n")
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert len(store.states("demo", "ada")) == number
assert store.record(submission)
"""
)
ROOT = Path(__file__).resolve().parents[4]


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_dashboard_on_the_same_artifacts_is_refused_with_what_to_do(
    tmp_path: Path,
) -> None:
    store = AnnotationStore(tmp_path)
    with start(OPEN, str(tmp_path)) as second:
        _, complaint = second.communicate(timeout=60)
    store.close()
    assert second.returncode != 0
    last_line = complaint.strip().splitlines()[-1]
    assert last_line.startswith("emorl.errors.StoreInUseError: Another dashboard has")
    assert "EMORL_ARTIFACTS" in last_line


def test_a_file_that_cannot_be_opened_is_not_taken_for_another_dashboards(tmp_path: Path) -> None:
    (tmp_path / "lock" / "annotations.duckdb").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"Cannot open .* as the database of ratings"):
        AnnotationStore(tmp_path / "lock")


def test_a_killed_dashboard_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for enough in (1, 7, 25):
        first = acknowledged[-1] + 1 if acknowledged else 0
        with start(WRITE, str(tmp_path), str(first + 1000)) as writer:
            assert writer.stdout is not None
            for _ in range(enough):
                acknowledged.append(int(writer.stdout.readline()))
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split("\n")
            acknowledged += [int(line) for line in rest[:-1]]
        assert writer.returncode == -signal.SIGKILL
    store = AnnotationStore(tmp_path)
    states = store.states("demo", "ada")
    assert [n for n in acknowledged if f"item{n}" not in states] == []
    # Whole submissions only, each numbered once, although the counter was killed with the writer.
    events = [event for code in states for event in store.history("demo", "ada", code)]
    assert len(events) == 3 * len(states)
    assert len({event["event_number"] for event in events}) == len(events)
    store.close()


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs POSIX file size limits")
def test_a_full_disk_refuses_whole_answers_keeps_the_others_and_a_retry_works(
    tmp_path: Path,
) -> None:
    with start(FILL, str(tmp_path)) as writer:
        output, complaint = writer.communicate(timeout=120)
    assert writer.returncode == 0, complaint
    number, message = output.split("\n", 1)
    assert "Nothing of this answer was stored" in message
    store = AnnotationStore(tmp_path)
    assert len(store.states("demo", "ada")) == int(number) + 1
    store.close()
