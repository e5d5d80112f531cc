"""What is learned of how many tokens texts are."""

from __future__ import annotations

import random

from services.router.domain.token_shares import BUCKETS, LEAST_SAMPLES, MOST_SAMPLES, ShareSketch, TokenShares


def sketch_of(shares: list[float]) -> ShareSketch:
    """Return a sketch of these shares."""
    sketch = ShareSketch()
    for share in shares:
        sketch.add(share)
    return sketch


def test_nothing_is_told_until_enough_is_known() -> None:
    """Whoever holds money by it holds the whole bound until then."""
    assert sketch_of([0.3] * (LEAST_SAMPLES - 1)).upper() is None
    assert sketch_of([0.3] * LEAST_SAMPLES).upper() == 14 / BUCKETS


def test_what_is_told_covers_all_but_one_in_a_thousand() -> None:
    """Of ten thousand prompts about ten may need more, whatever the shape of the rest."""
    rng = random.Random(7)
    shares = [min(1.0, max(0.0, rng.gauss(0.3, 0.05))) for _ in range(MOST_SAMPLES - 1)]

    upper = sketch_of(shares).upper()

    assert upper is not None
    assert sum(share > upper for share in shares) <= MOST_SAMPLES * 0.001
    assert upper < 0.6


def test_a_share_above_the_whole_counts_as_the_whole() -> None:
    """Then nothing may be saved."""
    assert sketch_of([3.0] * LEAST_SAMPLES).upper() == 1.0


def test_what_was_long_ago_is_forgotten() -> None:
    """A tokenizer that became better is noticed; the sketch stays small."""
    sketch = sketch_of([0.9] * 500)
    for _ in range(20 * MOST_SAMPLES):
        sketch.add(0.3)

    assert sketch.upper() == 14 / BUCKETS


def test_models_and_scripts_are_apart_and_names_that_are_none_are_left_out() -> None:
    """What is kept is bounded by the catalogue, whoever sends what."""
    shares = TokenShares()
    for number in range(LEAST_SAMPLES):
        shares.learn("a", "cyrillic", bound=1000, tokens=300)
        shares.learn("a", f"script {number}", bound=1000, tokens=300)
        shares.learn("a", "latin", bound=10, tokens=9)
        shares.learn("b", "latin", bound=1000, tokens=500)

    assert shares.of("a") == {"cyrillic": 14 / BUCKETS}
    assert shares.of("b") == {"latin": 22 / BUCKETS}
    assert shares.of("c") == {}
