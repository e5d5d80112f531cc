"""What a caller says of who answers, and which models that leaves, in which order and at which prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from servicekit.errors import InvalidRequest, NotFound, PermissionDenied, Unavailable
from servicekit.testing.fake_clock import MIDDAY
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, DatedPrice, Model
from services.gateway.clients.router.prompt import Candidates
from services.gateway.inference.steering.choice import Steering, choose, preferred
from services.gateway.inference.steering.names import default_model, meant
from services.gateway.metering.usage_record import Price
from services.gateway.schemas.steering import ProviderPreferences, left_out

CALLER = Caller("user-1", "key-1", "laptop", "pro", frozenset())
SOON = MIDDAY + timedelta(days=1)


def model(id: str, provider: str, roubles_per_million: int, *fallbacks: str, **changes: Any) -> Model:
    """Return a chat model whose output costs twice its input."""
    price = Price(id, roubles_per_million * 1000, roubles_per_million * 2000)
    return Model(id, provider, "chat", (DatedPrice(price, MIDDAY),), fallbacks=fallbacks, **changes)


PRO = model("pro", "yandexgpt", 1200, "max", "lite", "gone", "vectors", "free", aliases=("yandex",))
LITE, MAX = model("lite", "yandexgpt", 200), model("max", "gigachat", 650)
TOY, FREE = model("toy", "local", 1), Model("free", "local", "chat", ())
VECTORS = replace(model("vectors", "gigachat", 1), kind="embedding")
CATALOG = Catalog((PRO, LITE, MAX, TOY, FREE, VECTORS), "1")


def chosen(*models: str, caller: Caller = CALLER, asked: Model = PRO, **provider: Any) -> tuple[str, Candidates]:
    """Return the ids that may answer, and what the router is told."""
    preferences = msgspec.convert(provider, ProviderPreferences)
    answering, told = choose(CATALOG, caller, asked, MIDDAY, Steering(models, preferences))
    assert [each.id for each, _ in answering] == list(told.models)
    assert all(price == each.known_price_at(MIDDAY) for each, price in answering)
    return " ".join(told.models), told


@pytest.mark.parametrize(
    ("models", "provider", "left"),
    [
        # Without a list the catalogue's stand-ins count, as far as they have a price and do the same.
        ((), {"allow_fallbacks": True}, "pro max lite"),
        ((), {"allow_fallbacks": False}, "pro"),
        # With one, only the list does.
        (("toy", "lite"), {}, "pro toy lite"),
        (("lite", "yandex", "lite"), {}, "pro lite"),
        ((), {"order": ["gigachat"]}, "max pro lite"),
        ((), {"order": ["GigaChat", "yandexgpt"]}, "max pro lite"),
        ((), {"order": ["gigachat"], "allow_fallbacks": False}, "max"),
        ((), {"order": ["local", "yandexgpt"], "allow_fallbacks": False}, "pro lite"),
        ((), {"only": ["gigachat"]}, "max"),
        ((), {"ignore": ["yandexgpt"]}, "max"),
        (("toy",), {"ignore": ["local"]}, "pro"),
        ((), {"sort": "price"}, "lite max pro"),
        ((), {"sort": "price", "allow_fallbacks": False}, "lite"),
        ((), {"sort": "price", "order": ["gigachat"]}, "max pro lite"),
        ((), {"max_price": {"prompt": 650}}, "max lite"),
        ((), {"max_price": {"prompt": "649.99"}}, "lite"),
        ((), {"max_price": {"completion": 1300}}, "max lite"),
        ((), {"max_price": {"prompt": 5000, "completion": 1299}}, "lite"),
        ((), {"max_price": {"request": 0, "image": 0}}, "pro max lite"),
    ],
    ids=str,
)
def test_wishes_leave_models_in_an_order(models: tuple[str, ...], provider: dict[str, Any], left: str) -> None:
    """Each by itself, and with the others that it meets."""
    assert chosen(*models, **provider)[0] == left


def test_what_only_the_router_has_seen_is_left_to_it() -> None:
    """It puts them in order, and asks the first one alone if that is wanted; an order of the caller's own wins."""
    all_of_pro = ["pro", "max", "lite"]
    assert chosen(sort="latency")[1] == Candidates(all_of_pro, "latency", False, "pro")
    assert chosen(sort="throughput", allow_fallbacks=False)[1] == Candidates(all_of_pro, "throughput", True, "pro")
    assert chosen(sort="latency", order=["gigachat"])[1] == Candidates(["max", "pro", "lite"])


def test_whoever_only_bounds_the_catalogue_s_stand_ins_is_asked_them_in_its_order() -> None:
    """Their priorities and weights hold: a provider that was ruled out put them in another order."""
    assert chosen(ignore=["local"])[1].stands_for == "pro"
    assert chosen(only=["gigachat"])[1] == Candidates(["max"], stands_for="pro")
    for own in ({"order": ["gigachat"]}, {"sort": "price"}):
        assert chosen(**own)[1].stands_for == ""
    assert chosen("toy", ignore=["gigachat"])[1].stands_for == ""


@pytest.mark.parametrize("provider", [{"sort": "price"}, {"sort": "latency"}, {"max_price": {"prompt": 5000}}], ids=str)
def test_whoever_steers_is_not_answered_by_a_canary(provider: dict[str, Any]) -> None:
    """The cheapest or fastest first may be the very version that is tried out; as a stand-in it may answer all."""
    canary = replace(PRO, id="tried", fallbacks=("max", "toy"), canary="toy")

    assert "toy" not in chosen(asked=canary, **provider)[0]
    assert "toy" in chosen(asked=replace(canary, canary=""), **provider)[0]


@pytest.mark.parametrize(
    ("provider", "field", "said"),
    [
        ({"only": ["gigachat", "openai"]}, "provider.only[1]", "known are gigachat, local, yandexgpt"),
        ({"ignore": ["openai"]}, "provider.ignore[0]", "known are"),
        ({"order": ["openai"]}, "provider.order[0]", "no provider `openai`"),
        ({"only": ["local"]}, "provider.only", "pro (yandexgpt, 1200 ₽ in and 2400 ₽ out per 1,000,000 tokens)"),
        ({"ignore": ["yandexgpt", "gigachat"]}, "provider.ignore", "no model that may answer"),
        ({"order": ["local"], "allow_fallbacks": False}, "provider.order", "no model that may answer"),
        ({"max_price": {"prompt": 199.9}}, "provider.max_price", "lite (yandexgpt, 200 ₽ in and 400 ₽ out"),
    ],
    ids=str,
)
def test_a_wish_that_leaves_nobody_is_refused_by_its_field(provider: dict[str, Any], field: str, said: str) -> None:
    """With what there would have been."""
    with pytest.raises(InvalidRequest) as caught:
        chosen(**provider)

    assert caught.value.param == field
    assert said in caught.value.message


def test_every_model_that_may_answer_is_one_of_the_credential_s() -> None:
    """One that was named is refused by its place in the list; one that the catalogue names is left out."""
    few = replace(CALLER, models=frozenset({"yandex", "lite"}))

    assert chosen(caller=few, allow_fallbacks=True)[0] == "pro lite"
    with pytest.raises(PermissionDenied) as caught:
        chosen("lite", "max", caller=few)
    assert caught.value.param == "models[1]"


@pytest.mark.parametrize(("name", "kind"), [("none", NotFound), ("vectors", InvalidRequest), ("free", Unavailable)])
def test_a_listed_model_must_exist_do_the_same_and_have_a_price(name: str, kind: type[Exception]) -> None:
    """As the first one must."""
    with pytest.raises(kind) as caught:
        chosen("lite", name)

    assert getattr(caught.value, "param", None) == (None if name == "free" else "models[1]")


@pytest.mark.parametrize(
    ("names", "asked", "found"),
    [
        ({"gpt-4o": "max"}, "gpt-4o", "max"),
        ({"gpt-4o": "max"}, "pro", "pro"),
        ({"pro": "lite"}, "yandex", "lite"),
        ({"*": "lite"}, "pro", "lite"),
        ({"*": "lite"}, "whatever", "lite"),
        ({"*": "lite", "pro": "max"}, "pro", "max"),
        # No chain: what a name means is a model.
        ({"pro": "lite", "lite": "max"}, "pro", "lite"),
        # A pin to a chat model leaves vectors alone.
        ({"*": "lite"}, "vectors", "vectors"),
        # A model that is gone since is none.
        ({"*": "gone"}, "pro", "pro"),
    ],
    ids=str,
)
def test_a_name_means_what_the_caller_s_key_or_account_says(names: dict[str, str], asked: str, found: str) -> None:
    """What is written, the model it stands for, whatever is asked: in this order."""
    kind = "embedding" if asked == "vectors" else "chat"

    assert meant(CATALOG, names, asked, kind).id == found


def test_a_default_stands_where_no_model_is_named() -> None:
    """The key's own word for it, else its pin."""
    said = [{}, {"*": "lite"}, {"*": "lite", "default": "max"}]

    assert [default_model(replace(CALLER, model_names=names)) for names in said] == ["", "lite", "max"]


def test_names_hold_in_lists_too() -> None:
    """And one that leads outside the credential's list is refused there."""
    renamed = replace(CALLER, model_names={"gpt-4o": "max"})

    assert chosen("gpt-4o", caller=renamed)[0] == "pro max"
    with pytest.raises(PermissionDenied):
        chosen("gpt-4o", caller=replace(renamed, models=frozenset({"pro", "gpt-4o"})))


@pytest.mark.parametrize("said", [None, {}, {"require_parameters": True}, {"require_parameters": False}])
def test_what_says_nothing_of_who_answers_costs_nothing(said: dict[str, Any] | None) -> None:
    """The catalogue's way is taken."""
    assert preferred(None if said is None else msgspec.convert(said, ProviderPreferences)) is None


def test_what_nobody_here_can_promise_is_named() -> None:
    """And what asks for nothing is not."""
    wishes = {"data_collection": "deny", "zdr": True, "quantizations": ["fp8"], "sort": "price", "order": ["gigachat"]}
    nothing = {"data_collection": "allow", "zdr": False, "quantizations": [], "sort": "price"}

    assert left_out(msgspec.convert(wishes, ProviderPreferences)) == [
        "provider.data_collection", "provider.zdr", "provider.quantizations", "provider.sort"
    ]  # fmt: skip
    assert left_out(msgspec.convert(nothing, ProviderPreferences)) == left_out(None) == []
