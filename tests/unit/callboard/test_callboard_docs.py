"""What the documents list is what is there."""

import re
from pathlib import Path

import typer
from typer.main import get_command

from callboard.api.access import ACCESS, PUBLIC, ROLES
from callboard.api.problems import catalogue
from callboard.cli import app
from callboard.output import EXIT_CODES
from callboard.settings import Settings, setting_name

ROOT = Path(__file__).resolve().parents[3]
GUIDES = ROOT / "docs" / "guides"


def rows(text: str, heading: str) -> list[str]:
    """The rows of the table under this head row."""
    lines = text.splitlines()
    start = lines.index(heading) + 2
    end = next((place for place in range(start, len(lines)) if not lines[place].startswith("|")), len(lines))
    return lines[start:end]


def test_the_api_guide_lists_every_route_with_its_roles() -> None:
    listed = rows((GUIDES / "api.md").read_text(), "| route | roles |")
    ordered = [
        f"| `{route}` | {', '.join(role for role in ROLES if role in roles)} |" for route, roles in ACCESS.items()
    ]
    assert listed == [*ordered, *(f"| `GET {path}` | no key |" for path in sorted(PUBLIC))]


def test_the_api_guide_lists_every_problem() -> None:
    listed = rows((GUIDES / "api.md").read_text(), "| status | type | meaning |")
    assert listed == [f"| {kind.status} | `{kind.type}` | {kind.title} |" for kind in catalogue()]


def test_the_install_guide_lists_every_setting() -> None:
    listed = rows((GUIDES / "install.md").read_text(), "| variable | default | meaning |")
    assert [row.split("`")[1] for row in listed] == [setting_name(field) for field in Settings.model_fields]


def commands(group: object, path: str) -> list[str]:
    children = getattr(group, "commands", None)
    if children is None:
        return [path]
    return [line for name, child in children.items() for line in commands(child, f"{path} {name}")]


def test_the_command_line_guide_lists_every_command() -> None:
    listed = rows((GUIDES / "cli.md").read_text(), "| command | does |")
    assert {row.split("`")[1] for row in listed} == set(commands(get_command(app), "callboard"))


def test_the_command_line_guide_and_the_help_list_the_same_exit_codes() -> None:
    listed = rows((GUIDES / "cli.md").read_text(), "| code | meaning |")
    told = re.findall(r"(\d) ([^;.]+)", EXIT_CODES)
    assert [(row.split("|")[1].strip(), row.split("|")[2].strip().split(":")[0]) for row in listed] == [
        (code, meaning.strip().replace("\n", " ")) for code, meaning in told
    ]
    assert isinstance(app, typer.Typer)


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("playbooks/*/README.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.relative_to(ROOT)}: {target}"


def test_documents_hold_no_paths_of_a_machine() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / ".env.example", ROOT / "Makefile"]:
        assert not re.search(r"/(?:root|home|Users|work)/", document.read_text()), document.name
