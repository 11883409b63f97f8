"""A playbook's `tools.py`, run under a name of its own so that two playbooks, or two versions, never mix."""

import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Protocol

from policies.errors import Mistake, PlaybookMistakes
from tools.spec import BusinessSystem, ToolSpec


class FixturesBuilder(Protocol):
    """Writes a playbook's systems of record for demonstrations and tests."""

    def __call__(self, directory: Path, *, now: object) -> None: ...


@dataclass(frozen=True, slots=True)
class PlaybookCode:
    """What a playbook's `tools.py` gives."""

    tools: Sequence[ToolSpec]
    open_systems: Callable[[Path], Awaitable[dict[str, BusinessSystem]]]
    build_fixtures: FixturesBuilder
    source: str
    """Text of `tools.py`, to name lines in."""

    def line_of(self, mistake: str) -> int:
        """The line of `tools.py` that a mistake of the registry is about; 1 if it can't be found."""
        name, _, rest = mistake.partition(":")
        lines = self.source.splitlines()
        first = next((at for at, line in enumerate(lines) if f'name="{name}"' in line), 0)
        following = next((at for at in range(first + 1, len(lines)) if "ToolSpec(" in lines[at]), len(lines))
        words = set(re.findall(r"[a-z_]+", rest))
        for at in range(first, following):
            if lines[at].strip().partition("=")[0] in words:
                return at + 1
        return first + 1


def load_code(directory: Path, content_hash: str) -> PlaybookCode:
    """Run a playbook's `tools.py`.

    The folder is a package while it runs, so `from .orders import Order` finds the file beside it.

    Raises:
        PlaybookMistakes: It can't be run, or lacks something.
    """
    file = directory / "tools.py"
    if not file.is_file():
        raise PlaybookMistakes([Mistake("tools.py", 1, "The playbook has no tools.", "TOOLS = (...)")])
    place = hashlib.sha256(f"{directory}\0{content_hash}".encode()).hexdigest()[:16]
    package = f"callboard_playbook_{place}"
    try:
        if package not in sys.modules:
            _open_package(package, directory)
        module = importlib.import_module(f"{package}.tools")
    except Exception as error:  # Code of a playbook may raise anything; it is told as a mistake of that file.
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
        raise PlaybookMistakes([_mistake(directory, error)]) from error
    source = file.read_text(encoding="utf-8")
    mistakes = [
        Mistake("tools.py", 1, f"{name} is missing.", suggestion)
        for name, suggestion in (
            ("TOOLS", "TOOLS: Sequence[ToolSpec] = (...)"),
            ("open_systems", "async def open_systems(directory: Path) -> dict[str, BusinessSystem]: …"),
            ("build_fixtures", "def build_fixtures(directory: Path, *, now: datetime) -> None: …"),
        )
        if not hasattr(module, name)
    ]
    listed = [] if mistakes else _listed(module)
    tools = tuple(each for each in listed if isinstance(each, ToolSpec))
    if len(tools) != len(listed):
        mistakes = [Mistake("tools.py", 1, "TOOLS holds something else than tools.", "ToolSpec(...)")]
    if mistakes:
        raise PlaybookMistakes(mistakes)
    return PlaybookCode(tools, module.open_systems, module.build_fixtures, source)


def _listed(module: ModuleType) -> list[object]:
    return list(module.TOOLS) if isinstance(module.TOOLS, (list, tuple)) else [module.TOOLS]


def _open_package(name: str, directory: Path) -> None:
    start = directory / "__init__.py"
    if start.is_file():
        spec = spec_from_file_location(name, start, submodule_search_locations=[str(directory)])
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(directory)]
    if spec is None:
        raise ImportError("The folder can't be opened as a package.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)


def _mistake(directory: Path, error: Exception) -> Mistake:
    """An exception of a playbook's code as a mistake at the line that raised it."""
    if isinstance(error, SyntaxError) and error.filename:
        file, line = Path(error.filename), error.lineno or 1
    else:
        frames = [
            (Path(frame.filename), frame.lineno or 1)
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(directory)
        ]
        file, line = frames[-1] if frames else (directory / "tools.py", 1)
    name = file.relative_to(directory).as_posix() if file.is_relative_to(directory) else file.name
    return Mistake(name, line, f"The code can't be run ({type(error).__name__}: {error}).")
