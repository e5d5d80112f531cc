"""`make migrate-fuzz`: random dirty databases of release 1.0 through the tool; each row of each is accounted for."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.migration.dirt.databases import OldDatabase, old_databases
from tests.migration.installation import Installation, installation
from tests.migration.random_move import move_and_judge
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres
from tools.testing.throwaway import session_folder

PROGRESS = 100


@contextmanager
def own_installation() -> Iterator[Installation]:
    """Yield databases on a PostgreSQL of its own, which ends with the program."""
    with session_folder() as folder, found_postgres(folder) as admin_dsn:
        databases = Databases(admin_dsn)
        dsns = {service: databases.create(service) for service in ("auth", "usage")}
        with installation(dsns, {service: databases.admin_dsn_of(dsn) for service, dsn in dsns.items()}) as made:
            yield made
        databases.drop_all()


class Fuzz:
    """Moves databases, and keeps the files of those with which something was wrong."""

    def __init__(self, target: Installation, kept: Path) -> None:
        self.kinds: Counter[str] = Counter()
        self.moved = 0
        self._target = target
        self._kept = kept

    def move(self, old: OldDatabase) -> None:
        """Move a database."""
        self.moved += 1
        problems = self._judged(old)
        new = [problem for problem in problems if problem.split(":")[0] not in self.kinds]
        self.kinds.update({problem.split(":")[0] for problem in problems})
        if new:
            path = self._kept / f"{self.moved}.db"
            old.make(path)
            print(f"{path} zone {old.zone}:", *new, sep="\n  ", flush=True)
        if self.moved % PROGRESS == 0:
            print(f"{self.moved} databases, faults {dict(self.kinds)}", flush=True)

    def _judged(self, old: OldDatabase) -> list[str]:
        try:
            return move_and_judge(old, self._target)
        except Exception as exc:  # whatever it is, the next database is moved
            self._target.auth.rollback()
            self._target.usage.rollback()
            place = traceback.extract_tb(exc.__traceback__)[-1]
            return [f"{type(exc).__name__} in {place.name}: {exc}"]


def given_databases(move: Callable[[OldDatabase], None], count: int, seed: int) -> None:
    """Call with so many random databases."""
    asked = hypothesis.given(old=old_databases())(move)
    settings = hypothesis.settings(
        max_examples=count,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
    )
    hypothesis.seed(seed)(settings(asked))()


def main() -> int:
    """Move databases; return 0 when nothing was wrong with any."""
    parser = argparse.ArgumentParser(prog="make migrate-fuzz", description=__doc__)
    parser.add_argument("--databases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    given = parser.parse_args()
    kept = Path(tempfile.mkdtemp(prefix="migrate-fuzz-"))
    print(f"seed {given.seed}", flush=True)
    with own_installation() as target:
        fuzz = Fuzz(target, kept)
        given_databases(lambda old: fuzz.move(old), given.databases, given.seed)
    print(f"{fuzz.moved} databases, faults {dict(fuzz.kinds)}")
    return 1 if fuzz.kinds else 0


if __name__ == "__main__":
    sys.exit(main())
