"""write_way_back: what 1.1 has and 1.0 has not, as statements for the file of 1.0."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from migrate.moving.target import Target
from migrate.report.faults import report_errors
from migrate.report.reading import lines_of
from migrate.report.values import stored_of
from migrate.rules.identifiers import KEY, id_of
from migrate.rules.verdict import Stored, Text
from migrate.source.tables import Layout, Table
from servicekit.postgres import sql
from services.auth.importing.created_here import CreatedHere
from services.usage.importing.created_here import CreatedRequest

STATEMENTS: Final = "for-1.0.sql"
# Not every table of 1.0 keeps its ids apart itself.
INSERT: Final = """\
INSERT INTO {table} ({columns}) SELECT {values} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE id = {id});
"""
END: Final = "UPDATE api_keys SET expires_at = {at} WHERE id = {id};\n"
KINDS: Final = {"users": "user", "api_keys": KEY}
OldIds: TypeAlias = Mapping[tuple[str, str], Stored]
DELETE: Final = "DELETE FROM api_keys WHERE id = {id};\n"


@dataclass(frozen=True, slots=True)
class WayBack:
    """What was created in 1.1 since the move began.

    Attributes:
        requests, accounts: that the statements bring to 1.0.
        cost: of the requests, in roubles.
        ended: keys of 1.0 that were revoked in 1.1: the statements end them.
        keys: ids of keys that were made in 1.1 and cannot work in 1.0, which verifies other hashes.
    """

    since: datetime
    requests: int
    cost: str
    accounts: int
    ended: int
    keys: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        counts = {"requests": self.requests, "cost_rub": self.cost, "accounts": self.accounts, "ended": self.ended}
        return {"since": self.since.isoformat(), **counts, "keys": list(self.keys)}


async def write_way_back(layout: Layout, target: Target, folder: Path) -> WayBack | None:
    """Write the statements into a folder; return what is in them. None: the source was not moved.

    They may be executed twice: rows that are there stay as they are.

    Raises:
        ReportFault: the folder cannot be written.
    """
    created = await target.following.created_here()
    if created is None:
        return None
    path, ids = folder / STATEMENTS, _ids_of_1_0(folder)
    new = path.with_suffix(".new")
    with report_errors(path):
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(_of_people(created, layout, ids))
            found = await _write_requests(target.usage.created_since(created.since), layout.tables["usage"], ids, file)
            file.write("COMMIT;\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    return WayBack(created.since, *found, len(created.accounts), len(created.ended), tuple(created.keys))


def _ids_of_1_0(folder: Path) -> OldIds:
    """Return what accounts and keys are called in 1.0, where 1.1 had to call them otherwise."""
    found: dict[tuple[str, str], Stored] = {}
    for line in lines_of(folder / "id_map.jsonl"):
        kind, new = KINDS.get(line["table"]), line["target_id"]
        if kind is None:
            continue
        old = stored_of(line["source_id"])
        # Not of accounts that became another one: what that one did is its own.
        if id_of(old, kind) == new:
            found[line["table"], new] = old
    return found


def _of_people(created: CreatedHere, layout: Layout, ids: OldIds) -> Iterator[str]:
    yield "BEGIN IMMEDIATE;\n"
    for account in created.accounts:
        times = {"created_at": account.created_at, "updated_at": account.updated_at}
        yield _insert(layout.tables["users"], {"id": account.id, "email": account.email, **times})
    for id_, at in created.ended:
        old = _literal(ids.get(("api_keys", id_), id_))
        if "expires_at" in layout.tables["api_keys"].columns:
            yield sql(END, at=_literal(at), id=old)
        else:
            yield sql(DELETE, id=old)


async def _write_requests(
    requests: AsyncIterator[CreatedRequest], table: Table, ids: OldIds, file: IO[str]
) -> tuple[int, str]:
    count, cost = 0, 0
    async for each in requests:
        values = {name: getattr(each, name) for name in table.columns}
        user_id = ids.get(("users", each.user_id), each.user_id)
        file.write(_insert(table, {**values, "user_id": user_id, "cost": float(each.cost)}))
        count += 1
        cost += int(each.cost.scaleb(6))
    return count, f"{cost // 1_000_000}.{cost % 1_000_000:06d}"


def _insert(table: Table, values: dict[str, Any]) -> str:
    known = {name: value for name, value in values.items() if name in table.columns}
    literals = ", ".join(map(_literal, known.values()))
    return sql(INSERT, table=table.name, columns=", ".join(known), values=literals, id=_literal(values["id"]))


def _literal(value: object) -> str:
    match value:
        case int() | float():
            return repr(value)
        case datetime():
            # As CURRENT_TIMESTAMP writes it; to the microsecond, so that the row is known again by id and time.
            return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'".replace(".000000'", "'")
        case bytes():
            return f"CAST(x'{value.hex()}' AS TEXT)" if isinstance(value, Text) else f"x'{value.hex()}'"
    return "'" + str(value).replace("'", "''") + "'"
