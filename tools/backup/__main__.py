"""`make backup` and `make restore`: everything but Redis into a folder while it runs, and back into a fresh suite."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools.backup.archive import DATABASE_FILE, put_back, read_manifest, take
from tools.backup.database import BackupError, Figures, figures, restore
from tools.servers.errors import ServerError
from tools.stack import report
from tools.stack.down import bring_down
from tools.stack.environments import DATABASE
from tools.stack.home import Home, home_of
from tools.stack.supervision.supervisor import Supervisor
from tools.stack.up import Stack, describe, describe_as_it_is, make_database, start, start_stores

BACKUPS: Final = "backups"


def backup(home: Home, arguments: list[str]) -> None:
    """Take a backup of the running suite and say what is in it."""
    if not Supervisor(home).is_running():
        raise BackupError("the suite does not run: make up starts it")
    stack = describe_as_it_is(home, os.environ)
    folder = Path(arguments[0]) if arguments else home.root / BACKUPS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    taken = take(folder.resolve(), stack.admin_dsn(DATABASE), journals=_journals(stack), secrets=_secrets(home))
    # Whoever is alarmed by the age of the last backup looks at this file.
    if stamp := stack.environments.of("usage").get("USAGE_BACKUP_STAMP"):
        Path(stamp).touch()
    print(f"{folder}: {_told(taken)}")


def bring_back(home: Home, arguments: list[str]) -> None:
    """Restore a backup into a suite that has no data yet, verify it, and start everything."""
    if len(arguments) != 1:
        raise BackupError("name the folder of a backup: make restore ARGS=FOLDER")
    folder = Path(arguments[0]).resolve()
    kept = read_manifest(folder)
    if (home.postgres / "PG_VERSION").exists():
        raise BackupError(
            f"{home.postgres} has data: restore into an empty folder, RAZVILKA_HOME=ANOTHER make restore ..."
        )
    home.prepare()
    with home.locked():
        caller = dict(os.environ)
        put_back(folder, journals=home.root / "journal", secrets=_secrets(home))
        with _nothing_left_running(home):
            _verify(kept, _restored(describe(home, caller), folder))
            print(f"restored and verified: {_told(kept)}", flush=True)
            stack, demo = start(home, caller, lambda step: print(f"  ... {step}", flush=True))
    print(report.announcement(stack, demo, caller))


@contextmanager
def _nothing_left_running(home: Home) -> Iterator[None]:
    """Stop what the block started when it fails; the folder stays as evidence, and is not restored into again."""
    try:
        yield
    except BaseException:
        bring_down(home)
        raise


def _restored(stack: Stack, folder: Path) -> Figures:
    start_stores(stack)
    make_database(stack)
    restore(stack.admin_dsn(DATABASE), folder / DATABASE_FILE)
    return figures(stack.admin_dsn(DATABASE))


def _verify(kept: Figures, found: Figures) -> None:
    wrong = kept.differences(found)
    if found.spent_micro_rub != found.summed_micro_rub:
        wrong.append(f"rows say {found.spent_micro_rub} micro-roubles, their daily sums {found.summed_micro_rub}")
    if wrong:
        raise BackupError(f"what was restored is not what was kept: {'; '.join(wrong)}")


def _journals(stack: Stack) -> Path:
    return Path(stack.environments.of("gateway")["GATEWAY_JOURNAL_DIR"])


def _secrets(home: Home) -> Path:
    return home.root / "secrets.json"


def _told(figures_of: Figures) -> str:
    return (
        f"{sum(figures_of.rows.values())} rows in {len(figures_of.rows)} tables, "
        f"{figures_of.spent_micro_rub / 1_000_000:.6f} roubles of usage"
    )


COMMANDS: Final[Mapping[str, Callable[[Home, list[str]], None]]] = {"take": backup, "restore": bring_back}


def main(arguments: list[str]) -> int:
    """Return 0, 1 with one line that says why not, or 2 when the command is unknown."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(f"usage: python -m tools.backup {'|'.join(COMMANDS)} [FOLDER]", file=sys.stderr)
        return 2
    try:
        command(home_of(os.environ), arguments[1:])
    except (ServerError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
