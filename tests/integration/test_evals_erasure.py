"""P8: the proof of an erasure finds what is there before, and nothing afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import houses
import pytest

from callboard.runtime import Runtime
from callboard.settings import Settings
from evals import erasure_proof


@asynccontextmanager
async def opened(data_dir: Path, systems_dir: Path) -> AsyncIterator[Runtime]:
    async with Runtime.open(Settings(data_dir=data_dir, systems_dir=systems_dir)) as runtime:
        yield runtime


async def test_p8_no_byte_of_an_erased_customer_is_found_in_any_form(monkeypatch: pytest.MonkeyPatch) -> None:
    houses.warm(monkeypatch.setattr)
    proof = await erasure_proof.prove_erasure(opened, customers=5)
    assert proof.bytes_found_before > 1_000
    assert (proof.bytes_found, proof.found_in) == (0, ())
    assert (proof.audit_ok, proof.receipt_ok, proof.answers_lost_of_others, proof.ok) == (True, True, 0, True)


def test_p8_a_mark_is_found_in_every_form_in_which_programs_write_it(tmp_path: Path) -> None:
    """The search itself, on files that hold one form each."""
    forms = list(erasure_proof._forms_of_words())
    assert len(forms) > 50
    for number, form in enumerate(forms):
        (tmp_path / f"{number}").write_bytes(b"before" + form + b"after")
    found = erasure_proof._search(tmp_path, forms)
    assert len(found.places) == len(forms)
