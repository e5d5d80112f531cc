"""A backup is whole or not there, comes back as it was, and says in one line what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import pytest

from services.gateway.metering.journal.frames import frame
from tools.backup.__main__ import main
from tools.backup.archive import DATABASE_FILE, JOURNALS, MANIFEST, put_back, read_manifest, take
from tools.backup.database import BackupError, Figures, dump, figures, restore
from tools.backup.journals import copy_journals, copy_segments_again, whole_segment
from tools.servers.bootstrap import bootstrap, create_database
from tools.testing.plugin import MakeDatabaseDsn

ADD = """
INSERT INTO usage.usage (id, created_at, user_id, provider, model, tokens_input, tokens_output, cost)
SELECT gen_random_uuid(), now(), gen_random_uuid(), 'p', 'm', 1, 1, 0.000123 FROM generate_series(1, %s)
"""


def database_of(admin_dsn: str, dsn: str) -> str:
    """Return the administrator's DSN of another DSN's database."""
    return urlunsplit(urlsplit(admin_dsn)._replace(path=urlsplit(dsn).path))


@pytest.fixture
async def source(make_database_dsn: MakeDatabaseDsn, postgres_admin_dsn: str) -> str:
    """Return the administrator's DSN of a database with rows of usage."""
    dsn = database_of(postgres_admin_dsn, await make_database_dsn("usage"))
    with psycopg.connect(dsn) as connection:
        connection.execute(ADD, [7])
    return dsn


@pytest.fixture
def target(postgres_admin_dsn: str) -> Iterator[str]:
    """Return the administrator's DSN of a bootstrapped database without tables."""
    name = f"razvilka_test_restored_{threading.get_native_id()}"
    create_database(postgres_admin_dsn, name)
    dsn = urlunsplit(urlsplit(postgres_admin_dsn)._replace(path=f"/{name}"))
    bootstrap(dsn, {})
    yield dsn
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_a_database_comes_back_as_it_was_when_the_backup_began(source: str, target: str, tmp_path: Path) -> None:
    """Rows and money; what is written meanwhile is not in it; the service's role reads it, and sees it is migrated."""
    file = tmp_path / "database.dump"
    with psycopg.connect(source) as connection:
        connection.execute(ADD, [5])  # not committed: nobody has been told that it is stored
        kept = await asyncio.to_thread(dump, source, file)
    await asyncio.to_thread(restore, target, file)

    assert kept.spent_micro_rub == 7 * 123
    assert kept.rows["usage._yoyo_migration"] > 10
    assert kept.differences(figures(target)) == []
    assert kept.differences(figures(source)) == [
        next(f"{name}: {rows} were kept, {rows + 5} are there" for name, rows in kept.rows.items() if rows == 7),
        f"micro-roubles of rows: {7 * 123} were kept, {12 * 123} are there",
    ]
    restored = await asyncpg.connect(target)
    await restored.execute("SET ROLE razvilka_usage")
    assert await restored.fetchval("SELECT count(*) FROM usage._yoyo_migration") == kept.rows["usage._yoyo_migration"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await restored.execute("CREATE TABLE usage.mine ()")
    await restored.close()


async def test_a_backup_is_a_folder_that_only_its_owner_reads(source: str, tmp_path: Path) -> None:
    """Journals, secrets, the database and its figures; a folder that exists is left alone."""
    journal, secrets, folder = tmp_path / "journal", tmp_path / "secrets.json", tmp_path / "kept"
    (journal / "boot").mkdir(parents=True)
    (journal / "boot" / "000001.journal").write_bytes(b"records")
    secrets.write_text('{"key_pepper": "x"}')

    kept = await asyncio.to_thread(take, folder, source, journals=journal, secrets=secrets)

    assert read_manifest(folder) == kept
    assert (folder / JOURNALS / "boot" / "000001.journal").read_bytes() == b"records"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    assert not folder.with_name(".kept.part").exists()
    with pytest.raises(BackupError, match="exists: name a folder that does not"):
        take(folder, source, journals=journal, secrets=secrets)


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither under its name nor beside it: what is half there would be restored some day, or fill the disk."""
    (tmp_path / "secrets.json").write_text("{}")
    nobody = "postgresql://nobody@127.0.0.1:1/nothing"

    with pytest.raises(BackupError, match=r"^PostgreSQL: .*refused"):
        take(tmp_path / "kept", nobody, journals=tmp_path / "journal", secrets=tmp_path / "secrets.json")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["secrets.json"]


FRAMES = [frame(b"first", 0), frame(b"second", 1), frame(b"third", 2)]
HOLE = FRAMES[0] + bytes(len(FRAMES[1])) + FRAMES[2]


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        ((b"".join(FRAMES) + bytes(64),), b"".join(FRAMES) + bytes(64)),
        ((HOLE, b"".join(FRAMES)), b"".join(FRAMES)),
        ((HOLE, b"".join(FRAMES[:2]) + bytes(8) + FRAMES[2]), b"".join(FRAMES[:2])),
        ((HOLE, HOLE), HOLE),
    ],
    ids=["as it is", "late", "late, and the next one", "damage"],
)
def test_a_segment_that_is_being_written_is_kept_without_a_hole(read, kept):
    """Frames that were read behind one that was not there yet would be taken for damage; real damage stays."""
    assert whole_segment(iter(read).__next__) == kept


def test_room_for_later_and_marks_of_later_are_not_kept(tmp_path: Path) -> None:
    """Marks say what usage has confirmed: later ones may be ahead of the database that was kept."""
    journal, kept = tmp_path / "journal", tmp_path / "kept"
    journal.mkdir()
    (journal / "00000001.seg").write_bytes(FRAMES[0])
    (journal / "00000002.spare").write_bytes(bytes(64))
    (journal / "marks").write_text("1")
    copy_journals(journal, kept)
    (journal / "00000001.seg").unlink()
    (journal / "00000002.spare").rename(journal / "00000002.seg")
    (journal / "00000002.seg").write_bytes(FRAMES[1])
    (journal / "marks").write_text("2")
    copy_segments_again(journal, kept)

    assert {file.name: file.read_bytes() for file in kept.iterdir()} == {
        "00000001.seg": FRAMES[0],
        "00000002.seg": FRAMES[1],
        "marks": b"1",
    }


def whole(folder: Path) -> Path:
    """Return a backup that looks whole."""
    (folder / JOURNALS).mkdir(parents=True)
    (folder / "secrets.json").write_text("{}")
    (folder / DATABASE_FILE).write_bytes(b"PGDMP and nothing more")
    told = {"layout": 1, "rows": {"usage.usage": 1}, "spent_micro_rub": 1, "summed_micro_rub": 1}
    (folder / MANIFEST).write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), "is no backup: manifest.json cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "is no backup: manifest.json cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "layout 1 is expected"),
        (lambda folder: (folder / MANIFEST).write_text('{"layout": 2}'), "layout 1 is expected"),
        (lambda folder: (folder / MANIFEST).write_text('{"layout": 1}'), "manifest.json: rows is missing"),
        (lambda folder: (folder / DATABASE_FILE).unlink(), "is not whole: database.dump is missing"),
    ],
)
def test_a_damaged_backup_is_refused_in_one_line(tmp_path, damage, said, monkeypatch, capsys):
    """Before anything is laid anywhere."""
    folder, home = whole(tmp_path / "kept"), tmp_path / "home"
    monkeypatch.setenv("RAZVILKA_HOME", str(home))
    damage(folder)

    assert main(["restore", str(folder)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not home.exists()


def test_a_file_that_is_no_dump_changes_nothing(target: str, tmp_path: Path) -> None:
    """Told by pg_restore's own first line."""
    file = tmp_path / DATABASE_FILE
    file.write_bytes(b"PGDMP and nothing more")

    with pytest.raises(BackupError, match=r"^pg_restore: .*error"):
        restore(target, file)


def test_nothing_is_restored_over_what_is_there(tmp_path, monkeypatch, capsys):
    """Neither over a database nor over a journal: both may hold money."""
    folder, home = whole(tmp_path / "kept"), tmp_path / "home"
    monkeypatch.setenv("RAZVILKA_HOME", str(home))
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("18")

    assert main(["restore", str(folder)]) == 1
    assert "has data: restore into an empty folder" in capsys.readouterr().err
    with pytest.raises(BackupError, match="exists: restore into an empty folder"):
        put_back(folder, journals=home / "postgres", secrets=tmp_path / "secrets.json")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage:"),
        (["keep"], 2, "usage:"),
        (["restore"], 1, "name the folder of a backup"),
        (["take"], 1, "the suite does not run"),
    ],
)
def test_a_wrong_command_says_what_to_type(arguments, code, said, tmp_path, monkeypatch, capsys):
    """With the exit codes of the other commands."""
    monkeypatch.setenv("RAZVILKA_HOME", str(tmp_path / "home"))

    assert main(arguments) == code
    assert said in capsys.readouterr().err


def test_what_differs_is_told_by_table():
    """Also a table that one of both does not have."""
    kept = Figures({"a.x": 1, "a.y": 2}, 10, 10)

    assert kept.differences(Figures({"a.x": 1, "a.z": 3}, 10, 9)) == [
        "a.y: 2 were kept, None are there",
        "a.z: None were kept, 3 are there",
        "micro-roubles of days: 10 were kept, 9 are there",
    ]
