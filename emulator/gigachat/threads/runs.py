"""GigaChat's runs of threads: the model answers what a thread holds, now, in a stream, or in the background."""

from typing import Any, Final

import msgspec

from emulator.core import Call
from emulator.gigachat.models import Model
from emulator.gigachat.surface import GigaChatSurface, Renderer
from emulator.gigachat.threads.messages import ThreadRoutes
from emulator.gigachat.threads.state import Conversations, Message, Thread
from emulator.gigachat.threads.writer import Writer, generated
from emulator.gigachat.v1_format import FINISH, read_request
from emulator.gigachat.v1_format import Writer as ChatWriter
from emulator.toy_model.answer import Answer, Ask
from emulator.wire.replies import Reply

# Of a run's options, those that a chat has too.
_OPTIONS: Final = (
    "temperature", "top_p", "max_tokens", "repetition_penalty", "profanity_check", "flags",
    "function_call", "functions", "update_interval", "stream", "response_format", "reasoning_effort",
)  # fmt: skip
Frames = tuple[list[bytes], list[int]]


class RunRoutes:
    """Adds the routes to the API listener."""

    def __init__(self, surface: GigaChatSurface, threads: ThreadRoutes, conversations: Conversations) -> None:
        """Register them."""
        self._surface, self._threads, self._kept = surface, threads, conversations
        surface.add("POST", "/v1/threads/run", "threads", self.run)
        surface.add("GET", "/v1/threads/run", "threads", self.read)
        surface.add("POST", "/v1/threads/messages/run", "threads", self.run_messages)
        surface.add("POST", "/v1/threads/messages/rerun", "threads", self.rerun_messages)
        surface.add("POST", "/v1/chat/completions", "chat", self.chat)

    async def chat(self, call: Call) -> Reply:
        """`/v1/chat/completions`: with `storage`, the thread is kept here and only new messages are sent."""
        # A chat without it is not read twice: it is what benchmarks ask for.
        body = call.received.json() if b'"storage"' in call.received.body else {}
        storage = body.get("storage") if isinstance(body, dict) else None
        if not isinstance(storage, dict) or not storage.get("is_stateful"):
            return await self._surface.chat(call)
        owner = self._surface.authenticate(call).credential
        thread = self._threads.thread_for(call, owner, {"model": body.get("model"), **storage})
        self._threads.append(call, thread, body.get("messages") or [])
        return await self._generated(call, thread, {**body, "limit": storage.get("limit")}, self._chatted(thread))

    async def run(self, call: Call) -> Reply:
        """`POST /threads/run`: in the background, or streamed."""
        owner = self._surface.authenticate(call).credential
        body = call.received.json()
        thread = self._threads.named(call, owner, body.get("thread_id"))
        if body.get("assistant_id"):
            assistant = self._threads.assistant(call, owner, body["assistant_id"])
            thread.assistant_id, thread.model = assistant.id, assistant.model
        render = self._told(thread) if body.get("stream") else self._begun(thread)
        return await self._generated(call, thread, body, render)

    async def run_messages(self, call: Call) -> Reply:
        """`POST /threads/messages/run`: adds the messages first."""
        owner = self._surface.authenticate(call).credential
        body = call.received.json()
        thread = self._threads.thread_for(call, owner, body)
        self._threads.append(call, thread, body.get("messages") or [])
        return await self._generated(call, thread, body, self._told(thread))

    async def rerun_messages(self, call: Call) -> Reply:
        """`POST /threads/messages/rerun`: the last answer is thrown away and made again."""
        owner = self._surface.authenticate(call).credential
        body = call.received.json()
        thread = self._threads.named(call, owner, body.get("thread_id"))
        while thread.messages and thread.messages[-1].body["role"] == "assistant":
            thread.messages.pop()
        return await self._generated(call, thread, body, self._told(thread))

    async def read(self, call: Call) -> Reply:
        """`GET /threads/run?thread_id=`: the state, and what the run said once it is done."""
        owner = self._surface.begin(call)
        thread = self._threads.named(call, owner, call.received.query.get("thread_id"))
        running = thread.is_running(self._kept.core.now())
        said = [] if running else thread.messages[thread.run_begins_with :]
        found = {
            "status": "in_progress" if running else "ready",
            "thread_id": thread.id,
            "updated_at": thread.updated_at,
            "model": thread.model,
            "messages": [self._threads.shown(message) for message in said],
        }
        return self._surface.reply(call, found)

    async def _generated(self, call: Call, thread: Thread, body: dict[str, Any], render: Renderer) -> Reply:
        if thread.is_running(self._kept.core.now()):
            raise self._surface.refuse(call, 409, "Thread is locked by its run")

        def parse(_: dict[str, Any]) -> Ask:
            return read_request(self._as_chat(thread, body))

        return await self._surface.generate(call, parse, render)

    def _chatted(self, thread: Thread) -> Renderer:
        """Return how an answer is kept and written down as a chat's, which names the thread."""

        def render(answer: Answer, ask: Ask, model: Model) -> Frames:
            message = self._keep(thread, answer)
            state_id = self._kept.core.new_id()
            writer = ChatWriter(answer, thread.model, model, created=message.created_at, state_id=state_id)
            if ask.stream:
                return writer.events()
            ids = msgspec.json.encode({"thread_id": thread.id, "message_id": message.id})
            return [ids[:-1] + b"," + writer.whole()[1:]], [answer.completion_tokens]

        return render

    def _told(self, thread: Thread) -> Renderer:
        """Return how an answer is kept and written down at once."""

        def render(answer: Answer, ask: Ask, model: Model) -> Frames:
            writer = Writer(answer, thread, self._keep(thread, answer), f"{thread.model}:{model.build}")
            return writer.events() if ask.stream else ([writer.whole()], [answer.completion_tokens])

        return render

    def _begun(self, thread: Thread) -> Renderer:
        """Return how an answer is kept until the run is done, and the run announced."""

        def render(answer: Answer, ask: Ask, model: Model) -> Frames:
            now = self._kept.core.now()
            self._keep(thread, answer)
            thread.run_ends_at = now + self._kept.core.settings.gigachat_run_s
            found = {"status": "in_progress", "thread_id": thread.id, "created_at": int(now)}
            return [msgspec.json.encode(found)], [answer.completion_tokens]

        return render

    def _keep(self, thread: Thread, answer: Answer) -> Message:
        thread.run_begins_with = len(thread.messages)
        return self._kept.add(thread, generated(answer), FINISH[answer.finish])

    def _as_chat(self, thread: Thread, body: dict[str, Any]) -> dict[str, Any]:
        """Return the chat request that the run stands for: instructions, the last messages, options."""
        assistant = self._kept.assistants.get(thread.assistant_id)
        # No limit is all of them: a slice from -0 on.
        context = [message.body for message in thread.messages][-int(body.get("limit") or 0) :]
        chat = {name: body[name] for name in _OPTIONS if body.get(name) is not None}
        if assistant is None:
            return {**chat, "model": thread.model, "messages": context}
        if assistant.instructions and context and context[0]["role"] != "system":
            context = [{"role": "system", "content": assistant.instructions}, *context]
        return {"functions": assistant.functions, **chat, "model": thread.model, "messages": context}
