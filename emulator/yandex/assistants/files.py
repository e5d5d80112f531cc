"""Yandex's `/files/v1/files`: small files for search indexes."""

import base64
import binascii
import zlib
from typing import Any, Final

from emulator.yandex.resources.collection import Resources
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.resources.storage import Storage
from emulator.yandex.surface import YandexSurface

LARGEST: Final = 128 * 1024 * 1024
_FILES: Final = "/files/v1/files"
_BEGINNINGS: Final = {
    b"%PDF": "application/pdf",
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"PK\x03\x04": "application/zip",
}


class FileService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface, storage: Storage) -> None:
        """Register them."""
        self.files = Resources(surface.core, "File", "fvt", expires=True)
        self._storage = storage
        service = Service(surface, "files")
        service.add(f"POST {_FILES}", self.create)
        service.add(f"GET {_FILES}", self.list_all)
        service.add(f"GET {_FILES}:getUrl", self.url)
        service.add(f"GET {_FILES}/", self.read, "fileId")
        service.add(f"PATCH {_FILES}/", self.update, "fileId")
        service.add(f"DELETE {_FILES}/", self.delete, "fileId")

    def create(self, asked: Asked) -> dict[str, Any]:
        """Keep the bytes; a type that is not named is told from them."""
        try:
            content = base64.b64decode(asked.text("content"), validate=True)
        except binascii.Error:
            raise asked.refuse(400, "content: invalid base64") from None
        if not 0 < len(content) <= LARGEST:
            raise asked.refuse(400, f"content size must be in range [1, {LARGEST}]")
        found = self.files.create(asked, mimeType=asked.text("mimeType") or _type_of(content))
        self._storage.put(_key(found), content)
        return found

    def read(self, asked: Asked) -> dict[str, Any]:
        """Return one."""
        return self.files.named(asked, asked.text("fileId"))

    def list_all(self, asked: Asked) -> dict[str, Any]:
        """Return a page of them."""
        found, token = self.files.page(asked)
        return {"files": found, "nextPageToken": token}

    def update(self, asked: Asked) -> dict[str, Any]:
        """Change what the mask names."""
        return self.files.update(asked, asked.text("fileId"))

    def url(self, asked: Asked) -> dict[str, Any]:
        """Return where the bytes are."""
        return {"url": self._storage.address(_key(self.files.named(asked, asked.text("fileId"))))}

    def delete(self, asked: Asked) -> dict[str, Any]:
        """Forget the file and its bytes."""
        self._storage.drop(_key(self.files.delete(asked, asked.text("fileId"))))
        return {}


def _key(file: dict[str, Any]) -> str:
    """Return the key of the bytes: nobody should guess it from the id alone."""
    return f"files/{file['id']}-{zlib.crc32((file['id'] + file['createdAt']).encode()):08x}"


def _type_of(content: bytes) -> str:
    for beginning, kind in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    try:
        content.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"
