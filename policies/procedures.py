"""Procedure: what must have happened before in the case, read from its history."""

from collections.abc import Iterable, Mapping

from policies.canonical import is_same
from policies.rules import Procedure
from policies.words import ActionRequest, HistoryEvent, ToolProfile


def is_met(
    rule: Procedure,
    request: ActionRequest,
    *,
    history: Iterable[HistoryEvent],
    tools: Mapping[str, ToolProfile],
) -> bool:
    """Whether the history gives what the rule demands before this request."""
    events = history if isinstance(history, tuple) else tuple(history)
    match rule.demand:
        case "confirmed":
            return is_confirmed(request, events)
        case "record_read":
            return _is_record_read(request, events, tools)
        case "after":
            return set(rule.after or ()) <= {event.tool for event in _done(events)}
        case "before":
            return not set(rule.before or ()) & {event.tool for event in _done(events)}
        case "at_most":
            earlier = [event for event in _done(events) if event.tool == request.tool]
            return sum(_agrees(event, request, rule.same) for event in earlier) < (rule.at_most or 0)
        case _:
            if request.occurrence:
                return True
            calls = (event for event in events if event.ok and event.kind == "call")
            return not any(_is_same_call(event, request) for event in calls)


def is_confirmed(request: ActionRequest, history: Iterable[HistoryEvent]) -> bool:
    """Whether the customer said yes to this tool with these very arguments, and that yes isn't used up.

    A yes is spent by the first successful call after it and dies with any change of an argument.
    """
    confirmed = False
    for event in history:
        if event.ok and _is_same_call(event, request):
            confirmed = event.kind == "confirmation"
    return confirmed


def _done(history: Iterable[HistoryEvent]) -> list[HistoryEvent]:
    return [event for event in history if event.kind == "call" and event.ok]


def _is_same_call(event: HistoryEvent, request: ActionRequest) -> bool:
    """The same tool with the same arguments; leaving one out says the same as null."""
    if event.tool != request.tool:
        return False
    one, other = event.arguments, request.arguments
    for name, value in one.items():
        if not is_same(value, other.get(name)):
            return False
    return all(value is None or name in one for name, value in other.items())


def _agrees(event: HistoryEvent, request: ActionRequest, same: Iterable[str]) -> bool:
    return all(is_same(event.arguments.get(name), request.arguments.get(name)) for name in same)


def _is_record_read(request: ActionRequest, history: Iterable[HistoryEvent], tools: Mapping[str, ToolProfile]) -> bool:
    name = tools[request.tool].record_argument
    record = request.arguments.get(name)
    if record is None:
        return False
    return any(
        event.tool in tools and tools[event.tool].reads_record == name and is_same(event.arguments.get(name), record)
        for event in _done(history)
    )
