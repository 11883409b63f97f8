"""Errors of the shell.

CallboardError
├── NamesTaken            another distribution owns one of our import names
├── SettingsInvalid       a setting is missing or wrong
├── UnsafeStart           the server must not start like this
├── SystemsMissing        the playbook's systems of record are not where they should be
├── ServerUnreachable     a running Callboard does not answer
└── Refused               Callboard answered with a problem
"""

from policies.words import Json


class CallboardError(Exception):
    """Callboard can't do this."""


class NamesTaken(CallboardError):
    """Another installed distribution owns one of our top-level import names. Give Callboard its own environment."""


class SettingsInvalid(CallboardError):
    """A setting is missing or wrong. The message names it and what it takes, never its value."""


class UnsafeStart(CallboardError):
    """The server must not start like this. The message says what to change."""


class SystemsMissing(CallboardError):
    """The playbook's systems of record are not where they should be."""


class ServerUnreachable(CallboardError):
    """A running Callboard does not answer."""


class Refused(CallboardError):
    """Callboard answered with a problem.

    Attributes:
        problem: The problem+json document, as it was sent.
    """

    def __init__(self, problem: dict[str, Json]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "The request was refused."))
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status that came with it."""
        status = self.problem.get("status")
        return status if isinstance(status, int) else 500
