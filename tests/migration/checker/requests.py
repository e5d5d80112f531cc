"""Usage rows: each has one row in 1.1 or waits, at the price that was paid, on the account that paid it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.migration.checker.accounts import Owners
from tests.migration.checker.ids import Ids
from tests.migration.checker.names import Names
from tests.migration.checker.readings.meaning import Meaning
from tests.migration.checker.readings.numbers import MICRO, exact_roubles, read_cost, read_tokens
from tests.migration.checker.readings.texts import read_model, read_provider
from tests.migration.checker.readings.times import Expectations, read_time
from tests.migration.checker.source import Row
from tests.migration.checker.target import Target, micros
from tests.migration.checker.verdict import Findings


@dataclass(frozen=True, slots=True)
class _Request:
    row: Row
    id: str
    payer: str
    fields: Mapping[str, Meaning]


def check_requests(
    rows: Sequence[Row],
    owners: Owners,
    target: Target,
    ids: Ids,
    names: Names,
    expected: Expectations,
    found: Findings,
) -> None:
    """Compare all usage rows, and the sum of what was paid."""
    waiting: dict[int, str] = {}
    requests: dict[str, _Request] = {}
    for row in rows:
        request = _read(row, owners, ids, names, expected)
        if isinstance(request, str):
            waiting[row.number] = request
        elif request.id in requests:
            waiting[row.number] = "id taken"
        else:
            requests[request.id] = request
    _check_stored(requests, target, ids, found)
    _check_sums(list(requests.values()), target, found)
    found.settle("usage", rows, waiting)


def _read(row: Row, owners: Owners, ids: Ids, names: Names, expected: Expectations) -> _Request | str:
    read: dict[str, Meaning | None] = {
        "created_at": read_time(row.cell("created_at"), expected),
        "provider": read_provider(row.cell("provider"), names.providers),
        "model": read_model(row.cell("model"), names.models),
        "tokens_input": read_tokens(row.cell("tokens_input")),
        "tokens_output": read_tokens(row.cell("tokens_output")),
        "cost": read_cost(row.cell("cost")),
    }
    fields = {name: meaning for name, meaning in read.items() if meaning is not None}
    if len(fields) < len(read):
        return ", ".join(name for name in read if name not in fields)
    user = ids.of_account("users", row.cell("user_id"))
    if user in owners.waiting:
        return "owner waits"
    id_ = ids.of_request(row.cell("id"), fields["created_at"].value)
    # The account may have been deleted in 1.0: what it paid stays under the id that the row has.
    return "no id" if id_ is None or user is None else _Request(row, id_, user, fields)


def _check_stored(requests: Mapping[str, _Request], target: Target, ids: Ids, found: Findings) -> None:
    stored: dict[str, Mapping[str, Any]] = {}
    for each in target.requests:
        if each["id"] in stored:
            found.add("doubled", each["id"])
        stored[each["id"]] = each
    for id_ in stored.keys() - requests.keys():
        found.add("row_of_nobody", id_, repr(stored[id_]))
    for id_, request in requests.items():
        if id_ in stored:
            _check_request(request, stored[id_], target, ids, found)
        else:
            found.add("lost", f"usage {request.row.number}", f"no row {id_}")


def _check_request(request: _Request, stored: Mapping[str, Any], target: Target, ids: Ids, found: Findings) -> None:
    row = request.row
    if stored["user_id"] != request.payer:
        found.add("another_pays", f"usage {row.number}", f"{stored['user_id']!r}, not {request.payer!r}")
    ids.explained(row, "id", request.id, found)
    ids.explained(row, "user_id", request.payer, found)
    values = {**stored, "cost": _micro(stored["cost"]), "created_at": micros(stored["created_at"])}
    for name, meaning in request.fields.items():
        found.compare(row, name, meaning, values[name])
    if stored["requested_model"] != row.cell("model").text:
        found.add("wrong_value", f"usage {row.number} requested_model", repr(stored["requested_model"]))
    _check_old_id(request, target, found)
    _check_tags(row, stored["metadata"], found)


def _check_old_id(request: _Request, target: Target, found: Findings) -> None:
    """A client of 1.0 asks for a request by the id that it was told."""
    cell, told = request.row.cell("id"), target.old_ids.get(request.id)
    if cell.text == request.id:
        if told is not None:
            found.add("old_id_of_nobody", request.id, told)
        return
    text = cell.text
    old = f"\\x{cell.raw.hex()}" if isinstance(cell.raw, bytes) and (text is None or "\0" in text) else text
    if told != (str(cell.raw) if old is None else old):
        found.add("old_id_not_found", f"usage {request.row.number}", f"{told!r} is kept for {cell}")


def _check_tags(row: Row, metadata: Mapping[str, str], found: Findings) -> None:
    for name, cell in row.own_columns.items():
        kept = metadata.get(name)
        if kept is not None and kept != (cell.text if cell.kind == "text" else str(cell.raw)):
            found.add("wrong_value", f"usage {row.number} {name}", f"{kept!r} is kept of {cell}")
        found.explained(row, name, None, needed=cell.kind != "null" and kept is None)
    if strange := metadata.keys() - row.own_columns.keys():
        found.add("tags_of_nobody", f"usage {row.number}", repr(strange))


def _micro(cost: Any) -> int | None:
    micro = Fraction(cost) * MICRO
    return int(micro) if micro.denominator == 1 else None


def _check_sums(requests: Sequence[_Request], target: Target, found: Findings) -> None:
    """What was paid, to the last digit: what is stored, less what rounding put on or took off."""
    said = sum((exact_roubles(each.row.cell("cost")) or Fraction(0) for each in requests), Fraction(0))
    rounded = sum((Fraction(each.fields["cost"].value, MICRO) for each in requests), Fraction(0))
    kept = sum((Fraction(each["cost"]) for each in target.requests), Fraction(0))
    if kept != rounded or abs(said - kept) > Fraction(len(requests), 2 * MICRO):
        found.add("wrong_sum", "usage cost", f"{float(said)} roubles became {float(kept)}")
    told = found.report.summary["tables"]["usage"].get("cost_micro_rub")
    if told != rounded * MICRO:
        found.add("told_another_sum", "usage cost", f"{told} is told, {rounded * MICRO} it is")
