"""A conversation at the keyboard: what is typed goes through the API, and approvals can be answered in between."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from callboard.commands.deciding import decide_and_wait
from callboard.connection import Api
from callboard.errors import Refused

HELP = """\
Write as the customer. Commands:
  /approvals               what waits for a person
  /approve ID [note]       say yes; ID may be left out when only one waits
  /reject ID why           say no, and why
  /respond ID text         say something to the customer instead
  /case                    the id of this case, for `callboard case show`
  /help, /quit"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to show."""

    kind: Literal["said", "approvals", "approval", "refused", "note"]
    data: dict[str, Any]


@dataclass(slots=True)
class Chat:
    """One conversation. `take` a line, get the events to show."""

    api: Api
    conversation_id: str
    new_id: Callable[[], str]
    _shown: int = field(default=0)
    """How many messages of the conversation have been shown."""

    async def take(self, line: str) -> list[Event]:
        """Act on one line: a command, or the customer's words."""
        words = line.strip()
        if not words:
            return await self._news()
        try:
            if words.startswith("/"):
                return await self._command(words)
            return await self._say(words)
        except Refused as refused:
            return [Event("refused", refused.problem)]

    async def _say(self, text: str) -> list[Event]:
        result = await self.api.post(
            f"/v1/conversations/{self.conversation_id}/messages",
            {"message_id": self.new_id(), "channel": "chat", "text": text},
        )
        events = await self._news(outcome=result["outcome"])
        if result["approvals"]:
            waiting = [await self.api.get(f"/v1/approvals/{one}") for one in result["approvals"]]
            events.append(Event("approvals", {"approvals": waiting}))
        if result["outcome"] == "with_person":
            events.append(Event("note", {"text": "The AI stays silent; a person has the conversation."}))
        return events

    async def _command(self, words: str) -> list[Event]:
        name, _, rest = words.partition(" ")
        match name:
            case "/approvals":
                return [Event("approvals", {"approvals": await self._waiting()})]
            case "/approve" | "/reject" | "/respond":
                return await self._decide(name[1:], rest.strip())
            case "/case":
                conversation = await self.api.get(f"/v1/conversations/{self.conversation_id}")
                return [Event("note", {"text": conversation["case_id"] or "There is no case yet."})]
        return [Event("note", {"text": HELP if name == "/help" else f"There is no command {name}.\n{HELP}"})]

    async def _decide(self, answer: str, rest: str) -> list[Event]:
        waiting = [one["approval_id"] for one in await self._waiting()]
        first, _, message = rest.partition(" ")
        approval_id = first
        if first not in waiting and len(waiting) == 1 and not first.startswith("apr-"):
            approval_id, message = waiting[0], rest
        if not approval_id:
            text = "Nothing waits." if not waiting else f"Which one? {', '.join(waiting)}"
            return [Event("note", {"text": text})]
        decided = await decide_and_wait(self.api, approval_id, {"answer": answer, "message": message.strip()})
        return [Event("approval", decided), *await self._news()]

    async def _waiting(self) -> list[dict[str, Any]]:
        page = await self.api.get("/v1/approvals", status="pending", limit=200)
        return list(page["approvals"])

    async def _news(self, outcome: str = "") -> list[Event]:
        """What was said since the last look, but by the customer."""
        try:
            conversation = await self.api.get(f"/v1/conversations/{self.conversation_id}")
        except Refused as refused:
            if refused.status == 404:
                return []
            raise
        new = conversation["messages"][self._shown :]
        self._shown = len(conversation["messages"])
        spoken = [one for one in new if one["author"] != "customer"]
        return [
            Event("said", {**one, "outcome": outcome if place == len(spoken) else ""})
            for place, one in enumerate(spoken, start=1)
        ]
