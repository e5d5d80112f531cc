"""Where the databases of the local suite are, asked in a process of its own: what its tools load stays there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor


def dsn_of_local_suite(service: str, variable: str, environment: Mapping[str, str]) -> str:
    """Return the DSN that a service of the local suite is told in a variable.

    Raises:
        ServerError: there is no local suite.
    """
    with _apart() as executor:
        return executor.submit(_dsn_of, service, variable, dict(environment)).result()


def admin_dsn_of_local_suite(environment: Mapping[str, str]) -> str:
    """Return the DSN of the administrator of the local suite's PostgreSQL.

    Raises:
        ServerError: there is no local suite.
    """
    with _apart() as executor:
        return executor.submit(_admin_dsn, dict(environment)).result()


def _apart() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


# Loading what these import costs more memory than moving all rows.
def _dsn_of(service: str, variable: str, environment: Mapping[str, str]) -> str:
    from tools.stack.home import home_of
    from tools.stack.up import describe

    return describe(home_of(environment), environment).environments.of(service)[variable]


def _admin_dsn(environment: Mapping[str, str]) -> str:
    from tools.stack.home import home_of
    from tools.stack.up import describe

    return describe(home_of(environment), environment).admin_dsn("postgres")
