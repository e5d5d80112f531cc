"""The built-in providers, one row each: a new dialect is registered here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable
from uuid import UUID

from pydantic import BaseModel, SecretStr

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from servicekit.settings import Part
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.access import Access
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.settings import ACCESS as GIGACHAT
from services.router.providers.gigachat.settings import GigaChatSettings, gigachat_credentials
from services.router.providers.pooled import PooledFiles, PooledProvider
from services.router.providers.provider import DeferredCalls, FileStore, Provider
from services.router.providers.transport.access_token import TokenShare
from services.router.providers.transport.http import HttpClient
from services.router.providers.transport.web_images import WebImages
from services.router.providers.yandexgpt.provider import YandexGPTProvider, YandexLines
from services.router.providers.yandexgpt.settings import ACCESS as YANDEXGPT
from services.router.providers.yandexgpt.settings import YandexSettings, yandex_credentials
from services.router.slots.line import SlotLine
from services.router.slots.lines import SlotLines
from services.router.slots.quota import Quota

# The provider counts when a call arrives, we when it leaves: turns of two seconds may not meet in one of its own.
SECOND_S: Final = 1.1


class ProviderSettings(BaseModel):
    """The providers' part of the router's settings; each field is the `part` of a row."""

    yandex: YandexSettings = YandexSettings()
    """YandexGPT."""
    gigachat: GigaChatSettings = GigaChatSettings()
    """GigaChat."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What providers may be built from."""

    http: HttpClient
    ids: ToolCallIds
    share: TokenShare
    tasks: Background
    clock: Clock
    new_id: Callable[[], UUID]
    images: WebImages
    file_ids: FileIds
    lines: SlotLines
    deferred: DeferredCalls


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One provider: how it is configured, and how it is built."""

    access: Access
    build: Callable[[ProviderSettings, Dependencies], Provider]


@runtime_checkable
class KeepsFiles(Protocol):
    """A provider that stores files."""

    files: FileStore


def _yandexgpt(settings: ProviderSettings, needs: Dependencies) -> Provider:
    each = yandex_credentials(settings.yandex)
    generations = needs.lines.line("yandexgpt", Quota({name: one.concurrency for name, one in each.items()}))
    made = {}
    for number, (name, one) in enumerate(each.items(), 1):
        # Texts wait one by one, so each folder has a line of its own for them.
        line = "yandexgpt-embeddings" if number == 1 else f"yandexgpt-embeddings-{number}"
        embeddings = needs.lines.line(line, Quota({name: one.embeddings_per_s}, SECOND_S))
        line = "yandexgpt-deferred" if number == 1 else f"yandexgpt-deferred-{number}"
        deferred = needs.lines.line(line, Quota({name: one.deferred_per_s}, SECOND_S))
        lines = YandexLines(generations, embeddings, deferred)
        made[name] = YandexGPTProvider(one, needs.http, needs.ids, needs.clock, needs.deferred, lines)
    return made.popitem()[1] if len(made) == 1 else PooledProvider(made)


def _gigachat(settings: ProviderSettings, needs: Dependencies) -> Provider:
    each = gigachat_credentials(settings.gigachat)
    line = needs.lines.line("gigachat", Quota({name: one.most_at_once for name, one in each.items()}))
    made = {name: _gigachat_of(one, needs, line) for name, one in each.items()}
    return made.popitem()[1] if len(made) == 1 else PooledGigaChat(made)


def _gigachat_of(settings: GigaChatSettings, needs: Dependencies, line: SlotLine | None) -> GigaChatProvider:
    return GigaChatProvider(
        settings,
        needs.http,
        needs.ids,
        needs.share,
        needs.tasks,
        needs.clock,
        needs.new_id,
        needs.images,
        needs.file_ids,
        needs.deferred,
        line,
    )


class PooledGigaChat(PooledProvider[GigaChatProvider]):
    """GigaChat with several keys."""

    def __init__(self, members: Mapping[str, GigaChatProvider]) -> None:
        super().__init__(members)
        self.files = PooledFiles([member.files for member in members.values()])
        for member in members.values():
            member.files_of_all = self.files


BUILT_IN: Final = (BuiltIn(YANDEXGPT, _yandexgpt), BuiltIn(GIGACHAT, _gigachat))


def built_in_providers(settings: ProviderSettings, needs: Dependencies) -> dict[str, Provider]:
    """Return the providers by name."""
    made = [row.build(settings, needs) for row in BUILT_IN]
    return {provider.name: provider for provider in made}


def file_store(providers: Mapping[str, Provider]) -> FileStore:
    """Return where files lie: one built-in provider has some."""
    return next(provider.files for provider in providers.values() if isinstance(provider, KeepsFiles))


def secrets_of(settings: ProviderSettings) -> list[bytes]:
    """Return every secret that is configured for the providers: what replicas share and nobody else knows."""
    parts: list[Part] = [getattr(settings, row.access.part) for row in BUILT_IN]
    return [secret for part in parts for name, value in part if (secret := _secret(name, value))]


def _secret(name: str, value: object) -> bytes:
    """Return a secret that cannot be guessed; a password can, by whoever sees what was signed with it."""
    if isinstance(value, SecretStr) and "password" not in name:
        return value.get_secret_value().encode()
    # One that cannot be read stops its own provider.
    if isinstance(value, Path) and name.endswith("key_file") and value.is_file():
        return value.read_bytes()
    return b""
