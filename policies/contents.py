"""The content of policies as texts: what is drafted, compared, stored, and brought into force by its hash."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from policies.documents import read_document
from policies.errors import Mistake, PlaybookMistakes
from policies.loading import load_policy_texts
from policies.programs import PolicySet
from policies.words import Json, ToolProfile

SHEET = "playbook.yaml"
FOLDER = "policies"


@dataclass(frozen=True, slots=True)
class PolicyContent:
    """Policy files as they were at one moment, and the parameters that the playbook's sheet sets besides."""

    files: Mapping[str, str]
    """Text by name: "policies/refunds.yaml"."""
    parameters: Mapping[str, Json] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 over names, texts and parameters."""
        return sha256(json.dumps(self.as_json(), sort_keys=True).encode("ascii")).hexdigest()

    def load(self, tools: Mapping[str, ToolProfile]) -> PolicySet:
        """The policies, whole or not at all.

        Raises:
            PlaybookMistakes: All that must be changed, each with file and line.
        """
        return load_policy_texts(self.files, tools, self.parameters)

    def as_json(self) -> dict[str, Json]:
        """As plain JSON, for storing and sending."""
        return {"files": dict(sorted(self.files.items())), "parameters": dict(self.parameters)}


def content_from_json(data: Mapping[str, Any]) -> PolicyContent:
    """The content that `as_json` wrote.

    Raises:
        PlaybookMistakes: It is something else.
    """
    files, parameters = data.get("files"), data.get("parameters", {})
    is_files = isinstance(files, Mapping) and all(isinstance(text, str) for text in files.values())
    if not is_files or not isinstance(files, Mapping) or not isinstance(parameters, Mapping):
        raise PlaybookMistakes([Mistake(FOLDER, 1, "This is no content of policies.", "files: {name: text}")])
    return PolicyContent({str(name): text for name, text in files.items()}, dict(parameters))


def read_content(directory: Path) -> PolicyContent:
    """The policies of a playbook's folder, or of a folder that holds nothing but policy files, as they lie there.

    Raises:
        PlaybookMistakes: There are none, or a file can't be read as text.
    """
    if not (directory / SHEET).is_file():
        files = sorted(directory.glob("*.yaml"))
        if not files:
            message = "There are no policies here: neither a playbook nor *.yaml files."
            raise PlaybookMistakes([Mistake(str(directory), 1, message)])
        return PolicyContent({f"{FOLDER}/{file.name}": _text(file) for file in files})
    sheet = read_document(directory / SHEET, SHEET).data
    parameters = sheet.get("parameters") if isinstance(sheet, dict) else None
    return PolicyContent(
        {f"{FOLDER}/{file.name}": _text(file) for file in sorted((directory / FOLDER).glob("*.yaml"))},
        parameters if isinstance(parameters, dict) else {},
    )


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookMistakes([Mistake(file.name, 1, "The file can't be read as UTF-8 text.")]) from error
