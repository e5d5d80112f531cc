"""Ways to spoil a finished move of `make_mixed`: in the databases of 1.1, or in the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.migration.installation import Installation

Spoil = Callable[[Installation, Path], object]


def in_usage(statement: str) -> Spoil:
    """Return what spoils usage by a statement."""
    return lambda target, report: target.usage.execute(statement.encode())


def in_auth(statement: str) -> Spoil:
    """Return what spoils auth by a statement."""
    return lambda target, report: target.auth.execute(statement.encode())


def in_lines(name: str, old: str, new: str) -> Spoil:
    """Return what replaces a text in a file of the report."""

    def spoil(target: Installation, report: Path) -> None:
        path = report / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return spoil


def without_lines(name: str, count: int | None = None) -> Spoil:
    """Return what takes lines off the end of a file of the report; None: all."""

    def spoil(target: Installation, report: Path) -> None:
        lines = (report / name).read_text().splitlines(keepends=True)
        assert lines
        (report / name).write_text("".join(lines[:-count] if count else []))

    return spoil


ONE: Final = "id = '00000000-0000-4000-8000-000000000007'"


def on_one(change: str) -> Spoil:
    """Return what changes one usage row."""
    return in_usage(f"UPDATE usage.usage SET {change} WHERE {ONE}")


def on_user(id_: str, change: str) -> Spoil:
    """Return what changes one account."""
    return in_auth(f"UPDATE auth.users SET {change} WHERE id = '{id_}'")


def on_key(id_: str, change: str) -> Spoil:
    """Return what changes one key."""
    return in_auth(f"UPDATE auth.api_keys SET {change} WHERE id = '{id_}'")


def swap_ids(path: Path) -> None:
    """Let two requests have each other's new id."""
    lines = path.read_text().splitlines()
    first, second = [line for line in lines if '"gen-' in line][:2]
    one, other = (line.rsplit('"', 2)[1] for line in (first, second))
    text = path.read_text().replace(one, "-").replace(other, one).replace('-"}', other + '"}')
    path.write_text(text)


DOUBLED: Final = f"""
INSERT INTO usage.usage (id, user_id, provider, model, requested_model, tokens_input, tokens_output, cost,
    price_version, source, created_at)
SELECT gen_random_uuid(), user_id, provider, model, requested_model, tokens_input, tokens_output, cost,
    price_version, source, created_at FROM usage.usage WHERE {ONE}
"""
# Name -> what the checker calls it, and what spoils the move.
MUTANTS: Final[Mapping[str, tuple[str, Spoil]]] = {
    "one cost a micro-rouble more": ("wrong_value", on_one("cost = cost + 0.000001")),
    "one row gone": ("lost", in_usage(f"DELETE FROM usage.usage WHERE {ONE}")),
    "one row doubled under another id": ("row_of_nobody", in_usage(DOUBLED)),
    "one row under another id": ("lost", on_one("id = gen_random_uuid()")),
    "one row at Moscow time": (
        "wrong_value", on_one("created_at = created_at - interval '3 hours'"),
    ),
    "another user pays": ("another_pays", on_one("user_id = 'user-2'")),
    "tokens of input and output changed places": (
        "wrong_value", on_one("tokens_input = tokens_output, tokens_output = tokens_input"),
    ),
    "another model answered": ("wrong_value", on_one("model = 'GigaChat-2-Max'")),
    "the model's old name forgotten": ("wrong_value", on_one("requested_model = ''")),
    "an operator's column dropped": ("change_not_told", on_one("metadata = '{}'")),
    "an old id cannot be asked for": (
        "old_id_not_found", in_usage("DELETE FROM usage.import_ids WHERE old_id = 'gen-1'"),
    ),
    "sums of a day are others": ("wrong_rollup", in_usage("UPDATE usage.rollup_day SET requests = requests + 1")),
    "an expiry made NULL": ("wrong_value", on_key("key-1", "expires_at = NULL")),
    "a key of another user": ("another_pays", on_key("key-1", "user_id = 'user-2'")),
    "a key that verifies nothing": (
        "wrong_value", on_key("key-1", "key_hash = reverse(key_hash)"),
    ),
    "a key gone": ("lost", in_auth("DELETE FROM auth.api_keys WHERE id = 'key-2'")),
    "a key's name in other characters": (
        "wrong_value", on_key("key-4", "name = replace(name, 'ï', 'i')"),
    ),
    "an address changed": ("wrong_value", on_user("user-1", "email = 'a@c.ru'")),
    "an account cut off from its mail": ("wrong_value", on_user("user-1", "email = 'x@moved.invalid'")),
    "an account's date moved": (
        "wrong_value", on_user("user-1", "created_at = created_at - interval '1 day'"),
    ),
    "an account gone": ("lost", in_auth("DELETE FROM auth.users WHERE id = 'user-2'")),
    "a tier given away": ("wrong_value", on_user("user-1", "tier = 'pro'")),
    "a line of quarantine gone": ("should_wait", without_lines("quarantine.jsonl", 1)),
    "a line of quarantine edited": ("waits_with_other_values", in_lines("quarantine.jsonl", "1,234", "1,235")),
    "another storage class in quarantine": (
        "waits_with_other_values", in_lines("quarantine.jsonl", '"integer", "value": 2', '"real", "value": 2'),
    ),
    "a line of quarantine twice": (
        "waits_twice", lambda _, report: (report / "quarantine.jsonl").write_bytes(
            2 * (report / "quarantine.jsonl").read_bytes()
        ),
    ),
    "repairs emptied": ("change_not_told", without_lines("repairs.jsonl")),
    "one repair gone": ("change_not_told", without_lines("repairs.jsonl", 1)),
    "an old value edited": ("old_value_not_kept", in_lines("repairs.jsonl", "0.30000000000000004", "0.3")),
    "a new value edited": ("told_another_value", in_lines("repairs.jsonl", "300000,", "300001,")),
    "the map of ids emptied": ("lost", without_lines("id_map.jsonl")),
    "one id mapped to another's": (
        "told_another_value", lambda target, report: swap_ids(report / "id_map.jsonl"),
    ),
    "counts that flatter": ("told_other_counts", in_lines("summary.json", '"quarantined": 4', '"quarantined": 0')),
    "a sum that flatters": ("told_another_sum", in_lines("summary.json", '"cost_micro_rub": ', '"cost_micro_rub": 1')),
    "rows said to be unreadable": (
        "readable_row_left_out", in_lines("summary.json", '"users": []', '"users": [[1, 2]]'),
    ),
}  # fmt: skip
