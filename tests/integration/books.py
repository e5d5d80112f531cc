"""The books: usage rows in PostgreSQL, holds and counters in Redis."""

from __future__ import annotations

from typing import Any

from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack


class Books:
    """Reads the books of one user at a time, so that tests do not see each other."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack

    def rows(self, user_id: str) -> list[Any]:
        """Return the user's usage rows, oldest first; the id also as `request_id`, the cost also as `micro_rub`."""
        return self._stack.query(
            "SELECT *, id::text AS request_id, (cost * 1000000)::bigint AS micro_rub"
            " FROM usage.usage WHERE user_id = $1 ORDER BY id",
            user_id,
        )

    def wait_for_rows(self, user_id: str, count: int = 1, *, within_s: float = 30.0) -> list[Any]:
        """Return the user's usage rows as soon as there are `count` of them."""
        return wait_until(lambda: self.rows(user_id), lambda rows: len(rows) >= count, within_s=within_s)

    def sums(self, user_id: str) -> dict[str, tuple[int, int]]:
        """Return requests and micro-roubles by `rows` and by `days`, read at one moment: rows may still arrive."""
        [found] = self._stack.query(
            "SELECT (SELECT count(*) FROM usage.usage WHERE user_id = $1) AS rows,"
            " (SELECT coalesce(sum(cost) * 1000000, 0)::bigint FROM usage.usage WHERE user_id = $1) AS rows_cost,"
            " (SELECT coalesce(sum(requests), 0)::bigint FROM usage.rollup_day WHERE user_id = $1) AS days,"
            " (SELECT coalesce(sum(cost_micro_rub), 0)::bigint FROM usage.rollup_day WHERE user_id = $1) AS days_cost",
            user_id,
        )
        return {name: (found[name], found[f"{name}_cost"]) for name in ("rows", "days")}

    def held(self, user_id: str) -> dict[str, int]:
        """Return what Redis keeps open for a user, by key: nothing at rest."""
        details = f"gw:{{{user_id}}}:d"
        with self._stack.redis() as client:
            keys: Any = [*client.scan_iter(f"gw:{{{user_id}}}:*", count=1_000)]
            leases = {key.decode(): client.zcard(key) for key in keys if client.type(key) == b"zset"}
            found: dict[str, Any] = {details: client.hlen(details), **leases}
        return {name: count for name, count in found.items() if count}

    def wait_until_nothing_is_held(self, user_id: str, *, within_s: float = 60.0) -> None:
        """Return when no hold and no lease is left."""
        wait_until(lambda: self.held(user_id), lambda held: not held, within_s=within_s)

    def budget_counters(self, user_id: str) -> dict[str, int]:
        """Return `u`, used, and `h`, held, of all that a user's keys are counted by, in micro-roubles; {}: by nothing.

        A key may have a counter of its budget's period and one of all it spent: where they differ, one is wrong.
        """
        counted: dict[str, list[int]] = {}
        with self._stack.redis() as client:
            keys: Any = [*client.scan_iter(f"gw:{{{user_id}}}:b:*", count=1_000)]
            for key in keys:
                values: Any = client.hmget(key, "u", "h")
                found = [round(float(value or 0)) for value in values]
                whose = key.decode().rpartition(":")[0]
                # The one that is wrong is the one that is shown.
                counted[whose] = max(counted.get(whose, found), found)
        return dict(zip("uh", map(sum, zip(*counted.values(), strict=True)), strict=True)) if counted else {}

    def check(self, user_id: str) -> None:
        """Assert that rows, rollups and (where there is one) the budget's counters agree, and that nothing is held."""
        self.wait_until_nothing_is_held(user_id)
        rows, sums = self.rows(user_id), self.sums(user_id)
        assert len({row["request_id"] for row in rows}) == len(rows)
        assert sums["rows"] == sums["days"]
        # Counters that were rebuilt while a row was still on its way are corrected a moment later.
        wait_until(
            lambda: (self.budget_counters(user_id), self.sums(user_id)["rows"][1]),
            lambda found: found[0] in ({}, {"u": found[1], "h": 0}),
            within_s=40,
        )
