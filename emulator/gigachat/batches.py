"""GigaChat's batches: many requests in a file of lines, answered later in another file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from emulator.core import Call
from emulator.gigachat.files import FileRoutes
from emulator.gigachat.models import find_model
from emulator.gigachat.more import embedded
from emulator.gigachat.schema_rules import BrokenRuleError
from emulator.gigachat.surface import MESSAGES, GigaChatSurface
from emulator.gigachat.v1_format import Writer, read_request
from emulator.kept import Kept
from emulator.markers import read_directions
from emulator.toy_model.answer import Answer, Ask, compose
from emulator.wire.replies import Reply


@dataclass(slots=True)
class _Batch:
    id: str
    owner: str
    method: str
    lines: list[dict[str, Any]]
    created_at: float
    done_at: float
    output_file_id: str | None = None
    failed: int = 0


class BatchRoutes:
    """Adds `/batches` to the API listener."""

    def __init__(self, surface: GigaChatSurface, files: FileRoutes) -> None:
        """Register the routes; results are kept among the files."""
        self._surface, self._core, self._files = surface, surface.core, files
        self._batches: Kept[_Batch] = Kept()
        self._answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "chat_completions": self._chat,
            "embedder": self._embed,
        }
        surface.add("POST", "/v1/batches", "batches", self.create)
        surface.add("GET", "/v1/batches", "batches", self.list)

    def _begin(self, call: Call) -> str:
        token = self._surface.authenticate(call)
        self._surface.choose_fault(call)
        if token.scope != "GIGACHAT_API_CORP":
            raise self._surface.refuse(call, 403)
        return token.credential

    async def create(self, call: Call) -> Reply:
        """`POST /batches?method=`: each line is `{"id", "request"}`, ids differ."""
        owner = self._begin(call)
        method = call.received.query.get("method", "")
        lines = _lines(call.received.body)
        if method not in self._answers or not lines:
            raise self._surface.refuse(call, 400, "Bad request format")
        now = self._core.now()
        batch = _Batch(self._core.new_id(), owner, method, lines, now, now + self._core.settings.gigachat_batch_s)
        return self._surface.reply(call, _described(self._batches.put(batch.id, batch), status="created"))

    async def list(self, call: Call) -> Reply:
        """`GET /batches[?batch_id=]`: one or all, in a list."""
        owner = self._begin(call)
        wanted = call.received.query.get("batch_id")
        found = [batch for batch in self._batches if batch.owner == owner and wanted in (None, batch.id)]
        if wanted is not None and not found:
            raise self._surface.refuse(call, 404, "Batch task not found")
        return self._surface.reply(call, {"batches": [self._looked_at(batch) for batch in found]})

    def _looked_at(self, batch: _Batch) -> dict[str, Any]:
        """Return its state; the answers are made when somebody looks behind the end."""
        if self._core.now() < batch.done_at:
            return _described(batch, status="in_progress")
        if batch.output_file_id is None:
            results = [self._result(batch, line) for line in batch.lines]
            batch.failed = sum("error" in result for result in results)
            data = b"".join(msgspec.json.encode(result) + b"\n" for result in results)
            batch.output_file_id = self._files.keep(batch.owner, f"{batch.id}.jsonl", "application/jsonl", data).id
        return _described(batch, status="completed")

    def _result(self, batch: _Batch, line: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"id": line["id"], "result": self._answers[batch.method](line["request"])}
        except BrokenRuleError as rule:
            return {"id": line["id"], "error": {"status": rule.status, "message": str(rule)}}

    def _chat(self, request: dict[str, Any]) -> Any:
        ask = read_request({**request, "stream": False})
        model = find_model(ask.model, "chat")
        if model is None:
            raise BrokenRuleError(MESSAGES[404], 404)
        ask.directions = read_directions(ask.prompt)
        answer = compose(ask, tokens_per_chunk=self._core.settings.tokens_per_chunk, fault=None)
        self._note(ask, answer, msgspec.json.encode(request))
        created, state_id = int(self._core.now()), self._core.new_id()
        return msgspec.Raw(Writer(answer, ask.model, model, created=created, state_id=state_id).whole())

    def _note(self, ask: Ask, answer: Answer, body: bytes) -> None:
        """Write down what a line used: it is billed as a call of its own, at the price of batches."""
        now = self._core.now()
        entry = self._core.ground_truth.open("gigachat", "chat", "/v1/batches", body=body, started_at=now)
        entry.model, entry.messages, entry.prompt_chars = ask.model, ask.messages, ask.prompt_chars
        entry.prompt_tokens, entry.completion_tokens = ask.prompt_tokens, answer.completion_tokens
        entry.status, entry.ended, entry.ended_at = 200, "complete", now

    def _embed(self, request: dict[str, Any]) -> Any:
        name, texts = str(request.get("model")), request.get("input")
        model = find_model(name, "embedder")
        if model is None:
            raise BrokenRuleError(MESSAGES[404], 404)
        return embedded(name, model, [texts] if isinstance(texts, str) else texts or [])


def _lines(body: bytes) -> list[dict[str, Any]]:
    """Return the lines when all are well-formed and their ids differ, else nothing."""
    lines = [msgspec.json.decode(line) for line in body.splitlines() if line.strip()]
    if not all(isinstance(line, dict) and isinstance(line.get("request"), dict) for line in lines):
        return []
    return lines if len({str(line.get("id")) for line in lines}) == len(lines) else []


def _described(batch: _Batch, *, status: str) -> dict[str, Any]:
    done = len(batch.lines) if status == "completed" else 0
    return {
        "id": batch.id,
        "method": batch.method,
        "request_counts": {"total": len(batch.lines), "completed": done - batch.failed, "failed": batch.failed},
        "status": status,
        "created_at": int(batch.created_at),
        "updated_at": int(batch.done_at if done else batch.created_at),
        "output_file_id": batch.output_file_id,
    }
