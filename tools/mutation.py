"""`make mutation`: change the code in many small ways, one at a time, and count the changes that the tests notice.

mutmut does it; what is changed and which tests must notice stands in `pyproject.toml` under `tool.mutmut`.
`python -m tools.mutation ['services.gateway.metering.*' ...]`: all, or the mutants whose names fit. It ends by itself
after `--minutes`; the next run goes on where it stopped. `--children` mutants are tried at once.
"""

import argparse
import contextlib
import fnmatch
import os
import signal
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
UNTRIED: Final = "not checked"
NO_VERDICT: Final = frozenset({"skipped", UNTRIED})
PROGRESS_EVERY_S: Final = 15.0


def verdicts(results: str, names: list[str]) -> dict[str, str]:
    """Return name -> verdict of the mutants that fit one of the patterns, from what `mutmut results` prints."""
    return {name: verdict for name, verdict in _listed(results, names) if verdict not in NO_VERDICT}


def untried(results: str, names: list[str]) -> list[str]:
    """Return which of the mutants that fit have no verdict yet."""
    return [name for name, verdict in _listed(results, names) if verdict == UNTRIED]


def _listed(results: str, names: list[str]) -> Iterator[tuple[str, str]]:
    for line in results.splitlines():
        name, found, verdict = line.strip().rpartition(": ")
        if found and _fits(name, names):
            yield name, verdict


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


def progress(log: str) -> str:
    """Return the last thing that mutmut said: it writes over its own line, again and again."""
    lines = [line.strip() for line in log.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else "starting"


def _run(names: list[str], *, children: int, limit_s: float) -> None:
    """Run mutmut for so long at most; what it found out by then stays.

    Raises:
        SystemExit: it could not begin: the tests fail without any change, say.
    """
    LOG.parent.mkdir(exist_ok=True)
    command = [MUTMUT, "run", "--max-children", str(children), *names]
    with _environment() as environment, LOG.open("w") as log:
        # A group of its own: the processes in which mutants run end with it.
        running = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = _wait(running, limit_s)
        finally:
            end_group(running)
    if code:
        raise SystemExit(f"error: mutmut ended with {code}, see {LOG}")


def _wait(running: subprocess.Popen[bytes], limit_s: float) -> int | None:
    """Print how far it is until it ends; return its exit code, None when the time is over first."""
    until = time.monotonic() + limit_s
    while (left_s := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return running.wait(min(PROGRESS_EVERY_S, left_s))
        print(progress(LOG.read_text(errors="replace")), flush=True)
    return None


def end_group(running: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutation", description="Change the code and see that tests notice.")
    parser.add_argument("names", nargs="*", help="patterns of mutants' names: 'services.usage.ingest.*'; none: all")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so long, and report what is known")
    parser.add_argument("--children", type=int, default=2, help="mutants that are tried at once: one a core")
    return parser.parse_args(words)


def _results() -> str:
    """Return what mutmut knows of each mutant; nothing before the first run."""
    if not LOG.parent.exists():
        return ""
    listed = [MUTMUT, "results", "--all", "true"]
    return subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def main(words: list[str]) -> int:
    """Print the survivors and the rate; return the process's exit code: 2 when some mutants were not tried yet."""
    asked = _arguments(words)
    started = time.monotonic()
    # mutmut tries again whatever is named, but goes on where it stopped when nothing is: so name what has no verdict.
    names = asked.names and (untried(_results(), asked.names) or asked.names)
    _run(names, children=asked.children, limit_s=asked.minutes * 60)
    results = _results()
    print(f"{report(verdicts(results, asked.names))}\n{time.monotonic() - started:.0f} s")
    if left := untried(results, asked.names):
        print(f"{len(left)} mutants were not tried yet: the same command goes on with them")
        return 2
    return 0 if kill_rate(verdicts(results, asked.names)) >= LEAST_RATE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
