"""Assistants and threads, in the blocking way and without blocking."""

import asyncio
import time
from typing import Any

from gigachat import GigaChat
from gigachat.exceptions import ResponseError
from gigachat.models import Function, FunctionParameters, Messages, MessagesRole, Storage
from gigachat.models.threads import ThreadRunOptions

from for_gigachat.settings import asked, made

MODEL = "GigaChat-2-Pro"
CAMP = Function(name="camp_distance", parameters=FunctionParameters(type="object", properties={}))
NOTE = ("стоянка.txt", "Стоянка у реки.".encode(), "text/plain")
FUTURE = 4_000_000_000


def said(chunks: list[Any]) -> str:
    """Return the text of a stream."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def refused(status: int, call: Any, *arguments: Any) -> None:
    """Check that the provider says no with this status."""
    try:
        call(*arguments)
    except ResponseError as error:
        assert error.status_code == status, error
    else:
        raise AssertionError(f"{status} was not raised")


def can_keep_assistants() -> None:
    with made() as giga:
        file_id = giga.upload_file(NOTE).id_
        keep = giga.assistants
        created = keep.create(MODEL, "проводник", "Отвечай кратко.", "о стоянках", [file_id], [CAMP], {"team": "north"})
        [found] = keep.get(created.assistant_id).data
        assert (found.name, found.instructions, found.metadata) == ("проводник", "Отвечай кратко.", {"team": "north"})
        assert [(file.file_id, file.name) for file in found.files] == [(file_id, "стоянка.txt")]
        assert keep.update(created.assistant_id, name="лоцман").instructions == "Отвечай кратко."
        assert keep.get(created.assistant_id).data[0].name == "лоцман"
        assert keep.delete_file(created.assistant_id, file_id).deleted
        assert keep.get(created.assistant_id).data[0].files == []
        assert keep.delete(created.assistant_id).deleted
        refused(404, keep.get, created.assistant_id)
        refused(404, keep.create, "GigaChat-9", "проводник")


def can_keep_threads() -> None:
    with made() as giga:
        thread_id = giga.threads.create_thread()
        added = giga.threads.add_message(thread_id, "привет")
        giga.threads.add_messages(thread_id, ["далеко до стоянки?"])
        kept = giga.threads.get_messages(thread_id).messages
        assert [message.content for message in kept] == ["привет", "далеко до стоянки?"]
        assert kept[0].message_id == added.messages[0].message_id
        assert len(giga.threads.get_messages(thread_id, limit=1, before=FUTURE).messages) == 1
        assert giga.threads.retrieve([thread_id]).threads[0].id_ == thread_id
        assert thread_id in [thread.id_ for thread in giga.threads.list().threads]
        assert giga.threads.delete(thread_id)
        assert giga.threads.retrieve([thread_id]).threads == []
        refused(404, giga.threads.get_messages, thread_id)


def can_run_threads() -> None:
    with made() as giga:
        assistant_id = giga.assistants.create(MODEL, "проводник", "Отвечай кратко.").assistant_id
        thread_id = giga.threads.create_thread()
        giga.threads.add_message(thread_id, "привет")
        giga.threads.run(thread_id, assistant_id, ThreadRunOptions(max_tokens=7))
        result = finished(giga, thread_id)
        assert [message.finish_reason for message in result.messages] == ["length"]
        assert giga.threads.get_messages(thread_id).messages[-1].message_id == result.messages[0].message_id
        assert giga.threads.get_threads([assistant_id]).threads[0].id_ == thread_id
        assert giga.assistants.get(assistant_id).data[0].threads_count == 1
        giga.threads.add_message(thread_id, "далеко?")
        assert said(list(giga.threads.run_stream(thread_id)))
        assert len(giga.threads.get_messages(thread_id).messages) == 4


def finished(giga: GigaChat, thread_id: str) -> Any:
    """Return the result of the run when it is done."""
    while (result := giga.threads.get_run(thread_id)).status == "in_progress":
        time.sleep(0.05)
    return result


def can_run_messages() -> None:
    with made() as giga:
        first = giga.threads.run_messages(["привет"], model=MODEL)
        assert first.model.startswith(MODEL + ":")
        again = giga.threads.rerun_messages(first.thread_id)
        assert (again.message.content, again.message_id == first.message_id) == (first.message.content, False)
        assert len(giga.threads.get_messages(first.thread_id).messages) == 2
        assert again.usage.total_tokens == again.usage.prompt_tokens + again.usage.completion_tokens
        streamed = list(giga.threads.run_messages_stream(["далеко?"], thread_id=first.thread_id))
        assert said(list(giga.threads.rerun_messages_stream(first.thread_id))) == said(streamed)
        assert streamed[-1].choices[0].finish_reason == "stop"


def can_chat_in_a_thread() -> None:
    with made() as giga:
        first = giga.chat(asked("привет", storage=Storage(is_stateful=True)))
        storage = Storage(is_stateful=True, thread_id=first.thread_id)
        second = giga.chat(asked("далеко?", storage=storage))
        assert second.thread_id == first.thread_id
        assert giga.threads.get_messages(first.thread_id).messages[-1].message_id == second.message_id


def can_call_a_function_in_a_thread() -> None:
    with made() as giga:
        options = ThreadRunOptions(functions=[CAMP], function_call={"name": "camp_distance"})
        first = giga.threads.run_messages(["далеко?"], thread_options=options)
        assert first.finish_reason == "function_call"
        assert first.message.function_call.name == "camp_distance"
        result = Messages(role=MessagesRole.FUNCTION, name="camp_distance", content='{"metres": 400}')
        assert giga.threads.run_messages([result], thread_id=first.thread_id).message.content


async def can_converse_without_blocking() -> None:
    async with made() as giga:
        keep, threads = giga.a_assistants, giga.a_threads
        file_id = (await giga.aupload_file(NOTE)).id_
        assistant_id = (await keep.create(MODEL, "проводник", file_ids=[file_id])).assistant_id
        assert (await keep.update(assistant_id, description="о стоянках")).description
        assert (await keep.delete_file(assistant_id, file_id)).deleted
        thread_id = await threads.create_thread()
        await threads.add_message(thread_id, "привет")
        await threads.add_messages(thread_id, ["далеко?"])
        assert (await threads.run(thread_id, assistant_id)).thread_id == thread_id
        while (await threads.get_run(thread_id)).status == "in_progress":
            await asyncio.sleep(0.05)
        assert (await threads.get_run(thread_id)).messages[0].content
        assert said([chunk async for chunk in threads.run_stream(thread_id)])
        assert (await threads.run_messages(["ещё"], thread_id=thread_id)).message.content
        assert (await threads.rerun_messages(thread_id)).message.content
        assert said([chunk async for chunk in threads.run_messages_stream(["ещё"], thread_id=thread_id)])
        assert said([chunk async for chunk in threads.rerun_messages_stream(thread_id)])
        assert len((await threads.get_messages(thread_id)).messages) == 8
        assert (await threads.get_threads([assistant_id])).threads[0].id_ == thread_id
        assert (await threads.list()).threads
        assert (await threads.retrieve([thread_id])).threads
        assert await threads.delete(thread_id)
        assert (await keep.get(assistant_id)).data[0].threads_count == 0
        assert (await keep.delete(assistant_id)).deleted
