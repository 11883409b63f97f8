"""The guard over our import names."""

from pathlib import Path

import pytest

from callboard.errors import NamesTaken
from callboard.names import OWN_NAMES, OWN_ROOT, check_names, find_clashes

ROOT = Path("/srv/callboard")
OURS = {name: ROOT / name for name in OWN_NAMES}


def test_no_other_distribution_owns_one_of_our_names_here() -> None:
    check_names()


def test_every_package_at_the_root_is_guarded() -> None:
    packages = {init.parent.name for init in OWN_ROOT.glob("*/__init__.py") if init.parent.name != "tests"}
    assert packages == set(OWN_NAMES)


def test_our_own_distribution_is_no_clash() -> None:
    assert find_clashes(owners={name: ["callboard"] for name in OWN_NAMES}, locations=OURS, root=ROOT) == []


def test_a_distribution_that_brings_the_same_name_is_named_in_plain_words() -> None:
    [sentence] = find_clashes(owners={"agents": ["callboard", "openai-agents"]}, locations=OURS, root=ROOT)
    assert "`agents`" in sentence
    assert "openai-agents" in sentence


def test_a_folder_that_shadows_ours_is_named() -> None:
    [sentence] = find_clashes(owners={}, locations=OURS | {"tools": Path("/elsewhere/tools")}, root=ROOT)
    assert "/elsewhere/tools" in sentence


def test_a_package_that_is_missing_is_named() -> None:
    [sentence] = find_clashes(owners={}, locations=OURS | {"memory": None}, root=ROOT)
    assert "`memory`" in sentence


def test_start_up_stops_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callboard.names.packages_distributions", lambda: {"agents": ["openai-agents"]})
    with pytest.raises(NamesTaken, match="environment of its own"):
        check_names()
