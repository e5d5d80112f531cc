"""Chats, models, files, checks, and the ways in."""

import json
from typing import Literal

from gigachat.context import session_id_cvar
from gigachat.exceptions import AuthenticationError, RateLimitError, ResponseError
from gigachat.models import Chat, Function, FunctionParameters, Messages, MessagesRole
from pydantic import BaseModel

from for_gigachat.settings import asked, firm, made

LONG_TEXT = "Снег лежит на берегу реки, и олени идут к северной стоянке. " * 4
PICTURE = ("карта.png", b"\x89PNG not really", "image/png")
DOCUMENT = "{paths: {/camps: {get: {operationId: camps, summary: Стоянки, parameters: [{name: river, in: query}]}}}}"
CAMP = Function(
    name="camp_distance",
    description="Расстояние до стоянки",
    parameters=FunctionParameters(
        type="object", properties={"camp": {"type": "string", "description": "стоянка"}}, required=["camp"]
    ),
)


class Camp(BaseModel):
    """An answer with a shape."""

    name: str
    metres: int
    kind: Literal["лес", "река"]


def can_ask_and_read_usage() -> None:
    with made() as giga:
        answer = giga.chat("привет")
        assert answer.choices[0].message.content
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
        assert answer.model.startswith("GigaChat-2-Max:")


def can_stream() -> None:
    with made() as giga:
        chunks = list(giga.stream("привет [[chunks:5]]"))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert text == giga.chat("привет [[chunks:5]]").choices[0].message.content
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert chunks[-1].usage.total_tokens


def can_call_a_function_and_return_its_result() -> None:
    with made() as giga:
        first = giga.chat(asked("далеко?", functions=[CAMP], function_call={"name": "camp_distance"}))
        said = first.choices[0].message
        assert first.choices[0].finish_reason == "function_call"
        assert said.function_call.arguments["camp"]
        history = [Messages(role=MessagesRole.USER, content="далеко?"), said]
        result = Messages(role=MessagesRole.FUNCTION, name="camp_distance", content='{"metres": 400}')
        second = giga.chat(Chat(messages=[*history, result], functions=[CAMP]))
        assert second.choices[0].message.content


def can_send_no_functions() -> None:
    with made() as giga:
        assert giga.chat(asked("привет", functions=[])).choices


def can_send_every_parameter() -> None:
    fields = {"temperature": 0.5, "top_p": 0.5, "max_tokens": 5, "repetition_penalty": 1.1, "update_interval": 0.1}
    with made() as giga:
        answer = giga.chat(asked("привет", profanity_check=False, **fields))
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 5


def can_parse_an_answer() -> None:
    with made() as giga:
        _, camp = giga.chat_parse("стоянка", response_format=Camp)
        assert isinstance(camp, Camp)


def can_use_the_second_version() -> None:
    with made() as giga:
        answer = giga.chat.create("привет")
        assert answer.messages[0].content[0].text
        assert answer.usage.total_tokens
        chunks = list(giga.chat.stream("привет [[chunks:3]]"))
        assert chunks[-1].finish_reason == "stop"
        _, camp = giga.chat.parse("стоянка", response_format=Camp)
        assert camp.name


def can_use_the_second_version_with_tools() -> None:
    tools = [{"functions": {"specifications": [json.loads(CAMP.model_dump_json(by_alias=True, exclude_none=True))]}}]
    config = {"mode": "forced", "function_name": "camp_distance"}
    messages = [{"role": "user", "content": "далеко?"}]
    with made() as giga:
        answer = giga.chat.create({"messages": messages, "tools": tools, "tool_config": config})
        assert answer.finish_reason == "function_call"
        assert answer.messages[0].content[0].function_call.name == "camp_distance"


def can_count_tokens() -> None:
    with made() as giga:
        assert [count.tokens for count in giga.tokens_count(["стоянка у реки", "привет"])] == [4, 1]


def can_embed() -> None:
    with made() as giga:
        found = giga.embeddings(["стоянка", "река"])
        assert [len(item.embedding) for item in found.data] == [1024, 1024]
        assert found.data[0].usage.prompt_tokens


def can_list_models() -> None:
    with made() as giga:
        names = [model.id_ for model in giga.get_models().data]
        assert "GigaChat-2-Max" in names
        assert giga.get_model("GigaChat-2-Max").owned_by == "salutedevices"


def can_keep_files() -> None:
    with made() as giga:
        stored = giga.upload_file(PICTURE)
        assert giga.get_file(stored.id_).filename == "карта.png"
        assert stored.id_ in [file.id_ for file in giga.get_files().data]
        assert giga.get_image(stored.id_).content
        message = Messages(role=MessagesRole.USER, content="что тут?", attachments=[stored.id_])
        assert giga.chat(Chat(messages=[message])).choices
        assert giga.delete_file(stored.id_).deleted


def can_read_the_balance() -> None:
    with made() as giga:
        assert giga.get_balance().balance == []


def can_convert_functions() -> None:
    with made() as giga:
        [function] = giga.openapi_function_convert(DOCUMENT).functions
        assert function.name == "camps"


def can_check_a_text() -> None:
    with firm() as giga:
        assert giga.check_ai(LONG_TEXT, "GigaCheckDetection").category in ("ai", "human", "mixed")


def can_log_in_by_key_token_and_password() -> None:
    with made() as giga:
        token = giga.get_token()
        assert token.access_token
    with made(credentials=None, access_token=token.access_token) as giga:
        assert giga.chat("привет").choices
    with made(credentials=None, user="user", password="password") as giga:
        assert giga.chat("привет").choices


def can_cache_a_prefix() -> None:
    mark = session_id_cvar.set("camp-1")
    try:
        with made() as giga:
            giga.chat("привет")
            assert giga.chat("привет").usage.precached_prompt_tokens
    finally:
        session_id_cvar.reset(mark)


def can_be_refused() -> None:
    with made() as giga:
        for payload, status in (
            (asked("x", model="GigaChat-9"), 404),
            (asked("x", temperature=-1), 422),
            (asked("слово " * 132_000), 413),
        ):
            try:
                giga.chat(payload)
            except ResponseError as error:
                assert error.status_code == status, error
            else:
                raise AssertionError(f"{status} was not raised")
    try:
        made(credentials="bm9ib2R5Om5v").get_token()
    except AuthenticationError as error:
        assert error.status_code == 401
    else:
        raise AssertionError("a wrong key passed")


def can_wait_for_a_quota() -> None:
    with made(max_retries=5, retry_backoff_factor=0.1) as giga:
        assert giga.chat("привет [[fault:rate_limit times=2]]").choices
    with made() as giga:
        try:
            giga.chat("привет [[fault:rate_limit]]")
        except RateLimitError as error:
            assert error.status_code == 429
        else:
            raise AssertionError("429 was not raised")


async def can_do_it_all_without_blocking() -> None:
    async with made() as giga:
        assert (await giga.aget_token()).access_token
        assert (await giga.achat("привет")).choices
        assert [chunk async for chunk in giga.astream("привет")]
        assert (await giga.achat.create("привет")).messages
        assert [chunk async for chunk in giga.achat.stream("привет")]
        assert (await giga.achat.parse("стоянка", response_format=Camp))[1].name
        assert (await giga.achat_parse("стоянка", response_format=Camp))[1].name
        assert await giga.atokens_count(["привет"])
        assert (await giga.aembeddings(["привет"])).data
        assert (await giga.aget_models()).data
        assert (await giga.aget_model("GigaChat-2")).id_ == "GigaChat-2"
        assert (await giga.aget_balance()).balance == []
        assert (await giga.aopenapi_function_convert(DOCUMENT)).functions
        stored = await giga.aupload_file(PICTURE)
        assert (await giga.aget_file(stored.id_)).id_ == stored.id_
        assert (await giga.aget_files()).data
        assert (await giga.aget_image(stored.id_)).content
        assert (await giga.adelete_file(stored.id_)).deleted
    async with firm() as giga:
        assert (await giga.acheck_ai(LONG_TEXT, "GigaCheckClassification")).category in ("ai", "human")
