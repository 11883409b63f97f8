"""Who may do what over HTTP: one table from route to roles, and the principal behind a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from fastapi import Request

from callboard.api.problems import NoKey, RoleMissing
from graphs.results import Reviewer

Role = Literal["bot", "reviewer", "supervisor", "evaluator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

Roles: TypeAlias = frozenset[Role]

_BOTS: Roles = frozenset({"bot", "admin"})
_PEOPLE: Roles = frozenset({"reviewer", "supervisor", "admin"})
_BOTS_AND_PEOPLE: Roles = _BOTS | _PEOPLE
_AUDITORS: Roles = frozenset({"supervisor", "evaluator", "admin"})
_DIRECTORS: Roles = frozenset({"supervisor", "admin"})
_ADMINS: Roles = frozenset({"admin"})
_ANY_KEY: Roles = frozenset(ROLES)

ACCESS: Mapping[str, Roles] = {
    "POST /v1/conversations/{conversation_id}/messages": _BOTS,
    "GET /v1/conversations/{conversation_id}": _BOTS_AND_PEOPLE,
    "POST /v1/conversations/{conversation_id}/handback": _PEOPLE,
    "GET /v1/cases/{case_id}": _PEOPLE,
    "GET /v1/approvals": _PEOPLE,
    "GET /v1/approvals/{approval_id}": _PEOPLE,
    "GET /v1/approvals/measures": _AUDITORS,
    "POST /v1/approvals/{approval_id}/claim": _PEOPLE,
    "POST /v1/approvals/{approval_id}/claim/renew": _PEOPLE,
    "POST /v1/approvals/{approval_id}/claim/release": _PEOPLE,
    "POST /v1/approvals/{approval_id}/decision": _PEOPLE,
    "POST /v1/approvals/{approval_id}/withdraw": _BOTS_AND_PEOPLE,
    "GET /v1/reconciliations": _PEOPLE,
    "GET /v1/reconciliations/{reconciliation_id}": _PEOPLE,
    "POST /v1/reconciliations/{reconciliation_id}/answer": _PEOPLE,
    "POST /v1/receipts/{receipt_id}/undo": _PEOPLE,
    "GET /v1/events": _PEOPLE,
    "GET /v1/load": _ANY_KEY,
    "GET /v1/audit/verify": _AUDITORS,
    "GET /v1/policies": _AUDITORS,
    "GET /v1/policies/diff": _AUDITORS,
    "GET /v1/requests/{request_id}/decisions": _AUDITORS,
    "POST /v1/policies": _AUDITORS,
    "POST /v1/policies/backtest": _AUDITORS,
    "POST /v1/policies/{content_hash}/backtest": _AUDITORS,
    "POST /v1/policies/{content_hash}/shadow": _DIRECTORS,
    "POST /v1/policies/{content_hash}/approve": _DIRECTORS,
    "POST /v1/policies/{content_hash}/activate": _DIRECTORS,
    "POST /v1/policies/rollback": _DIRECTORS,
    "POST /v1/customers/{customer_id}/erasure": _ADMINS,
    "GET /v1/customers/{customer_id}/export": _ADMINS,
    "POST /v1/customers/{customer_id}/hold": _ADMINS,
    "GET /v1/erasures": _AUDITORS,
    "POST /v1/erasures/purge": _ADMINS,
    "GET /v1/holds": _AUDITORS,
    "POST /v1/holds/{hold_id}/release": _ADMINS,
    "GET /v1/keys": _ADMINS,
    "POST /v1/keys": _ADMINS,
    "DELETE /v1/keys/{key_id}": _ADMINS,
    "GET /openapi.json": _ANY_KEY,
}
"""A route that isn't here is refused to everybody."""

PUBLIC = frozenset({"/healthz", "/readyz"})
"""Paths that need no key."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request, as their key says."""

    name: str
    """The person or program; all keys of one person carry the same name, so that two keys never make four eyes."""
    role: Role
    limits: Mapping[str, int] | None = None
    """Highest amount they may approve, in minor units by currency; None for no limit."""
    actions: Mapping[str, Mapping[str, int] | None] | None = None
    """The tools they may decide on, each with limits of its own or None for the general ones; None for all."""

    def as_reviewer(self) -> Reviewer:
        """The same person as the one who decides on an approval."""
        if self.role not in _PEOPLE:
            raise RoleMissing
        role = cast("Literal['reviewer', 'supervisor', 'admin']", self.role)
        actions = self.actions
        return Reviewer(
            id=self.name,
            role=role,
            limits=None if self.limits is None else dict(self.limits),
            actions=None
            if actions is None
            else {tool: None if own is None else dict(own) for tool, own in actions.items()},
        )


async def authorise(request: Request) -> None:
    """Refuse a request whose principal's role isn't in the route's row of the table."""
    path = request.scope["route"].path_format
    if path in PUBLIC:
        return
    principal = principal_of(request)
    if principal.role not in ACCESS.get(f"{request.method} {path}", frozenset()):
        raise RoleMissing(f"The role {principal.role} may not {request.method} {path}.")


def principal_of(request: Request) -> Principal:
    """Who sends this request; the gate has put them there."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise NoKey
    return principal
