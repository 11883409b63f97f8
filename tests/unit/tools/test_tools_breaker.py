"""A circuit breaker leaves alone what keeps failing, and lets one call through to see."""

from datetime import UTC, datetime, timedelta

from tools.breaker import Breaker

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_p12_it_opens_at_the_limit_and_one_call_after_each_pause_looks() -> None:
    breaker = Breaker(failures=2, pause=timedelta(seconds=30))
    breaker.failed(NOW)
    assert breaker.may_try(NOW)
    breaker.failed(NOW)
    assert not breaker.may_try(NOW + timedelta(seconds=29))
    assert breaker.may_try(NOW + timedelta(seconds=30))
    assert not breaker.may_try(NOW + timedelta(seconds=31)), "the one that looks has not come back"
    breaker.succeeded()
    assert breaker.may_try(NOW + timedelta(seconds=31))


def test_p12_it_opens_at_once_for_as_long_as_it_was_asked_to() -> None:
    for pause in (timedelta(seconds=3), timedelta(minutes=5)):
        breaker = Breaker()
        breaker.failed(NOW, pause=pause)
        assert not breaker.may_try(NOW + pause - timedelta(seconds=1))
        assert breaker.may_try(NOW + pause)
