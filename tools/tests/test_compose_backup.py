"""The nightly backup of Compose, by its own script on a real PostgreSQL: kept whole, brought back whole, or refused."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest

from tools.servers import binaries
from tools.testing.plugin import MakeDatabaseDsn
from tools.tests.compose_program import stand_in

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
ADD = """
INSERT INTO usage.usage (id, created_at, user_id, provider, model, tokens_input, tokens_output, cost)
SELECT gen_random_uuid(), now(), gen_random_uuid(), 'p', 'm', 1, 1, 0.000123 FROM generate_series(1, %s)
"""
Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
async def dsn(make_database_dsn: MakeDatabaseDsn, postgres_admin_dsn: str) -> str:
    """Return the administrator's DSN of a database with seven rows of usage, in partitions as they are."""
    made = urlunsplit(urlsplit(postgres_admin_dsn)._replace(path=urlsplit(await make_database_dsn("usage")).path))
    with psycopg.connect(made) as connection:
        connection.execute(ADD, [7])
    return made


@pytest.fixture
def script(dsn: str, tmp_path: Path) -> Script:
    """Return the script as the container runs it, with the folders of this test."""
    parts = urlsplit(dsn)
    environment = {
        "PATH": f"{binaries.postgres_bin_dir()}:{os.environ['PATH']}",
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path[1:],
        "BACKUP_KEEP": "2",
        "BACKUP_FOLDER": str(tmp_path / "backups"),
        "BACKUP_JOURNAL": str(tmp_path / "journal"),
        "BACKUP_FIGURES": str(FOLDER / "figures.sql"),
    }
    for name in ("backups", "journal"):
        (tmp_path / name).mkdir()

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(FOLDER / "backup.sh"), *arguments]
        return subprocess.run(command, env=environment | more, cwd="/", capture_output=True, text=True)

    return run


def rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT count(*) FROM usage.usage").fetchone()
    return int(found[0]) if found else -1


def only_backup(tmp_path: Path) -> Path:
    [kept] = (tmp_path / "backups").glob("2*")
    return kept


def test_what_was_kept_comes_back_over_what_is_there(script: Script, dsn: str, tmp_path: Path) -> None:
    """Also over tables in partitions; journals are added to those that are there, and never overwrite them."""
    segment = tmp_path / "journal" / "boot" / "00000001.seg"
    segment.parent.mkdir()
    segment.write_bytes(b"kept")
    (segment.parent / "00000002.spare").write_bytes(b"room")
    taken = script("now")
    assert (taken.returncode, taken.stderr) == (0, "")
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM usage.usage WHERE cost > 0")
        connection.execute("DROP TABLE usage.rollup_day CASCADE")
    segment.unlink()

    brought = script("restore", only_backup(tmp_path).name)

    assert (brought.returncode, brought.stderr) == (0, "")
    assert "restored and verified" in brought.stdout
    assert rows(dsn) == 7
    assert segment.read_bytes() == b"kept"
    assert (tmp_path / "backups" / "last").exists()
    assert not list(only_backup(tmp_path).rglob("*.spare"))


def test_a_dump_that_was_cut_off_changes_nothing(script: Script, dsn: str, tmp_path: Path) -> None:
    """One transaction, ended by what is no SQL."""
    script("now")
    dump = only_backup(tmp_path) / "database.dump"
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 9 // 10])
    with psycopg.connect(dsn) as connection:
        connection.execute(ADD, [5])

    refused = script("restore", only_backup(tmp_path).name)

    assert refused.returncode == 1
    assert "nothing was changed" in refused.stderr
    assert rows(dsn) == 12


def test_what_is_no_backup_is_refused_with_the_names_of_those_that_are(script: Script, tmp_path: Path) -> None:
    """Whoever restores in the night need not look for them."""
    script("now")

    refused = script("restore", "yesterday")

    assert refused.returncode == 1
    assert refused.stderr.strip() == f"backup.sh: name a backup, one of: {only_backup(tmp_path).name}"


@pytest.mark.parametrize("missing", ["journal", "database"])
def test_what_cannot_be_read_leaves_no_backup(script: Script, tmp_path: Path, missing: str) -> None:
    """Neither a folder under its name nor the stamp that silences the alarm."""
    if missing == "journal":
        (tmp_path / "journal").rmdir()

    failed = script("now", **({"PGDATABASE": "nowhere"} if missing == "database" else {}))

    assert failed.returncode != 0
    assert missing in failed.stderr
    # Nor half of one, whose room PostgreSQL may need.
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize("command", [("now",), ("restore", "20260101T000000Z")])
def test_a_backup_under_way_is_left_alone(script: Script, tmp_path: Path, command: tuple[str, ...]) -> None:
    """One by hand deleted the half of the nightly one; one of a restore's middle pushed others out."""
    under_way = tmp_path / "backups" / ".20260102T000000Z.part" / "database.dump"
    kept = tmp_path / "backups" / "20260101T000000Z" / "figures.txt"
    for file in (under_way, kept):
        file.parent.mkdir()
        file.touch()
    held = os.open(tmp_path / "backups", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = script(*command)
    finally:
        os.close(held)

    assert (refused.returncode, refused.stderr) == (1, "backup.sh: another backup, or a restore, is under way\n")
    assert under_way.exists()


@pytest.mark.parametrize(("days", "taken"), [(None, 1), (2.0, 1), (0.0, 0)])
def test_a_night_that_was_slept_through_is_made_up_for(
    script: Script, tmp_path: Path, days: float | None, taken: int
) -> None:
    """After a machine was off at that hour the next backup was a day later; nor is the first one waited for."""
    stamp = tmp_path / "backups" / "last"
    if days is not None:
        stamp.touch()
        os.utime(stamp, (time.time() - days * 86400,) * 2)
    # The container ends when it begins to wait for the night.
    stand_in(tmp_path / "bin", {"sleep": 'kill -TERM "$PPID"'})

    ended = script("nightly", PATH=f"{tmp_path / 'bin'}:{binaries.postgres_bin_dir()}:{os.environ['PATH']}")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(list((tmp_path / "backups").glob("2*"))) == taken


@pytest.mark.parametrize("command", ["now", "nightly"])
@pytest.mark.parametrize("keep", ["0", "-1", "all", "1.5", " ", "99999999999999999999"])
def test_a_count_of_backups_that_would_keep_none_is_refused_by_its_name(
    script: Script, tmp_path: Path, command: str, keep: str
) -> None:
    """With 0 the backup just taken was deleted at once, and its stamp silenced the alarm."""
    (tmp_path / "backups" / "20260101T000000Z").mkdir()

    refused = script(command, BACKUP_KEEP=keep)

    assert refused.returncode == 1
    assert f"RAZVILKA_BACKUP_KEEP={keep}: give how many" in refused.stderr
    assert [each.name for each in (tmp_path / "backups").iterdir()] == ["20260101T000000Z"]


def test_a_count_with_a_leading_zero_is_a_decimal(script: Script, tmp_path: Path) -> None:
    """Of 08 the shell's arithmetic made an error, after the backup was taken."""
    taken = script("now", BACKUP_KEEP="08")

    assert (taken.returncode, taken.stderr) == (0, "")
    assert only_backup(tmp_path).is_dir()
