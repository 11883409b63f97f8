"""How many tokens a text will cost: exactly where an encoding is at hand, else rather too many than too few."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TypeAlias

TokenCounter: TypeAlias = Callable[[str], int]

_DENSE = re.compile(r"\b(?=\w*\d)\w{6,}\b|\b[0-9a-fA-F]{8,}\b|[0-9]+")
"""Digits, hex, and ids with digits in them: they fall into many short tokens."""

_ENCODING = "o200k_base"
_CACHE_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""The name under which tiktoken caches that encoding."""
_CACHE_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def estimate(text: str) -> int:
    """An over-estimate of the tokens of a text, for budgets.

    Source:
        Measured on five kinds of text: the larger of a third of its bytes, and a quarter of its letters plus one token
        for each 1.5 characters of digits, hex and ids.
    """
    dense = sum(map(len, _DENSE.findall(text)))
    return ceil(max(len(text.encode("utf-8", "surrogatepass")) / 3, (len(text) - dense) / 4 + dense / 1.5))


def exact_counter() -> TokenCounter | None:
    """A counter by tiktoken, or None if its encoding isn't in its cache.

    tiktoken downloads what it hasn't got, or has got damaged, and hangs behind a silent proxy; so it is asked only when
    the very file that it wants lies where it will look.
    """
    directory = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    file = Path(directory or Path(tempfile.gettempdir()) / "data-gym-cache") / _CACHE_FILE
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != _CACHE_SHA256:
        return None
    # Only now: it isn't needed where there is no cache, which is the common case.
    import tiktoken

    encoding = tiktoken.get_encoding(_ENCODING)
    return lambda text: len(encoding.encode(text, disallowed_special=()))
