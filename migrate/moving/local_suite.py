"""Where the databases of the local suite are, asked in a process of its own: what its tools load stays there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor


def dsn_of_local_suite(service: str, variable: str, environment: Mapping[str, str]) -> str:
    """Return the DSN that a service of the local suite is told in a variable.

    Raises:
        ServerError: there is no local suite.
    """
    return _asked(_dsn_of, service, variable, dict(environment))


def admin_dsn_of_local_suite(database: str, environment: Mapping[str, str]) -> str:
    """Return the superuser's DSN of a database of the local suite.

    Raises:
        ServerError: there is no local suite.
    """
    return _asked(_admin_dsn_of, database, dict(environment))


def _asked(question: Callable[..., str], *arguments: object) -> str:
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as executor:
        return executor.submit(question, *arguments).result()


# Loading these costs more memory than moving all rows, and more time than moving a few.
def _dsn_of(service: str, variable: str, environment: Mapping[str, str]) -> str:
    from tools.stack.home import home_of
    from tools.stack.up import describe_as_it_is

    return describe_as_it_is(home_of(environment), environment).environments.of(service)[variable]


def _admin_dsn_of(database: str, environment: Mapping[str, str]) -> str:
    from tools.stack.home import home_of
    from tools.stack.up import describe_as_it_is

    return describe_as_it_is(home_of(environment), environment).admin_dsn(database)
