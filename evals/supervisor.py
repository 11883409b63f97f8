"""LangGraph's supervisor pattern on the retail tools: one agent that delegates to specialists who come back to it.

Built with the library for it, on the playbook's own tools and systems of record. What the model says is scripted: the
fewest calls by which the pattern gets there. A specialist needs one to call a tool and one to report, the supervisor
one to delegate and one to answer; the library puts the messages in between.
"""

import importlib
import json
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from evals.errors import PeerMissing
from policies.words import CustomerId
from tools.spec import BusinessSystem, ToolContext, ToolSpec

SPECIALISTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "authentication": (("verify_customer",), "You find out who the customer is, by e-mail and postcode."),
    "orders": (("get_order", "list_orders", "track_shipment"), "You look up orders and where parcels are."),
    "refunds": (
        ("get_order", "quote_refund", "refund_order"),
        "You quote refunds, have them confirmed, and give them.",
    ),
}
PROMPT = (
    "You supervise the customer service of an online shop. Delegate to authentication before anything about an "
    "account, to orders for questions about orders, to refunds for money back. Call escalate if the customer wants a "
    "person. When a specialist has reported, answer the customer."
)

Move = tuple[str, Mapping[str, Any]] | str
"""A tool call, or words."""


def delegate(specialist: str) -> Move:
    """The supervisor hands over."""
    return f"transfer_to_{specialist}", {}


def asks_identity() -> list[Move]:
    """A first turn in which all that can be done is to ask who it is."""
    ask = "Please give me the e-mail address and the postcode of your account."
    return [delegate("authentication"), ask, ask]


def verified(email: str, postcode: str) -> list[Move]:
    """The check, and the specialist's report."""
    return [
        delegate("authentication"),
        ("verify_customer", {"email": email, "postcode": postcode}),
        "The customer is verified.",
    ]


SCRIPTS: Mapping[str, Sequence[Sequence[Move]]] = {
    "order_status": (
        asks_identity(),
        [
            *verified("jonas.lindqvist@example.org", "411 24"),
            delegate("orders"),
            ("get_order", {"order_id": "20731"}),
            "Order 20731 is on its way with PostNord and is expected in two days.",
            "Your order 20731 is on its way with PostNord; the carrier expects to deliver it in two days.",
        ],
        ["You're welcome."],
    ),
    "refund_above_threshold": (
        asks_identity(),
        [
            *verified("mira.okafor@example.org", "10435"),
            delegate("refunds"),
            ("get_order", {"order_id": "20418"}),
            ("quote_refund", {"order_id": "20418"}),
            "148.90 EUR can be refunded for the walking boots of order 20418. Shall it be done?",
            "I can refund 148.90 EUR for the walking boots of order 20418. Shall I?",
        ],
        [
            delegate("refunds"),
            (
                "refund_order",
                {
                    "order_id": "20418",
                    "item_ids": ["20418-1"],
                    "amount_minor": 14890,
                    "currency": "EUR",
                    "reason": "returned",
                },
            ),
            "148.90 EUR were refunded.",
            "I have refunded 148.90 EUR for order 20418.",
        ],
    ),
    "asks_for_a_person": ([("escalate", {"reason": "The customer wants a person."}), "A colleague takes over."],),
}
"""By conversation: for each turn what the model says, call by call. A turn that isn't there needs nobody."""


class ScriptedSupervisor:
    """Says a conversation's moves in order, whoever of the agents asks."""

    def __init__(self) -> None:
        self._moves: list[Move] = []
        self._numbers = count()

    def take(self, moves: Sequence[Move]) -> None:
        """The moves of the next turn."""
        self._moves = [*moves]

    @property
    def left(self) -> int:
        """Moves that nobody asked for."""
        return len(self._moves)

    async def __call__(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> AIMessage:
        """The next move."""
        move = self._moves.pop(0)
        if isinstance(move, str):
            return AIMessage(move)
        name, arguments = move
        return AIMessage("", tool_calls=[{"name": name, "args": dict(arguments), "id": f"call-{next(self._numbers)}"}])


def open_supervisor(
    model: BaseChatModel, tools: Mapping[str, ToolSpec], systems: Mapping[str, BusinessSystem], *, now: datetime
) -> Callable[[str, str], Awaitable[str]]:
    """A chat that takes a conversation's id and a message, and gives the reply.

    Raises:
        PeerMissing: The library isn't installed.
    """
    try:
        create_supervisor = importlib.import_module("langgraph_supervisor").create_supervisor
    except ImportError:
        raise PeerMissing("langgraph-supervisor") from None
    # LangGraph has moved its ready-made agent to a package of its own, which nothing else here needs.
    create_agent = importlib.import_module("langgraph.prebuilt").create_react_agent
    customers: dict[str, CustomerId] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agents = [
            create_agent(
                model, [_tool(tools[each], systems, customers, now) for each in names], prompt=prompt, name=name
            )
            for name, (names, prompt) in SPECIALISTS.items()
        ]
        escalate = StructuredTool.from_function(
            coroutine=_escalate, name="escalate", description="Hand the conversation to a person."
        )
        graph = create_supervisor(agents, model=model, tools=[escalate], prompt=PROMPT).compile(
            checkpointer=InMemorySaver()
        )

    async def say(conversation: str, text: str) -> str:
        config = {"configurable": {"thread_id": conversation}, "recursion_limit": 60}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            after = await graph.ainvoke({"messages": [HumanMessage(text)]}, config)
        return str(after["messages"][-1].content)

    return say


async def _escalate(reason: str) -> str:
    return f"A colleague was told: {reason}"


def _tool(
    spec: ToolSpec, systems: Mapping[str, BusinessSystem], customers: dict[str, CustomerId], now: datetime
) -> StructuredTool:
    async def call(**arguments: Any) -> str:
        context = ToolContext(
            systems=systems, customer_id=customers.get("customer"), idempotency_key=f"peer-{spec.name}", now=now
        )
        result = await spec.call(spec.arguments.model_validate(arguments), context)
        if spec.verification is not None and (known := spec.verification(result.value)) is not None:
            customers["customer"] = known.customer_id
        return json.dumps(result.value)

    return StructuredTool.from_function(
        coroutine=call, name=spec.name, description=spec.description, args_schema=spec.arguments
    )
