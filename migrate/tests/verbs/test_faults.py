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


@pytest.mark.parametrize(
    "exc",
    [
        OSError(28, "No space left on device", "/tmp/x"),
        FileNotFoundError(2, "No usable temporary directory found in []"),
    ],
    ids=["full", "no folder"],
)
def test_a_file_that_cannot_be_written_is_no_fault_of_postgresql(
    exc: OSError, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make(tmp_path / "old.db")

    def full(*_: object) -> NoReturn:
        raise exc

    monkeypatch.setattr(verb, "names_of", full)

    assert main(["inspect", "--source", str(old)]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("file_unusable: A file cannot be used: ")
    assert str(exc.strerror) in line
    assert "TMPDIR" in line


def test_an_address_that_does_not_answer_is_one_of_postgresql(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make(tmp_path / "old.db")

    def refused(*_: object) -> NoReturn:
        raise ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")

    monkeypatch.setattr(verb, "names_of", refused)

    assert main(["inspect", "--source", str(old)]) == 4
    assert capsys.readouterr().err.startswith("target_absent: PostgreSQL cannot be reached.")
