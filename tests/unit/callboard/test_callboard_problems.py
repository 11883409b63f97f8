"""Every error becomes one problem, through one table."""

import inspect
import json

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from callboard.api.models import ProblemOut
from callboard.api.problems import MEDIA_TYPE, PROBLEMS, catalogue, problem_of
from graphs import errors as graph_errors
from memory import errors as memory_errors


def body_of(error: Exception) -> dict[str, object]:
    response = problem_of(error)
    assert response.media_type == MEDIA_TYPE
    body = json.loads(bytes(response.body))
    assert body["status"] == response.status_code
    ProblemOut.model_validate(body)
    return body


def test_every_refusal_of_an_approval_has_a_kind_of_its_own() -> None:
    refusals = [
        cls
        for _, cls in inspect.getmembers(memory_errors, inspect.isclass)
        if issubclass(cls, memory_errors.ApprovalError) and cls is not memory_errors.ApprovalError
    ]
    assert len(refusals) > 5
    assert [cls.__name__ for cls in refusals if cls not in PROBLEMS] == []
    assert len({PROBLEMS[cls].slug for cls in refusals}) == len(refusals)


def test_every_error_that_the_runner_raises_to_a_caller_is_in_the_table() -> None:
    raised = [cls for _, cls in inspect.getmembers(graph_errors, inspect.isclass) if issubclass(cls, Exception)]
    assert [cls.__name__ for cls in raised if cls not in {*PROBLEMS, graph_errors.GraphError}] == []


def test_one_slug_is_one_status_and_one_title() -> None:
    kinds = catalogue()
    assert len({kind.slug for kind in kinds}) == len(kinds)
    by_slug = {kind.slug: (kind.status, kind.title) for kind in kinds}
    assert all((kind.status, kind.title) == by_slug[kind.slug] for kind in PROBLEMS.values())


def test_an_error_shows_its_data_and_says_what_to_do_next() -> None:
    body = body_of(memory_errors.ApprovalChanged("apr-1", version=1, current=2))
    assert body["type"] == "urn:callboard:problem:approval-changed"
    assert (body["status"], body["version"], body["current"]) == (409, 1, 2)
    assert "Read it again" in str(body["detail"])


def test_a_member_named_status_does_not_hide_the_http_status() -> None:
    body = body_of(memory_errors.ApprovalClosed("apr-1", status="spent"))
    assert (body["status"], body["state"]) == (409, "spent")


def test_an_unknown_error_says_nothing_of_itself() -> None:
    body = body_of(ValueError("Mira Okafor, card 4417"))
    assert body["status"] == 500
    assert "Mira" not in json.dumps(body)


def test_a_validation_error_names_the_place_but_not_what_was_sent() -> None:
    error = RequestValidationError(
        [{"type": "string_type", "loc": ("body", "text"), "msg": "Input should be a valid string", "input": "secret"}]
    )
    body = body_of(error)
    assert body["errors"] == [{"at": "body.text", "message": "Input should be a valid string"}]
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize(
    ("status", "slug"), [(404, "no-such-path"), (405, "method-not-allowed"), (400, "invalid-request")]
)
def test_errors_of_the_framework_are_problems_too(status: int, slug: str) -> None:
    body = body_of(HTTPException(status))
    assert (body["status"], body["type"]) == (status, f"urn:callboard:problem:{slug}")
