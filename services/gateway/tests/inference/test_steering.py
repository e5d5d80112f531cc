"""Callers who say who answers, over real HTTP: every form of chat, what is held, what is refused."""

from __future__ import annotations

from typing import Any

from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH
from services.gateway.tests.router_backend import PRICE, model

PROMPT = {"prompt": "Скажи привет"}
MESSAGES = {"messages": HELLO["messages"], "max_tokens": 9}
INPUT = {"input": "Скажи привет"}
FORMS = {PATH: HELLO, "/v1/completions": PROMPT, "/v1/messages": MESSAGES, "/v1/responses": INPUT}


def body(path: str, **changes: Any) -> dict[str, Any]:
    return {**FORMS[path], "model": "yandexgpt", **changes}


async def test_every_form_of_chat_can_be_steered(edge: Edge, backends: Backends) -> None:
    """The router is told whom to ask, in order; unsteered it is told nothing."""
    wishes = {"models": ["gigachat/pro"], "provider": {"order": ["gigachat"]}, "route": "fallback"}
    for path in FORMS:
        backends.router.prompts.clear()
        steered = await edge.client.post(path, json=body(path, **wishes))
        sorted_ = await edge.client.post(path, json=body(path, models=["gigachat/pro"], provider={"sort": "latency"}))
        plain = await edge.client.post(path, json=body(path, provider={"require_parameters": False}))

        assert [answer.status_code for answer in (steered, sorted_, plain)] == [200] * 3, steered.text
        assert [(list(each.candidates), each.sort, each.model) for each in backends.router.prompts] == [
            (["gigachat-pro", "yandexgpt:latest"], "", "gigachat-pro"),
            (["yandexgpt:latest", "gigachat-pro"], "latency", "yandexgpt:latest"),
            ([], "", "yandexgpt:latest"),
        ]
        assert "x-razvilka-dropped-params" not in steered.headers


async def test_models_stand_for_a_missing_model(edge: Edge, backends: Backends) -> None:
    """As OpenRouter's users write it; the answer is in the name of the first one."""
    for path in (PATH, "/v1/completions"):
        asked = {**FORMS[path], "models": ["gigachat/pro", "yandexgpt"]}
        asked.pop("model", None)

        answer = await edge.client.post(path, json=asked)

        assert (answer.status_code, answer.json()["model"]) == (200, "gigachat/pro"), answer.text
        assert list(backends.router.prompts[-1].candidates) == ["gigachat-pro", "yandexgpt:latest"]


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"models": "yandexgpt"}, 400, "models"),
    ({"models": []}, 400, "models"),
    ({"models": ["yandexgpt"] * 9}, 400, "models"),
    ({"models": ["gigachat-pro", 7]}, 400, "models[1]"),
    ({"models": ["gigachat-pro", "none"]}, 404, "models[1]"),
    ({"models": ["text-embeddings"]}, 400, "models[0]"),
    ({"route": "best"}, 400, "route"),
    ({"provider": "gigachat"}, 400, "provider"),
    ({"provider": {"onyl": ["gigachat"]}}, 400, "provider.onyl"),
    ({"provider": {"only": "gigachat"}}, 400, "provider.only"),
    ({"provider": {"only": ["gigochat"]}}, 400, "provider.only[0]"),
    ({"provider": {"only": ["gigachat"]}}, 400, "provider.only"),
    ({"provider": {"sort": "beauty"}}, 400, "provider.sort"),
    ({"provider": {"allow_fallbacks": "no"}}, 400, "provider.allow_fallbacks"),
    ({"provider": {"max_price": {"prompt": -1}}}, 400, "provider.max_price.prompt"),
    ({"provider": {"max_price": {"prompt": "cheap"}}}, 400, "provider.max_price.prompt"),
    ({"provider": {"max_price": {"tokens": 1}}}, 400, "provider.max_price.tokens"),
    ({"provider": {"max_price": {"completion": 0.01}}}, 400, "provider.max_price"),
    ({"provider": {"zdr": True, "require_parameters": True}}, 400, "provider.zdr"),
]


async def test_a_wrong_wish_is_refused_by_its_field(edge: Edge, backends: Backends) -> None:
    """Before anything is held or asked."""
    for wishes, status, field in WRONG:
        answer = await edge.client.post(PATH, json={**HELLO, **wishes})

        assert (answer.status_code, answer.json()["error"]["param"]) == (status, field), (wishes, answer.text)
    assert backends.router.prompts == []


async def test_a_model_must_be_named_somehow(edge: Edge) -> None:
    """By `model`, or by the first of `models`."""
    answer = await edge.client.post(PATH, json={"messages": HELLO["messages"]})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


async def test_a_pinned_key_asks_its_model_whatever_is_named(edge: Edge, backends: Backends) -> None:
    """Also where nothing is; the answer says both what was asked and what answered."""
    pinned = caller(model_names={"*": "gigachat-pro"})
    backends.auth.callers = dict.fromkeys(backends.auth.callers, pinned)

    for asked in ({"model": "gpt-4o"}, {"model": "yandexgpt"}, {}):
        answer = await edge.client.post(PATH, json={"messages": HELLO["messages"], **asked})

        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == asked.get("model", "gigachat-pro")
        assert answer.headers["x-razvilka-model"] == "gigachat-pro-build-7"
    assert {prompt.model for prompt in backends.router.prompts} == {"gigachat-pro"}


async def test_what_cannot_be_promised_is_named(edge: Edge) -> None:
    """Whoever forbids that prompts are kept must learn that nobody here can promise it."""
    answer = await edge.client.post(PATH, json={**HELLO, "provider": {"data_collection": "deny"}})

    assert answer.headers["x-razvilka-dropped-params"] == "provider.data_collection"


async def test_the_dearest_of_the_steered_models_is_held_for_and_the_one_that_answers_is_billed(
    edge: Edge, backends: Backends
) -> None:
    """A budget that covers the first model but not the last is no budget for both."""
    dear = type(PRICE)()
    dear.CopyFrom(PRICE)
    dear.version, dear.input_micro_rub_per_1k, dear.output_micro_rub_per_1k = "dear", 20_000_000, 40_000_000
    backends.router.models.append(model("dear", provider="gigachat", prices=[dear]))
    backends.router.version = "2"
    await edge.gateway.catalog.refresh()
    backends.router.answering_model = "dear"

    answer = await edge.client.post(PATH, json={**HELLO, "models": ["dear"], "max_tokens": 100})
    row = await backends.usage.row(answer.headers["x-request-id"])

    assert (row.model, row.price_version, row.over_hold_micro_rub) == ("dear", "dear", 0)


async def test_models_outside_the_credential_s_list_are_refused(edge: Edge, backends: Backends) -> None:
    """Whoever may use one model may not reach another by a list."""
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(models=["yandexgpt:latest"]))

    answer = await edge.client.post(PATH, json={**HELLO, "models": ["yandexgpt", "gigachat-pro"]})

    assert (answer.status_code, answer.json()["error"]["param"]) == (403, "models[1]")


async def test_vectors_are_never_asked_of_a_provider_that_was_ruled_out(edge: Edge, backends: Backends) -> None:
    """They have no stand-ins that mean the same; what is left is told to the router as all that may answer."""
    asked = {"model": "text-embeddings", "input": "a"}

    refused = await edge.client.post("/v1/embeddings", json={**asked, "provider": {"ignore": ["gigachat"]}})
    answered = await edge.client.post("/v1/embeddings", json={**asked, "provider": {"only": ["gigachat"]}})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "provider.ignore")
    assert answered.status_code == 200
    assert [list(each.allowed_models) for each in backends.router.embeds] == [["text-embeddings"]]
