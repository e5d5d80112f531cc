"""`verify --known-keys`: keys that somebody has are verified by the running auth, as gateways have them verified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.__main__ import main
from migrate.tests.commands import sha, stored
from migrate.tests.conftest import SECRETS
from migrate.tests.old_database import WHEN, make
from servicekit.clock import SystemClock
from services.auth.server import running
from services.auth.tests.conftest import PEPPER, settings_for
from services.auth.tests.planted_key import plant_signing_key

TARGET: Final = "RAZVILKA_AUTH_TARGET"
OVER: Final = "rz_live_whose_time_is_over"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of three keys, one of which is expired."""
    keys = [
        ("key-1", "user-1", sha(SECRETS[0]), "first", WHEN, None, None),
        ("key-2", "user-2", sha(SECRETS[1]), "second", WHEN, "9999-12-31 23:59:59", None),
        ("key-3", "user-2", sha(OVER), "third", WHEN, "2025-04-01 00:00:00", None),
    ]
    users = [(f"user-{number}", f"{number}@b.ru", WHEN, WHEN) for number in (1, 2)]
    return make(tmp_path / "old.db", users=users, api_keys=keys)


@pytest.fixture
async def moved(dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the database when it has moved."""
    assert await tool("run", "--source", str(old), "--report", str(tmp_path / "report")) == 0
    capsys.readouterr()
    return old


@pytest.fixture
async def auth(dsns: dict[str, str], redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Return where auth runs, of which the tool is told."""
    await plant_signing_key(dsns["auth"], PEPPER)
    async with running(settings_for(dsns["auth"], redis_url), SystemClock()) as port:
        monkeypatch.setenv(TARGET, f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"


async def tool(*words: str) -> int:
    """Run a verb beside the loop that serves."""
    return await asyncio.to_thread(main, words)


def known(folder: Path, *lines: str) -> tuple[str, str]:
    """Write a file of known keys; return the words that name it."""
    path = folder / "known.txt"
    path.write_text("\n".join(["# keys of 1.0", "", *lines]))
    return "--known-keys", str(path)


async def hashes(dsns: dict[str, str]) -> list[Any]:
    """Return how auth keeps the keys."""
    return await stored(dsns["auth"], "SELECT id, hash_kind FROM auth.api_keys ORDER BY id")


async def test_the_running_auth_is_asked_where_its_address_is_told(
    auth: str, moved: Path, dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice: what verified is hashed anew, and verifies again."""
    report = tmp_path / "report"
    words = ("verify", "--source", str(moved), "--report", str(report), *known(tmp_path, *SECRETS, OVER))

    assert await tool(*words) == 0
    first = capsys.readouterr()
    assert await tool(*words) == 0

    said = (
        f"known keys: 2 verified, 1 refused because their time is over, as in 1.0; asked was the running auth at {auth}"
    )
    assert said in first.out.splitlines()
    assert said in capsys.readouterr().out.splitlines()
    assert await hashes(dsns) == [("key-1", "hmac-sha256"), ("key-2", "hmac-sha256"), ("key-3", "sha256")]
    marks = [json.loads(line) for line in (report / "log.jsonl").read_text().splitlines()]
    assert marks[-2]["known_keys"] == {
        "by": f"the running auth at {auth}", "verified": 2, "expired": 1, "used_since": 0, "differences": 0,
    }  # fmt: skip


async def test_without_its_address_the_store_is_asked_and_that_is_said(
    moved: Path, dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = f"key_hash = '{'0' * 64}', hash_kind = 'hmac-sha256', pepper_id = 'p'"
    await stored(dsns["auth"], f"UPDATE auth.api_keys SET {used} WHERE id = 'key-2' RETURNING 1")

    status = await tool("verify", "--source", str(moved), *known(tmp_path, *SECRETS, OVER))

    said = capsys.readouterr().out
    assert status == 0
    assert "known keys: 1 verified, 1 refused because their time is over, as in 1.0, 1 used since, which only" in said
    assert f"asked was auth's store: {TARGET} is not set, so the running auth was not asked" in said


@pytest.mark.parametrize("spoilt", ["revoked_at = now()", "user_id = 'user-1'"])
async def test_a_known_key_that_is_not_what_it_was_is_a_difference_and_never_told_itself(
    spoilt: str, auth: str, moved: Path, dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await stored(dsns["auth"], f"UPDATE auth.api_keys SET {spoilt} WHERE id = 'key-2' RETURNING 1")
    words = ("verify", "--source", str(moved), "--report", str(tmp_path / "report"))

    status = await tool(*words, *known(tmp_path, *SECRETS, "rz_live_of_nobody"), "--json")

    said = capsys.readouterr().out
    # The auth that is asked runs in this process: it may have said something, too.
    found, _ = json.JSONDecoder().raw_decode(said[said.index("[\n") :])
    whats = [each["what"] for each in found]
    assert status == 1
    assert "holder and id of the known key of line 4" in whats
    assert "known key of line 5" in whats
    written = said + (tmp_path / "report" / "log.jsonl").read_text()
    assert not [secret for secret in (*SECRETS, "rz_live_of_nobody") if secret in written]


async def test_an_auth_that_does_not_answer_is_one_line(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv(TARGET, f"127.0.0.1:{free_port}")

    assert await tool("verify", "--source", str(moved), *known(tmp_path, SECRETS[0])) == 4

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"no_target: The running auth at 127.0.0.1:{free_port} cannot be asked (")
    assert TARGET in line


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"# nothing\n"], ids=["absent", "no text", "empty"])
def test_a_file_without_keys_is_a_wrong_command(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "known.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SystemExit, match="2"):
        main(["verify", "--source", "old.db", "--known-keys", str(path)])

    assert f"--known-keys: {path} " in capsys.readouterr().err
