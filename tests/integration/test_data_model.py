"""docs/data-model.md has every table and every kind of key: whoever asks what is kept finds it there."""

from __future__ import annotations

import re
from typing import Final

from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack

PAGE: Final = (REPOSITORY / "docs" / "data-model.md").read_text(encoding="utf-8")
# Not those of yoyo, which keep what was migrated.
TABLES: Final = """
SELECT schemaname || '.' || tablename AS name
FROM pg_tables JOIN pg_class ON pg_class.oid = format('%I.%I', schemaname, tablename)::regclass
WHERE schemaname IN ('auth', 'router', 'usage') AND NOT relispartition AND tablename !~ '^_?yoyo'
"""
KEY: Final = re.compile(r'"((?:gw|auth|router|razvilka:auth|razvilka:gateway):[^"]*)"')


def test_every_table_is_in_the_page(stack: RunningStack) -> None:
    """As the migrations of all services leave the database."""
    missing = {row["name"] for row in stack.query(TABLES)} - tables_of_page()

    assert missing == set()


def test_every_key_of_redis_is_in_the_page() -> None:
    """By the literals of the services: a key is made of one. Answers that are kept for a next turn were not there."""
    used = {key_as_told(key) for service in ("auth", "gateway", "router") for key in keys_of(service)}
    told = re.findall(r"`([a-z]+:[^`]+|gw:[^`]+)`", PAGE.partition("## Redis")[2])

    assert used
    assert {key for key in used if not any(is_meant(key, each) for each in told)} == set()


def is_meant(key: str, told: str) -> bool:
    """Tell whether the page means a key by a pattern; the dots stand for names too, but for those in one's own slot."""
    return told.startswith(key) or (told.endswith("…") and "}" not in told and key.startswith(told.removesuffix("…")))


def tables_of_page() -> set[str]:
    """Return the names; `usage.notification_channels`, `_rules` are two tables."""
    found: set[str] = set()
    for line in PAGE.splitlines():
        whole = ""
        for name in re.findall(r"`([a-z._]+)`", line):
            whole = whole if name.startswith("_") else name
            found.add(whole.rpartition("_")[0] + name if name.startswith("_") else name)
    return found


def keys_of(service: str) -> set[str]:
    """Return the beginnings of keys that a service's code has."""
    folder = REPOSITORY / "services" / service
    sources = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py") if "tests" not in path.parts)
    return {key for source in sources for key in KEY.findall(source)}


def key_as_told(key: str) -> str:
    """Return a key of the code as the page tells it, up to what differs from one to the next."""
    told = key.replace("{{{line}}}", "{line}")
    told = re.sub(r"\{\{\{[^}]+\}\}\}", "{user}", told).replace("{{", "{").replace("}}", "}")
    return re.split(r"\{(?!user\}|refused\}|guess\}|line\})|\*", told)[0]
