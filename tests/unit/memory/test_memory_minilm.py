"""Weights are taken only if every byte is the published one; what they give is meaning, not spelling."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from memory.errors import WeightsRefused
from memory.minilm import HASHES, PACKAGE, MiniLm, open_weights

needs_weights = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the weights are not installed")


@pytest.fixture(scope="module")
def minilm() -> MiniLm:
    weights = open_weights("auto")
    assert weights is not None
    return weights


@pytest.mark.parametrize("present", [[], ["model.safetensors"], ["model.safetensors", "tokenizer.json"]])
def test_files_that_are_missing_or_not_the_published_ones_are_refused_by_name(
    tmp_path: Path, present: list[str]
) -> None:
    for name in present:
        (tmp_path / name).write_bytes(b"not the weights")
    with pytest.raises(WeightsRefused, match=r"model\.safetensors.*CALLBOARD_WEIGHTS=none"):
        open_weights(str(tmp_path))


def test_without_weights_none_are_used() -> None:
    assert open_weights("none") is None


@needs_weights
def test_one_changed_byte_of_the_tokenizer_is_refused(tmp_path: Path) -> None:
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent / "model"
    (tmp_path / "model.safetensors").symlink_to(source / "model.safetensors")
    (tmp_path / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes().replace(b"[CLS]", b"[CLT]", 1))
    with pytest.raises(WeightsRefused, match=r"tokenizer\.json"):
        MiniLm.open(tmp_path)


@needs_weights
def test_the_vectors_are_those_that_the_authors_published(minilm: MiniLm) -> None:
    [vector] = minilm.embed(["This is an example sentence"])
    assert vector[:4] == pytest.approx([0.0676569, 0.0634959, 0.0487131, 0.0793049], abs=1e-5)


@needs_weights
def test_like_meaning_is_closer_than_like_words_whatever_the_company_in_a_batch(minilm: MiniLm) -> None:
    texts = ["where is my parcel", "track my package please", "where is my umbrella stand", ""]
    together = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)
    assert together[0] @ together[1] > together[0] @ together[2]
    assert not together[3].any()
    assert minilm.hash == HASHES["model.safetensors"][:16]
