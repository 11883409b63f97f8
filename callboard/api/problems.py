"""Every error as problem+json (RFC 9457): one table from error class to status, type and title."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from graphs import errors as graph_errors
from memory import errors as memory_errors
from policies.errors import PlaybookMistakes
from policies.words import Json

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:callboard:problem:"


class ApiError(Exception):
    """Something about a request that the API itself refuses.

    ApiError
    ├── NoKey              no key, or one that isn't known
    ├── RoleMissing        the key's role may not do this
    ├── BodyTooLarge
    ├── MessageTooLong     more characters than this deployment takes
    └── NotReady           a part that serving needs does not answer
    """


class NoKey(ApiError):
    """Send a valid API key as `Authorization: Bearer …`."""


class RoleMissing(ApiError):
    """This key may not do that. Use the key of somebody who may."""


class BodyTooLarge(ApiError):
    """The body is larger than any valid request. Send less text."""


class MessageTooLong(ApiError):
    """The message has more characters than are taken here. Send it in parts."""


class NotReady(ApiError):
    """A part that serving needs does not answer. Ask again later."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one class of errors looks on the wire."""

    status: int
    slug: str
    """Last part of the problem's `type`; never changes once published."""
    title: str
    members: tuple[str, ...] = ()
    """Attributes of the error that are shown as members of the problem."""

    @property
    def type(self) -> str:
        """The problem's type, to switch on."""
        return TYPE_PREFIX + self.slug


INTERNAL = Kind(500, "internal", "Something broke on our side")
INVALID = Kind(422, "invalid-request", "The request does not have the form it needs")

PROBLEMS: Mapping[type[Exception], Kind] = {
    NoKey: Kind(401, "no-key", "A valid API key is needed"),
    RoleMissing: Kind(403, "role-missing", "This key may not do that"),
    BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    MessageTooLong: Kind(413, "message-too-long", "The message is too long"),
    memory_errors.Overloaded: Kind(
        429, "overloaded", "Too many messages wait already", ("scope", "waiting", "limit", "retry_after_s")
    ),
    NotReady: Kind(503, "not-ready", "Callboard is not ready"),
    RequestValidationError: INVALID,
    memory_errors.RecordNotFound: Kind(404, "not-found", "There is no such record", ("kind", "record_id")),
    memory_errors.MessageConflict: Kind(409, "message-conflict", "This message id is known with another text"),
    memory_errors.CustomerConflict: Kind(409, "customer-conflict", "The conversation belongs to another customer"),
    memory_errors.ApprovalNotFound: Kind(404, "approval-not-found", "There is no such approval", ("approval_id",)),
    memory_errors.ApprovalClosed: Kind(
        409, "approval-closed", "Nothing can be decided on this approval any more", ("approval_id", "status")
    ),
    memory_errors.ApprovalExpired: Kind(409, "approval-expired", "The approval has expired", ("approval_id",)),
    memory_errors.ApprovalChanged: Kind(
        409, "approval-changed", "The approval has changed since it was read", ("approval_id", "version", "current")
    ),
    memory_errors.ApprovalClaimed: Kind(
        409, "approval-claimed", "Somebody else is at this approval", ("approval_id", "by", "until")
    ),
    memory_errors.NotClaimed: Kind(409, "not-claimed", "You hold no claim on this approval", ("approval_id",)),
    memory_errors.NotOfConversation: Kind(
        403, "not-of-conversation", "The approval belongs to another conversation", ("approval_id",)
    ),
    memory_errors.ActionNotYours: Kind(
        403, "action-not-yours", "This action isn't this reviewer's to decide", ("approval_id", "tool")
    ),
    memory_errors.ReconciliationClosed: Kind(
        409, "reconciliation-closed", "What came of this call is known already", ("reconciliation_id", "status")
    ),
    memory_errors.ReconcilerLacksRole: Kind(
        403, "reconciler-lacks-role", "This answer needs a higher role", ("reconciliation_id", "needed", "role")
    ),
    memory_errors.OutcomeUnclear: Kind(
        422, "outcome-unclear", "The answer lacks what makes it one", ("reconciliation_id", "lacks")
    ),
    graph_errors.NothingToUndo: Kind(409, "nothing-to-undo", "This effect can't be undone"),
    memory_errors.NotAuthorised: Kind(
        403, "not-authorised", "This approval needs a higher role", ("approval_id", "needed", "role")
    ),
    memory_errors.AboveLimit: Kind(
        403,
        "above-limit",
        "The amount is above this reviewer's limit",
        ("approval_id", "amount_minor", "currency", "limit_minor"),
    ),
    memory_errors.OwnRequest: Kind(403, "own-request", "Nobody approves what they asked for", ("approval_id",)),
    memory_errors.AlreadyVoted: Kind(409, "already-voted", "Two approvals need two people", ("approval_id",)),
    memory_errors.JustificationMissing: Kind(
        422, "justification-missing", "This answer needs a message that says why", ("approval_id", "answer")
    ),
    memory_errors.ToolSwitched: Kind(
        422, "tool-switched", "An edit may not name another tool", ("approval_id", "tool", "edited")
    ),
    memory_errors.PolicyNotReady: Kind(
        409, "policy-not-ready", "A step before this one is missing", ("version", "needs")
    ),
    memory_errors.SecondPersonNeeded: Kind(
        403, "second-person-needed", "Somebody else must approve this", ("version", "role")
    ),
    PlaybookMistakes: Kind(422, "playbook-mistakes", "The policies have mistakes"),
    memory_errors.KeyGone: Kind(410, "forgotten", "What this record said has been erased"),
    memory_errors.StoreClosed: Kind(503, "closing", "Callboard is shutting down"),
    memory_errors.StoreUnavailable: Kind(503, "store-unavailable", "The records can't be written right now"),
    graph_errors.RunnerClosed: Kind(503, "closing", "Callboard is shutting down"),
    graph_errors.TurnFailed: Kind(503, "turn-failed", "The message is kept but can't be run right now"),
    graph_errors.TurnNotFound: Kind(404, "turn-not-found", "There is no such turn"),
    graph_errors.Forgotten: Kind(410, "forgotten", "What this record said has been erased"),
    memory_errors.ErasureHeld: Kind(409, "legal-hold", "A legal hold forbids it", ("hold_id", "reference")),
    graph_errors.EditRefused: Kind(422, "edit-refused", "The edit can't be made"),
    graph_errors.NotWithPerson: Kind(409, "not-with-person", "No person has this conversation"),
}

_BY_STATUS: Mapping[int, Kind] = {
    404: Kind(404, "no-such-path", "There is nothing at this path"),
    405: Kind(405, "method-not-allowed", "This path takes other methods"),
}


def catalogue() -> list[Kind]:
    """Every kind of problem that the API answers with, by status and slug, once each."""
    kinds = {kind.slug: kind for kind in (*PROBLEMS.values(), *_BY_STATUS.values(), INTERNAL)}
    return sorted(kinds.values(), key=lambda kind: (kind.status, kind.slug))


def problem_of(error: Exception) -> JSONResponse:
    """Turn any error into its problem. What the table doesn't know is an internal error, and says nothing of itself."""
    if isinstance(error, RequestValidationError):
        return render(INVALID, detail=_first_sentence(error), extra={"errors": _validation_errors(error)})
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, INVALID if error.status_code < 500 else INTERNAL)
        return render(kind, status=error.status_code, headers=error.headers)
    for cls in type(error).__mro__:
        if cls in PROBLEMS:
            kind = PROBLEMS[cls]
            extra = {name: getattr(error, name) for name in kind.members}
            headers = {"WWW-Authenticate": "Bearer"} if kind.status == 401 else None
            if isinstance(error, memory_errors.Overloaded):
                headers = {"Retry-After": str(error.retry_after_s)}
            return render(kind, detail=str(error) or (cls.__doc__ or "").strip(), extra=extra, headers=headers)
    return render(INTERNAL, detail="The error is in the server's log. Nothing half-done is left behind; try again.")


def render(
    kind: Kind,
    *,
    status: int | None = None,
    detail: str = "",
    extra: Mapping[str, Json] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Write a problem+json response. The members of RFC 9457 win over extra ones."""
    body: dict[str, Json] = dict(extra or {})
    if "status" in body:
        # The name is taken by the HTTP status.
        body["state"] = body.pop("status")
    body |= {"type": kind.type, "title": kind.title, "status": status or kind.status}
    if detail:
        body["detail"] = detail
    return JSONResponse(
        jsonable_encoder(body), status or kind.status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Let the app answer every error through the table."""

    async def answer(_request: Request, error: Exception) -> JSONResponse:
        return problem_of(error)

    for cls in (*PROBLEMS, HTTPException):
        app.add_exception_handler(cls, answer)


def _validation_errors(error: RequestValidationError) -> list[Json]:
    # Without the input: it may be a customer's words.
    return [{"at": ".".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in error.errors()]


def _first_sentence(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
