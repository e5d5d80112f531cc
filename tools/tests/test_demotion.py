"""How root starts PostgreSQL, which refuses to run as root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tools.servers import binaries, demotion, postgres
from tools.servers.errors import ServerError
from tools.servers.ports import free_port

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are private."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_an_ordinary_user_needs_no_detour(monkeypatch, tmp_path):
    """Whoever is not root starts the server directly."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert demotion.choose(tmp_path) == demotion.Demotion()


@only_root
def test_root_gets_a_way_that_can_write_the_data(open_folder):
    """Whichever way this machine allows, the server's user owns its folder and is not root."""
    way = demotion.choose(open_folder)

    shown = subprocess.run([*way.prefix, "id", "-u"], capture_output=True, text=True, check=True, cwd="/").stdout
    assert way.prefix
    assert shown.strip() != "0"
    assert way.may("-w", open_folder)


@only_root
def test_a_folder_nobody_can_enter_is_refused_with_advice(monkeypatch, tmp_path):
    """Without namespaces a folder below a private one cannot hold the data: say so and say what helps."""
    monkeypatch.setattr(demotion, "NAMESPACE", demotion.Demotion(("false",)))
    private = tmp_path / "private" / "data"
    private.mkdir(parents=True)
    private.parent.chmod(0o700)

    with pytest.raises(ServerError, match="RAZVILKA_HOME"):
        demotion.choose(private)

    assert private.stat().st_uid == 0


@only_root
def test_postgresql_runs_as_nobody_where_namespaces_are_forbidden(monkeypatch, open_folder):
    """The second way works too: programs are copied to where `nobody` can execute them."""
    monkeypatch.setattr(demotion, "NAMESPACE", demotion.Demotion(("false",)))
    monkeypatch.setattr(demotion, "COPIES", open_folder)
    closed = open_folder / "closed"
    data = open_folder / "data"
    data.mkdir()
    way = demotion.choose(data)
    bin_dir = demotion.reachable_programs(_private_copy(closed), way)
    server = postgres.PostgresServer(bin_dir, data, free_port(), way)

    server.initialise("secret", durable=False)
    with subprocess.Popen(server.command(*postgres.THROWAWAY), cwd="/", stderr=subprocess.DEVNULL) as process:
        postgres.wait_until_ready(server.dsn("secret"))
        with psycopg.connect(server.dsn("secret")) as connection:
            answer = connection.execute("SELECT 1").fetchone()
        process.terminate()

    assert answer == (1,)
    assert bin_dir.is_relative_to(open_folder)
    assert not bin_dir.is_relative_to(closed)
    assert data.stat().st_uid == demotion.NOBODY_UID


def _private_copy(folder: Path) -> Path:
    """Put the installation where `nobody` has no way in, as under a private home."""
    installed = binaries.postgres_bin_dir()
    package = installed.parent.parent
    folder.mkdir(mode=0o700)
    for each in package.parent.glob(f"{package.name}*"):
        subprocess.run(["cp", "-R", str(each), str(folder)], check=True)
    return folder / installed.relative_to(package.parent)
