"""`verify` proves keys: each is known by the hash of 1.0, or was used since, and belongs to whom it did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.tests.commands import migrate


async def change(dsn: str, statement: str) -> None:
    """Change a row of 1.1."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def test_a_key_of_another_hash_owner_or_end_is_told_and_a_used_one_is_not(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate("run", "--source", str(dirty), "--report", str(tmp_path / "report"), capsys=capsys)
    verify = ["verify", "--source", str(dirty)]
    used = f"key_hash = '{'0' * 64}', hash_kind = 'hmac-sha256', pepper_id = 'p'"
    asyncio.run(change(dsns["auth"], f"UPDATE auth.api_keys SET {used} WHERE id = 'key-1'"))
    assert main(verify) == 0
    assert "keys: 1 are known by the hash of 1.0, 1 of them were looked up as auth does; 1 were used since" in (
        capsys.readouterr().out
    )

    for spoilt in (f"key_hash = '{'1' * 64}'", "user_id = 'user-1'", "expires_at = '2031-01-01'"):
        asyncio.run(change(dsns["auth"], f"UPDATE auth.api_keys SET {spoilt} WHERE id = 'key-2'"))
        status, differences = migrate(*verify, capsys=capsys)
        assert status == 1
        assert "owner, hash and end of key key-2" in {each["what"] for each in differences}
        mended = "key_hash = encode(sha256('rz_live_second_key'), 'hex'), user_id = 'user-2', expires_at = NULL"
        asyncio.run(change(dsns["auth"], f"UPDATE auth.api_keys SET {mended} WHERE id = 'key-2'"))
    assert migrate(*verify, capsys=capsys) == (0, [])
