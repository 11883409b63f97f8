"""`callboard eval erasure`: a busy Callboard, one person erased, every file searched for them."""

import asyncio
import json
from typing import Annotated

import typer

from callboard.output import NOT_AS_IT_SHOULD, JsonOption


def erasure(
    context: typer.Context,
    customers: Annotated[int, typer.Option(min=3, max=290, help="How many customers write.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Fill a Callboard, erase one customer while others write, search every file; exit code 1 if a byte is found."""
    # Slow to import, and needed here only.
    from callboard.commands.fixtures import runtime_factory
    from callboard.commands.progress import progress
    from evals.erasure_proof import prove_erasure

    with progress("Messages", 2 * customers + 4) as advance:
        proof = asyncio.run(prove_erasure(runtime_factory(context), customers=customers, on_message=advance))
    if as_json:
        typer.echo(json.dumps(proof.as_json(), indent=2, ensure_ascii=False))
    else:
        for name, value in proof.as_json().items():
            typer.echo(f"{name.replace('_', ' '):<24}{value}")
    if not proof.ok:
        raise typer.Exit(NOT_AS_IT_SHOULD)
