"""The SQL of a service, found in its constants, so that one test can prepare all of it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Final

import asyncpg

_SQL: Final = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\s")
# A name in braces is filled in by `servicekit.postgres.sql`, or is a parameter of ClickHouse.
_UNFILLED: Final = re.compile(r"\{\w+(?::\w+.*?)?\}")


def statements_of(service: ModuleType) -> dict[str, str]:
    """Return the statements in UPPER_CASE constants of modules and classes; templates with names in braces are none."""
    found: dict[str, str] = {}
    for module in _modules(service):
        holders: list[ModuleType | type] = [module]
        holders += [
            each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__
        ]
        for holder in holders:
            for name, value in vars(holder).items():
                if name.isupper() and isinstance(value, str) and _SQL.match(value) and not _UNFILLED.search(value):
                    found[f"{module.__name__}.{holder.__name__}.{name}"] = value
    return found


async def unprepared(pool: asyncpg.Pool[asyncpg.Record], service: ModuleType) -> dict[str, str]:
    """Return what PostgreSQL says of the statements that do not fit the schema, or the rights of the role."""
    faults: dict[str, str] = {}
    async with pool.acquire() as connection:
        for name, statement in statements_of(service).items():
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as exc:
                faults[name] = str(exc)
    return faults


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not {"tests", "__main__"} & set(info.name.split(".")):
            yield importlib.import_module(info.name)
