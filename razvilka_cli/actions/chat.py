"""`razvilka chat`: a question, or a conversation; the answer as it comes, then what it cost."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import click
import httpx

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import answer_of, check, place_of, refusal, stranger
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import harmless, note, show_json
from razvilka_cli.session import open_gateway

CHAT: Final = "/v1/chat/completions"
MODEL: Final = "yandexgpt:latest"
# Between two parts of an answer.
READ_S: Final = 300.0
BROKEN: Final = Failure("The answer broke off.", Status.SERVER, code="broken_stream", fix="Ask again.")
# An event has no status: by the type of its error it is what a refusal before the stream would have been.
_STATUS_OF: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
}
_FAILED: Final = 502
Message = dict[str, str]
Body = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """What came so far."""

    text: str = ""
    model: str = ""
    finish_reason: str = ""
    usage: Body = field(default_factory=dict)


def question_from(words: tuple[str, ...], stdin: Any) -> str:
    """Return what is asked: the words, with what is piped in at `-`, or without words all that is piped in.

    Empty: a person will type it.

    Raises:
        Failure: what is piped in is nothing, or no text.
    """
    if words and "-" not in words:
        return " ".join(words)
    if not words and stdin.isatty():
        return ""
    try:
        piped = stdin.read().strip()
    except UnicodeDecodeError as exc:
        raise Failure("The input is no UTF-8 text.", Status.USAGE, code="bad_input", fix="Convert it first.") from exc
    question = "\n\n".join(part for part in _parts(words, piped) if part)
    if not question:
        fix = "Give it as an argument or pipe it in."
        raise Failure("There is no question.", Status.USAGE, code="no_question", fix=fix)
    return question


def _parts(words: tuple[str, ...], piped: str) -> tuple[str, ...]:
    if not words:
        return (piped,)
    place = words.index("-")
    return (" ".join(words[:place]), piped, " ".join(words[place + 1 :]))


def converse(invocation: Invocation, question: str, system: str, options: Body) -> None:
    """Ask one question, or as many as a person types.

    Raises:
        Failure: the gateway refused, or an answer broke off.
    """
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": place_of(invocation).profile.model or MODEL, **options}
    with open_gateway(invocation, read_s=READ_S) as client:
        for each in [question] if question else _typed():
            messages.append({"role": "user", "content": each})
            _ask(client, {**body, "messages": messages}, messages, as_json=invocation.as_json)


def _typed() -> Iterator[str]:
    note("Ctrl-D ends the conversation.")
    while True:
        try:
            said = input("> ").strip()
        except EOFError:
            click.echo()
            return
        if said:
            yield said


def _ask(client: httpx.Client, body: Body, messages: list[Message], *, as_json: bool) -> None:
    if as_json:
        told = answer_of(client.post(CHAT, json=body))
        show_json(told)
        messages.append({"role": "assistant", "content": told["choices"][0]["message"]["content"] or ""})
        return
    answer = _streamed(client, body)
    messages.append({"role": "assistant", "content": answer.text})


def _streamed(client: httpx.Client, body: Body) -> Answer:
    begun, first = time.monotonic(), 0.0
    write, answer = _writer(), Answer()
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    with client.stream("POST", CHAT, json=asked) as response:
        check(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise stranger(response)
        for chunk in _chunks(response):
            part = _take(chunk, answer)
            first = first or (time.monotonic() if part else 0.0)
            write(part)
        if not answer.text.endswith("\n"):
            write("\n")
        note(_told(answer, response, (first or time.monotonic()) - begun))
    return answer


def _writer() -> Callable[[str], None]:
    # A file gets the very text; a terminal gets nothing that could command it.
    clean: Callable[[str], str] = harmless if sys.stdout.isatty() else str

    def write(part: str) -> None:
        if part:
            click.echo(clean(part), nl=False)

    return write


def _chunks(response: httpx.Response) -> Iterator[Body]:
    """Return the events of a stream until its end.

    Raises:
        Failure: it ended early, or with an error.
    """
    for line in _lines(response):
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or not data:
            continue
        if data == "[DONE]":
            return
        yield _event(data)
    raise BROKEN


def _lines(response: httpx.Response) -> Iterator[str]:
    """Return the lines of a stream; the client's own ends one at U+2028 and U+0085 too, which JSON has in its texts."""
    rest = b""
    for piece in response.iter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    yield rest.decode(errors="replace")


def _event(data: str) -> Body:
    try:
        event: Body = json.loads(data)
        error = event.get("error")
        failed = None if error is None else _refusal(error)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BROKEN from exc
    if failed is not None:
        raise failed
    return event


def _refusal(error: Body) -> Failure:
    status = _STATUS_OF.get(str(error.get("type")), _FAILED)
    details = error.get("details") or {}
    failure = refusal(str(error["code"]), str(error["message"]), status, str(details.get("retry_after", "")))
    cost = str(details.get("cost_rub", ""))
    if cost.strip("0."):
        # What came before it broke off is billed.
        failure.fix = f"{failure.fix} What came cost {cost} ₽.".strip()
    return failure


def _take(chunk: Body, answer: Answer) -> str:
    """Add an event to the answer; return its words."""
    answer.model = chunk.get("model") or answer.model
    answer.usage = chunk.get("usage") or answer.usage
    for choice in chunk.get("choices") or []:
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        part = (choice.get("delta") or {}).get("content") or ""
        answer.text += part
        return str(part)
    return ""


def _told(answer: Answer, response: httpx.Response, first_s: float) -> str:
    usage = answer.usage
    tokens = f"{usage.get('prompt_tokens', 0)} + {usage.get('completion_tokens', 0)} tokens"
    parts = [answer.model, tokens, f"{usage.get('cost_rub', '0')} ₽", f"first words after {first_s:.2f} s"]
    if answer.finish_reason not in ("", "stop"):
        parts.append(f"ended by {answer.finish_reason}")
    return " · ".join([*parts, response.headers.get("x-request-id", "")])
