"""The official `openai` client, unchanged, against the running suite."""

import json
import time
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionToolParam

from tests.integration.rates import FREE_A_MINUTE, returned_since

MODELS = ["yandexgpt:latest", "gigachat-pro"]
CAMP_TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "camp_distance",
        "description": "Расстояние от стоянки до реки в метрах",
        "parameters": {"type": "object", "properties": {"camp": {"type": "string"}}, "required": ["camp"]},
    },
}


@pytest.mark.parametrize("model", MODELS)
def test_answers_a_question_and_says_what_it_cost(client: openai.OpenAI, model: str) -> None:
    """The first thing anyone tries: text, a finish reason, usage that adds up, the cost."""
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Где северная стоянка?"}]
    )

    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert answer.model == model
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert float((answer.usage.model_extra or {})["cost_rub"]) > 0


@pytest.mark.parametrize("model", MODELS)
def test_streams_an_answer_piece_by_piece(client: openai.OpenAI, model: str) -> None:
    """Role first, text in several pieces, one finish reason, usage last because it was asked for."""
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Расскажи о реке. [[chunks:12]]"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len([text for text in texts if text]) > 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert float((chunks[-1].usage.model_extra or {})["cost_rub"]) > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_has_no_usage_chunk_unless_it_is_asked_for(client: openai.OpenAI, model: str) -> None:
    """As OpenAI does: every chunk has a choice."""
    chunks = list(
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Привет"}], stream=True)
    )

    assert {len(chunk.choices) for chunk in chunks} == {1}
    assert {chunk.usage for chunk in chunks} == {None}


@pytest.mark.parametrize("model", MODELS)
def test_the_streamed_text_is_the_text_of_the_plain_answer(client: openai.OpenAI, model: str) -> None:
    """The emulated provider is deterministic, so both ways must give the same words, letter for letter."""
    messages: Any = [{"role": "user", "content": "Сколько до реки? [[tokens:40]]"}]

    plain = client.chat.completions.create(model=model, messages=messages)
    streamed = client.chat.completions.create(model=model, messages=messages, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)

    assert text == plain.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
async def test_the_asynchronous_client_answers_and_streams(async_client: openai.AsyncOpenAI, model: str) -> None:
    """Both calls of the asynchronous client."""
    messages: Any = [{"role": "user", "content": "Привет"}]

    answer = await async_client.chat.completions.create(model=model, messages=messages)
    stream = await async_client.chat.completions.create(model=model, messages=messages, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]

    assert answer.choices[0].message.content == "".join(pieces)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_a_tool_is_called_and_its_result_is_used(client: openai.OpenAI, model: str, streamed: bool) -> None:
    """A whole tool turn: the call with parsable arguments, then the answer from its result."""
    messages: Any = [{"role": "user", "content": 'Далеко ли до реки? [[call:camp_distance {"camp":"северная"}]]'}]
    if streamed:
        with client.chat.completions.stream(model=model, messages=messages, tools=[CAMP_TOOL]) as stream:
            first = stream.get_final_completion()
    else:
        first = client.chat.completions.create(model=model, messages=messages, tools=[CAMP_TOOL])  # type: ignore[assignment]

    assert first.choices[0].finish_reason == "tool_calls"
    calls = first.choices[0].message.tool_calls
    assert calls
    call: Any = calls[0]
    assert call.function.name == "camp_distance"
    assert json.loads(call.function.arguments) == {"camp": "северная"}

    messages[0] = {"role": "user", "content": "Далеко ли до реки?"}
    messages.append(first.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"}))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"metres": 400}'})
    second = client.chat.completions.create(model=model, messages=messages, tools=[CAMP_TOOL])

    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_structured_output_is_json_of_the_schema(client: openai.OpenAI, model: str) -> None:
    """response_format json_schema gives text that parses."""
    schema: Any = {"type": "object", "properties": {"camp": {"type": "string"}}, "required": ["camp"]}
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Назови стоянку"}],
        response_format={"type": "json_schema", "json_schema": {"name": "camp", "schema": schema}},
    )

    assert "camp" in json.loads(answer.choices[0].message.content or "")


@pytest.mark.parametrize("model", MODELS)
def test_max_tokens_ends_the_answer_with_length(client: openai.OpenAI, model: str) -> None:
    """The bound reaches the provider and its finish reason comes back."""
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Расскажи всё [[tokens:200]]"}], max_tokens=5
    )

    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("model", MODELS)
def test_stop_cuts_the_answer_where_it_is_found(client: openai.OpenAI, model: str) -> None:
    """Neither provider knows `stop`; the suite does it, also over chunk borders."""
    messages: Any = [{"role": "user", "content": "Расскажи о реке [[tokens:60]]"}]
    whole = client.chat.completions.create(model=model, messages=messages).choices[0].message.content or ""
    stop = whole[len(whole) // 2 : len(whole) // 2 + 6]

    plain = client.chat.completions.create(model=model, messages=messages, stop=stop)
    streamed = client.chat.completions.create(model=model, messages=messages, stop=[stop], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)

    assert plain.choices[0].message.content == whole[: whole.index(stop)] == text
    assert plain.choices[0].finish_reason == "stop"


def test_several_choices_come_under_their_indexes(client: openai.OpenAI) -> None:
    """`n` is emulated by several calls and billed as such."""
    answer = client.chat.completions.create(
        model="yandexgpt:latest", messages=[{"role": "user", "content": "Привет"}], n=3
    )

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert all(choice.message.content for choice in answer.choices)


def test_legacy_completions_answer_and_stream(client: openai.OpenAI) -> None:
    """/v1/completions in its own shapes."""
    answer = client.completions.create(model="gigachat", prompt="Северная стоянка")
    pieces = [
        chunk.choices[0].text for chunk in client.completions.create(model="gigachat", prompt="Стоянка", stream=True)
    ]

    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert "".join(pieces)


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings_have_one_vector_a_text(client: openai.OpenAI, encoding: Any) -> None:
    """The client asks for base64 by default and decodes it itself."""
    models = [model.id for model in client.models.list() if "embed" in model.id or "search" in model.id]
    assert models
    for model in models[:1] + models[-1:]:
        answer = client.embeddings.create(model=model, input=["стоянка", "река"], encoding_format=encoding)

        assert [item.index for item in answer.data] == [0, 1]
        assert all(len(item.embedding) >= 256 for item in answer.data) or encoding == "base64"
        assert answer.usage.prompt_tokens > 0


def test_models_are_listed_and_found_by_every_name(client: openai.OpenAI) -> None:
    """Versions, explicit names, 1.0's slash form, no suffix = latest."""
    ids = {model.id for model in client.models.list()}

    # Not the deprecated ones: those end one day, and the suite lives by the machine's clock.
    assert {"yandexgpt:latest", "yandexgpt:rc", "yandexgpt-lite:latest", "gigachat-max"} <= ids
    assert client.models.retrieve("yandexgpt:rc").id == "yandexgpt:rc"
    assert client.models.retrieve("gigachat/pro").id


def test_a_wrong_key_is_an_authentication_error(stack: Any) -> None:
    """401 of the right class, with a code."""
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key="rz_live_wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()

    assert caught.value.code == "invalid_key"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    """404 of the right class, naming the parameter."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "x"}])

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_bad_messages_are_a_bad_request_that_names_the_field(client: openai.OpenAI) -> None:
    """400 of the right class, naming the field."""
    messages: Any = [{"role": "user", "content": "x"}, {"role": "wizard", "content": "y"}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gigachat", messages=messages)

    assert caught.value.param == "messages[1].role"


def test_too_many_requests_are_a_rate_limit_error(stack: Any) -> None:
    """A free-tier key is stopped after 20 requests and what a minute gives back meanwhile; it says how long to wait."""
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.issue_key(tier="free"), max_retries=0)
    began = time.monotonic()
    answers: list[Any] = []

    def ask_for_ever() -> None:
        # On a slow machine one comes back every three seconds.
        while len(answers) <= FREE_A_MINUTE + returned_since(began):
            messages: Any = [{"role": "user", "content": "x"}]
            answers.append(client.chat.completions.create(model="gigachat", messages=messages, max_tokens=5))

    with client, pytest.raises(openai.RateLimitError) as caught:
        ask_for_ever()

    assert len(answers) >= FREE_A_MINUTE
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_the_client_retries_by_itself_after_a_rate_limit(stack: Any) -> None:
    """Retry-After is in the form the client reads."""
    key = stack.issue_key(tier="free")
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key, max_retries=2, timeout=30) as client:
        for _ in range(22):
            client.chat.completions.create(model="gigachat", messages=[{"role": "user", "content": "x"}], max_tokens=5)


def test_unknown_fields_do_not_break_a_request(client: openai.OpenAI) -> None:
    """Fields that OpenAI or a framework adds tomorrow pass."""
    answer = client.chat.completions.create(
        model="gigachat",
        messages=[{"role": "user", "content": "x"}],
        user="u-1",
        seed=7,
        metadata={"team": "maps"},
        extra_body={"brand_new_field": {"a": 1}},
    )

    assert answer.choices[0].message.content
