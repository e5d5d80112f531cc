"""What OpenAI refuses, and clients send unasked: the adapter tells it so that it is taken."""

from __future__ import annotations

import json

import pytest

from services.router.domain.completion import EmbeddingInput, Message, Role, Tool, ToolCall, ToolChoice
from services.router.providers.provider import ProviderCall
from services.router.tests.adapters import Adapters, ask, call_for, model, obtain, user
from services.router.tests.providers.bodies import body

# As Claude Code names a user: it reaches upstreams as `user`.
LONG_ID = "user_" + "7" * 64 + "_account__session_0b5c3f52-5d7c-4c0e-9a3e-6a0f3b1e2d4c"
TAGS = b'{"team":"search"}'


@pytest.mark.parametrize("name", ["user", "safety_identifier", "prompt_cache_key"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_long_id_of_a_user_is_taken(adapters: Adapters, name: str, stream: bool) -> None:
    """OpenAI takes 64 characters."""
    prompt = ask("[[text:да]]", other_json={name: json.dumps(LONG_ID).encode()})

    heard = await obtain(adapters.openai, prompt, call_for("upstream"), stream=stream)

    assert heard.text == "да"


def test_a_long_id_is_told_by_a_digest_that_tells_users_apart() -> None:
    """The same each time; a short one is told as it is."""
    said = [
        body("upstream", ask(other_json={"user": json.dumps(user).encode()}))
        for user in (LONG_ID, LONG_ID, LONG_ID + "x", "anna")
    ]

    first, again, other, short = [made["user"] for made, _ in said]
    assert first == again != other
    assert (len(first), short) == (64, "anna")
    assert all(dropped == [] for _, dropped in said)


async def test_a_long_id_is_taken_with_embeddings_too(adapters: Adapters) -> None:
    """Beside the texts."""
    texts = EmbeddingInput("", ["раз"], other_json={"user": json.dumps(LONG_ID).encode()})

    made = await adapters.openai.embed(texts, ProviderCall(model("toy-large"), "r", {}))

    assert len(made.values) == 1


async def test_tags_do_not_make_an_upstream_refuse_the_request(adapters: Adapters) -> None:
    """OpenAI takes `metadata` with answers that it stores; the usage row has it in any case."""
    call = call_for("upstream")

    heard = await obtain(adapters.openai, ask("[[text:да]]", other_json={"metadata": TAGS}), call, stream=False)

    assert (heard.text, call.dropped) == ("да", [])


@pytest.mark.parametrize(
    ("store", "told"), [(None, None), (b"false", None), (b"true", {"team": "search"})], ids=["unsaid", "not", "kept"]
)
def test_tags_are_told_with_what_is_stored(store: bytes | None, told: dict[str, str] | None) -> None:
    """And then as they came."""
    others = {"metadata": TAGS} | ({"store": store} if store else {})

    made, _ = body("upstream", ask(other_json=others))

    assert made.get("metadata") == told


async def test_what_only_gigachat_knows_is_left_out_and_named(adapters: Adapters) -> None:
    """Of a caller whose request may be answered by either; OpenAI refuses fields that it does not know."""
    own = {"profanity_check": b"true", "update_interval": b"1", "flags": b'["a"]', "function_ranker": b'{"top_n":1}'}
    call = call_for("upstream")

    heard = await obtain(adapters.openai, ask("[[text:да]]", other_json=own), call, stream=False)

    assert (heard.text, sorted(call.dropped)) == ("да", sorted(own))


@pytest.mark.parametrize("stream", [False, True])
async def test_several_answers_are_all_heard(adapters: Adapters, stream: bool) -> None:
    """Made of one call, and billed together."""
    one = await obtain(adapters.openai, ask("[[text:да]]"), call_for("upstream"), stream=stream)
    if stream:
        batches = [each async for each in adapters.openai.stream(ask("[[text:да]]", n=3), call_for("upstream"))]
        texts = {delta.choice_index: delta.content for batch in batches for delta in batch.deltas if delta.content}
        usage = batches[-1].usage
    else:
        answer = await adapters.openai.complete(ask("[[text:да]]", n=3), call_for("upstream"))
        texts = {choice.index: choice.content or "" for choice in answer.choices}
        usage = answer.usage

    assert texts == dict.fromkeys(range(3), "да")
    assert usage is not None
    assert one.usage is not None
    assert usage.completion_tokens == 3 * one.usage.completion_tokens


@pytest.mark.parametrize(
    ("features", "told", "named"),
    [((), None, ["reasoning_effort"]), (("reasoning",), "high", [])],
    ids=["not", "thinks"],
)
def test_an_effort_is_told_to_models_that_think(features: tuple[str, ...], told: str | None, named: list[str]) -> None:
    """OpenAI refuses it for the others, and Claude Code sends one with each request."""
    made, dropped = body("upstream", ask(reasoning_effort="high"), frozenset(features))

    assert (made.get("reasoning_effort"), dropped) == (told, named)


SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}}}'


async def test_a_tool_with_a_dot_in_its_name_is_called_by_its_own_name(adapters: Adapters) -> None:
    """MCP servers have such; OpenAI knows letters, digits, underscores and hyphens."""
    prompt = ask("[[call:maps_camp]]", tools=[Tool("maps.camp", "", SCHEMA)])

    answer = await adapters.openai.complete(prompt, call_for("upstream"))
    batches = [batch async for batch in adapters.openai.stream(prompt, call_for("upstream"))]

    pieces = [call for batch in batches for delta in batch.deltas for call in delta.tool_calls]
    assert [call.name for call in answer.choices[0].tool_calls] == ["maps.camp"]
    assert [call.name for call in pieces if call.name] == ["maps.camp"]


@pytest.mark.parametrize("name", ["maps.camp", "maps_camp", "m" * 63 + ".", "m" * 63 + "_", "maps-camp"])
async def test_names_that_openai_could_not_tell_apart_are_told_apart(adapters: Adapters, name: str) -> None:
    """However long they are, and with the tool that must be called among them."""
    names = ["maps.camp", "maps_camp", "m" * 63 + ".", "m" * 63 + "_", "maps-camp"]
    prompt = ask(tools=[Tool(each, "", SCHEMA) for each in names], tool_choice=ToolChoice("function", name))

    answer = await adapters.openai.complete(prompt, call_for("upstream"))

    assert [call.name for call in answer.choices[0].tool_calls] == [name]


@pytest.mark.parametrize("name", ["maps.camp", "где лагерь"])
async def test_a_history_has_names_that_openai_takes(adapters: Adapters, name: str) -> None:
    """A model made the name up, or another provider was asked before."""
    history = [
        user("где?"),
        Message(Role.ASSISTANT, tool_calls=[ToolCall("call_1", name, "{}")]),
        Message(Role.TOOL, "{}", tool_call_id="call_1"),
        user("ещё [[text:да]]"),
    ]

    heard = await obtain(adapters.openai, ask(messages=history), call_for("upstream"), stream=False)

    assert heard.text == "да"
