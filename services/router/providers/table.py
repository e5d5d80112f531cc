"""All providers: the built-in ones and the configured upstreams, kept in step with the catalogue."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog
from pydantic import SecretStr

from servicekit.clock import Clock
from servicekit.configuration.environment import BadEnvironment, read_variable
from services.router.catalog.document import UpstreamEntry
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider, Upstream
from services.router.providers.pooled import PooledProvider
from services.router.providers.provider import Provider
from services.router.providers.registry import ProviderSettings, secrets_of
from services.router.providers.transport.http import HttpClient
from services.router.slots.lines import SlotLines
from services.router.slots.quota import Quota

log = structlog.get_logger()


def tool_call_ids(configured: SecretStr, settings: ProviderSettings) -> ToolCallIds:
    """Return the ids of tool calls; their key is configured, or follows from credentials that all replicas share."""
    return ToolCallIds(_shared_key(b"razvilka tool call ids", configured, settings))


def file_ids(configured: SecretStr, settings: ProviderSettings) -> FileIds:
    """Return the ids of files, under a key as that of `tool_call_ids`."""
    return FileIds(_shared_key(b"razvilka file ids", configured, settings))


def sealing_key(configured: SecretStr, settings: ProviderSettings) -> bytes:
    """Return what contents are sealed by at rest, as that of `tool_call_ids`."""
    return _shared_key(b"razvilka contents at rest", configured, settings)


def _shared_key(purpose: bytes, configured: SecretStr, settings: ProviderSettings) -> bytes:
    secret = configured.get_secret_value().encode() or b"\0".join(secrets_of(settings))
    if not secret:
        # A key that anyone could work out would be worse than one that no other replica knows.
        log.warning("router.ids_of_this_process_only", remedy="set ROUTER_TOOL_CALL_KEY, the same on every replica")
        secret = secrets.token_bytes(32)
    return hashlib.sha256(purpose + b"\0" + secret).digest()


class ProviderTable:
    """The providers that requests use; a call keeps its provider until it ends.

    Args:
        on_pool: hears of each built-in provider, also of a renewed one, which credentials it has; none: one only.
    """

    def __init__(
        self,
        built_in: Mapping[str, Provider],
        http: HttpClient,
        ids: ToolCallIds,
        clock: Clock,
        lines: SlotLines,
        on_pool: Callable[[str, Sequence[str]], None] = lambda *_: None,
    ) -> None:
        self.providers: dict[str, Provider] = {}
        self._on_pool = on_pool
        for provider in built_in.values():
            self.replace(provider)
        self.upstreams: Sequence[UpstreamEntry] = ()
        self._built_in = frozenset(built_in)
        self._made_of: dict[str, Upstream] = {}
        self._ids = ids
        self._http = http
        self._clock = clock
        self._lines = lines

    def take_over(self, upstreams: Sequence[UpstreamEntry]) -> None:
        """Make the table hold exactly these upstreams beside the built-in providers."""
        if upstreams == self.upstreams:
            return
        before = set(map(_whose_key, self.upstreams))
        self.upstreams = upstreams
        wanted = {entry.name: entry for entry in upstreams if entry.name not in self._built_in}
        for name in set(self.providers) - self._built_in - set(wanted):
            del self.providers[name]
            self._made_of.pop(name, None)
        for entry in wanted.values():
            # Its key is kept while the file of it is being written, though another entry has changed meanwhile.
            last_key = self._made_of[entry.name].api_key if _whose_key(entry) in before else ""
            self._put(_readable_upstream(entry, last_key))
        log.info("router.upstreams", names=sorted(wanted))

    def replace(self, provider: Provider) -> None:
        """Put a built-in provider into the place of the one before; calls under way end with that."""
        self._on_pool(provider.name, provider.credentials if isinstance(provider, PooledProvider) else ())
        self.providers[provider.name] = provider

    def renew_upstream(self, upstream: Upstream) -> bool:
        """Put an upstream with a new key into the place of the one before; return whether it has one.

        Raises:
            BadEnvironment: there is no key any more, as while somebody is writing it.
        """
        before = self._made_of.get(upstream.name)
        # One whose entry was changed or taken out while its key was being read is not brought back.
        if before is None or upstream == before or replace(upstream, api_key=before.api_key) != before:
            return False
        if before.api_key and not upstream.api_key:
            raise BadEnvironment(["the key's file is empty"])
        self._put(upstream)
        return True

    def _put(self, upstream: Upstream) -> None:
        self._made_of[upstream.name] = upstream
        line = self._lines.line(upstream.name, Quota({"key": upstream.concurrency}))
        self.providers[upstream.name] = OpenAICompatibleProvider(upstream, self._http, self._ids, self._clock, line)


def upstream_of(entry: UpstreamEntry, environment: Mapping[str, str] = os.environ) -> Upstream:
    """Return an upstream with the key that the environment, or a file it names, has now.

    Raises:
        BadEnvironment: the key's file cannot be read.
    """
    # The catalogue names the variable that holds the key, so that the catalogue itself holds no secret.
    name = entry.api_key_env
    return _upstream(entry, read_variable(environment, name).strip() if name else "")


def _whose_key(entry: UpstreamEntry) -> tuple[str, str, str]:
    return entry.name, entry.base_url, entry.api_key_env


def _upstream(entry: UpstreamEntry, key: str) -> Upstream:
    return Upstream(
        entry.name,
        entry.base_url,
        key,
        needs_key=bool(entry.api_key_env),
        stream_usage=entry.stream_usage,
        concurrency=entry.concurrency,
        max_tokens_parameter=entry.max_tokens_parameter,
        reasoning_parameter=entry.reasoning_parameter,
        tool_call_id_length=entry.tool_call_id_length,
    )


def _readable_upstream(entry: UpstreamEntry, last_key: str) -> Upstream:
    """Return an upstream with its key, with the last good one if it has none now."""
    try:
        upstream = upstream_of(entry)
    except BadEnvironment as exc:
        log.warning("router.upstream_key_unreadable", problem=str(exc))
        upstream = _upstream(entry, "")
    if not upstream.api_key:
        upstream = replace(upstream, api_key=last_key)
    if upstream.needs_key and not upstream.api_key:
        log.warning("router.upstream_without_key", upstream=entry.name, variable=entry.api_key_env)
    return upstream
