"""GigaChat's `/threads` without their runs: made, listed, deleted; their messages added and read."""

from typing import Any, Final, TypeVar

from emulator.core import Call
from emulator.gigachat.files import FileRoutes
from emulator.gigachat.models import find_model
from emulator.gigachat.rules import check_order
from emulator.gigachat.schema_rules import BrokenRuleError
from emulator.gigachat.surface import GigaChatSurface
from emulator.gigachat.threads.state import Assistant, Conversations, Message, Thread
from emulator.wire.replies import Reply

DEFAULT_MODEL: Final = "GigaChat"
Dated = TypeVar("Dated", Thread, Message)


class ThreadRoutes:
    """Adds the routes to the API listener."""

    def __init__(self, surface: GigaChatSurface, files: FileRoutes, conversations: Conversations) -> None:
        """Register them."""
        self._surface, self._files, self._kept = surface, files, conversations
        surface.add("GET", "/v1/threads", "threads", self.list_all)
        surface.add("POST", "/v1/threads", "threads", self.create)
        surface.add("POST", "/v1/threads/retrieve", "threads", self.retrieve)
        surface.add("POST", "/v1/threads/delete", "threads", self.delete)
        surface.add("GET", "/v1/threads/messages", "threads", self.read)
        surface.add("POST", "/v1/threads/messages", "threads", self.add)

    def _listed(self, call: Call, threads: list[Thread]) -> Reply:
        now = self._kept.core.now()
        return self._surface.reply(call, {"threads": [described(thread, now) for thread in threads]})

    async def list_all(self, call: Call) -> Reply:
        """`GET /threads[?assistants_ids=&limit=&before=]`: the youngest first; `before` is a time."""
        owner = self._surface.begin(call)
        # A name may be given several times, which a plain mapping would not show.
        query: Any = call.received.query
        wanted = query.getall("assistants_ids", [])
        found = [one for one in self._kept.threads if one.owner == owner and (not wanted or one.assistant_id in wanted)]
        return self._listed(call, _page(found, query)[::-1])

    async def create(self, call: Call) -> Reply:
        """`POST /threads`: an empty one."""
        owner = self._surface.begin(call)
        return self._surface.reply(call, described(self._kept.begin(owner, DEFAULT_MODEL), self._kept.core.now()))

    async def retrieve(self, call: Call) -> Reply:
        """`POST /threads/retrieve`: those of the ids that there are."""
        owner = self._surface.begin(call)
        ids = call.received.json().get("threads_ids") or []
        found = [self._kept.thread(owner, thread_id) for thread_id in ids]
        return self._listed(call, [thread for thread in found if thread is not None])

    async def delete(self, call: Call) -> Reply:
        """`POST /threads/delete`: with its messages."""
        owner = self._surface.begin(call)
        thread = self.named(call, owner, call.received.json().get("thread_id"))
        self._kept.threads.drop(thread.id)
        return self._surface.reply(call, {})

    async def read(self, call: Call) -> Reply:
        """`GET /threads/messages?thread_id=[&limit=&before=]`: the oldest first."""
        owner = self._surface.begin(call)
        query = call.received.query
        thread = self.named(call, owner, query.get("thread_id"))
        messages = _page(thread.seen(self._kept.core.now()), query)
        return self._surface.reply(call, {"thread_id": thread.id, "messages": [self.shown(one) for one in messages]})

    async def add(self, call: Call) -> Reply:
        """`POST /threads/messages`: to a thread, or to one that begins with them."""
        owner = self._surface.begin(call)
        body = call.received.json()
        thread = self.thread_for(call, owner, body)
        added = self.append(call, thread, body.get("messages") or [])
        told = [{"created_at": one.created_at, "message_id": one.id} for one in added]
        return self._surface.reply(call, {"thread_id": thread.id, "messages": told})

    def named(self, call: Call, owner: str, thread_id: Any) -> Thread:
        """Return the thread, or refuse."""
        thread = self._kept.thread(owner, str(thread_id))
        if thread is None:
            raise self._surface.refuse(call, 404, "No such thread")
        return thread

    def thread_for(self, call: Call, owner: str, body: dict[str, Any]) -> Thread:
        """Return the thread that the body names, or a new one for its assistant or model."""
        if body.get("thread_id"):
            return self.named(call, owner, body["thread_id"])
        if body.get("assistant_id"):
            assistant = self.assistant(call, owner, body["assistant_id"])
            return self._kept.begin(owner, assistant.model, assistant.id)
        model = str(body.get("model") or DEFAULT_MODEL)
        if find_model(model, "chat") is None:
            raise self._surface.refuse(call, 404)
        return self._kept.begin(owner, model)

    def assistant(self, call: Call, owner: str, assistant_id: Any) -> Assistant:
        """Return the assistant, or refuse."""
        assistant = self._kept.assistant(owner, str(assistant_id))
        if assistant is None:
            raise self._surface.refuse(call, 404, "No such assistant")
        return assistant

    def append(self, call: Call, thread: Thread, messages: list[dict[str, Any]]) -> list[Message]:
        """Add messages when the conversation keeps the rules with them, or refuse."""
        if thread.is_running(self._kept.core.now()):
            raise self._surface.refuse(call, 409, "Thread is locked by its run")
        sent = [{name: value for name, value in message.items() if value is not None} for message in messages]
        try:
            check_order([*(message.body for message in thread.messages), *sent], ends=False)
        except BrokenRuleError as rule:
            raise self._surface.refuse(call, rule.status, str(rule)) from None
        for file_id in (file_id for message in sent for file_id in message.get("attachments", ())):
            if self._files.find(file_id, self._surface.authenticate(call).credential) is None:
                raise self._surface.refuse(call, 404, "No such file")
        return [self._kept.add(thread, message) for message in sent]

    def shown(self, message: Message) -> dict[str, Any]:
        """Return a message as it is read."""
        names = message.body.get("attachments") or []
        found = {
            "message_id": message.id,
            "role": message.body["role"],
            "content": message.body.get("content", ""),
            "attachments": [{"file_id": file_id, "name": self._files.name_of(file_id)} for file_id in names],
            "created_at": message.created_at,
        }
        call, finish = message.body.get("function_call"), message.finish_reason
        return found | ({"function_call": call} if call else {}) | ({"finish_reason": finish} if finish else {})


def described(thread: Thread, now: float) -> dict[str, Any]:
    """Return what the API says about a thread."""
    running = thread.is_running(now)
    return {
        "id": thread.id,
        "assistant_id": thread.assistant_id,
        "model": thread.model,
        "created_at": thread.created_at,
        "updated_at": thread.updated_at,
        "run_lock": running,
        "status": "in_progress" if running else "ready",
    }


def _page(found: list[Dated], query: Any) -> list[Dated]:
    """Return the last `limit` that are older than `before`."""
    before, limit = query.get("before"), query.get("limit")
    older = [one for one in found if before is None or one.created_at < int(before)]
    return older if limit is None else older[-int(limit) :]
