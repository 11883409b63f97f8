"""P2, P4, P5, P6, P9, P11: processes killed all over lively conversations leave nothing wrong behind.

A short run; `callboard eval chaos` makes long ones (docs/evaluation.md).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import databases
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from callboard.cli import main; main()", "eval", "chaos"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_p2_p4_p5_p6_p9_a_short_run_of_chaos_finds_nothing_wrong(backend: str) -> None:
    options = ["--kills", "8", "--seed", "7", "--backend", backend, "--json"]
    environment = {**os.environ, "CALLBOARD_TEST_DATABASE_URL": databases.SERVER}
    run = subprocess.run([*COMMAND, *options], cwd=ROOT, env=environment, capture_output=True, text=True)
    report = json.loads(run.stdout)
    assert [sentence for found in report["findings"].values() for sentence in found] == []
    assert (run.returncode, report["audit_ok"]) == (0, True)
    assert report["kills"] >= 8
    assert report["effects"] > 0 or backend == "postgres"  # which turns get that far in so short a run is chance there
    assert 0 < report["boundaries_covered"] <= report["boundaries_total"]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's, which may have a hundred letters in all."""
    with tempfile.TemporaryDirectory(prefix="cb-") as place:
        yield Path(place)


@pytest.mark.timeout(600)
def test_a_run_that_is_interrupted_leaves_no_process_behind(short_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(short_path)}
    run = subprocess.Popen([*COMMAND, "--kills", "1000"], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    lines = list(short_path.glob("*/round-*/data/callboard.db"))
    while not lines and run.poll() is None:
        time.sleep(0.05)
        lines = list(short_path.glob("*/round-*/data/callboard.db"))
    run.send_signal(signal.SIGINT)
    _, said = run.communicate()
    assert run.returncode == 130, said.decode()
    assert b"Traceback" not in said
    assert _processes_in(short_path) == []
    assert list(short_path.iterdir()) == []


def _processes_in(directory: Path) -> list[int]:
    """Processes that hold a file of this directory open."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(str(directory) in os.readlink(one) for one in (process / "fd").iterdir()):
                found.append(int(process.name))
        except OSError:
            continue
    return found
