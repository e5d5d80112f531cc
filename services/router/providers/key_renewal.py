"""Reloads provider keys from their files every few seconds while the router serves.

Calls under way end with the key that they began with; the next one uses the new one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from pydantic import SecretStr

from servicekit.clock import Clock
from servicekit.configuration.environment import BadEnvironment, is_in_file, read_variable
from servicekit.settings import Part
from services.router.providers.access import Access
from services.router.providers.registry import BUILT_IN, BuiltIn, Dependencies, ProviderSettings
from services.router.providers.table import ProviderTable, upstream_of

log = structlog.get_logger()

G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class _Given:
    """One provider's settings, and the current contents of its files."""

    part: Part
    files: tuple[bytes, ...]


class KeyRenewal:
    """Watches the files of keys; if one becomes invalid, the last good key stays in use.

    Args:
        settings: of the providers, as the router began with them.
        needs: what providers are built of.
        table: what requests look into.
        environment: which files there are (`ROUTER_YANDEX_API_KEY_FILE`, RAZVILKA_SECRETS_DIR).
    """

    def __init__(
        self,
        settings: ProviderSettings,
        needs: Dependencies,
        table: ProviderTable,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._needs = needs
        self._table = table
        self._environment = environment
        self._given = {row.access.part: _with_files(getattr(settings, row.access.part)) for row in BUILT_IN}
        self._problems: dict[str, str] = {}

    async def watch(self, every_s: float, clock: Clock) -> None:
        """Look again and again."""
        while True:
            await clock.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Give every provider whose files have changed its new key."""
        for row in BUILT_IN:
            part, access = self._given[row.access.part].part, row.access
            await self._try(
                access.part, partial(_read, access, part, self._environment), partial(self._renew_built_in, row)
            )
        for entry in self._table.upstreams:
            await self._try(entry.name, partial(upstream_of, entry, self._environment), self._table.renew_upstream)

    async def _try(self, name: str, read: Callable[[], G], renew: Callable[[G], bool]) -> None:
        problem = ""
        try:
            # In a thread: the files may lie on a network.
            if renew(await asyncio.to_thread(read)):
                log.info("router.key_renewed", provider=name)
        # SystemExit is what a provider says, at the start too, of a file that is no key.
        except (BadEnvironment, OSError, SystemExit) as exc:
            problem = str(exc)
        if problem and self._problems.get(name) != problem:
            log.warning("router.key_refused", provider=name, problem=problem)
        self._problems[name] = problem

    def _renew_built_in(self, row: BuiltIn, given: _Given) -> bool:
        name = row.access.part
        if given == self._given[name]:
            return False
        self._table.replace(row.build(self._settings.model_copy(update={name: given.part}), self._needs))
        self._given[name] = given
        return True


def _read(access: Access, part: Part, environment: Mapping[str, str]) -> _Given:
    return _with_files(_with_secrets(access, part, environment))


def _with_secrets(access: Access, part: Part, environment: Mapping[str, str]) -> Part:
    """Return the settings with the secrets that their files hold now.

    Raises:
        BadEnvironment: a file cannot be read, or is empty, as while somebody is writing it.
    """
    found: dict[str, Any] = {}
    for setting, value in part:
        variable = access.router_variable(setting)
        if isinstance(value, SecretStr) and is_in_file(environment, variable):
            read = read_variable(environment, variable)
            if not read:
                raise BadEnvironment([f"{variable}: its file is empty"])
            found[setting] = SecretStr(read)
    return part.model_copy(update=found)


def _with_files(part: Part) -> _Given:
    return _Given(part, tuple(value.read_bytes() for _, value in part if isinstance(value, Path)))
