"""What the scripts and Python agree on, written down once in Python and put before each script as Lua constants.

Field names of arguments and answers are those of `wire.py`; the names here become locals of the same name.
"""

from __future__ import annotations

from typing import Final

from servicekit.clock import LEASES_DIFFER_MS
from services.gateway.admission import keys
from services.gateway.admission.dimensions import LIMITED, Dimension, DimensionRow, Rule, Unit
from services.gateway.admission.periods import DAY_S, MICROSECONDS
from services.gateway.admission.wire import NEVER_US, Mode, Verdict

WINDOW_SUFFIX: Final = ":w"
"""A calendar count stands in the field of its dimension; this field beside it says of which window it is."""

SEEN_SUFFIX: Final = ":s"
"""Beside the bucket of a dimension that counts tokens: when it was written. Debt has no bound, by which one could tell
that it was written while the clock of Redis was ahead."""

CONSTANTS: Final[dict[str, str | int]] = {
    "DETAILS": keys.DETAILS,
    "HOLDS": keys.HOLDS,
    "STATE": keys.STATE,
    "RUNNING": keys.RUNNING,
    "MARK": keys.MARK,
    "EXPLAINED": keys.EXPLAINED,
    "SHADOWED": keys.SHADOWED,
    "WINDOW_SUFFIX": WINDOW_SUFFIX,
    "SEEN_SUFFIX": SEEN_SUFFIX,
    "BUDGET": Dimension.BUDGET.value,
    # A month and more: a counter that is lost is rebuilt.
    "COUNTER_TTL_MS": 40 * DAY_S * 1000,
    # Longer than a settle can be late, see settling.py.
    "MARK_TTL_MS": 3_600_000,
    # Keys outlive what they say by this, so that clocks of replicas may differ.
    "LEASE_SPARE_MS": 1_000,
    "LEASES_DIFFER_US": 1000 * LEASES_DIFFER_MS,
    "STATE_SPARE_MS": 60_000,
    "NEVER_US": NEVER_US,
    **{mode.name: mode.value for mode in Mode},
    **{verdict.name: verdict.value for verdict in Verdict},
    **{rule.name: rule.value for rule in Rule if rule is not Rule.BUDGET},
    "TOKENS": Unit.TOKENS.value,
}


FIGURES: Final = ("untouched_limit", "untouched", "untouched_reset", "taken_limit", "taken", "taken_reset")
"""Fields of a dimension's row in which `admit.lua` keeps figures; made with the row, so that it need not grow."""


def prelude() -> str:
    """Return the constants as Lua."""
    return "".join(f"local {name} = {_lua(value)}\n" for name, value in CONSTANTS.items())


def dimension_table() -> str:
    """Return the dimensions as Lua: the table, and the function that reads the state of a subject.

    `at` is where the state of a dimension stands in what `read_state` returns.
    """
    rows: list[str] = []
    fields: list[str] = []
    for row in LIMITED:
        rows.append(_row(row, len(fields) + 1))
        fields += _fields(row)
    names = ", ".join(_lua(name) for name in fields)
    table = "".join(f"  {row},\n" for row in rows)
    return f"local DIMENSIONS = {{\n{table}}}\nlocal function read_state(key) return call('HMGET', key, {names}) end\n"


def _row(row: DimensionRow, at: int) -> str:
    parts: dict[str, str | int] = {"name": row.name.value, "rule": row.rule.value, "unit": row.unit.value}
    parts |= dict.fromkeys(FIGURES, False)
    if row.window_s:
        parts |= {"window_us": row.window_s * MICROSECONDS, "at": at}
    if row.rule is Rule.CALENDAR:
        parts["window_field"] = row.name.value + WINDOW_SUFFIX
    if _has_debt(row):
        parts["seen_field"] = row.name.value + SEEN_SUFFIX
    if row.retry_s:
        parts["retry_us"] = int(row.retry_s * MICROSECONDS)
    return "{" + ", ".join(f"{name} = {_lua(value)}" for name, value in parts.items()) + "}"


def _fields(row: DimensionRow) -> list[str]:
    if row.rule is Rule.CALENDAR:
        return [row.name.value, row.name.value + WINDOW_SUFFIX]
    if _has_debt(row):
        return [row.name.value, row.name.value + SEEN_SUFFIX]
    return [row.name.value] if row.rule is Rule.BUCKET else []


def _has_debt(row: DimensionRow) -> bool:
    """Tell whether a bucket may owe more than it holds: a request uses more tokens than were counted for it."""
    return row.rule is Rule.BUCKET and row.unit is Unit.TOKENS


def _lua(value: str | int) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
