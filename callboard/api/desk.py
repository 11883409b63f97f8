"""What every route works on: the runtime that the app was built around, and the common parameters of paths."""

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Path, Request

from callboard.api.models import IDENTIFIER

if TYPE_CHECKING:  # The app is handed an open runtime; importing its floors here would only cost start-up time.
    from callboard.runtime import Runtime

ConversationPath = Annotated[str, Path(pattern=IDENTIFIER, description="Your id of the conversation.")]
CasePath = Annotated[str, Path(pattern=IDENTIFIER)]
ApprovalPath = Annotated[str, Path(pattern=IDENTIFIER)]
ReconciliationPath = Annotated[str, Path(pattern=IDENTIFIER)]
ReceiptPath = Annotated[str, Path(pattern=IDENTIFIER)]
KeyPath = Annotated[str, Path(pattern=IDENTIFIER)]


def runtime_of(request: Request) -> "Runtime":
    """The runtime behind the app."""
    return cast("Runtime", request.app.state.runtime)
