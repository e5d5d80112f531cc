"""Run by the tests with the emulator's addresses: every scenario, then every public name and what became of it."""

from collections.abc import Iterator

import gigachat
from gigachat.assistants import AssistantsAsyncClient, AssistantsSyncClient
from gigachat.resources.chat import AsyncChatNamespace, ChatNamespace
from gigachat.threads import ThreadsAsyncClient, ThreadsSyncClient
from recording import Recording, members
from running import report

from for_gigachat import conversations, language

PARTS = {
    "client": gigachat.GigaChat,
    "chat": ChatNamespace,
    "achat": AsyncChatNamespace,
    "assistants": AssistantsSyncClient,
    "a_assistants": AssistantsAsyncClient,
    "threads": ThreadsSyncClient,
    "a_threads": ThreadsAsyncClient,
}


def names(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield every public name, and "called" for those that ran."""
    for part, kind in PARTS.items():
        for name, member in members(kind).items():
            yield f"{part}.{name}", "called" if recording.saw(kind, member) else ""


report([language, conversations], Recording(gigachat), lambda recording: dict(names(recording)))
