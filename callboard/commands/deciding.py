"""Answering an approval from the command line: the call waits for nothing, so we look until its turn has ended."""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callboard.connection import Api

PATIENCE_S = 15.0
INTERVAL_S = 0.1


async def decide_and_wait(api: "Api", approval_id: str, decision: dict[str, Any]) -> dict[str, Any]:
    """Answer, then give what follows a moment; the approval as it stands then."""
    conversation = f"/v1/conversations/{(await api.get(f'/v1/approvals/{approval_id}'))['conversation_id']}"
    before = len((await api.get(conversation))["messages"])
    approval = await api.post(f"/v1/approvals/{approval_id}/decision", decision)
    for _ in range(int(PATIENCE_S / INTERVAL_S)):
        if approval["status"] == "pending":
            break
        said = len((await api.get(conversation))["messages"])
        approval = await api.get(f"/v1/approvals/{approval_id}")
        if approval["status"] != "approved" and said > before:
            break
        await asyncio.sleep(INTERVAL_S)
    return approval
