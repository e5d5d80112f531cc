"""Fields that take texts, as clients send them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import msgspec
import pytest

from servicekit.errors import InvalidRequest
from services.gateway.inference.texts import texts_of
from services.gateway.inference.tokens.token_arrays import input_texts
from services.gateway.inference.tokens.vocabulary import SIZE, cl100k_base
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge

# What `tiktoken` makes of a text: its documentation's example, and one in Russian.
GREAT = ("tiktoken is great!", [83, 1609, 5963, 374, 2294, 0])
CAMPS = (
    "Привет, мир! Сколько стоянок на карте?",
    [
        54745,
        28089,
        8341,
        11,
        11562,
        78746,
        0,
        28599,
        4898,
        54570,
        18868,
        61390,
        2156,
        15088,
        13373,
        7820,
        17721,
        51627,
        30,
    ],
)
# The hash of the published table, by which `tiktoken` checks its download.
PUBLISHED = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


def raws(*values: Any) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(value).encode()) for value in values]


def test_the_table_is_the_published_one() -> None:
    """Written down as OpenAI publishes it, it has the same hash."""
    vocabulary = cl100k_base()
    lines = (base64.b64encode(vocabulary.bytes_of(token)) + b" %d\n" % token for token in range(SIZE))

    assert hashlib.sha256(b"".join(lines)).hexdigest() == PUBLISHED


@pytest.mark.parametrize(("text", "tokens"), [GREAT, CAMPS])
async def test_arrays_of_tokens_are_read(text: str, tokens: list[int]) -> None:
    """One array, or several: LangChain's default sends them."""
    assert await input_texts(raws(*tokens)) == [text]
    assert await input_texts(raws(tokens, GREAT[1])) == [text, GREAT[0]]


async def test_a_letter_that_was_cut_is_left_out() -> None:
    """A client cuts a long text every 8,191 tokens, wherever that is."""
    assert await input_texts(raws([9080, 22656, 45918])) == ["日本"]


async def test_texts_stay_texts() -> None:
    """One, or a list."""
    assert await input_texts("да") == ["да"]
    assert await input_texts(raws("да", "нет")) == ["да", "нет"]


@pytest.mark.parametrize(
    ("value", "param", "words"),
    [
        ([1, "a"], "input", "texts only, or arrays of tokens only"),
        ([[1], "a"], "input[1]", "texts only, or arrays of tokens only"),
        (["a", [1]], "input[1]", "Arrays of tokens"),
        ([[1], [1.5]], "input[1]", "texts only, or arrays of tokens only"),
        ([[1], [100_257]], "input[1]", "check_embedding_ctx_length=False"),
        ([-1], "input", "check_embedding_ctx_length=False"),
        ([[]], "input[0]", "The text is empty"),
        ([[1] * 8193], "input[0]", "at most 8192 tokens"),
        (["a"] * 2049, "input", "at most 2048 texts"),
    ],
)
async def test_what_is_no_text_is_refused_by_its_field(value: list[Any], param: str, words: str) -> None:
    """With the client's setting where it helps."""
    with pytest.raises(InvalidRequest, match=words) as refused:
        await input_texts(raws(*value))

    assert refused.value.param == param


@pytest.mark.parametrize("tokens", [b"9906", b"[9906, 1917]"])
def test_prompts_are_texts(tokens: bytes) -> None:
    """Tokens of a prompt would be those of a chat model, and no model here has OpenAI's."""
    with pytest.raises(InvalidRequest, match="Arrays of tokens are not supported") as refused:
        texts_of([msgspec.Raw(tokens)], "prompt")

    assert refused.value.param == "prompt[0]"


async def test_the_provider_is_given_the_text(edge: Edge, backends: Backends) -> None:
    """A batch as LangChain sends it, larger than any other JSON may be."""
    batch = [GREAT[1] * 300] * 20
    answer = await edge.client.post("/v1/embeddings", json={"model": "text-embeddings", "input": batch})

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == 20
    assert list(backends.router.embeds[0].input) == [GREAT[0] * 300] * 20
