"""Where the demo moves to: named databases, the running local suite, or a PostgreSQL of its own for the time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tools.stack.home import home_of
from tools.stack.supervision.supervisor import Supervisor
from tools.testing.databases import Databases
from tools.testing.throwaway import session_folder, throwaway_postgres

NAMED: Final = ("AUTH_POSTGRES_DSN", "USAGE_POSTGRES_DSN")


@contextmanager
def target(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what the target is, in words, and the environment for the commands."""
    if all(environment.get(name) for name in NAMED):
        yield "the databases that AUTH_POSTGRES_DSN and USAGE_POSTGRES_DSN name", dict(environment)
    elif Supervisor(home_of(environment)).is_running():
        yield "the running local suite", dict(environment)
    else:
        with session_folder() as folder, throwaway_postgres(folder) as admin:
            databases = Databases(admin)
            dsns = {name: databases.create(name.split("_", 1)[0].lower()) for name in NAMED}
            said = "a PostgreSQL of its own, which is gone afterwards (make up before this: the local suite)"
            yield said, {**environment, **dsns, "RAZVILKA_SCRATCH_DSN": admin}
