"""What the books keep of a request beside its figures: tags, a digest of the prompt, what it asks for."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from pydantic import SecretStr
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, ProviderFailed, Unavailable
from services.gateway.inference.marking.prompt_marks import said_in
from services.gateway.metering.usage_record import Trait
from services.gateway.schemas.inference import ChatMessage, ChatRequest
from services.gateway.settings import MeteringSettings
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.inference.idempotent_calls import CHAT, HELLO
from services.gateway.tests.router_backend import model

SECRET: Final = "a secret of the gateways, long enough"
TEXT: Final = {"model": "yandexgpt", "prompt": "Привет"}
VECTOR: Final = {"model": "text-embeddings", "input": "Привет"}
MESSAGE: Final = {"model": "yandexgpt", "max_tokens": 9, "messages": [{"role": "user", "content": "Привет"}]}
RESPONSE: Final = {"model": "yandexgpt", "input": "Привет"}

Row = usage_pb2.UsageRecord


async def row_of(
    edge: Edge, backends: Backends, body: dict[str, Any], *, path: str = CHAT, headers: dict[str, str] | None = None
) -> Row:
    """Ask, and return the row."""
    sent = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    answer = await edge.client.post(path, json=body, headers=sent)
    assert answer.status_code == 200, answer.text
    return await backends.usage.row(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("path", "body", "header", "kept"),
    [
        (CHAT, {**HELLO, "metadata": {"team": "поиск", "run": ""}}, "", {"team": "поиск", "run": ""}),
        ("/v1/responses", {**RESPONSE, "metadata": {"team": "search"}}, "", {"team": "search"}),
        ("/v1/messages", {**MESSAGE, "metadata": {"user_id": "u-7"}}, "", {"user_id": "u-7"}),
        ("/v1/embeddings", VECTOR, "team=search, stage=%D1%82%D0%B5%D1%81%D1%82", {"team": "search", "stage": "тест"}),
        (CHAT, HELLO, "отдел=поиск %C2%AB1%C2%BB", {"отдел": "поиск «1»"}),
        ("/v1/completions", TEXT, "a=1%2C2,b=", {"a": "1,2", "b": ""}),
        (CHAT, {**HELLO, "metadata": {"team": "body"}}, "team=header,stage=test", {"team": "body", "stage": "test"}),
        (CHAT, HELLO, "", {}),
    ],
    ids=["chat", "responses", "messages", "header", "as it is", "escaped", "both", "none"],
)
async def test_the_row_keeps_the_caller_s_tags(
    edge: Edge, backends: Backends, path: str, body: dict[str, Any], header: str, kept: dict[str, str]
) -> None:
    """As OpenAI's and Anthropic's bodies have them, and by a header on every paid route."""
    headers = {"x-razvilka-tags": header} if header else {}

    row = await row_of(edge, backends, body, path=path, headers=headers)

    assert dict(row.metadata) == kept
    told = await edge.client.get(f"/v1/requests/{row.request_id}")
    assert told.json()["metadata"] == kept


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({str(number): "v" for number in range(17)}, "metadata"),
        ({"n" * 65: "v"}, "metadata." + "n" * 64),
        ({"": "v"}, "metadata."),
        ({"long": "v" * 513}, "metadata.long"),
        ({"zero": "\0"}, "metadata.zero"),
    ],
    ids=["too many", "long name", "no name", "long value", "zero byte"],
)
async def test_a_tag_that_cannot_be_kept_is_named(
    edge: Edge, backends: Backends, metadata: dict[str, str], param: str
) -> None:
    """Before anybody is asked."""
    answer = await edge.client.post(CHAT, json={**HELLO, "metadata": metadata})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert backends.router.prompts == []


@pytest.mark.parametrize(
    "header", ["team", "=search", "team=a,,b=c", f"{'n' * 65}=v", f"n={'v' * 513}", "n=%00", "n=%D1"]
)
async def test_a_header_of_tags_that_cannot_be_kept_is_named(edge: Edge, header: str) -> None:
    """The pair too."""
    answer = await edge.client.post(CHAT, json=HELLO, headers={"x-razvilka-tags": header})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-razvilka-tags")


@pytest.fixture
async def with_digests(start_gateway: StartGateway) -> Edge:
    """Return a gateway that makes digests."""
    edge: Edge = await start_gateway(metering=MeteringSettings(prompt_digest_secret=SecretStr(SECRET)))
    return edge


SAME: Final[list[tuple[str, dict[str, Any]]]] = [
    (CHAT, {**HELLO, "stream": True}),
    (CHAT, {**HELLO, "user": "u", "metadata": {"run": "7"}, "model": "gigachat-pro"}),
    (CHAT, {"model": HELLO["model"], "prompt": HELLO["messages"][0]["content"]}),
]
OTHERS: Final[list[tuple[str, dict[str, Any]]]] = [
    (CHAT, {**HELLO, "messages": [{"role": "user", "content": "Пока"}]}),
    (CHAT, {**HELLO, "temperature": 0}),
    (CHAT, {**HELLO, "max_tokens": 5}),
    ("/v1/embeddings", VECTOR),
]


async def test_the_same_prompt_has_the_same_digest(with_digests: Edge, backends: Backends) -> None:
    """However it is sent and whoever is asked; another prompt, and another parameter that counts, has another."""
    first = await row_of(with_digests, backends, HELLO)

    same = [(await row_of(with_digests, backends, body, path=path)).prompt_digest for path, body in SAME]
    others = [(await row_of(with_digests, backends, body, path=path)).prompt_digest for path, body in OTHERS]

    assert len(first.prompt_digest) == 16
    assert set(same) == {first.prompt_digest}
    assert len({first.prompt_digest, *others}) == 1 + len(OTHERS)


async def test_a_large_prompt_has_a_digest_too(with_digests: Edge, backends: Backends) -> None:
    """It is made in a turn of its own."""
    large = {**HELLO, "messages": [{"role": "user", "content": "слово " * 20_000}]}

    digests = [(await row_of(with_digests, backends, large)).prompt_digest for _ in range(2)]

    assert digests[0] == digests[1] != b""


async def test_two_users_never_have_the_same_digest(
    with_digests: Edge, backends: Backends, start_gateway: StartGateway
) -> None:
    """Whoever has the rows cannot compare their prompts; and another secret gives other digests."""
    mine = await row_of(with_digests, backends, HELLO)
    elsewhere = await start_gateway(metering=MeteringSettings(prompt_digest_secret=SecretStr(SECRET[::-1])))
    by_another_secret = await row_of(elsewhere, backends, HELLO)
    backends.auth.callers[KEY] = caller(user_id="user-2")
    theirs = await row_of(await start_gateway(metering=with_digests.settings.metering), backends, HELLO)

    assert theirs.user_id != mine.user_id
    assert len({mine.prompt_digest, theirs.prompt_digest, by_another_secret.prompt_digest}) == 3


async def test_without_a_secret_there_are_no_digests(edge: Edge, backends: Backends) -> None:
    """The rest of the row is as ever."""
    row = await row_of(edge, backends, {**HELLO, "temperature": 0})

    assert (row.prompt_digest, row.traits) == (b"", Trait.TEMPERATURE_ZERO)


def test_a_short_secret_stops_the_start() -> None:
    """It could be tried out."""
    with pytest.raises(ValueError, match="at least 32 characters"):
        MeteringSettings(prompt_digest_secret=SecretStr("short"))


TOOL: Final = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
IMAGE: Final = {"type": "image_url", "image_url": {"url": "https://e.ru/a.png"}}
SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "w", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("more", "traits"),
    [
        ({}, 0),
        ({"temperature": 0.1}, 0),
        ({"temperature": 0, "tools": [TOOL]}, Trait.TEMPERATURE_ZERO | Trait.TOOLS),
        ({"functions": [TOOL["function"]]}, Trait.TOOLS),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, Trait.IMAGES),
        ({"response_format": SCHEMA}, Trait.SCHEMA),
        ({"response_format": {"type": "text"}}, 0),
    ],
    ids=["plain", "warm", "cold with tools", "functions", "image", "schema", "text"],
)
async def test_the_row_says_what_advice_depends_on(
    edge: Edge, backends: Backends, more: dict[str, Any], traits: int
) -> None:
    """Tools, temperature 0, images, a form of the answer."""
    row = await row_of(edge, backends, {**HELLO, **more})

    assert row.traits == traits


@pytest.mark.parametrize("stream", [False, True])
async def test_the_row_says_how_long_it_waited_and_that_another_model_stood_in(
    edge: Edge, backends: Backends, stream: bool
) -> None:
    """A wait for a slot lies within the time that the provider took; the cache tells nothing of either again."""
    backends.router.queued_ms, backends.router.stands_in = 10**6, True
    cached = {"x-razvilka-cache": "on"}

    row = await row_of(edge, backends, {**HELLO, "stream": stream}, headers=cached)
    again = await row_of(edge, backends, {**HELLO, "stream": stream}, headers=cached)

    assert (row.fallbacks, again.fallbacks, again.cache_status) == (1, 0, "hit")
    assert 0 <= again.queue_ms <= row.queue_ms <= row.latency_ms
    told = (await edge.client.get(f"/v1/requests/{row.request_id}")).json()
    assert (told["fallback"], told["queue_ms"]) == (True, row.queue_ms)


async def test_a_cut_answer_of_a_model_that_stood_in_says_so(edge: Edge, backends: Backends) -> None:
    """Also where nobody says any more who was tried."""
    backends.router.stands_in = True
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "It broke."), 1

    answer = await edge.client.post(CHAT, json={**HELLO, "stream": True})

    row = await backends.usage.row(answer.headers["x-request-id"])
    assert (row.status, row.fallbacks) == (usage_pb2.STATUS_FAILED, 1)


async def test_the_router_hears_what_the_hold_covers(start_gateway: StartGateway, backends: Backends) -> None:
    """By another version of the catalogue it asks no model that is not among them."""
    backends.router.models[0] = model("yandexgpt:latest", "yandexgpt", fallbacks=["gigachat-pro"])
    edge = await start_gateway()

    await row_of(edge, backends, HELLO)
    await row_of(edge, backends, VECTOR, path="/v1/embeddings")

    (prompt,), (texts,) = backends.router.prompts, backends.router.embeds
    assert (prompt.catalog_version, list(prompt.priced_models)) == ("1", ["yandexgpt:latest", "gigachat-pro"])
    assert (texts.catalog_version, list(texts.priced_models)) == ("1", ["text-embeddings"])


@pytest.mark.parametrize("told", ["1000000", "0", "soon", ""])
async def test_a_request_that_got_no_slot_says_how_long_it_waited(edge: Edge, backends: Backends, told: str) -> None:
    """In its row and in Server-Timing; what a router says otherwise is nothing."""
    details = {"queued_ms": told} if told else {}
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_RATE_LIMITED, "No slot in time.", details=details)

    answer = await edge.client.post(CHAT, json=HELLO)

    row = await backends.usage.row(answer.headers["x-request-id"])
    assert answer.status_code == 503
    assert "queued_ms" not in answer.json()["error"]["details"]
    only_waited = answer.headers["server-timing"].endswith("provider;dur=0.0")
    assert only_waited == (told == "1000000")
    assert row.queue_ms <= row.latency_ms
    assert only_waited or row.queue_ms == 0


def test_what_prompts_of_a_list_share_is_hashed_once() -> None:
    """Of 128 prompts with megabytes of `logit_bias` a gigabyte was written out, before any limit was asked."""
    bias = {str(number): 1.0 for number in range(1000)}
    one, two = (ChatRequest("m", [ChatMessage("user", content=text)], logit_bias=bias) for text in ("один", "два"))

    assert len(said_in([one] * 10)) < 2 * len(said_in([one]))
    assert len({said_in(asked) for asked in ([one], [one, two], [two, one], [one, one])}) == 4
    assert said_in([one, two]) != said_in([msgspec.structs.replace(one, logit_bias=None), two])
