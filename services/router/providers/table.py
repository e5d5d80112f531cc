"""Which providers there are: the two built in, and the configured upstreams; kept in step with the catalogue."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence

import structlog
from pydantic import SecretStr

from servicekit.clock import Clock
from servicekit.configuration.environment import BadEnvironment, read_environment
from services.router.catalog.document import UpstreamEntry
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider, Upstream
from services.router.providers.provider import Provider
from services.router.providers.registry import ProviderSettings, secrets_of
from services.router.providers.transport.http import HttpClient

log = structlog.get_logger()


def tool_call_ids(configured: SecretStr, settings: ProviderSettings) -> ToolCallIds:
    """Return the ids of tool calls; their key is configured, or follows from credentials that all replicas share."""
    return ToolCallIds(_shared_key(b"razvilka tool call ids", configured, settings))


def file_ids(configured: SecretStr, settings: ProviderSettings) -> FileIds:
    """Return the ids of files, under a key as that of `tool_call_ids`."""
    return FileIds(_shared_key(b"razvilka file ids", configured, settings))


def _shared_key(purpose: bytes, configured: SecretStr, settings: ProviderSettings) -> bytes:
    secret = configured.get_secret_value().encode() or b"\0".join(secrets_of(settings))
    if not secret:
        # A key that anyone could work out would be worse than one that no other replica knows.
        log.warning("router.ids_of_this_process_only", remedy="set ROUTER_TOOL_CALL_KEY, the same on every replica")
        secret = secrets.token_bytes(32)
    return hashlib.sha256(purpose + b"\0" + secret).digest()


class ProviderTable:
    """Adds the upstreams of a (changed) file to the table that requests look into."""

    def __init__(self, built_in: Mapping[str, Provider], http: HttpClient, ids: ToolCallIds, clock: Clock) -> None:
        self.providers: dict[str, Provider] = dict(built_in)
        self._built_in = frozenset(built_in)
        self._ids = ids
        self._http = http
        self._clock = clock
        self._known: Sequence[UpstreamEntry] = ()

    def take_over(self, upstreams: Sequence[UpstreamEntry]) -> None:
        """Make the table hold exactly these upstreams beside the built-in providers."""
        if upstreams == self._known:
            return
        self._known = upstreams
        wanted = {entry.name: entry for entry in upstreams if entry.name not in self._built_in}
        for name in set(self.providers) - self._built_in - set(wanted):
            del self.providers[name]
        for name, entry in wanted.items():
            self.providers[name] = OpenAICompatibleProvider(_upstream(entry), self._http, self._ids, self._clock)
        log.info("router.upstreams", names=sorted(wanted))


def _upstream(entry: UpstreamEntry) -> Upstream:
    # The file names the variable that holds the key, so that the file itself holds no secret.
    key = _key(entry.api_key_env).strip() if entry.api_key_env else ""
    if entry.api_key_env and not key:
        log.warning("router.upstream_without_key", upstream=entry.name, variable=entry.api_key_env)
    return Upstream(entry.name, entry.base_url, key, bool(entry.api_key_env), entry.stream_usage)


def _key(variable: str) -> str:
    try:
        return read_environment(os.environ, variable, frozenset({variable})).get(variable, "")
    except BadEnvironment as exc:
        log.warning("router.upstream_key_unreadable", problem=str(exc))
        return ""
