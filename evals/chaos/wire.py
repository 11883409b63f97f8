"""Calls between the harness and the processes that it kills: frames over a private Unix socket, both ways at once."""

import asyncio
import pickle  # between processes of ours, over a socket in a directory of ours
from collections.abc import Awaitable, Callable
from typing import Any

Handle = Callable[[str, tuple[Any, ...]], Awaitable[Any]]
"""Answers a call: its name and its arguments."""

_SIZE = 4


class Gone(Exception):
    """The other end is dead, or died before it answered: the call may have happened or not."""


class Refused(Exception):
    """The other end says no.

    Attributes:
        kind: The name of the error's class.
        code: Its code, for errors that have one.
    """

    def __init__(self, kind: str, message: str, code: str = "") -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message, self.code = kind, message, code


class Wire:
    """One connection. Either end calls the other; each call is answered by its own frame, in any order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
        self._reader, self._writer, self._handle = reader, writer, handle
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_gone = False

    async def call(self, name: str, *arguments: Any) -> Any:
        """Ask the other end and wait for its answer.

        Raises:
            Gone: It died before it answered.
            Refused: It says no.
        """
        if self.is_gone:
            raise Gone(name)
        self._count += 1
        number = self._count
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send(("ask", number, name, arguments))
            return await answer
        finally:
            self._asked.pop(number, None)

    async def serve(self) -> None:
        """Read frames until the other end is gone. Calls that it made go on: what was ordered is carried out."""
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(_SIZE), "big")
                frame = pickle.loads(await self._reader.readexactly(size))  # noqa: S301  # see above
                if frame[0] == "ask":
                    task = asyncio.create_task(self._answer(*frame[1:]))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                else:
                    self._take(*frame)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.is_gone = True
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(Gone("it died before it answered"))
            self._writer.close()

    def close(self) -> None:
        """Hang up; `serve` ends."""
        self._writer.close()

    async def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            frame: tuple[Any, ...] = ("value", number, await self._handle(name, arguments))
        except Gone:
            return
        except Exception as error:  # whatever it was, it is the caller's to deal with
            frame = ("refusal", number, (type(error).__name__, str(error), str(getattr(error, "code", ""))))
        self._send(frame)

    def _take(self, kind: str, number: int, content: Any) -> None:
        future = self._asked.get(number)
        if future is None or future.done():
            return
        if kind == "value":
            future.set_result(content)
        else:
            future.set_exception(Refused(*content))

    def _send(self, frame: tuple[Any, ...]) -> None:
        if self.is_gone:
            return
        body = pickle.dumps(frame)
        self._writer.write(len(body).to_bytes(_SIZE, "big") + body)
