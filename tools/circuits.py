"""Circuit breakers by name: what keeps failing is left alone for a while, so that whoever asks learns so at once.

One circuit per business system, and one per chat model. Closed: calls pass. After `failures` in a row it opens: calls
are refused without being made. After `pause_s` one call is let through; its success closes the circuit again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal, cast

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

from tools.errors import ToolUnavailable

logger = logging.getLogger("callboard.circuits")

CircuitState = Literal["closed", "opened", "half-opened"]

FAILURES = 5
PAUSE_S = 15.0


def is_unreachable(error: Exception) -> bool:
    """Whether an error of a tool says that its system could not be reached, rather than something about the call."""
    return isinstance(error, (ToolUnavailable, TimeoutError, OSError))


def circuits_of_systems(*, failures: int = FAILURES, pause_s: float = PAUSE_S) -> "Circuits":
    """The circuits of business systems, by the system's name."""
    return Circuits(is_failure=is_unreachable, failures=failures, pause_s=pause_s)


class CircuitOpen(Exception):
    """What is asked keeps failing and is left alone for a while; nothing was sent. Try again later."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} keeps failing and is left alone for a while.")
        self.name = name


class Circuits:
    """The circuits of one process, made as they are first used."""

    def __init__(
        self,
        *,
        is_failure: Callable[[Exception], bool],
        failures: int = FAILURES,
        pause_s: float = PAUSE_S,
    ) -> None:
        """Bind the circuits.

        Args:
            is_failure: Says of an error that what was asked is not well. Other errors are answers like any.
            failures: How many in a row open one.
            pause_s: How long it then stays open.
        """
        self._factory = AsyncCircuitBreakerFactory(default_threshold=failures, default_ttl=pause_s)
        self._is_failure = is_failure
        self._states: dict[str, CircuitState] = {}
        self._trying: set[str] = set()
        self._factory.add_listener(self._changed)

    @asynccontextmanager
    async def through(self, name: str) -> AsyncIterator[None]:
        """Make a call inside; its errors are raised as they are, and count if they are failures.

        A call that is cancelled from outside tells nothing of what was asked and counts for nothing.

        Raises:
            CircuitOpen: It is left alone just now; the inside was not run.
        """
        breaker = await self._factory.get_breaker(name)
        self._states.setdefault(name, "closed")
        if name in self._trying:
            raise CircuitOpen(name)
        try:
            await breaker.__aenter__()
        except OpenedState:
            raise CircuitOpen(name) from None
        is_trial = breaker.context.state == HALF_OPENED
        if is_trial:
            self._trying.add(name)
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            if self._is_failure(error):
                await breaker.__aexit__(type(error), error, None)
            else:
                await breaker.__aexit__(None, None, None)
            raise
        else:
            await breaker.__aexit__(None, None, None)
        finally:
            if is_trial:
                self._trying.discard(name)

    def state_of(self, name: str) -> CircuitState:
        """How a circuit stood when it was last used."""
        return self._states.get(name, "closed")

    def states(self) -> dict[str, CircuitState]:
        """How every circuit stood when it was last used, by name."""
        return dict(sorted(self._states.items()))

    def _changed(self, name: str, kind: str, event: object) -> None:
        if kind != "state_changed":
            return
        self._states[name] = cast(CircuitState, getattr(event, "state"))  # noqa: B009  # the library's type is its base
        logger.warning("circuit %s is %s", name, self._states[name])
