"""Reading the catalogue's files, and noticing when one of them changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from services.router.catalog.build import CatalogError
from services.router.catalog.document import (
    ExtraDocument,
    ExtraModel,
    ProviderDocument,
    UpstreamEntry,
    UpstreamsDocument,
)
from services.router.yaml_files import UNREADABLE, read_yaml

SHIPPED = Path(__file__).parent
D = TypeVar("D", bound=BaseModel)
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Files:
    """The parsed files."""

    documents: Sequence[ProviderDocument]
    upstreams: Sequence[UpstreamEntry]


class CatalogFiles:
    """The directory of catalogue files, the file of upstreams and that of further models.

    Methods block; call them in a thread.
    """

    def __init__(self, directory: Path | None, upstreams_file: Path | None, extra_file: Path | None = None) -> None:
        self._directory = directory or SHIPPED
        self._upstreams_file = upstreams_file
        self._extra_file = extra_file

    def stamp(self) -> Stamp:
        """Return what changes when a file is written, added or removed."""
        found = []
        for path in self._paths():
            try:
                stat = path.stat()
            except OSError:
                # Not there, or not to be seen just now: to read it says what is wrong with it.
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    def read(self) -> Files:
        """Return the checked contents.

        Raises:
            CatalogError: a file cannot be read, or has a field that is wrong; one line for each.
        """
        documents = [_read(path, ProviderDocument) for path in sorted(self._directory.glob("*.yaml"))]
        if not documents:
            raise CatalogError(f"{self._directory}: no catalogue files")
        if self._extra_file:
            documents = _extended(documents, _read(self._extra_file, ExtraDocument).models, self._extra_file)
        upstreams = _read(self._upstreams_file, UpstreamsDocument).upstreams if self._upstreams_file else ()
        return Files(documents, upstreams)

    def _paths(self) -> list[Path]:
        single = [path for path in (self._upstreams_file, self._extra_file) if path]
        return sorted(self._directory.glob("*.yaml")) + single


def _extended(
    documents: Sequence[ProviderDocument], models: Sequence[ExtraModel], file: Path
) -> list[ProviderDocument]:
    """Return the documents with the further models behind their own."""
    known = {document.provider: document for document in documents}
    for at, model in enumerate(models):
        document = known.get(model.provider)
        if document is None:
            raise CatalogError(f"{file}: models.{at}.provider: {model.provider!r} is none of {', '.join(known)}")
        if model.id.lower() in {entry.id.lower() for entry in document.models}:
            raise CatalogError(f"{file}: models.{at}.id: {model.id!r} is in the catalogue already")
        entry = model.model_copy(update={"uri": model.uri or model.id})
        known[model.provider] = document.model_copy(update={"models": (*document.models, entry)})
    return list(known.values())


def _read(path: Path, shape: type[D]) -> D:
    try:
        said = read_yaml(path)
    except UNREADABLE as exc:
        raise CatalogError(f"{path}: cannot be read: {exc}") from exc
    try:
        return shape.model_validate(said)
    except ValidationError as exc:
        lines = [f"{path}: {'.'.join(map(str, error['loc'])) or 'file'}: {error['msg']}" for error in exc.errors()]
        raise CatalogError("\n".join(lines)) from exc
