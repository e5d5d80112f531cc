"""Where the databases of the local suite are, asked in a process of its own: what its tools load stays there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from typing import TypeVar

from tools.servers.errors import ServerError

T = TypeVar("T")


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


def auth_of_local_suite(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return where auth of the local suite answers, and the folder of the operator's certificate.

    Raises:
        ServerError: there is no local suite.
    """
    return _asked(_auth_of, dict(environment))


def _asked(question: Callable[..., T], *arguments: object) -> T:
    if find_spec("tools.stack") is None:
        raise ServerError("No databases of 1.1 are named: set AUTH_POSTGRES_DSN and USAGE_POSTGRES_DSN.")
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


def _auth_of(environment: Mapping[str, str]) -> tuple[str, str]:
    from tools.stack.home import home_of
    from tools.stack.up import describe_as_it_is

    home = home_of(environment)
    port = describe_as_it_is(home, environment).ports["AUTH_GRPC_PORT"]
    return f"127.0.0.1:{port}", str(home.tls / "operator")
