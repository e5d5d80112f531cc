"""How the program ends: one line for every failure, an exit status for every end, no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from razvilka_cli.errors import Failure, Status, told_as_json
from razvilka_cli.invocation import Invocation

DEBUG_VARIABLE: Final = "RAZVILKA_CLI_DEBUG"


def _speak_json(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(Invocation).as_json = True


def json_option() -> click.Option:
    """Return `--json`: every command has it, after its name or before."""
    return click.Option(
        ["--json"], is_flag=True, expose_value=False, callback=_speak_json, help="JSON, as the gateway has it."
    )


class Command(click.Command):
    """A command with `--json`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(json_option())


class Group(click.Group):
    """Commands under one name."""

    command_class = Command


class Program(Group):
    """The command `razvilka` itself."""

    group_class = Group

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run, and end the process with the status that says how it went."""
        if not extra.pop("standalone_mode", True):
            return super().main(args, prog_name, standalone_mode=False, **extra)
        _survive_any_text()
        words = sys.argv[1:] if args is None else args
        # What cannot be read has not said yet how it wants to be answered.
        tell = _tell_json if "--json" in words else _tell_people
        try:
            status = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.ClickException as exc:
            tell(exc)
            status = exc.exit_code
        except (click.Abort, KeyboardInterrupt):
            tell(_Interrupted("Interrupted.", Status.INTERRUPTED, code="interrupted"))
            status = Status.INTERRUPTED
        except OSError as exc:
            tell(_of_file(exc))
            status = Status.USAGE
        sys.exit(int(status) if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _ending(ctx):
            result = super().invoke(ctx)
            # Here, and not when the interpreter ends: a reader that has gone is no failure of ours.
            sys.stdout.flush()
            return result


class _Interrupted(Failure):
    """Ctrl-C: no error, so people are told in one word."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=True)


@contextlib.contextmanager
def _ending(context: click.Context) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _forget_stdout()
        context.exit(Status.NO_READER)
    except click.UsageError:
        raise
    except click.ClickException as exc:
        _tell(exc, context)
        context.exit(exc.exit_code)
    except (click.Abort, click.exceptions.Exit, KeyboardInterrupt):
        raise
    except Exception as exc:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        failure = _of_file(exc) if isinstance(exc, OSError) else _foreign_letters(exc) or _unforeseen(exc)
        _tell(failure, context)
        context.exit(failure.exit_code)


def _tell(error: click.ClickException, context: click.Context) -> None:
    if context.ensure_object(Invocation).as_json:
        _tell_json(error)
    else:
        _tell_people(error)


def _tell_people(error: click.ClickException) -> None:
    error.show()


def _tell_json(error: click.ClickException) -> None:
    click.echo(json.dumps(told_as_json(error), ensure_ascii=False), err=True)


def _of_file(error: OSError) -> Failure:
    """Return what is said of a file or a disk that cannot be used, be it the standard output."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _forget_stdout()
    where = f"{error.filename}: " if error.filename else ""
    return Failure(f"{where}{error.strerror or error}.", Status.USAGE, code="file")


def _foreign_letters(error: Exception) -> Failure | None:
    """Return what is said of an argument in another encoding, which Python keeps as halves of letters; None: not it."""
    if not isinstance(error, UnicodeEncodeError) or error.reason != "surrogates not allowed":
        return None
    return Failure("An argument is no UTF-8 text.", Status.USAGE, code="bad_input", fix="Convert it first.")


def _unforeseen(error: Exception) -> Failure:
    fix = f"{DEBUG_VARIABLE}=1 shows where."
    return Failure(f"{type(error).__name__}: {error}", Status.INTERNAL, code="internal", fix=fix)


def _survive_any_text() -> None:
    # A terminal of another encoding shows a question mark where it has no letter.
    # A stream that is closed, as by `>&-`, is none at all.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _forget_stdout() -> None:
    # The interpreter flushes it once more at its end, and would complain.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
