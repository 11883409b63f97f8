"""`callboard db`: the Postgres database's schema."""

import asyncio

import typer

from callboard.output import JsonOption, Options, show

database = typer.Typer(
    name="db", help="The Postgres database. A data directory is upgraded when it is opened.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(database)


@database.command()
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Bring the database, empty or of an earlier version, to what this version needs. Stop what works on it first."""
    from rich.text import Text

    from callboard.database import upgrade as upgrade_database
    from callboard.errors import SettingsInvalid
    from callboard.settings import read_settings

    options: Options = context.obj
    settings = read_settings(**options.as_settings())
    if not settings.postgres_url:
        raise SettingsInvalid("CALLBOARD_DATABASE_URL: say which database, postgresql://user:password@host/database.")
    version = asyncio.run(upgrade_database(settings.postgres_url))
    show({"schema": version}, as_json=as_json, view=lambda: Text(f"The database is at schema {version}."))
