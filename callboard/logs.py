"""Logging for a served Callboard: one line per event on stderr, places instead of messages for errors."""

import logging
import sys
import traceback
from types import TracebackType
from typing import TextIO, TypeAlias

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

FRAMES_SHOWN = 8


class PlacesFormatter(logging.Formatter):
    """Shows an exception as its type and where it came from. Its message may quote a customer, so it stays out."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802  # the name is logging's
        """One line per exception of the chain, the outermost first."""
        lines = []
        error = ei[1]
        while error is not None:
            frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
            places = " < ".join(f"{_short(frame.filename)}:{frame.lineno}" for frame in reversed(frames))
            lines.append(f"  {type(error).__name__} at {places or 'an unknown place'}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def configure_logging(level: str) -> None:
    """Send Callboard's log, the server's and the queue's to stderr, and nobody else's."""
    handler = _Stderr()
    handler.setFormatter(PlacesFormatter())
    for name in ("callboard", "memory", "uvicorn.error", "procrastinate", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
    # They announce every start, stop and job; ours says what matters of that.
    for name in ("uvicorn.error", "procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr now, not to what it was when logging was configured."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute of the base, set once
        return sys.stderr


def _short(filename: str) -> str:
    return "/".join(filename.rsplit("/", 2)[-2:])
