"""The guard over our import names: another distribution that owns one of them would be imported instead of us."""

import importlib.util
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

from callboard.errors import NamesTaken

OWN_NAMES = ("agents", "callboard", "evals", "graphs", "memory", "playbooks", "policies", "tools")
OWN_DISTRIBUTION = "callboard"
OWN_ROOT = Path(__file__).resolve().parent.parent


def check_names() -> None:
    """Stop in plain words if somebody else's package answers to one of our names.

    Raises:
        NamesTaken: Names each import name, who owns it, and what to do.
    """
    complaints = find_clashes(
        owners=packages_distributions(), locations={name: locate(name) for name in OWN_NAMES}, root=OWN_ROOT
    )
    if complaints:
        raise NamesTaken(
            " ".join(complaints)
            + " Callboard's folders are import packages of an application: give it an environment of its own "
            "(`make setup` makes one), without that distribution."
        )


def find_clashes(*, owners: Mapping[str, Sequence[str]], locations: Mapping[str, Path | None], root: Path) -> list[str]:
    """One sentence per import name that is not, or not only, ours.

    Args:
        owners: Import name → names of the installed distributions that bring it.
        locations: Import name → folder that the interpreter would import it from; None if it finds nothing.
        root: The folder that holds our packages.
    """
    complaints = []
    for name, location in locations.items():
        others = sorted({owner for owner in owners.get(name, ()) if owner.lower() != OWN_DISTRIBUTION})
        if others:
            complaints.append(
                f"The import name `{name}` also belongs to the installed distribution {', '.join(others)}."
            )
        elif location is None:
            complaints.append(f"The package `{name}` can't be found; the installation is incomplete.")
        elif location.parent != root:
            complaints.append(f"`import {name}` would load {location}, not Callboard's own {root / name}.")
    return complaints


def locate(name: str) -> Path | None:
    """The folder that `import name` loads, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.origin:
        return Path(spec.origin).resolve().parent
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() if places else None
