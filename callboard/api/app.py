"""The FastAPI application around an open runtime."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from callboard.api import (
    approvals,
    cases,
    conversations,
    health,
    keys,
    policies,
    privacy,
    reconciliations,
    watching,
)
from callboard.api.access import ACCESS, PUBLIC, authorise
from callboard.api.gate import Authenticate, Gate
from callboard.api.models import ProblemOut
from callboard.api.problems import MEDIA_TYPE, catalogue, install

if TYPE_CHECKING:  # The app is handed an open runtime; importing its floors here would only cost start-up time.
    from callboard.runtime import Runtime

DESCRIPTION = """\
Callboard runs customer conversations under governance: agents propose, policies decide, people approve, and one
gateway acts.

Send `Authorization: Bearer <key>`. Each operation says which roles may use it.

Every error is `application/problem+json` (RFC 9457). Its `type` is one of:

"""


def create_app(runtime: "Runtime", *, authenticate: Authenticate) -> FastAPI:
    """Build the app.

    Args:
        runtime: Open, and kept open by the caller for as long as the app serves.
        authenticate: Says who holds an API key.
    """
    app = build_routes()
    app.state.runtime = runtime
    app.add_middleware(Gate, authenticate=authenticate)
    return app


def build_routes() -> FastAPI:
    """The app without a runtime behind it: enough to describe it."""
    app = FastAPI(
        title="Callboard",
        version="1",
        description=DESCRIPTION + _error_table(),
        dependencies=[Depends(authorise)],
        # Their pages load scripts from elsewhere; the document itself is served below, to holders of a key.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses={"default": {"description": "A problem.", "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}}}},
    )
    routed = (conversations, approvals, reconciliations, cases, policies, privacy, keys, watching, health)
    for module in routed:
        app.include_router(module.router)

    @app.get("/openapi.json", tags=["records"])
    async def read_openapi(request: Request) -> JSONResponse:
        """This description."""
        return JSONResponse(describe(request.app))

    install(app)
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document: FastAPI's, with keys, roles and problems written in."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _describe_operation(operation, path=path, roles=sorted(ACCESS.get(f"{method.upper()} {path}", ())))
        app.openapi_schema = document
    return app.openapi_schema


_PROBLEM_SCHEMA: Mapping[str, str] = {"$ref": "#/components/schemas/ProblemOut"}


def _describe_operation(operation: dict[str, Any], *, path: str, roles: list[str]) -> None:
    # Validation errors are problems here, not FastAPI's own shape.
    operation["responses"].pop("422", None)
    if path in PUBLIC:
        return
    operation["security"] = [{"key": []}]
    operation["x-roles"] = roles
    operation["description"] = f"{operation.get('description', '')}\n\nRoles: {', '.join(roles)}.".strip()


def _error_table() -> str:
    rows = [f"| {kind.status} | `{kind.type}` | {kind.title} |" for kind in catalogue()]
    return "\n".join(["| status | type | meaning |", "|---|---|---|", *rows])
