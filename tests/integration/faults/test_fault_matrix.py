"""Twenty ways to fail, streamed and plain, with and without a fallback, at both providers and an upstream.

What the caller sees and what is billed, by what the provider itself says it was asked and gave. All cells are asked at
once, since most of them wait for a time-out; `docs/reliability.md` has the table that this test writes.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.books import Books
from tests.integration.caller import Heard, ask, call
from tests.integration.faults.matrix import CELLS, Cell
from tests.integration.faults.page import Seen, written_into
from tests.integration.providers import Providers
from tools.stack.running_stack import Account, RunningStack

# No answer takes longer: the suite gives all attempts together 12 s, and the machine may be busy.
PATIENCE_S: Final = 60.0
# Most of them wait: no more than a busy machine answers well within the time-outs of the suite.
AT_ONCE: Final = 24
# In tokens: our estimate of what GigaChat puts around a message, see docs/reliability.md.
TEMPLATE_ERROR: Final = 4
PAGE: Final = Path(__file__).parents[3] / "docs" / "reliability.md"
WRITE_VARIABLE: Final = "RAZVILKA_WRITE_FAULT_MATRIX"

Row = Any


@dataclass(frozen=True, slots=True)
class Asked:
    """All answers, with the row and the provider's own log of each, and the account that asked."""

    account: Account
    answers: dict[str, Heard]
    rows: dict[str, list[Row]]
    calls: dict[str, list[dict[str, Any]]]
    prices: dict[str, dict[str, Decimal]]

    def row(self, name: str) -> Row:
        """Return the one row of a cell."""
        [row] = self.rows.get(self.answers[name].request_id, [])
        return row

    def calls_of(self, name: str) -> list[dict[str, Any]]:
        """Return what the provider was asked for a cell, oldest first."""
        return self.calls[self.row(name)["trace_id"]]

    def cost(self, row: Row) -> int:
        """Return what the tokens of a row cost in micro-roubles."""
        price, cached = self.prices[row["model"]], row["tokens_cached"]
        input_rub = (row["tokens_input"] - cached) * price["prompt"] + cached * price["cached_prompt"]
        rub = input_rub + row["tokens_output"] * price["completion"]
        return int((rub * 1_000_000).to_integral_value(rounding="ROUND_CEILING"))


@pytest.fixture(scope="module")
def asked(stack: RunningStack) -> Iterator[Asked]:
    """Ask everything, and wait for all rows."""
    providers = Providers(stack.emulator_url)
    providers.reset()
    account = stack.new_account()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {name: pool.submit(_ask, stack.url, account.key, cell) for name, cell in CELLS.items()}
        answers = {name: answer.result() for name, answer in running.items()}
    rows = _by(Books(stack).wait_for_rows(account.user_id, len(answers)), "request_id")
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in providers.calls():
        calls[str(each["traceparent"]).split("-")[1]].append(each)
    yield Asked(account, answers, rows, calls, _prices(stack))
    providers.reset()


def _ask(url: str, key: str, cell: Cell) -> Heard:
    return ask(url, key, cell.question, model=cell.model.id, stream=cell.stream, timeout_s=PATIENCE_S, **cell.steering)


def _by(rows: list[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _prices(stack: RunningStack) -> dict[str, dict[str, Decimal]]:
    headers = {"authorization": f"Bearer {stack.api_key}"}
    listed = call(stack.url, "GET", "/v1/models", headers=headers).json["data"]
    parts = ("prompt", "completion", "cached_prompt")
    return {each["id"]: {part: Decimal(each["pricing"][part]) for part in parts} for each in listed if each["pricing"]}


in_each_cell = pytest.mark.parametrize("name", CELLS)


@in_each_cell
def test_the_caller_sees_the_right_status_and_code(asked: Asked, name: str) -> None:
    """A failure before the first words has a status, or is replaced; one after them is an error event, no [DONE]."""
    heard, cell = asked.answers[name], CELLS[name]

    assert not heard.broke
    assert (heard.status, heard.error.get("code", "")) in cell.outcomes, heard.body[-500:]
    assert heard.is_whole == (not heard.error)
    if heard.error:
        assert heard.error["details"]["request_id"] == heard.request_id
    if heard.status == 200:
        assert heard.text


@in_each_cell
def test_the_bill_is_what_the_provider_really_gave(asked: Asked, name: str) -> None:
    """Whole answers by the provider's own count, cut ones by what was delivered, failed ones not at all; once."""
    heard, cell, row = asked.answers[name], CELLS[name], asked.row(name)
    *failed, last = asked.calls_of(name)

    assert row["micro_rub"] == asked.cost(row)
    assert len(failed) + 1 == len(json.loads(row["attempts"]))
    if heard.is_whole:
        _check_whole(cell, row, last)
    elif heard.status == 200:
        assert (row["status"], row["error_code"]) == ("failed", heard.error["code"])
        _check_cut(cell, row, last)
    else:
        assert (row["status"], row["error_code"]) == ("failed", heard.error["code"])
        assert (row["tokens_input"], row["tokens_output"], row["micro_rub"]) == (0, 0, 0)


def _check_cut(cell: Cell, row: Row, broken: dict[str, Any]) -> None:
    # Our own count is by letters, the emulator's by words.
    most = broken["delivered_tokens"] * (1 if cell.model.is_tokenized else 2)
    assert 0 < row["tokens_output"] <= most


def _check_whole(cell: Cell, row: Row, answered: dict[str, Any]) -> None:
    assert row["status"] == "completed"
    assert (answered["fault"] is None) == (row["model"] != cell.model.id)
    if cell.form == "usage_missing" and not cell.model.is_tokenized:
        assert row["source"] == "estimated"
        assert 0 < row["tokens_output"] <= 2 * answered["delivered_tokens"]
        return
    assert row["source"] == "provider"
    assert ("tokenized" in row["flags"]) == (cell.form == "usage_missing")
    truth = tuple(answered[key] for key in ("prompt_tokens", "completion_tokens", "cached_tokens"))
    billed = (row["tokens_input"], row["tokens_output"], row["tokens_cached"])
    if cell.form == "usage_zero":
        # An explicit zero is a value: the provider gave the answer away.
        truth = (0, 0, 0)
    if cell.form == "usage_missing":
        # What the tokenizer was asked: it knows of no cache, and GigaChat's does not see the template of a prompt.
        assert abs(billed[0] - truth[0]) <= TEMPLATE_ERROR
        truth, billed = (0, truth[1], 0), (0, billed[1], billed[2])
    assert billed == truth


def test_nothing_stays_held_and_the_books_agree(books: Books, asked: Asked) -> None:
    """After all cells: rows, rollups and counters agree, and no hold or lease is left."""
    books.check(asked.account.user_id)


def test_the_page_has_what_was_seen(asked: Asked) -> None:
    """The table of docs/reliability.md is this run's; `make fault-matrix` writes it."""
    seen = {name: _seen(asked, name) for name in CELLS}

    text = PAGE.read_text(encoding="utf-8")
    expected = written_into(text, seen)
    if os.environ.get(WRITE_VARIABLE):
        PAGE.write_text(expected, encoding="utf-8")
        return
    assert text == expected


def _seen(asked: Asked, name: str) -> Seen:
    heard, row = asked.answers[name], asked.row(name)
    replaced = row["model"] != CELLS[name].model.id and heard.is_whole
    return Seen(heard.status, heard.error.get("code", ""), replaced=replaced, is_free=row["micro_rub"] == 0)
