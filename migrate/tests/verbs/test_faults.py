"""A fault is one line on stderr: the tool's own, and nothing that its drivers say beside it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.tests.old_database import make
from migrate.verbs import verb


def lost(*_: object) -> NoReturn:
    """Lose the connection as asyncpg and asyncio do: they tell a log first."""
    logging.getLogger("asyncio").error("Future exception was never retrieved")
    raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


def test_what_drivers_say_to_a_log_that_nobody_set_up_is_not_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python prints what no handler takes; pytest is one, and an operator has none."""
    old = make(tmp_path / "old.db")
    monkeypatch.setattr(verb, "names_of", lost)

    with monkeypatch.context() as outside:
        outside.setattr(logging.getLogger(), "handlers", [])
        status = main(["inspect", "--source", str(old)])

    assert status == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("target_lost: The connection to PostgreSQL was cut.")
