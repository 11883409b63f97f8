"""The command line `callboard`. Starts fast: what a command needs of the floors below is imported when it runs."""

import logging
import sys
import traceback
from typing import Annotated

import typer

from callboard.commands import databases, effects, evaluating, playing, policy, privacy, proofs, records, serving
from callboard.logs import configure_logging
from callboard.output import (
    CANT_START,
    DONE,
    EXIT_CODES,
    OWN_ERROR,
    REFUSED,
    Options,
    show_error,
)

app = typer.Typer(
    name="callboard",
    help="A governed runtime for customer conversations: agents propose, policies decide, people approve, one gateway "
    "acts.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    data_dir: Annotated[
        str | None, typer.Option(help="Where the records are. [CALLBOARD_DATA_DIR, default: data]")
    ] = None,
    playbook: Annotated[
        str | None, typer.Option(help="Folder of the business. [CALLBOARD_PLAYBOOK, default: the retail playbook]")
    ] = None,
) -> None:
    """A governed runtime for customer conversations."""
    context.obj = Options(data_dir=data_dir, playbook=playbook)


serving.register(app)
databases.register(app)
playing.register(app)
records.register(app)
effects.register(app)
proofs.register(app)
policy.register(app)
privacy.register(app)
evaluating.register(app)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line; the exit code."""
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    configure_logging("warning")
    try:
        app(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OWN_ERROR
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _fail(error, as_json=as_json)
    return DONE


def main() -> None:
    """Entry point."""
    sys.exit(run())


def _fail(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong in a sentence; the exit code."""
    # Only here: whoever got this far has imported them already, and help needs none of them.
    from callboard.errors import CallboardError, Refused
    from evals.errors import EvalError
    from memory.errors import CaseMemoryError
    from policies.errors import PlaybookMistakes

    name = type(error).__name__
    if isinstance(error, Refused):
        kind = str(error.problem.get("type", "")).rsplit(":", 1)[-1] or name
        show_error(kind, str(error), as_json=as_json)
        return REFUSED
    if isinstance(error, (CallboardError, CaseMemoryError, EvalError, PlaybookMistakes)):
        show_error(name, str(error), as_json=as_json)
        return CANT_START
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    show_error(
        name, f"Callboard broke: {name} at {place}. This is a mistake of ours; please report it.", as_json=as_json
    )
    logging.getLogger("callboard").debug("the error", exc_info=error)
    return OWN_ERROR
