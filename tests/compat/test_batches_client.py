"""The official `openai` client's files and batches, unchanged, against the running suite."""

import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest

from tests.integration.processes import running_processes
from tests.integration.waiting import wait_until

ENDED = ("completed", "failed", "expired", "cancelled")
WORKER = {"GATEWAY_BATCHES_PARALLEL": "16", "GATEWAY_BATCHES_POLL_S": "0.1", "GATEWAY_BATCHES_RENEW_S": "1"}
EXPIRES: Any = {"anchor": "created_at", "seconds": 7200}


@pytest.fixture(scope="module", autouse=True)
def _worker(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A gateway beside the suite's own, which works on no batches."""
    with running_processes(stack, tmp_path_factory.mktemp("worker")) as processes:
        processes.gateway(**WORKER)
        yield


def asked(*questions: str, model: str = "yandexgpt-lite:latest") -> bytes:
    """Return an input file of chat requests."""
    return b"".join(line(number, question, model) for number, question in enumerate(questions, start=1))


def line(number: int, question: str, model: str, **more: Any) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    fields = {"custom_id": f"q-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body, **more}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def begun(client: openai.OpenAI, content: bytes, endpoint: Any = "/v1/chat/completions") -> Any:
    file = client.files.create(file=("asked.jsonl", io.BytesIO(content)), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def ended(client: openai.OpenAI, batch_id: str) -> Any:
    return wait_until(lambda: client.batches.retrieve(batch_id), lambda batch: batch.status in ENDED, within_s=120.0)


def lines_of(client: openai.OpenAI, file_id: str) -> list[Any]:
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


def test_a_batch_is_asked_waited_for_and_read(client: openai.OpenAI) -> None:
    """Upload, create, poll, download: every line has its answer, with what it cost."""
    questions = [f"Где стоянка номер {number}?" for number in range(5)]
    batch = begun(client, asked(*questions))
    assert (batch.object, batch.completion_window, batch.endpoint) == ("batch", "24h", "/v1/chat/completions")

    done = ended(client, batch.id)

    assert (done.status, done.error_file_id) == ("completed", None)
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (5, 5, 0)
    assert done.in_progress_at >= done.created_at
    assert done.expires_at == done.created_at + 86_400
    answers = lines_of(client, done.output_file_id)
    assert [answer["custom_id"] for answer in answers] == [f"q-{number}" for number in range(1, 6)]
    for answer in answers:
        assert answer["error"] is None
        assert answer["response"]["status_code"] == 200
        assert answer["response"]["request_id"]
        assert answer["response"]["body"]["choices"][0]["message"]["content"]
        assert float(answer["response"]["body"]["usage"]["cost_rub"]) > 0


def test_a_line_costs_half_where_the_provider_defers_it(client: openai.OpenAI, stack: Any) -> None:
    """Of what the same question costs at once, to the micro-rouble; the row of the line says by which price."""
    question = "Сколько до северной стоянки? [[tokens:40]]"
    model = "yandexgpt-lite:latest"
    at_once = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])

    done = ended(client, begun(client, asked(question)).id)

    (answer,) = lines_of(client, done.output_file_id)
    body = answer["response"]["body"]
    assert body["choices"][0]["message"]["content"] == at_once.choices[0].message.content
    whole = Decimal((at_once.usage.model_extra or {})["cost_rub"]) if at_once.usage else Decimal()
    assert Decimal(body["usage"]["cost_rub"]) * 2 == whole
    row = wait_until(lambda: requested(stack, answer["response"]["request_id"]))
    assert row["cost_rub"] == body["usage"]["cost_rub"]
    assert row["price_version"].endswith("+batch50")


def requested(stack: Any, request_id: str) -> Any:
    """Return what is known of a request, None as long as it is not."""
    headers = {"authorization": f"Bearer {stack.api_key}"}
    found = httpx.get(f"{stack.url}/v1/requests/{request_id}", headers=headers, timeout=30)
    return found.json() if found.status_code == 200 else None


def test_lines_that_fail_are_told_apart(client: openai.OpenAI) -> None:
    """A model that does not exist is the line's own failure; the others are answered."""
    content = line(1, "Где река?", "yandexgpt-lite:latest") + line(2, "Где река?", "no-such-model")

    done = ended(client, begun(client, content).id)

    assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 1, 1)
    (failure,) = lines_of(client, done.error_file_id)
    assert failure["custom_id"] == "q-2"
    assert failure["response"]["status_code"] == 404
    assert failure["response"]["body"]["error"]["code"] == "model_not_found"


WRONG: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{\n", "invalid_json_line"),
    "another url": (line(1, "?", "yandexgpt", url="/v1/embeddings"), "mismatched_url"),
    "another method": (line(1, "?", "yandexgpt", method="GET"), "invalid_method"),
    "the same id twice": (asked("?") + asked("?"), "duplicate_custom_id"),
    "a body of another form": (
        line(1, "?", "yandexgpt", body={"model": "yandexgpt", "messages": 7}),
        "invalid_request",
    ),
    "a stream": (
        line(1, "?", "yandexgpt", body={"model": "yandexgpt", "messages": [], "stream": True}),
        "invalid_request",
    ),
    "nothing": (b"\n", "empty_file"),
}


@pytest.mark.parametrize(("content", "code"), WRONG.values(), ids=WRONG)
def test_a_file_with_a_wrong_line_fails_and_says_which(client: openai.OpenAI, content: bytes, code: str) -> None:
    """Nothing of it is asked; the line's number is there."""
    good = b"" if code in ("empty_file", "duplicate_custom_id") else line(7, "?", "yandexgpt")

    failed = ended(client, begun(client, good + content).id)

    assert failed.status == "failed"
    assert [error.code for error in failed.errors.data] == [code]
    assert failed.errors.data[0].line == (None if code == "empty_file" else 2)
    assert failed.output_file_id is None


def test_embeddings_are_made_in_batches_too(client: openai.OpenAI) -> None:
    """The other endpoint that batches have."""
    body = {"model": "text-search-doc", "input": ["река", "стоянка"]}
    content = line(1, "", "", url="/v1/embeddings", body=body)

    done = ended(client, begun(client, content, "/v1/embeddings").id)

    (answer,) = lines_of(client, done.output_file_id)
    assert len(answer["response"]["body"]["data"]) == 2


def test_files_are_listed_page_by_page_described_and_deleted(client: openai.OpenAI) -> None:
    """As OpenAI's client pages: by `after`, newest first."""
    made = [
        client.files.create(file=(f"{number}.jsonl", b"{}\n"), purpose="batch", expires_after=EXPIRES).id
        for number in range(3)
    ]

    listed = [file.id for _, file in zip(range(3), client.files.list(limit=2, purpose="batch"), strict=False)]

    assert listed == made[::-1]
    file = client.files.retrieve(made[0])
    assert (file.filename, file.bytes, file.purpose, file.status) == ("0.jsonl", 3, "batch", "processed")
    assert file.expires_at == pytest.approx(file.created_at + 7200, abs=60)
    assert client.files.delete(made[0]).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made[0])


def test_batches_are_listed_page_by_page(client: openai.OpenAI) -> None:
    """Newest first."""
    made = [begun(client, asked("Где брод?")).id for _ in range(3)]

    listed = [batch.id for _, batch in zip(range(3), client.batches.list(limit=2), strict=False)]

    assert listed == made[::-1]


def test_a_batch_is_cancelled(client: openai.OpenAI) -> None:
    """It ends as cancelled; what has ended cannot be cancelled again."""
    batch = begun(client, asked(*("Расскажи о реке." for _ in range(200))))

    cancelling = client.batches.cancel(batch.id)

    assert cancelling.status in ("cancelling", "cancelled")
    done = ended(client, batch.id)
    assert done.status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


REFUSED: dict[str, Callable[[openai.OpenAI], Any]] = {
    "a purpose that is none": lambda client: client.files.create(file=b"{}", purpose="assistants"),
    "an empty file": lambda client: client.files.create(file=b"", purpose="batch"),
    "an endpoint that has no batches": lambda client: client.batches.create(
        input_file_id="file-1", endpoint="/v1/completions", completion_window="24h"
    ),
    "a file that is not there": lambda client: client.batches.create(
        input_file_id="file-" + 24 * "0", endpoint="/v1/chat/completions", completion_window="24h"
    ),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_at_once(client: openai.OpenAI, attempt: Callable[[openai.OpenAI], Any]) -> None:
    """With the field that is wrong."""
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as refused:
        attempt(client)

    assert refused.value.param in ("purpose", "file", "endpoint", "input_file_id")
