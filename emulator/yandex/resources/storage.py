"""The object storage behind the services: bytes at addresses that need no key, each good for one thing."""

import hashlib
from typing import Final

from emulator.core import Call
from emulator.kept import Kept
from emulator.wire.replies import Reply
from emulator.yandex.surface import YandexSurface

MOST_BYTES: Final = 256 * 1024 * 1024
_PATH: Final = "/storage/"
_XML: Final = b"application/xml"


class Storage:
    """Adds the addresses to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface = surface
        self._objects: Kept[bytes] = Kept()
        self._awaited: Kept[str] = Kept()
        surface.prefixes += [(f"PUT {_PATH}", "storage", self.write), (f"GET {_PATH}", "storage", self.read)]

    def put(self, key: str, data: bytes) -> str:
        """Keep bytes; return the address to read them at. The oldest make room."""
        self._objects.put(key, data)
        sizes = {name: len(self._objects.get(name) or b"") for name in self._objects.names()}
        total = sum(sizes.values())
        for name, size in sizes.items():
            if total <= MOST_BYTES or name == key:
                break
            self._objects.drop(name)
            total -= size
        return self.address(key)

    def get(self, key: str) -> bytes | None:
        """Return the bytes, None when there are none."""
        return self._objects.get(key)

    def drop(self, key: str) -> None:
        """Forget bytes."""
        self._objects.drop(key)

    def address(self, key: str) -> str:
        """Return where bytes are read."""
        return f"{self._surface.address}{_PATH}{key}"

    def upload_address(self, key: str) -> str:
        """Return where bytes may be written, once."""
        self._awaited.put(key, key)
        return self.address(key)

    async def write(self, call: Call) -> Reply:
        """`PUT`: the answer has an ETag and nothing in it."""
        key = call.received.path.removeprefix(_PATH)
        if self._awaited.drop(key) is None:
            return _error(403, "SignatureDoesNotMatch")
        self.put(key, call.received.body)
        return Reply([b""], headers=b'etag: "%b"\r\n' % etag(call.received.body).encode(), fault=call.fault)

    async def read(self, call: Call) -> Reply:
        """`GET`: the bytes."""
        data = self._objects.get(call.received.path.removeprefix(_PATH))
        return _error(404, "NoSuchKey") if data is None else Reply([data], content_type=b"application/octet-stream")


def etag(data: bytes) -> str:
    """Return the mark of bytes, as S3 makes it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _error(status: int, code: str) -> Reply:
    return Reply([f"<Error><Code>{code}</Code></Error>".encode()], status, _XML)
