"""Faults of the books: of rows and sums, of months, of the backup."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.observability.load import ask
from tests.observability.scene import Scene, fault
from tools.servers.ports import free_port


@fault("BooksDisagree", done="somebody changes a sum by hand", mended="the change is undone")
def a_sum_is_changed(scene: Scene) -> Iterator[None]:
    assert scene.ask("yandexgpt-lite") == 200
    scene.sql("UPDATE usage.rollup_day SET cost_micro_rub = cost_micro_rub + 1")
    yield
    scene.sql("UPDATE usage.rollup_day SET cost_micro_rub = cost_micro_rub - 1")


@fault(
    "BooksUnchecked",
    done="the service's role may not read a table of sums any more",
    mended="the right is given back",
)
def nobody_checks(scene: Scene) -> Iterator[None]:
    scene.sql("REVOKE SELECT ON usage.rollup_day_platform FROM razvilka_usage")
    yield
    scene.sql("GRANT SELECT ON usage.rollup_day_platform TO razvilka_usage")


@fault(
    "ColumnStoreAside",
    done="usage is told to ask a ClickHouse that is not there",
    mended="it is told to ask PostgreSQL again",
)
def a_column_store_that_is_away(scene: Scene) -> Iterator[None]:
    dsn = f"http://razvilka:password@127.0.0.1:{free_port()}/razvilka"
    with scene.deployed("usage", environment={"USAGE_ANALYTICS_STORE": "clickhouse", "USAGE_ANALYTICS_DSN": dsn}):
        yield


@fault(
    "RowsWithoutPartition",
    done="a row of the year 2016 is stored",
    mended="usage.ensure_month makes its partition",
)
def a_row_of_another_century(scene: Scene) -> Iterator[None]:
    scene.sql(
        "INSERT INTO usage.usage (id, created_at, user_id, provider, model, tokens_input, tokens_output, cost)"
        " VALUES (gen_random_uuid(), '2016-01-05', gen_random_uuid(), 'p', 'm', 1, 1, 0)"
    )
    yield
    scene.sql("SELECT usage.ensure_month('2016-01-01')")


@fault(
    "PartitionMissing",
    done="usage may not make partitions any more, and is restarted",
    mended="the right is given back",
)
def no_partitions(scene: Scene) -> Iterator[None]:
    scene.sql("REVOKE EXECUTE ON FUNCTION usage.ensure_month FROM razvilka_usage")
    scene.stack.kill("usage")
    yield
    scene.sql("GRANT EXECUTE ON FUNCTION usage.ensure_month TO razvilka_usage")


@fault(
    "UsageArchiveFails",
    done="an old month is due, and where its file belongs is no folder",
    mended="the folder is put back",
)
def no_archive(scene: Scene) -> Iterator[None]:
    away = scene.archive.rename(scene.archive.with_name("archive-away"))
    scene.archive.touch()
    scene.sql(
        "SELECT usage.ensure_month('2017-01-01')",
        "INSERT INTO usage.usage (id, created_at, user_id, provider, model, tokens_input, tokens_output, cost)"
        " VALUES (gen_random_uuid(), '2017-01-05', gen_random_uuid(), 'p', 'm', 1, 1, 0)",
    )
    yield
    scene.archive.unlink()
    away.rename(scene.archive)


@fault(
    "BudgetsCorrected",
    done="somebody changes a budget's counter in Redis",
    mended="the reconciliation sets it right by itself",
)
def a_counter_is_changed(scene: Scene) -> Iterator[None]:
    account = scene.stack.new_account(tier="pro")
    assert ask(scene.stack, "yandexgpt-lite", key=account.key).status_code == 200
    with scene.stack.redis() as redis:
        counters = [
            key for key in redis.scan_iter(f"gw:{{{account.user_id}}}:*", _type="hash") if redis.hexists(key, "u")
        ]
        assert counters
        for key in counters:
            redis.hincrby(key, "u", 1_000_000)
    yield


@fault("BackupOld", done="the last backup was made two days ago", mended="one is made")
def no_backup(scene: Scene) -> Iterator[None]:
    two_days_ago = scene.backup_stamp.stat().st_mtime - 2 * 86400
    os.utime(scene.backup_stamp, (two_days_ago, two_days_ago))
    yield
    home = {"RAZVILKA_HOME": str(scene.stack.parts.home.root), "USAGE_BACKUP_STAMP": str(scene.backup_stamp)}
    kept = scene.backup_stamp.with_name("backup")
    subprocess.run([sys.executable, "-m", "tools.backup", "take", str(kept)], env={**os.environ, **home}, check=True)
