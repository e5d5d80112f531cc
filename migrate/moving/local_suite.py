"""Where the local suite is, asked in a process of its own: what its tools load stays there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

from tools.servers.errors import ServerError

# Whose databases rows go to.
SERVICES: Final = ("auth", "usage")


@dataclass(frozen=True, slots=True)
class LocalSuite:
    """A suite that was brought up on this machine.

    Attributes:
        dsns: of the services' databases, by the variable that names each.
        admin_dsn: the superuser's, of the server's first database.
        auth: host:port of auth, and the folder of the operator's certificate.
    """

    dsns: dict[str, str] = field(repr=False)
    admin_dsn: str = field(repr=False)
    auth: tuple[str, str]


def local_suite(environment: Mapping[str, str]) -> LocalSuite:
    """Return the suite of somebody with this environment; it is asked for once, however often a command needs it.

    Raises:
        ServerError: there is no local suite.
    """
    return _asked(tuple(sorted(environment.items())))


@lru_cache(maxsize=1)
def _asked(environment: tuple[tuple[str, str], ...]) -> LocalSuite:
    if find_spec("tools.stack") is None:
        raise ServerError("No databases of 1.1 are named: set AUTH_POSTGRES_DSN and USAGE_POSTGRES_DSN.")
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as executor:
        return executor.submit(_described, dict(environment)).result()


def _described(environment: dict[str, str]) -> LocalSuite:
    # Loading these costs more memory than moving all rows, and more time than moving a few.
    from tools.stack.home import home_of
    from tools.stack.up import describe_as_it_is

    home = home_of(environment)
    stack = describe_as_it_is(home, environment)
    variables = {service: f"{service.upper()}_POSTGRES_DSN" for service in SERVICES}
    dsns = {variable: stack.environments.of(service)[variable] for service, variable in variables.items()}
    return LocalSuite(dsns, stack.admin_dsn("postgres"), (stack.auth.target, str(stack.auth.tls_dir)))
