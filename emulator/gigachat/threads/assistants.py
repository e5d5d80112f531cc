"""GigaChat's `/assistants`: made, listed, changed, deleted; their files are taken from them one by one."""

from typing import Any, Final

from emulator.core import Call
from emulator.gigachat.files import FileRoutes
from emulator.gigachat.models import find_model
from emulator.gigachat.schema_rules import BrokenRuleError, check_functions
from emulator.gigachat.surface import GigaChatSurface
from emulator.gigachat.threads.state import Assistant, Conversations
from emulator.wire.replies import Reply

MOST_METADATA: Final = 16
_CHANGEABLE: Final = ("name", "description", "instructions", "file_ids", "functions", "metadata")


class AssistantRoutes:
    """Adds the routes to the API listener."""

    def __init__(self, surface: GigaChatSurface, files: FileRoutes, conversations: Conversations) -> None:
        """Register them."""
        self._surface, self._files, self._kept = surface, files, conversations
        surface.add("GET", "/v1/assistants", "assistants", self.list_all)
        surface.add("POST", "/v1/assistants", "assistants", self.create)
        surface.add("POST", "/v1/assistants/modify", "assistants", self.modify)
        surface.add("POST", "/v1/assistants/delete", "assistants", self.delete)
        surface.add("POST", "/v1/assistants/files/delete", "assistants", self.delete_file)

    async def list_all(self, call: Call) -> Reply:
        """`GET /assistants[?assistant_id=]`: the key's own."""
        owner = self._surface.begin(call)
        wanted = call.received.query.get("assistant_id")
        found = [one for one in self._kept.assistants if one.owner == owner and wanted in (None, one.id)]
        if wanted is not None and not found:
            raise self._surface.refuse(call, 404, "No such assistant")
        return self._surface.reply(call, {"data": [self._described(assistant) for assistant in found]})

    async def create(self, call: Call) -> Reply:
        """`POST /assistants`: model and name are required."""
        owner = self._surface.authenticate(call).credential
        body = call.received.json()
        model = call.entry.model = str(body.get("model"))
        self._surface.choose_fault(call, model=model)
        if find_model(model, "chat") is None:
            raise self._surface.refuse(call, 404)
        if not body.get("name"):
            raise self._surface.refuse(call, 422, "Invalid params: name must not be empty")
        now = int(self._kept.core.now())
        assistant = Assistant(self._kept.core.new_id(), owner, model, str(body["name"]), now, now)
        self._change(call, assistant, body)
        self._kept.assistants.put(assistant.id, assistant)
        return self._surface.reply(call, {"assistant_id": assistant.id, "created_at": assistant.created_at})

    async def modify(self, call: Call) -> Reply:
        """`POST /assistants/modify`: what is null stays."""
        assistant = self._named(call)
        self._change(call, assistant, call.received.json())
        assistant.updated_at = int(self._kept.core.now())
        return self._surface.reply(call, self._described(assistant))

    async def delete(self, call: Call) -> Reply:
        """`POST /assistants/delete`: its threads stay."""
        assistant = self._named(call)
        self._kept.assistants.drop(assistant.id)
        return self._surface.reply(call, {"assistant_id": assistant.id, "deleted": True})

    async def delete_file(self, call: Call) -> Reply:
        """`POST /assistants/files/delete`: the file itself stays."""
        assistant = self._named(call)
        file_id = str(call.received.json().get("file_id"))
        if file_id not in assistant.file_ids:
            raise self._surface.refuse(call, 404, "No such file")
        assistant.file_ids.remove(file_id)
        return self._surface.reply(call, {"file_id": file_id, "deleted": True})

    def _named(self, call: Call) -> Assistant:
        """Return the assistant that the body names."""
        owner = self._surface.begin(call)
        assistant = self._kept.assistant(owner, str(call.received.json().get("assistant_id")))
        if assistant is None:
            raise self._surface.refuse(call, 404, "No such assistant")
        return assistant

    def _change(self, call: Call, assistant: Assistant, body: dict[str, Any]) -> None:
        self._check(call, body)
        for name in _CHANGEABLE:
            if body.get(name) is not None:
                setattr(assistant, name, body[name])

    def _check(self, call: Call, body: dict[str, Any]) -> None:
        """Refuse functions, files and metadata that the provider would not take."""
        try:
            check_functions(body.get("functions") or [])
        except BrokenRuleError as rule:
            raise self._surface.refuse(call, rule.status, str(rule)) from None
        if len(body.get("metadata") or {}) > MOST_METADATA:
            text = f"Invalid params: metadata must have at most {MOST_METADATA} keys"
            raise self._surface.refuse(call, 422, text)
        for file_id in body.get("file_ids") or []:
            if self._files.find(file_id, self._surface.authenticate(call).credential) is None:
                raise self._surface.refuse(call, 404, "No such file")

    def _described(self, assistant: Assistant) -> dict[str, Any]:
        files = [{"file_id": file_id, "name": self._files.name_of(file_id)} for file_id in assistant.file_ids]
        return {
            "model": assistant.model,
            "assistant_id": assistant.id,
            "name": assistant.name,
            "description": assistant.description,
            "instructions": assistant.instructions,
            "created_at": assistant.created_at,
            "updated_at": assistant.updated_at,
            "files": files,
            "metadata": assistant.metadata,
            "threads_count": sum(thread.assistant_id == assistant.id for thread in self._kept.threads),
            "functions": assistant.functions,
        }
