"""Errors of the graphs floor.

GraphError
├── RunnerClosed        the runner is shutting down
├── TurnFailed          a turn could not be run, nor handed to a person; its message is kept
├── TurnNotFound        no turn of that id
├── Forgotten           the person was erased while their turn ran or waited
├── EditRefused         a reviewer's edit that can't be: another tool, arguments that don't fit, or policy says no
├── NotWithPerson       a handback of a conversation that no person has
└── NothingToUndo       an effect that did not happen, was undone, or can't be
"""


class GraphError(Exception):
    """Something about running a turn went wrong."""


class RunnerClosed(GraphError):
    """The runner is shutting down and takes no more work. Send the message again; nothing was lost."""


class TurnFailed(GraphError):
    """The message is kept and will be answered, but can't be run right now. Send it again under the same id."""


class TurnNotFound(GraphError):
    """There is no turn of that id."""


class Forgotten(GraphError):
    """The person of this conversation was erased. Nothing of it is kept; a new message begins a new conversation."""


class EditRefused(GraphError):
    """The edit can't be made; the approval is as it was. The message says which argument or rule stands against it."""


class NotWithPerson(GraphError):
    """This conversation is with the AI already; there is nothing to hand back."""


class NothingToUndo(GraphError):
    """This effect can't be undone: it did not happen, was undone already, or its tool doesn't say how."""
