"""A circuit breaker: leaves alone, for a while, what keeps failing; for models and for systems of record alike.

Own, because it is small and the clock must come in as an argument: the libraries for it read the time themselves
(docs/design/dependencies.md).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row; open means: don't even try."""

    failures: int = 3
    """How many in a row open it."""
    pause: timedelta = timedelta(seconds=30)
    """How long it stays open; then one call is let through to see."""
    count: int = 0
    opened_at: datetime | None = None

    def may_try(self, now: datetime) -> bool:
        """Whether what is behind it may be asked now. After the pause each "yes" starts a new pause."""
        if self.opened_at is None:
            return True
        if now - self.opened_at < self.pause:
            return False
        self.opened_at = now
        return True

    def succeeded(self) -> None:
        """Close it."""
        self.count, self.opened_at = 0, None

    def failed(self, now: datetime, *, pause: timedelta | None = None) -> None:
        """Count one; open it at the limit.

        Args:
            now: The moment.
            pause: How long it asked itself to be left alone (Retry-After): opens at once, for just that long.
        """
        self.count += 1
        if pause is not None and pause > timedelta(0):
            self.opened_at = now + pause - self.pause
        elif self.count >= self.failures:
            self.opened_at = now
