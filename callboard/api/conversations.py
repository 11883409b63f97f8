"""Routes for bots: send a customer's message, read a conversation; and the handback, by which a person returns it."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from callboard.api.access import principal_of
from callboard.api.desk import ConversationPath, runtime_of
from callboard.api.models import ConversationOut, HandbackIn, MessageIn, TurnOut
from callboard.api.problems import MessageTooLong
from callboard.views import view_conversation
from graphs.results import InboundMessage, Progress
from policies.words import ConversationId

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

EVENT_STREAM = "text/event-stream"


@router.post(
    "/{conversation_id}/messages",
    response_model=TurnOut,
    responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}},
)
async def send_message(
    conversation_id: ConversationPath, message: MessageIn, request: Request
) -> TurnOut | StreamingResponse:
    """Hand in a customer's message and get the turn's outcome.

    The message is durable before anything else happens, and the same `message_id` returns the same turn as it stands
    now. Where too much waits already, it is refused with 429 and `Retry-After`, and was not taken. A turn that needs a
    person's approval answers at once with `awaiting_approval` and an honest interim reply; its final reply appears on
    the conversation when it is decided. Asked with `Accept: text/event-stream`, the progress of the turn is streamed
    and its last event, `finished`, carries the same result.
    """
    if len(message.text) > runtime_of(request).settings.max_message_chars:
        raise MessageTooLong
    inbound = InboundMessage(
        conversation_id=ConversationId(conversation_id),
        message_id=message.message_id,
        text=message.text,
        channel=message.channel,
        customer_hint=message.customer_hint,
    )
    runner = runtime_of(request).runner
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return TurnOut.of(await runner.handle(inbound))
    stream = runner.stream(inbound)
    # Taken before the answer begins, so that a refused message is still a problem and not a broken stream.
    first = await anext(stream)
    return StreamingResponse(_events(first, stream), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"})


@router.get("/{conversation_id}")
async def read_conversation(conversation_id: ConversationPath, request: Request) -> ConversationOut:
    """Everything said in a conversation, in order, with final replies after approvals, and what it waits for."""
    return await runtime_of(request).store.read(
        lambda unit: view_conversation(unit, conversation_id=ConversationId(conversation_id))
    )


@router.post("/{conversation_id}/handback")
async def hand_back(conversation_id: ConversationPath, handback: HandbackIn, request: Request) -> ConversationOut:
    """Give a conversation that a person had back to the AI. Until then the AI is silent in it."""
    runtime = runtime_of(request)
    await runtime.runner.handback(
        ConversationId(conversation_id), by=principal_of(request).as_reviewer(), summary=handback.summary
    )
    return await read_conversation(conversation_id, request)


async def _events(first: Progress, rest: AsyncIterator[Progress]) -> AsyncIterator[str]:
    yield _event(first)
    async for progress in rest:
        yield _event(progress)


def _event(progress: Progress) -> str:
    data: dict[str, object] = {"turn_id": progress.turn_id}
    if progress.node:
        data["node"] = progress.node
    if progress.text:
        data["text"] = progress.text
    if progress.result is not None:
        data["result"] = TurnOut.of(progress.result).model_dump(mode="json")
    return f"event: {progress.kind}\ndata: {json.dumps(data)}\n\n"
