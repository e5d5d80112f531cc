"""The catalogue: what is shipped, how it is read, when it is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from servicekit.errors import NotFound, PermissionDenied
from services.router.catalog.build import CatalogError, build_catalog, catalog_version
from services.router.catalog.document import ProviderDocument
from services.router.domain.catalog import Candidate
from services.router.domain.overrides import BadPatch, patched, with_prices
from services.router.domain.routing_policy import candidates
from services.router.tests.adapters import CATALOG, NOW, found, price_on, shipped_catalog


@pytest.mark.parametrize(
    ("asked", "model_id", "resolved"),
    [
        ("yandexgpt", "yandexgpt:latest", "yandexgpt-5-pro"),
        ("yandexgpt:latest", "yandexgpt:latest", "yandexgpt-5-pro"),
        ("yandexgpt:rc", "yandexgpt:rc", "yandexgpt-5.1"),
        ("yandexgpt:deprecated", "yandexgpt:deprecated", "yandexgpt-5-pro"),
        ("yandexgpt-lite", "yandexgpt-lite:latest", "yandexgpt-5-lite"),
        ("yandexgpt-lite:rc", "yandexgpt-lite:rc", "yandexgpt-5-lite"),
        ("yandexgpt-32k:latest", "yandexgpt-32k:latest", "yandexgpt-5-pro"),
        ("yandexgpt-32k:deprecated", "yandexgpt-32k:deprecated", "yandexgpt-5-pro"),
        ("yandexgpt-5.1", "yandexgpt-5.1", "yandexgpt-5.1"),
        ("yandexgpt-5-lite", "yandexgpt-5-lite", "yandexgpt-5-lite"),
        ("aliceai-llm", "aliceai-llm", "aliceai-llm"),
        ("gigachat", "gigachat", "GigaChat-2"),
        ("gigachat-pro", "gigachat-pro", "GigaChat-2-Pro"),
        ("gigachat/pro", "gigachat-pro", "GigaChat-2-Pro"),
        ("gigachat/max", "gigachat-max", "GigaChat-2-Max"),
        ("GigaChat-2-Max", "gigachat-max", "GigaChat-2-Max"),
        ("GIGACHAT-PRO", "gigachat-pro", "GigaChat-2-Pro"),
        ("Embeddings", "gigachat-embeddings", "Embeddings"),
        ("text-search-doc", "text-search-doc", "text-search-doc/latest"),
    ],
)
def test_names_of_the_public_api_are_found(asked: str, model_id: str, resolved: str) -> None:
    """Channels, explicit names, and the slash forms of release 1.0."""
    model = found(asked)

    assert (model.id, model.resolved_model) == (model_id, resolved)


@pytest.mark.parametrize(
    ("name", "day", "micro_rub"),
    [
        ("yandexgpt", "2026-11-23", 1_200_000),
        ("yandexgpt-lite", "2026-11-23", 200_000),
        ("yandexgpt:rc", "2025-05-01", 1_200_000),
        ("yandexgpt:rc", "2025-10-01", 400_000),
        ("yandexgpt:rc", "2026-11-23", 800_000),
        ("gigachat", "2026-01-31", 200_000),
        ("gigachat", "2026-02-01", 65_000),
        ("gigachat-pro", "2026-01-31", 1_500_000),
        ("gigachat-pro", "2026-02-01", 500_000),
        ("gigachat-max", "2026-01-31", 1_950_000),
        ("gigachat-max", "2026-02-01", 650_000),
        ("aliceai-llm-flash", "2026-11-23", 100_000),
    ],
)
def test_prices_follow_the_day(name: str, day: str, micro_rub: int) -> None:
    """A channel costs what the model behind it cost on that day."""
    assert price_on(found(name), day) == micro_rub


def test_every_shipped_model_has_what_estimates_and_bills_need() -> None:
    """A model without a price or a window would be free or refused."""
    for model in CATALOG.models:
        assert model.prices, model.id
        assert model.context_length > 0, model.id
        assert model.chars_per_token > 0, model.id
        assert model.kind == "embedding" or model.max_output_tokens > 0, model.id
        assert model.on_disconnect in ("cancel", "drain"), model.id


def test_cached_tokens_are_free_at_gigachat_and_cost_input_elsewhere() -> None:
    """As the price lists say."""
    assert found("gigachat").prices[-1].cached_micro_rub_per_1k == 0
    assert found("yandexgpt").prices[-1].cached_micro_rub_per_1k == 1_200_000
    assert found("deepseek-v4-flash").prices[-1].cached_micro_rub_per_1k == 75_000


def test_a_model_past_its_end_is_refused_with_its_day() -> None:
    """Retired is another message than unknown."""
    with pytest.raises(NotFound, match="was shut down on 2026-09-30"):
        CATALOG.served("qwen3-235b-a22b-fp8", NOW)
    with pytest.raises(NotFound, match="does not exist"):
        CATALOG.served("gpt-17", NOW)


def test_channels_move_on_their_day() -> None:
    """Before the switch the release candidate was the model before it."""
    assert found("yandexgpt:rc", shipped_catalog(datetime(2025, 8, 27, tzinfo=UTC))).resolved_model == "yandexgpt-5-pro"


def test_a_channel_tells_since_when_it_stands_for_its_model() -> None:
    """On the day of the switch it is that day; a model that stands for itself has none."""
    before, after = (found("yandexgpt:rc", shipped_catalog(datetime(2025, 8, day, tzinfo=UTC))) for day in (27, 28))

    assert before.resolved_since is not None
    assert after.resolved_since is not None
    assert before.resolved_since < datetime(2025, 8, 27, tzinfo=UTC) < after.resolved_since
    assert found("gigachat-embeddings").resolved_since is None


@pytest.mark.parametrize("family", ["yandexgpt", "yandexgpt-lite", "yandexgpt-32k"])
def test_every_family_has_its_three_channels_and_the_old_one_names_its_successor(family: str) -> None:
    """With the days on which it was given up and ends."""
    latest, candidate, old = (found(f"{family}:{version}") for version in ("latest", "rc", "deprecated"))

    assert [latest.version, candidate.version, old.version] == ["latest", "rc", "deprecated"]
    assert (old.successor, latest.successor) == (f"{family}:latest", "")
    assert old.deprecated_at is not None
    assert old.shutdown_at is not None


def test_candidates_are_the_asked_model_and_then_its_fallbacks() -> None:
    """A fallback to the very same model behind another name is none."""
    names = [model.id for model in candidates(CATALOG, found("yandexgpt"), NOW)]
    assert names == ["yandexgpt:latest", "yandexgpt-5.1"]

    same = patched(found("yandexgpt"), {"fallbacks": ["yandexgpt:deprecated", "nobody", "text-search-doc", "gigachat"]})
    assert [model.id for model in candidates(CATALOG, same, NOW)] == ["yandexgpt:latest", "gigachat"]


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        ({"yandexgpt:latest"}, ["yandexgpt:latest"]),
        ({"yandexgpt"}, ["yandexgpt:latest"]),
        ({"yandexgpt:latest", "yandexgpt-5.1"}, ["yandexgpt:latest", "yandexgpt-5.1"]),
        (set(), ["yandexgpt:latest", "yandexgpt-5.1"]),
    ],
    ids=["by id", "by alias", "both", "no list"],
)
def test_a_fallback_outside_the_caller_s_models_is_no_candidate(allowed: set[str], names: list[str]) -> None:
    """The right is checked on what would answer, too."""
    assert [model.id for model in candidates(CATALOG, found("yandexgpt"), NOW, allowed)] == names


def test_an_asked_model_outside_the_caller_s_models_is_refused() -> None:
    """The router has the last word: its catalogue may be newer than the gateway's."""
    with pytest.raises(PermissionDenied, match="may not use the model 'yandexgpt:latest'"):
        candidates(CATALOG, found("yandexgpt"), NOW, {"gigachat"})


def test_what_is_shipped_stays_within_a_provider() -> None:
    """Prompts go to another company only if an operator or a caller says so."""
    for model in CATALOG.models:
        assert {other.provider for other in candidates(CATALOG, model, NOW)} <= {model.provider}, model.id


def test_fallbacks_never_cost_more_than_was_asked_for() -> None:
    """The caller's budget is held at the price of the model asked for."""
    for model in CATALOG.models:
        for fallback in candidates(CATALOG, model, NOW)[1:]:
            assert price_on(fallback, "2026-11-23") <= price_on(model, "2026-11-23"), model.id


def document(**changes: Any) -> ProviderDocument:
    model = {
        "id": "m", "uri": "m", "context_length": 10, "prices": [{"valid_from": "2026-01-01", "input": 1, "output": 1}]
    }  # fmt: skip
    return ProviderDocument.model_validate({"provider": "p", "models": [{**model, **changes}]})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prices": []}, "'m' has no price"),
        ({"fallbacks": ["nobody"]}, "falls back to unknown 'nobody'"),
        ({"successor": "nobody"}, "is succeeded by unknown 'nobody'"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], complaint: str) -> None:
    """One line that names the model."""
    with pytest.raises(CatalogError, match=complaint):
        build_catalog([document(**changes)], [], NOW)


def test_stand_ins_have_priorities_and_weights() -> None:
    """Or a bare name."""
    entry = {"model": "m", "priority": 3, "weight": 0.5}
    catalog = build_catalog([document(fallbacks=["m", entry])], [], NOW)

    assert catalog.models[0].fallbacks == (Candidate("m"), Candidate("m", 3, 0.5))
    for wrong in ({"model": "m", "weight": -1}, {"model": "m", "wieght": 1}, {"priority": 1}, 7):
        with pytest.raises(ValidationError):
            document(fallbacks=[wrong])


def test_two_models_of_one_name_are_refused() -> None:
    """An alias must stand for one model."""
    with pytest.raises(CatalogError, match="stands for both"):
        build_catalog([document(), document(id="other", aliases=["M"])], [], NOW)


def test_the_version_changes_with_a_price() -> None:
    """The gateway notices by it that its copy is old."""
    before = build_catalog([document()], [], NOW).version
    dearer = document(prices=[{"valid_from": "2026-01-01", "input": 2, "output": 1}])

    assert before == build_catalog([document()], [], NOW).version
    assert before != build_catalog([dearer], [], NOW).version
    assert catalog_version(CATALOG.models) == shipped_catalog(NOW).version


def test_patches_change_only_what_they_name() -> None:
    """An administrator's word counts before the file's."""
    before = found("yandexgpt")
    after = patched(before, {"enabled": False, "shutdown_at": "2027-01-01", "fallbacks": ["gigachat"]})

    assert (after.enabled, after.fallbacks) == (False, (Candidate("gigachat"),))
    assert after.shutdown_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert after.prices == before.prices


@pytest.mark.parametrize("patch", [{"nmae": "x"}, {"enabled": 1}, {"fallbacks": "x"}, {"context_length": -1},
                                   {"shutdown_at": "soon"}, {"uri": None},
                                   {"fallbacks": [{"model": "gigachat", "wieght": 1}]}, {"fallbacks": [{}]},
                                   {"fallbacks": [{"model": "gigachat", "priority": "high"}]},
                                   {"fallbacks": [{"model": "gigachat", "weight": -1}]}])  # fmt: skip
def test_bad_patches_are_refused(patch: dict[str, Any]) -> None:
    """A typing error must not take a model down."""
    with pytest.raises(BadPatch, match=next(iter(patch))):
        patched(found("yandexgpt"), patch)


def test_prices_of_the_database_join_those_of_the_file() -> None:
    """Sorted; one of the same time wins."""
    model = found("gigachat")
    newer = found("gigachat-max").prices[-1]

    joined = with_prices(model, [newer])

    assert [price.version for price in joined.prices] == ["GigaChat-2@2025-03-01", "GigaChat-2-Max@2026-02-01"]
