"""Why a cost changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.usage.statistics.domain.drivers import ModelChange, changes
from services.usage.statistics.domain.figures import Figures

FIGURES = st.builds(
    Figures,
    tokens_input=st.integers(0, 10**12),
    tokens_output=st.integers(0, 10**12),
    cost_micro_rub=st.integers(0, 10**15),
)
MODELS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), FIGURES)


def used(tokens: int, cost: int) -> Figures:
    return Figures(tokens_input=tokens, cost_micro_rub=cost)


@given(MODELS, MODELS)
def test_the_effects_add_up_to_the_difference_to_the_micro_rouble(
    before: dict[str, Figures], now: dict[str, Figures]
) -> None:
    """Of each model, hence of all of them, whatever was new, gone, or free."""
    found = changes(before, now)

    for change in found:
        effects = change.volume_micro_rub + change.mix_micro_rub + change.price_micro_rub
        assert effects == change.now_micro_rub - change.before_micro_rub
    assert sum(change.before_micro_rub for change in found) == sum(each.cost_micro_rub for each in before.values())
    assert sum(change.now_micro_rub for change in found) == sum(each.cost_micro_rub for each in now.values())


def test_more_of_the_same_is_volume() -> None:
    """Twice the tokens of every model at the price of before."""
    assert changes({"a": used(100, 500)}, {"a": used(200, 1_000)}) == (ModelChange("a", 500, 1_000, 500, 0, 0),)


def test_another_price_of_the_same_is_price() -> None:
    """The same tokens cost a fifth more."""
    assert changes({"a": used(100, 500)}, {"a": used(100, 600)}) == (ModelChange("a", 500, 600, 0, 0, 100),)


def test_other_models_are_mix() -> None:
    """As many tokens, half of them by a model at ten times the price."""
    before = {"cheap": used(100, 100), "dear": used(100, 1_000)}
    now = {"cheap": used(50, 50), "dear": used(150, 1_500)}

    dear, cheap = changes(before, now)

    assert (dear.volume_micro_rub, dear.mix_micro_rub, dear.price_micro_rub) == (0, 500, 0)
    assert (cheap.volume_micro_rub, cheap.mix_micro_rub, cheap.price_micro_rub) == (0, -50, 0)


def test_a_new_model_is_mix_and_a_first_use_is_volume() -> None:
    """There is no price of before to compare with; with nothing before there is no mix either."""
    assert changes({"a": used(10, 10)}, {"a": used(10, 10), "b": used(5, 50)})[0].mix_micro_rub == 50 - 0
    assert changes({}, {"b": used(5, 50)}) == (ModelChange("b", 0, 50, 50, 0, 0),)
