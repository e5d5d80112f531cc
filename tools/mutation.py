"""`make mutation`: change the code in many small ways, one at a time, and count the changes that the tests notice.

mutmut does it; what is changed and which tests must notice stands in `pyproject.toml` under `tool.mutmut`.
`python -m tools.mutation ['services.gateway.metering.*' ...]`: all, or the mutants whose names fit.
"""

import contextlib
import fnmatch
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tools.testing import throwaway
from tools.testing.found_servers import POSTGRES_VARIABLE

REPOSITORY: Final = Path(__file__).parents[1]
MUTMUT: Final = str(Path(sys.executable).with_name("mutmut"))
LOG: Final = REPOSITORY / "mutants" / "run.log"
LEAST_RATE: Final = 0.85
# A mutant that never ends was noticed, and so was one that does not type-check.
KILLED: Final = frozenset({"killed", "timeout", "caught by type check"})
# Left out by ourselves (`pragma: no mutate`), or not asked for.
NO_VERDICT: Final = frozenset({"skipped", "not checked"})


def verdicts(results: str, names: list[str]) -> dict[str, str]:
    """Return name -> verdict of the mutants that fit one of the patterns, from what `mutmut results` prints."""
    pairs = (line.strip().rsplit(": ", 1) for line in results.splitlines() if ": " in line)
    return {name: verdict for name, verdict in pairs if _fits(name, names) and verdict not in NO_VERDICT}


def _fits(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def kill_rate(found: Mapping[str, str]) -> float:
    """Return the part of the mutants that was noticed, 0 when there are none: nothing was proven."""
    return sum(verdict in KILLED for verdict in found.values()) / len(found) if found else 0.0


def report(found: Mapping[str, str]) -> str:
    """Return the survivors by name, the count of each verdict, and the rate."""
    survivors = [f"{name}: {verdict}" for name, verdict in sorted(found.items()) if verdict not in KILLED]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(found.values()).most_common())
    rate = f"{kill_rate(found):.1%} of {len(found)} mutants noticed, {LEAST_RATE:.0%} at least ({counts})"
    return "\n".join([*survivors, rate])


@contextlib.contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Yield the environment of the run: one PostgreSQL for all mutants, since starting it takes longer than a test."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with throwaway.session_folder() as folder, throwaway.throwaway_postgres(folder) as dsn:
        yield os.environ | {POSTGRES_VARIABLE: dsn, "PATH": programs}


def _run(names: list[str]) -> None:
    """Run mutmut.

    Raises:
        SystemExit: it could not begin: the tests fail without any change, say.
    """
    LOG.parent.mkdir(exist_ok=True)
    with _environment() as environment, LOG.open("w") as log:
        done = subprocess.run(
            [MUTMUT, "run", *names], cwd=REPOSITORY, env=environment, stdout=log, stderr=log, check=False
        )
    if done.returncode != 0:
        raise SystemExit(f"error: mutmut ended with {done.returncode}, see {LOG}")


def main(names: list[str]) -> int:
    """Print the survivors and the rate; return the process's exit code."""
    print(f"mutating; this takes from minutes to hours, {LOG.relative_to(REPOSITORY)} shows how far it is", flush=True)
    started = time.monotonic()
    _run(names)
    listed = subprocess.run(
        [MUTMUT, "results", "--all", "true"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    found = verdicts(listed.stdout, names)
    print(f"{report(found)}\n{time.monotonic() - started:.0f} s")
    return 0 if kill_rate(found) >= LEAST_RATE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
