"""A process that warms up once and then, for each line it reads, forks a worker, as `callboard worker` is one.

A line names data directory and database; the answer is the worker's pid, once it works. A line with a pid waits for
that worker's end; the answer is its exit code.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import houses
from pydantic import SecretStr

from callboard.serve import work
from callboard.settings import DEFAULT_PLAYBOOK, Settings


def run(order: dict[str, str]) -> None:
    settings = Settings(data_dir=Path(order["directory"]), database_url=SecretStr(order["url"]), takeover_s=1.0)
    asyncio.run(work(settings, announce=lambda: print(os.getpid(), flush=True)))


def main() -> None:
    houses.warm(setattr)
    houses.fit(houses.load_playbook(DEFAULT_PLAYBOOK))
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "pid" in order:
            _, status = os.waitpid(order["pid"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        elif os.fork() == 0:
            code = 1
            try:
                run(order)
                code = 0
            finally:
                os._exit(code)


if __name__ == "__main__":
    main()
