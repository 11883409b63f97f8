"""Keeping people out of recordings: personal values, secrets and passing ids become marks that the input fills again.

A recording holds the answer to a task, not the task. Whatever of the answer stands in the task as well (a customer's
words, an address, an id of this run) is recorded as a mark that says where it stood. Replayed on the same task the
marks are filled again, exactly; without the task they say nothing. What is personal and did not come from the task is
masked for good.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from policies.words import Json

PERSONAL = frozenset(
    {
        "address", "birthday", "city", "code", "customer_id", "date_of_birth", "email", "first_name", "holder", "iban",
        "last_name", "line2", "name", "phone", "postcode", "recipient", "region", "street", "surname", "token",
        "user_id", "username", "zip",
    }
)  # fmt: skip
"""Fields whose values are about a person, whatever they look like."""
NOT_PERSONAL_UNDER_NAME = frozenset({"items", "journeys", "passages", "tools"})
"""Lists whose `name` is a thing's, not a person's."""
PASSING = re.compile(r"\b(?:turn|case|ev|req|apr|rcp|hnd)-[\w-]+|\b[0-9a-f]{32,64}\b")
"""Ids and digests that another run gives anew."""
MOMENT = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
FORMS = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # e-mail addresses
    r"|\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?\b"  # account numbers
    r"|(?<![\w.])\+?\d[\d ()/.-]{7,}\d(?![\w.])"  # telephone and card numbers
    r"|\b(?:sk|pk|ghp|xox[abp]|cbk|eyJ)[-_A-Za-z0-9.]{12,}"  # keys and tokens
)
"""What is personal or secret by its form."""
MASKED = "⟦masked⟧"
MARK = re.compile(r"⟦(?:id|at|who):[^⟧]*⟧")
WORDS = "⟦words⟧"
"""Key of a mark for the customer's own words: from and to in the task's text."""


class Scrubber:
    """Marks for one task's values, and back."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        """Look for them.

        Args:
            task: The task as plain JSON.
        """
        self._text = str(task.get("text", ""))
        self._marks: dict[str, str] = {}
        base = next((moment for moment in (_moment(each) for each in _moments(task)) if moment), None)
        for value in _personal(task):
            self._mark(value, f"who:{len(self._marks)}:{len(value)}")
        for leaf in _leaves(task):
            for match in PASSING.finditer(leaf):
                self._mark(match[0], f"id:{len(self._marks)}")
            for match in MOMENT.finditer(leaf):
                self._mark(match[0], f"at:{len(self._marks)}:{_hours(match[0], base)}")
        self._values = {mark: value for value, mark in self._marks.items()}
        longest = sorted(self._marks, key=len, reverse=True)
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in longest) or r"(?!)")
        self._is_text = isinstance(task.get("transcript"), list)

    def key_form(self, value: Any) -> Json:
        """The task as it goes into a recording's key: the same for the same values of another run or person."""
        if isinstance(value, Mapping):
            return {str(name): self.key_form(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.key_form(inner) for inner in value]
        return self._marked(value) if isinstance(value, str) else value

    def scrub(self, answer: Any) -> Any:
        """An answer with marks instead of what came from the task, and masks for what else is personal."""
        if isinstance(answer, Mapping):
            return {name: self._scrub_leaf(name, inner) for name, inner in answer.items()}
        if isinstance(answer, list):
            return [self._scrub_leaf("", inner) for inner in answer]
        return answer

    def fill(self, answer: Any) -> Any:
        """A scrubbed answer with its marks filled from the task."""
        if isinstance(answer, Mapping):
            if set(answer) == {WORDS}:
                start, end = answer[WORDS]
                return self._text[start:end]
            return {MARK.sub(self._value, str(name)): self.fill(inner) for name, inner in answer.items()}
        if isinstance(answer, list):
            return [self.fill(inner) for inner in answer]
        return MARK.sub(self._value, answer) if isinstance(answer, str) else answer

    def _scrub_leaf(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return self.scrub(value)
        # The customer's own words, whatever is in them: a reading copies parts of the message.
        if self._is_text and name in {"text", "value"} and value and (start := self._text.find(value)) >= 0:
            return {WORDS: [start, start + len(value)]}
        return FORMS.sub(MASKED, self._marked(value))

    def _mark(self, value: str, mark: str) -> None:
        if value and value not in self._marks:
            self._marks[value] = f"⟦{mark}⟧"

    def _marked(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._marks[match[0]], text)

    def _value(self, match: re.Match[str]) -> str:
        return self._values.get(match[0], MASKED)


def _personal(value: Any, name: str = "", within: str = "") -> Iterator[str]:
    """Values that are about a person: by their field, or by their form."""
    if isinstance(value, Mapping):
        # Evidence and entities say beside the value what it is.
        own = str(value.get("name") or value.get("kind") or "") if "value" in value else ""
        for field, inner in value.items():
            yield from _personal(inner, own if field == "value" and own else str(field), within or name)
    elif isinstance(value, list):
        for inner in value:
            yield from _personal(inner, name, name)
    elif isinstance(value, str):
        is_person = name in PERSONAL and not (name in {"name", "code"} and within in NOT_PERSONAL_UNDER_NAME)
        if (is_person or name.endswith("_id")) and len(value) > 1:
            yield value
            if name.endswith("name"):
                yield from (word for word in value.split() if len(word) > 2)
        for match in FORMS.finditer(value):
            yield match[0]
            yield match[0].lower()


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


def _moments(task: Mapping[str, Any]) -> Iterator[str]:
    """The task's own moment first, then all others."""
    if isinstance(now := task.get("now"), str):
        yield now
    for leaf in _leaves(task):
        yield from MOMENT.findall(leaf)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _hours(text: str, base: datetime | None) -> int:
    """How many hours after the base, rounded: what a task's answer may depend on, whenever it is played."""
    moment = _moment(text)
    return 0 if moment is None or base is None else round((moment - base).total_seconds() / 3600)
