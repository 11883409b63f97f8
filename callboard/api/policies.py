"""Routes for those who change policies: draft, backtest, shadow, approve, activate, roll back, history."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime

from callboard.api.access import principal_of
from callboard.api.desk import runtime_of
from callboard.api.models import IDENTIFIER, ActivationIn, BacktestIn, PolicyIn
from callboard.policy_office import backtest, compare, explain_request, history, view
from memory import policy_versions
from policies.contents import content_from_json
from policies.words import RequestId

router = APIRouter(prefix="/v1", tags=["policies"])

HashPath = Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$", description="A content hash, or its beginning.")]
RequestPath = Annotated[str, Path(pattern=IDENTIFIER)]


@router.get("/policies")
async def read_history(request: Request) -> dict[str, Any]:
    """What is in force, every version, and every step of each with who and when."""
    runtime = runtime_of(request)
    return await runtime.store.read(lambda unit: history(unit, playbook=runtime.playbook.name))


@router.post("/policies", status_code=201)
async def draft(given: PolicyIn, request: Request) -> dict[str, Any]:
    """Store the texts of policy files as a draft. They must load beside the tools that run."""
    runtime = runtime_of(request)
    content = content_from_json({"files": given.files, "parameters": given.parameters})
    runtime.desk.compile(content)
    version = await runtime.store.write(
        lambda unit: policy_versions.draft(
            unit,
            playbook=runtime.playbook.name,
            content_hash=content.hash,
            content=content.as_json(),
            by=principal_of(request).name,
            note=given.note,
            now=runtime.clock(),
        )
    )
    return view(version)


@router.post("/policies/backtest")
async def try_out(given: BacktestIn, request: Request) -> dict[str, Any]:
    """Replay recorded decisions under the given policy files; nothing is stored."""
    runtime = runtime_of(request)
    engine = runtime.desk.compile(content_from_json({"files": given.files, "parameters": given.parameters}))
    return await backtest(runtime, engine, since=given.since)


@router.get("/policies/diff")
async def diff(
    request: Request,
    one: Annotated[str, Query(pattern=r"^[0-9a-f]{8,64}$")],
    other: Annotated[str, Query(pattern=r"^[0-9a-f]{8,64}$")],
) -> dict[str, Any]:
    """What differs between two stored versions, in words."""
    runtime = runtime_of(request)
    return await runtime.store.read(lambda unit: compare(runtime, unit, one=one, other=other))


@router.post("/policies/rollback")
async def roll_back(request: Request) -> dict[str, Any]:
    """End the latest activation: the version before it is in force again, at once."""
    runtime, by = runtime_of(request), principal_of(request).name
    name = runtime.playbook.name
    await runtime.store.write(lambda unit: policy_versions.roll_back(unit, playbook=name, by=by, now=runtime.clock()))
    return await runtime.store.read(lambda unit: history(unit, playbook=name))


@router.post("/policies/{content_hash}/backtest")
async def attach_backtest(
    content_hash: HashPath, request: Request, since: Annotated[AwareDatetime | None, Query()] = None
) -> dict[str, Any]:
    """Replay recorded decisions under a draft, and keep the result with it."""
    runtime, by = runtime_of(request), principal_of(request).name
    name = runtime.playbook.name
    version, engine = await runtime.store.read(
        lambda unit: (
            found := policy_versions.get(unit, playbook=name, content_hash=content_hash),
            runtime.desk.engine_of(unit, found.hash),
        )
    )
    report = await backtest(runtime, engine, since=since)
    await runtime.store.write(
        lambda unit: policy_versions.attach_backtest(
            unit, playbook=name, content_hash=version.hash, report=report, by=by, now=runtime.clock()
        )
    )
    return report


@router.post("/policies/{content_hash}/shadow")
async def shadow(content_hash: HashPath, request: Request) -> dict[str, Any]:
    """Let a draft decide beside the version in force; its flips are counted."""
    runtime, by = runtime_of(request), principal_of(request).name
    name = runtime.playbook.name
    return view(
        await runtime.store.write(
            lambda unit: policy_versions.shadow(
                unit, playbook=name, content_hash=content_hash, by=by, now=runtime.clock()
            )
        )
    )


@router.post("/policies/{content_hash}/approve")
async def approve(content_hash: HashPath, request: Request) -> dict[str, Any]:
    """Say yes to a version that somebody else drafted."""
    runtime, who = runtime_of(request), principal_of(request)
    name = runtime.playbook.name
    return view(
        await runtime.store.write(
            lambda unit: policy_versions.approve(
                unit, playbook=name, content_hash=content_hash, by=who.name, role=who.role, now=runtime.clock()
            )
        )
    )


@router.post("/policies/{content_hash}/activate")
async def activate(content_hash: HashPath, given: ActivationIn, request: Request) -> dict[str, Any]:
    """Bring an approved version into force, from a time, for a share of the cases."""
    runtime, by = runtime_of(request), principal_of(request).name
    name, now = runtime.playbook.name, runtime.clock()

    await runtime.store.write(
        lambda unit: runtime.desk.prepare(
            unit,
            policy_versions.activate(
                unit,
                playbook=name,
                content_hash=content_hash,
                by=by,
                now=now,
                starts_at=max(given.starts_at or now, now),
                share=given.share,
            ).hash,
            now=now,
        )
    )
    return await runtime.store.read(lambda unit: history(unit, playbook=name))


@router.get("/requests/{request_id}/decisions")
async def explain_one(request_id: RequestPath, request: Request) -> dict[str, Any]:
    """Every decision on a proposed action, in words: by which rules, on which facts, in which version."""
    return await runtime_of(request).store.read(lambda unit: explain_request(unit, request_id=RequestId(request_id)))
