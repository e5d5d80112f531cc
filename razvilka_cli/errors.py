"""What can go wrong, in one line each, and the exit status that says so."""

from __future__ import annotations

from enum import IntEnum

import click


class Status(IntEnum):
    """Exit statuses; docs/cli.md lists them."""

    DIFFERS = 1
    """What was compared is not the same, or a person said no."""
    USAGE = 2
    """The command cannot be meant this way; click's own."""
    CREDENTIAL = 3
    """Nobody is logged in, or the credential was refused."""
    REFUSED = 4
    """The gateway refused what was asked."""
    LIMIT = 5
    """A limit, quota or budget is reached."""
    SERVER = 6
    """The gateway or a provider behind it failed."""
    UNREACHABLE = 7
    """Nobody answers at the address."""
    INTERNAL = 70
    """A mistake of this program."""
    INTERRUPTED = 130
    """Ctrl-C."""
    NO_READER = 141
    """Whoever read the output has gone."""


class Failure(click.ClickException):
    """An end with a reason.

    Args:
        message: what is wrong.
        status: the exit status.
        code: the error's name, as the gateway or OAuth has it.
        fix: what to do about it, a sentence.
    """

    def __init__(self, message: str, status: Status = Status.REFUSED, *, code: str = "", fix: str = "") -> None:
        super().__init__(_one_line(message))
        self.status = status
        self.code = code
        self.fix = fix

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """Return the exit status, as click asks for it."""
        return int(self.status)

    def format_message(self) -> str:
        """Return code, message and fix on one line."""
        said = f"{self.code}: {self.message}" if self.code else self.message
        return f"{said} {self.fix}".rstrip()


def told_as_json(error: click.ClickException) -> dict[str, dict[str, str | int]]:
    """Return an error as programs read it."""
    code = error.code if isinstance(error, Failure) else "usage"
    fix = error.fix if isinstance(error, Failure) else ""
    return {"error": {"code": code, "message": error.message, "fix": fix, "exit_status": error.exit_code}}


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
