"""1.1's names of providers and models by those of 1.0: what the router's catalogue knows as ids and aliases."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from migrate.fates.requests import Names
from services.router.catalog.document import ChannelEntry, ModelEntry
from services.router.catalog.files import CatalogFiles


@cache
def names_of(directory: Path | None = None) -> Names:
    """Return the names; `directory` is of catalogue files, None: the shipped ones.

    Raises:
        CatalogError: a file cannot be read.
    """
    documents = CatalogFiles(directory, None).read().documents
    models: dict[str, str] = {}
    for document in documents:
        entries: tuple[ModelEntry | ChannelEntry, ...] = (*document.models, *document.channels)
        for entry in entries:
            for name in (entry.id, *entry.aliases):
                models.setdefault(name.lower(), entry.id)
    return Names({document.provider.lower(): document.provider for document in documents}, models)
