"""`make migrate-demo`: exit status 0 when the cut-over said go and nothing differs afterwards."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.migrate_demo import old_database
from tools.migrate_demo.target import target
from tools.servers.errors import ServerError

ROWS: Final = 20_000
ZONE: Final = "Europe/Moscow"
BEHIND: Final = 20
# inspect, plan and run: rows wait for a person, as they should.
SOME_WAIT: Final = (0, 1)


def main() -> int:
    """Make a database, move it, and show every step; return the exit status."""
    parser = argparse.ArgumentParser(prog="make migrate-demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"usage rows of the year ({ROWS})")
    parser.add_argument("--keep", type=Path, help="a folder, new or empty, for database and report (a temporary one)")
    given = parser.parse_args()
    try:
        with _folder(given.keep) as folder, target() as (said, environment):
            print(f"to {said}")
            return show(folder, given.rows, environment)
    except ServerError as exc:
        print(exc, file=sys.stderr)
        return 1


def show(folder: Path, rows: int, environment: Mapping[str, str]) -> int:
    """Move a database that is made in a folder; return the exit status."""
    source, report = folder / "gateway-1.0.db", folder / "report"
    old_database.make(source, rows, datetime.now(UTC))
    tool = _Tool(source, report, environment)
    tool.run("inspect", allowed=SOME_WAIT)
    tool.run("plan", "--report", str(folder / "plan"), allowed=SOME_WAIT)
    with _serving(source) as release_1_0:
        tool.run("run", "--report", str(report), allowed=SOME_WAIT)
        follow = ("--report", str(report), "--every", "1", "--until-behind", str(BEHIND))
        tool.run("follow", *follow, allowed=SOME_WAIT)
        went = tool.cut_over(release_1_0)
    same = went and tool.run("verify", allowed=SOME_WAIT) == 0
    tool.run("report", "--report", str(report), allowed=SOME_WAIT)
    print("\n1.1 has it all" if same else "\n1.0 goes on: see the reasons above")
    return 0 if same else 1


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="razvilka-migrate-demo-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise ServerError(f"--keep: {keep} is not empty: name a new folder")
    yield keep


@contextmanager
def _serving(source: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a release 1.0 write to the database until the block ends, or it is stopped before."""
    command = [sys.executable, "-m", "tools.migrate_demo.writer", str(source)]
    with subprocess.Popen(command, text=True) as release_1_0:
        print(f"\n# release 1.0 serves meanwhile (process {release_1_0.pid})", flush=True)
        try:
            yield release_1_0
        finally:
            release_1_0.kill()


class _Tool:
    """`razvilka-migrate` on one source, said before it is run."""

    def __init__(self, source: Path, report: Path, environment: Mapping[str, str]) -> None:
        self._source = source
        self._report = report
        self._environment = environment

    def run(self, verb: str, *more: str, allowed: Sequence[int] = (0,)) -> int:
        """Run a verb; return its exit status.

        Raises:
            ServerError: it is none of the allowed ones.
        """
        status = subprocess.run(self._command(verb, *more), env=self._environment, check=False).returncode
        if status not in allowed:
            raise ServerError(f"{verb} ended with status {status}")
        return status

    def cut_over(self, release_1_0: subprocess.Popen[str]) -> bool:
        """Cut over as an operator does: after a go 1.0 is stopped, then Enter pressed; return whether it was a go."""
        command = self._command("cutover", "--report", str(self._report), "--hold")
        with subprocess.Popen(
            command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as tool:
            assert tool.stdin is not None
            assert tool.stdout is not None
            for line in tool.stdout:
                print(line, end="", flush=True)
                if line.startswith("GO"):
                    release_1_0.kill()
                    print("# release 1.0 is stopped, callers go to 1.1; Enter is pressed", flush=True)
                    tool.stdin.write("\n")
                    tool.stdin.flush()
        return tool.returncode == 0

    def _command(self, verb: str, *more: str) -> list[str]:
        words = [verb, "--source", str(self._source), "--naive-zone", ZONE, *more]
        print(f"\n$ razvilka-migrate {shlex.join(words)}", flush=True)
        return [sys.executable, "-m", "migrate", *words]


if __name__ == "__main__":
    sys.exit(main())
