"""A usage row of 1.0 becomes a request of 1.1, at the price that was paid: nothing is computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from migrate.fates.fate import Fate, Fields, fate_of
from migrate.fates.records import Request
from migrate.rules.identifiers import read_id, read_usage_id
from migrate.rules.money import read_cost
from migrate.rules.texts import read_model, read_provider
from migrate.rules.times import Reading, read_time, unix_ms
from migrate.rules.verdict import Stored
from migrate.rules.whole_numbers import read_tokens

COLUMNS: Final = ("id", "user_id", "provider", "model", "tokens_input", "tokens_output", "cost", "created_at")


@dataclass(frozen=True, slots=True)
class Names:
    """1.1's names by those of 1.0, in lower case."""

    providers: Mapping[str, str]
    models: Mapping[str, str]


def request_fate(row: Mapping[str, Stored], reading: Reading, names: Names) -> Fate[Request]:
    """Return what becomes of a row."""
    return fate_of(lambda fields: _request(fields, row, reading, names))


def _request(fields: Fields, row: Mapping[str, Stored], reading: Reading, names: Names) -> Request:
    created_at = fields.take("created_at", row["created_at"], read_time(row["created_at"], reading))
    model = row["model"]
    return Request(
        id=fields.take("id", row["id"], read_usage_id(row["id"], unix_ms(created_at))),
        user_id=fields.take("user_id", row["user_id"], read_id(row["user_id"], "user")),
        provider=fields.take("provider", row.get("provider"), read_provider(row.get("provider"), names.providers)),
        model=fields.take("model", model, read_model(model, names.models)),
        requested_model=model.decode() if isinstance(model, bytes) else "",
        tokens_input=fields.take("tokens_input", row["tokens_input"], read_tokens(row["tokens_input"])),
        tokens_output=fields.take("tokens_output", row["tokens_output"], read_tokens(row["tokens_output"])),
        cost_micro_rub=fields.take("cost", row["cost"], read_cost(row["cost"])),
        created_at=created_at,
        extra={name: value for name, value in row.items() if name not in COLUMNS},
    )
