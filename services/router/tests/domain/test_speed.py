"""Which models have been fast lately."""

from __future__ import annotations

from services.router.domain.catalog import Model
from services.router.domain.speed import MEMORY_S, Sort, Speeds

A, B, C = (Model(id=name, provider="p", resolved_model=name, prices=()) for name in "abc")


def order(speeds: Speeds, sort: Sort, now: float = 0.0) -> str:
    return "".join(model.id for model in speeds.fastest_first([A, B, C], sort, now))


def test_the_fastest_comes_first_and_the_unknown_last() -> None:
    """Low latency is good, high throughput is."""
    speeds = Speeds()
    assert order(speeds, Sort.LATENCY) == "abc"

    speeds.answered(C, 0.5, now=0.0)
    speeds.answered(B, 0.2, now=0.0)
    speeds.written(C, 100, 1.0, now=0.0)
    speeds.written(B, 40, 1.0, now=0.0)

    assert order(speeds, Sort.LATENCY) == "bca"
    assert order(speeds, Sort.THROUGHPUT) == "cba"


def test_one_slow_answer_does_not_make_a_model_slow() -> None:
    """The newest counts for a fifth; many of them count."""
    speeds = Speeds()
    speeds.answered(A, 1.0, now=0.0)
    speeds.answered(B, 1.5, now=0.0)

    speeds.answered(A, 3.0, now=1.0)
    assert order(speeds, Sort.LATENCY) == "abc"
    for _ in range(5):
        speeds.answered(A, 3.0, now=2.0)

    assert order(speeds, Sort.LATENCY) == "bac"


def test_what_was_seen_long_ago_says_nothing() -> None:
    """An old figure is no reason to come first, and the next one begins anew."""
    speeds = Speeds()
    speeds.answered(C, 9.0, now=0.0)
    assert order(speeds, Sort.LATENCY, now=MEMORY_S + 1) == "abc"

    speeds.answered(C, 1.0, now=MEMORY_S + 2)
    speeds.answered(B, 2.0, now=MEMORY_S + 2)

    assert order(speeds, Sort.LATENCY, now=MEMORY_S + 2) == "cba"


def test_an_answer_without_tokens_or_time_says_nothing_of_throughput() -> None:
    """A whole answer from a cache may take no time at all."""
    speeds = Speeds()
    speeds.written(C, 0, 1.0, now=0.0)
    speeds.written(C, 5, 0.0, now=0.0)

    assert order(speeds, Sort.THROUGHPUT) == "abc"
