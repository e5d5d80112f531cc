"""Yandex's search indexes: made of files in the background, given more files, changed, deleted."""

from typing import Any, Final

from emulator.kept import Kept
from emulator.yandex.assistants.files import FileService
from emulator.yandex.operations import OperationsSurface, packed
from emulator.yandex.resources.collection import Resources, paged
from emulator.yandex.resources.service import ACCOUNT, Asked, Service
from emulator.yandex.surface import YandexSurface, timestamp

_PACKAGE: Final = "yandex.cloud.ai.assistants.v1.searchindex"
_INDEXES: Final = "/assistants/v1/searchIndex"
_FILES: Final = "/assistants/v1/searchIndexFile"
MOST_FILES: Final = 10_000
_KINDS: Final = ("textSearchIndex", "vectorSearchIndex", "hybridSearchIndex")
# How an index cuts its files unless the request says otherwise.
_CHUNKS: Final = {"staticStrategy": {"maxChunkSizeTokens": "800", "chunkOverlapTokens": "400"}}
_OF_A_HYBRID: Final = {
    "normalizationStrategy": "MIN_MAX",
    "combinationStrategy": {"meanCombination": {"meanEvaluationTechnique": "ARITHMETIC"}},
}


class SearchIndexService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface, files: FileService, operations: OperationsSurface) -> None:
        """Register them."""
        self._surface, self._files, self._operations = surface, files, operations
        self._indexes = Resources(surface.core, "Search index", "fvt", expires=True)
        # The files of each index, by its id.
        self._indexed: Kept[dict[str, dict[str, Any]]] = Kept()
        service = Service(surface, "search_indexes")
        service.add(f"POST {_INDEXES}", self.create)
        service.add(f"GET {_INDEXES}", self.list_all)
        service.add(f"GET {_INDEXES}/", self.read, "searchIndexId")
        service.add(f"PATCH {_INDEXES}/", self.update, "searchIndexId")
        service.add(f"DELETE {_INDEXES}/", self.delete, "searchIndexId")
        service.add(f"POST {_FILES}:batchCreate", self.add_files)
        service.add(f"GET {_FILES}/", self.read_files, "searchIndexId", "fileId")

    def create(self, asked: Asked) -> dict[str, Any]:
        """Begin to make an index; it is there when the operation is done."""
        self._check_files(asked)
        kind = next((name for name in _KINDS if name in asked.fields), "textSearchIndex")
        defaults = {"chunkingStrategy": _CHUNKS} | (_OF_A_HYBRID if kind == "hybridSearchIndex" else {})
        index_type = defaults | asked.fields.get(kind, {})

        def finish() -> dict[str, Any]:
            index = self._indexes.create(asked, **{kind: index_type})
            self._index(asked, index["id"])
            return packed(f"{_PACKAGE}.SearchIndex", index)

        operation = self._operations.begin("Create search index", finish)
        return self._operations.told(operation, begun=True)

    def read(self, asked: Asked) -> dict[str, Any]:
        """Return one."""
        return self._indexes.named(asked, asked.text("searchIndexId"))

    def list_all(self, asked: Asked) -> dict[str, Any]:
        """Return a page of them."""
        found, token = self._indexes.page(asked)
        return {"indices": found, "nextPageToken": token}

    def update(self, asked: Asked) -> dict[str, Any]:
        """Change what the mask names."""
        return self._indexes.update(asked, asked.text("searchIndexId"))

    def delete(self, asked: Asked) -> dict[str, Any]:
        """Forget the index; its files stay."""
        self._indexed.drop(self._indexes.delete(asked, asked.text("searchIndexId"))["id"])
        return {}

    def add_files(self, asked: Asked) -> dict[str, Any]:
        """Begin to add files."""
        index = self._indexes.named(asked, asked.text("searchIndexId"))
        self._check_files(asked)

        def finish() -> dict[str, Any]:
            kind = f"{_PACKAGE}.BatchCreateSearchIndexFileResponse"
            return packed(kind, {"files": self._index(asked, index["id"])})

        operation = self._operations.begin("Add files to search index", finish)
        return self._operations.told(operation, begun=True)

    def read_files(self, asked: Asked) -> dict[str, Any]:
        """Return one file of an index, or a page of them."""
        index = self._indexes.named(asked, asked.text("searchIndexId"))
        files = self._indexed.get(index["id"]) or {}
        if not asked.text("fileId"):
            found, token = paged(asked, list(files.values()))
            return {"files": found, "nextPageToken": token}
        if asked.text("fileId") not in files:
            raise asked.refuse(404, f"Search index file {asked.text('fileId')} not found")
        return files[asked.text("fileId")]

    def _check_files(self, asked: Asked) -> None:
        asked.needs("fileIds")
        if len(asked.fields["fileIds"]) > MOST_FILES:
            raise asked.refuse(400, f"number of files must be no more than {MOST_FILES}")
        for file_id in asked.fields["fileIds"]:
            self._files.files.named(asked, file_id)

    def _index(self, asked: Asked, index_id: str) -> list[dict[str, Any]]:
        now = timestamp(self._surface.core.now())
        added = {
            file_id: {"id": file_id, "searchIndexId": index_id, "createdBy": ACCOUNT, "createdAt": now}
            for file_id in asked.fields["fileIds"]
        }
        self._indexed.put(index_id, (self._indexed.get(index_id) or {}) | added)
        return list(added.values())
