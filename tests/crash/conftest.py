"""The warmed-up process whose children die, and a factory of houses that go on from what they left."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import houses
import pytest
from houses import MIRA

HERE = Path(__file__).resolve()
Crash = Callable[..., int]


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return houses.fixtures(tmp_path_factory.mktemp("shop") / "systems")


@pytest.fixture(scope="session")
def children() -> Iterator["subprocess.Popen[str]"]:
    root = HERE.parents[2]
    path = os.pathsep.join([str(root), str(HERE.parents[1])])
    # One thread of algebra only: the process forks.
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE.with_name("child.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def database() -> str:
    """The Postgres database that a crash happens on; none by default."""
    return ""


@pytest.fixture
def crash(
    children: "subprocess.Popen[str]",
    tmp_path: Path,
    shop_template: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Crash:
    """Plays in a child until it kills itself; returns its exit code, -9 if it did."""
    houses.warm(monkeypatch.setattr)

    def run(stop: str, **given: object) -> int:
        asked = {
            "nth": 1,
            "part": "both",
            "order": "20418",
            "who": MIRA,
            "seconds": 0,
            **given,
            "directory": str(tmp_path / "data"),
            "database": database,
            "template": str(shop_template),
            "stop": stop,
        }
        assert children.stdin is not None
        assert children.stdout is not None
        children.stdin.write(json.dumps(asked) + "\n")
        children.stdin.flush()
        return int(children.stdout.readline())

    return run
