"""Errors of the tools floor.

ToolError
├── ToolRefused        the system said no; nothing happened
├── ToolUnavailable    the system could not be reached; nothing happened
├── ToolArgumentsError arguments don't fit the tool's schema
├── UnknownTool        no tool of that name in the playbook
├── ToolSpecError      a playbook declares a tool that contradicts itself
└── PermitError        a call without a valid, unspent permit
"""


class ToolError(Exception):
    """Something about a tool call went wrong."""


class ToolRefused(ToolError):
    """The system of record refused the call; nothing happened.

    Attributes:
        code: A stable word for replies: "not_found", "already_refunded".
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class ToolUnavailable(ToolError):
    """The system of record can't be reached; nothing happened. Try again later."""


class ToolArgumentsError(ToolError):
    """The arguments don't fit the tool's schema. The message names each argument and what it takes."""


class UnknownTool(ToolError):
    """The playbook has no tool of that name."""


class PermitError(ToolError):
    """A tool call without a permit that fits it, or whose permit was spent already."""


class ToolSpecError(ToolError):
    """A playbook declares a tool that contradicts itself. One sentence per mistake, a line each."""
