"""How evals open a Callboard: on fixtures, with records of their own."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from callboard.output import Options

if TYPE_CHECKING:  # Only for types: the commands import what they need when they run.
    from contextlib import AbstractAsyncContextManager

    from evals.running import Running, RuntimeFactory


def runtime_factory(context: typer.Context) -> "RuntimeFactory":
    """How evals open a Callboard: as the settings say, but on fixtures, with records and systems of their own."""
    # Slow to import, and needed here only.
    from callboard.runtime import Runtime, prepare
    from callboard.settings import read_settings

    options: Options = context.obj
    settings = read_settings(**options.as_settings())
    # Loading and fitting takes a second and is the same for all that are opened.
    prepared = cache(lambda: prepare(settings.playbook, weights=settings.weights))

    def open_runtime(data_dir: Path, systems_dir: Path) -> "AbstractAsyncContextManager[Running]":
        own = {"env": "development", "host": "127.0.0.1", "data_dir": data_dir, "systems_dir": systems_dir}
        return Runtime.open(read_settings(**options.as_settings() | own), prepared=prepared())

    return open_runtime
