"""Who may do what: every route is in the table, and only those whom it names get through."""

import httpx2
import pytest
from fastapi import FastAPI

from callboard.api.access import ACCESS, PUBLIC, ROLES, Principal, Role
from callboard.api.app import build_routes, create_app, describe
from callboard.api.problems import RoleMissing

EXPECTED: dict[str, set[str]] = {
    "POST /v1/conversations/{conversation_id}/messages": {"bot", "admin"},
    "GET /v1/conversations/{conversation_id}": {"bot", "reviewer", "supervisor", "admin"},
    "POST /v1/conversations/{conversation_id}/handback": {"reviewer", "supervisor", "admin"},
    "GET /v1/cases/{case_id}": {"reviewer", "supervisor", "admin"},
    "GET /v1/approvals": {"reviewer", "supervisor", "admin"},
    "GET /v1/approvals/{approval_id}": {"reviewer", "supervisor", "admin"},
    "GET /v1/approvals/measures": {"supervisor", "evaluator", "admin"},
    "POST /v1/approvals/{approval_id}/claim": {"reviewer", "supervisor", "admin"},
    "POST /v1/approvals/{approval_id}/claim/renew": {"reviewer", "supervisor", "admin"},
    "POST /v1/approvals/{approval_id}/claim/release": {"reviewer", "supervisor", "admin"},
    "POST /v1/approvals/{approval_id}/decision": {"reviewer", "supervisor", "admin"},
    "POST /v1/approvals/{approval_id}/withdraw": {"bot", "reviewer", "supervisor", "admin"},
    "GET /v1/reconciliations": {"reviewer", "supervisor", "admin"},
    "GET /v1/reconciliations/{reconciliation_id}": {"reviewer", "supervisor", "admin"},
    "POST /v1/reconciliations/{reconciliation_id}/answer": {"reviewer", "supervisor", "admin"},
    "POST /v1/receipts/{receipt_id}/undo": {"reviewer", "supervisor", "admin"},
    "GET /v1/events": {"reviewer", "supervisor", "admin"},
    "GET /v1/load": {"bot", "reviewer", "supervisor", "evaluator", "admin"},
    "GET /v1/audit/verify": {"supervisor", "evaluator", "admin"},
    "GET /v1/policies": {"supervisor", "evaluator", "admin"},
    "GET /v1/policies/diff": {"supervisor", "evaluator", "admin"},
    "GET /v1/requests/{request_id}/decisions": {"supervisor", "evaluator", "admin"},
    "POST /v1/policies": {"supervisor", "evaluator", "admin"},
    "POST /v1/policies/backtest": {"supervisor", "evaluator", "admin"},
    "POST /v1/policies/{content_hash}/backtest": {"supervisor", "evaluator", "admin"},
    "POST /v1/policies/{content_hash}/shadow": {"supervisor", "admin"},
    "POST /v1/policies/{content_hash}/approve": {"supervisor", "admin"},
    "POST /v1/policies/{content_hash}/activate": {"supervisor", "admin"},
    "POST /v1/policies/rollback": {"supervisor", "admin"},
    "POST /v1/customers/{customer_id}/erasure": {"admin"},
    "GET /v1/customers/{customer_id}/export": {"admin"},
    "POST /v1/customers/{customer_id}/hold": {"admin"},
    "GET /v1/erasures": {"supervisor", "evaluator", "admin"},
    "POST /v1/erasures/purge": {"admin"},
    "GET /v1/holds": {"supervisor", "evaluator", "admin"},
    "POST /v1/holds/{hold_id}/release": {"admin"},
    "GET /v1/keys": {"admin"},
    "POST /v1/keys": {"admin"},
    "DELETE /v1/keys/{key_id}": {"admin"},
    "GET /openapi.json": {"bot", "reviewer", "supervisor", "evaluator", "admin"},
}


def operations(app: FastAPI) -> dict[str, dict[str, object]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in describe(app)["paths"].items()
        for method, operation in methods.items()
    }


def client_for(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://callboard")


async def by_role(key: str) -> Principal | None:
    return next((Principal(name=f"a {role}", role=role) for role in ROLES if role == key), None)


def test_every_route_and_role_is_as_written_here() -> None:
    assert {route: set(roles) for route, roles in ACCESS.items()} == EXPECTED


def test_no_route_is_missing_in_the_table_and_none_is_there_for_nothing() -> None:
    served = set(operations(build_routes()))
    assert served == set(ACCESS) | {f"GET {path}" for path in PUBLIC}


WITHOUT_RUNTIME = create_app(None, authenticate=by_role)  # type: ignore[arg-type]  # these tests stop at the door


@pytest.mark.parametrize("route", list(EXPECTED))
async def test_nobody_gets_in_without_a_key(route: str) -> None:
    method, path = route.split(" ")
    async with client_for(WITHOUT_RUNTIME) as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic admin"},
            {"Authorization": "Bearer "},
        ):
            response = await client.request(method, path, headers=headers)
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("route", "role"), [(route, role) for route in EXPECTED for role in ROLES])
async def test_a_role_gets_exactly_the_routes_that_the_table_gives_it(route: str, role: Role) -> None:
    method, path = route.split(" ")
    async with client_for(WITHOUT_RUNTIME) as client:
        response = await client.request(method, path, headers={"Authorization": f"Bearer {role}"})
    # Who may pass meets the missing runtime or a missing body behind the door.
    assert (response.status_code == 403) == (role not in EXPECTED[route])


async def test_health_needs_no_key() -> None:
    async with client_for(WITHOUT_RUNTIME) as client:
        response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_path_that_is_not_there_is_not_told_apart_without_a_key() -> None:
    async with client_for(WITHOUT_RUNTIME) as client:
        assert (await client.get("/v1/nothing")).status_code == 401
        known = await client.get("/v1/nothing", headers={"Authorization": "Bearer bot"})
    assert (known.status_code, known.json()["type"]) == (404, "urn:callboard:problem:no-such-path")


def test_the_description_is_openapi_3_1_with_roles_examples_and_problems() -> None:
    app = build_routes()
    document = describe(app)
    assert document["openapi"].startswith("3.1")
    for route, operation in operations(app).items():
        assert "default" in operation["responses"], route  # type: ignore[operator]
        assert "422" not in operation["responses"], route  # type: ignore[operator]
        if route in ACCESS:
            assert operation["x-roles"] == sorted(EXPECTED[route])
            assert operation["security"] == [{"key": []}]
    for body in ("MessageIn", "DecisionIn", "HandbackIn", "KeyIn"):
        assert document["components"]["schemas"][body]["examples"]
    assert "urn:callboard:problem:message-conflict" in document["info"]["description"]


def test_who_only_carries_messages_is_no_reviewer() -> None:
    with pytest.raises(RoleMissing):
        Principal(name="bot", role="bot").as_reviewer()
    assert Principal(name="Rosa", role="supervisor", limits={"EUR": 5}).as_reviewer().limits == {"EUR": 5}
