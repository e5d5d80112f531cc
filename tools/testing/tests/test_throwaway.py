"""Servers and folders that must not outlive their test process."""

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psycopg
import redis

from tools.testing import found_servers, throwaway

HOLD_A_SERVER = textwrap.dedent("""
    import sys, time
    from tools.testing import throwaway
    with throwaway.session_folder() as folder, throwaway.throwaway_redis(folder) as url:
        print(folder, flush=True)
        time.sleep(60)
""")


def test_own_servers_answer_and_end_with_their_block(tmp_path):
    """Without an engine or a DSN the tests bring their own PostgreSQL and Redis."""
    tmp_path.chmod(0o755)

    with throwaway.throwaway_postgres(tmp_path) as dsn, throwaway.throwaway_redis(tmp_path) as url:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("SELECT upper('ёж')").fetchone()
        with redis.Redis.from_url(url) as client:
            pong = client.ping()

    assert row == ("ЁЖ",)
    assert pong is True
    assert throwaway.processes_in(tmp_path) == []


def test_a_killed_run_is_cleaned_up_by_the_next_one(tmp_path):
    """SIGKILL skips every `finally`; the next test process removes the servers and the folder.

    Both have a place of their own: elsewhere another test process of this very run may be the next one.
    """
    command = [sys.executable, "-c", HOLD_A_SERVER]
    place = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3], env=place) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        run.kill()
    left = throwaway.processes_in(folder)

    with throwaway.session_folder(tmp_path):
        pass

    assert left != []
    assert throwaway.processes_in(folder) == []
    assert not folder.exists()


def test_a_living_run_keeps_its_folder():
    """Two test processes side by side do not disturb each other."""
    with throwaway.session_folder() as first, throwaway.session_folder() as second:
        both = first.exists() and second.exists()

    assert both
    assert not first.exists()


def test_a_dsn_of_the_environment_comes_first(monkeypatch, tmp_path):
    """Who names a server gets that server, and nothing is started."""
    monkeypatch.setenv("RAZVILKA_TEST_POSTGRES_DSN", "postgresql://somebody@elsewhere/db")
    monkeypatch.setenv("RAZVILKA_TEST_REDIS_URL", "redis://elsewhere/3")

    with found_servers.found_postgres(tmp_path) as dsn, found_servers.found_redis(tmp_path) as url:
        found = (dsn, url)

    assert found == ("postgresql://somebody@elsewhere/db", "redis://elsewhere/3")
    assert os.listdir(tmp_path) == []


def test_servers_of_tests_are_in_memory_where_there_is_room(monkeypatch, tmp_path):
    """Else where temporary files are; whoever sets TMPDIR has chosen."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path)
    monkeypatch.setattr(throwaway, "ROOM_BYTES", 0)
    with_room = throwaway.quick_place()
    monkeypatch.setattr(throwaway, "ROOM_BYTES", 2**60)
    without_room = throwaway.quick_place()
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path / "none")
    without_memory = throwaway.quick_place()
    monkeypatch.setattr(throwaway, "ROOM_BYTES", 0)
    monkeypatch.setattr(throwaway, "MEMORY", tmp_path)
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    chosen = throwaway.quick_place()

    assert with_room == tmp_path
    assert {without_room, without_memory, chosen} == {Path(tempfile.gettempdir())}
