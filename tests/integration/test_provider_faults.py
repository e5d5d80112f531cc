"""What else a provider can do wrong, plain and streamed, at both providers: what the caller sees, what is billed.

The twenty modes of failing that every provider knows are in `faults/test_fault_matrix.py`. All questions of the table
are asked at once.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.integration.books import Books
from tests.integration.caller import CHAT, Heard, ask
from tests.integration.providers import Providers
from tests.integration.waiting import wait_until
from tools.stack.running_stack import Account, RunningStack

# Models without fallbacks: the row tells what this very failure becomes.
MODELS: Final = {"yandexgpt": "yandexgpt-5.1", "gigachat": "gigachat-pro"}
WHOLE: Final = (200, "")
QUESTION: Final = "Где север? [[tokens:24]] [[chunks:8]]"
# No answer takes longer: the suite gives all attempts together 12 s, and the machine may be busy.
PATIENCE_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault and what becomes of it: a status and `error.code`; 200 with a code is an answer that breaks off."""

    fault: str
    plain: tuple[int, str]
    stream: tuple[int, str]
    only: str = ""


BROKEN: Final = (502, "provider_error")
CUT: Final = (200, "provider_error")
LOST: Final = (503, "provider_unavailable")
SLOW: Final = (504, "provider_timeout")
OUR_KEY: Final = (502, "provider_credentials")

TABLE: Final = [
    Wrong("status code=500 html=1", BROKEN, BROKEN),
    Wrong("status code=502", BROKEN, BROKEN),
    Wrong("status code=504", SLOW, SLOW),
    Wrong("status code=408", SLOW, SLOW),
    Wrong("status code=400", (400, "invalid_parameters"), (400, "invalid_parameters")),
    Wrong("status code=404", (404, "model_not_found"), (404, "model_not_found")),
    Wrong("status code=403", OUR_KEY, OUR_KEY),
    Wrong("close_before_headers", LOST, LOST),
    Wrong("empty_body", BROKEN, BROKEN),
    Wrong("malformed_json after=0", BROKEN, BROKEN),
    Wrong("cut_mid_stream after=2", BROKEN, CUT),
    Wrong("end_early after=2", BROKEN, CUT),
    Wrong("mid_stream_error after=2", WHOLE, CUT),
    Wrong("slow gap_ms=1 size=64", WHOLE, WHOLE),
    Wrong("byte_splits", WHOLE, WHOLE),
    Wrong("utf8_splits", WHOLE, WHOLE),
    Wrong("token_expired times=1", WHOLE, WHOLE, only="gigachat"),
    Wrong("content_filter after=2", WHOLE, WHOLE),
]
CELLS: Final = {
    f"{wrong.fault}-{provider}-{'stream' if stream else 'plain'}": (wrong, provider, stream)
    for wrong in TABLE
    for provider in MODELS
    if wrong.only in ("", provider)
    for stream in (False, True)
}
in_each_cell = pytest.mark.parametrize("cell", CELLS)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers to all cells of the table, and the account that asked."""

    account: Account
    answers: dict[str, Heard]


@pytest.fixture(scope="module")
def asked(stack: RunningStack) -> Iterator[Asked]:
    """Ask everything, a few at a time."""
    Providers(stack.emulator_url).reset()
    account = stack.new_account()
    with ThreadPoolExecutor(12) as pool:
        running = {name: pool.submit(_ask_one, stack.url, account.key, *cell) for name, cell in CELLS.items()}
        yield Asked(account, {name: answer.result() for name, answer in running.items()})
    Providers(stack.emulator_url).reset()


def _ask_one(url: str, key: str, wrong: Wrong, provider: str, stream: bool) -> Heard:
    question = f"{QUESTION} [[fault:{wrong.fault}]]"
    return ask(url, key, question, model=MODELS[provider], stream=stream, timeout_s=PATIENCE_S)


@in_each_cell
def test_the_caller_sees_what_went_wrong(asked: Asked, cell: str) -> None:
    """Status and code of the table; an answer that breaks off has an error event and no [DONE]; nothing hangs."""
    heard = asked.answers[cell]

    status, code = _expected(cell)
    assert (heard.status, heard.error.get("code", "")) == (status, code), heard.body[-500:]
    assert not heard.broke
    assert heard.is_whole == (code == "")
    if code:
        assert heard.error["message"]
        assert heard.error["details"]["request_id"] == heard.request_id
        assert b"Traceback" not in heard.body
    if status == 200:
        assert heard.text


@in_each_cell
def test_each_answer_has_one_row(stack: RunningStack, asked: Asked, cell: str) -> None:
    """What reached the caller is billed, once; what failed before is free; a refused request leaves no row."""
    heard = asked.answers[cell]
    status, code = _expected(cell)

    found = _rows(stack, asked).get(heard.request_id, [])

    if status in (400, 404):
        assert found == []
        return
    [row] = found
    if status != 200:
        assert (row["status"], row["micro_rub"], row["error_code"]) == ("failed", 0, code)
    elif code:
        assert (row["status"], row["error_code"]) == ("failed", code)
        assert row["tokens_output"] > 0
        assert row["micro_rub"] > 0
    else:
        assert (row["status"], row["source"]) == ("completed", "provider")
        assert row["micro_rub"] > 0


def _expected(cell: str) -> tuple[int, str]:
    wrong, _, stream = CELLS[cell]
    return wrong.stream if stream else wrong.plain


_found: dict[str, dict[str, list[Any]]] = {}


def _rows(stack: RunningStack, asked: Asked) -> dict[str, list[Any]]:
    """Return all rows by request id, once they have all come."""
    user_id = asked.account.user_id
    if user_id not in _found:
        expected = {heard.request_id for heard in asked.answers.values() if heard.status not in (400, 404)}
        rows = Books(stack).wait_for_rows(user_id, len(expected))
        by_id: dict[str, list[Any]] = {}
        for row in rows:
            by_id.setdefault(row["request_id"], []).append(row)
        _found[user_id] = by_id
    return _found[user_id]


def test_nothing_stays_held(books: Books, asked: Asked) -> None:
    """After all that the account's rows and rollups agree, and no hold or lease is left."""
    books.check(asked.account.user_id)


def test_a_provider_that_fails_is_replaced_before_the_first_token(
    stack: RunningStack, books: Books, providers: Providers
) -> None:
    """The fallback of the catalogue answers, under its own price; the row tells both attempts."""
    account = stack.new_account()
    providers.fail("status", model="yandexgpt-5-pro", times=-1, code=500)

    heard = ask(stack.url, account.key, QUESTION, model="yandexgpt-5-pro", stream=True)

    assert heard.is_whole
    assert heard.headers["x-razvilka-model"].endswith("yandexgpt-5.1")
    [row] = books.wait_for_rows(account.user_id)
    assert (row["model"], row["requested_model"]) == ("yandexgpt-5.1", "yandexgpt-5-pro")
    assert row["price_version"].startswith("yandexgpt-5.1@")
    assert "PROVIDER_ERROR" in str(row["attempts"])
    books.check(account.user_id)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_answer_without_usage_is_billed_as_its_provider_counts(
    stack: RunningStack, books: Books, providers: Providers, stream: bool
) -> None:
    """Row and provider agree on the tokens, though the answer did not say them."""
    account = stack.new_account()

    question = f"{QUESTION} [[fault:usage_missing]]"
    ask(stack.url, account.key, question, model=MODELS["yandexgpt"], stream=stream, timeout_s=PATIENCE_S)

    [row] = books.wait_for_rows(account.user_id)
    [call] = providers.calls()
    assert (row["tokens_input"], row["tokens_output"]) == (call["prompt_tokens"], call["completion_tokens"])
    assert (row["source"], row["flags"]) == ("provider", "tokenized")
    books.check(account.user_id)


@pytest.mark.parametrize("model", MODELS.values())
def test_who_leaves_mid_stream_pays_for_what_was_delivered(
    stack: RunningStack, books: Books, providers: Providers, model: str
) -> None:
    """The row comes all the same, with at least a token and no more than the provider handed out."""
    account = stack.new_account()
    body = (
        f'{{"model": "{model}", "stream": true, "messages": '
        '[{"role": "user", "content": "x [[tokens:200]] [[chunks:50]] [[gap:100]]"}]}'
    ).encode()
    host, _, port = stack.url.removeprefix("http://").partition(":")

    with socket.create_connection((host, int(port))) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {account.key}\r\ncontent-length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        received = b""
        while received.count(b'"content"') < 10:
            received += connection.recv(65536)

    [row] = books.wait_for_rows(account.user_id)
    call = wait_until(lambda: providers.calls()[-1], lambda entry: entry["ended"] != "open")
    assert (row["status"], row["error_code"]) == ("interrupted", "client_left")
    assert call["ended"] == "client_gone"
    # Without a count of the provider's ours is by letters, the emulator's by words.
    assert 0 < row["tokens_output"] <= 2 * call["delivered_tokens"]
    assert row["micro_rub"] > 0
    books.check(account.user_id)
