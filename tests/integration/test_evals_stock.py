"""P2 to P5, P8: seven abuses of an approval, put to the stock stack and to Callboard in earnest."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("langchain", reason="what Callboard is compared with: pip install 'langchain>=1.4,<2'")
ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from callboard.cli import main; main()", "eval", "stock", "--json"]


@pytest.mark.timeout(600)
def test_p2_p3_p4_p5_p8_callboard_holds_where_the_stock_stack_does_not() -> None:
    run = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True)
    report = json.loads(run.stdout)
    ours = {abuse["id"]: abuse["callboard"] for abuse in report["abuses"]}
    theirs = {abuse["id"]: abuse["stock"] for abuse in report["abuses"]}
    assert run.returncode == 0
    assert [one for one in ours.items() if one[1]["held"] != "held"] == []
    assert len(ours) == 7
    # If one of these holds some day, the stock stack has become better, and the guide must say so.
    assert {name for name, one in theirs.items() if one["held"] == "failed"} == set(theirs)
    assert "1 refund before the crash" in ours["crash_after_effect"]["says"]
    assert "2 after the restart" in theirs["crash_after_effect"]["says"]
