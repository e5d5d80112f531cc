"""GigaChat's file store: upload, list, read, delete."""

import re
from dataclasses import dataclass
from typing import Any, Final

from emulator.core import Call
from emulator.gigachat.surface import GigaChatSurface
from emulator.kept import Kept
from emulator.toy_model import tokenizer
from emulator.wire.replies import Reply

MEGABYTE: Final = 1024 * 1024
LARGEST: Final = {"audio": 35 * MEGABYTE, "image": 15 * MEGABYTE, "text": 40 * MEGABYTE}
# What it takes, as its documentation calls it.
TAKEN: Final = frozenset(
    (
        *("text/plain", "application/msword", "application/pdf", "application/epub", "application/ppt"),
        *("application/pptx", "application/vnd.ms-excel"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        *("image/jpeg", "image/png", "image/tiff", "image/bmp"),
        *("audio/mp4", "audio/mp3", "audio/x-m4a", "audio/x-wav", "audio/wave", "audio/wav", "audio/x-pn-wav"),
        *("audio/webm", "audio/x-ogg", "audio/opus"),
    )
)
# What the model draws: the beginning and the end of a JPEG, and nothing in between.
PICTURE: Final = b"\xff\xd8\xff\xe0" + b"a map with a camp" + b"\xff\xd9"
WINDOW: Final = 131_072


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    id: str
    owner: str  # the key's: nobody else sees it
    name: str
    content_type: str
    purpose: str
    data: bytes
    created_at: int

    def described(self) -> dict[str, Any]:
        """Return what the API says about it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": self.purpose,
            "access_policy": "private",
        }


class FileRoutes:
    """Adds `/files` to the API listener."""

    def __init__(self, surface: GigaChatSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        self._files: Kept[StoredFile] = Kept()
        for version in ("/v1", "/v2"):
            surface.add("POST", f"{version}/files", "files", self.upload)
            surface.add("GET", f"{version}/files", "files", self.list)
            for prefix in (version, f"/api{version}"):
                surface.prefixes.append((f"GET {prefix}/files/", "files", self.read))
                surface.prefixes.append((f"POST {prefix}/files/", "files", self.delete))
        surface.knows_file = lambda file_id, owner: self.find(file_id, owner) is not None
        surface.draw = self.draw

    async def upload(self, call: Call) -> Reply:
        """`POST /files`, multipart: `file` and `purpose=general`."""
        owner = self._surface.begin(call)
        parts = _form_parts(call.received.header("content-type") or "", call.received.body)
        if "file" not in parts or parts.get("purpose", ("", "", b""))[2] != b"general":
            raise self._surface.refuse(call, 400, "file and purpose=general are required")
        name, content_type, data = parts["file"]
        if content_type.partition(";")[0].strip().lower() not in TAKEN:
            raise self._surface.refuse(call, 400, f"Unsupported file type: {content_type}")
        kind = content_type.split("/", 1)[0]
        if len(data) > LARGEST.get(kind, 40 * MEGABYTE):
            raise self._surface.refuse(call, 413)
        if kind == "text" and tokenizer.count(data.decode("utf-8", "replace")) > WINDOW:
            raise self._surface.refuse(call, 422, "file is longer than the window of the model")
        return self._surface.reply(call, self.keep(owner, name, content_type, data).described())

    def keep(self, owner: str, name: str, content_type: str, data: bytes) -> StoredFile:
        """Store a file of a key; the oldest makes room."""
        stored = StoredFile(self._core.new_id(), owner, name, content_type, "general", data, int(self._core.now()))
        return self._files.put(stored.id, stored)

    def find(self, file_id: str, owner: str) -> StoredFile | None:
        """Return a file of a key, None when it has no such one."""
        stored = self._files.get(file_id)
        return stored if stored is not None and stored.owner == owner else None

    def name_of(self, file_id: str) -> str:
        """Return the name of a file; one that was deleted has none."""
        stored = self._files.get(file_id)
        return "" if stored is None else stored.name

    def draw(self, owner: str) -> str:
        """Keep the picture that the model made for a key; return its id."""
        return self.keep(owner, "generated.jpg", "image/jpeg", PICTURE).id

    async def list(self, call: Call) -> Reply:
        """`GET /files`."""
        owner = self._surface.begin(call)
        own = [stored.described() for stored in self._files if stored.owner == owner]
        return self._surface.reply(call, {"data": own})

    async def read(self, call: Call) -> Reply:
        """`GET /files/{id}` and `GET /files/{id}/content`."""
        owner = self._surface.begin(call)
        file_id, _, rest = call.received.path.partition("/files/")[2].partition("/")
        stored = self.find(file_id, owner)
        if stored is None:
            raise self._surface.refuse(call, 404, "No such file")
        if rest == "content":
            return Reply([stored.data], 200, stored.content_type.encode(), self._surface.headers(call))
        return self._surface.reply(call, stored.described())

    async def delete(self, call: Call) -> Reply:
        """`POST /files/{id}/delete`."""
        owner = self._surface.begin(call)
        file_id = call.received.path.partition("/files/")[2].partition("/")[0]
        if self.find(file_id, owner) is None or self._files.drop(file_id) is None:
            raise self._surface.refuse(call, 404, "No such file")
        return self._surface.reply(call, {"id": file_id, "deleted": True})


def _form_parts(content_type: str, body: bytes) -> dict[str, tuple[str, str, bytes]]:
    """Return multipart fields: name -> (file name, content type, bytes)."""
    boundary = _parameter(content_type, "boundary")
    found: dict[str, tuple[str, str, bytes]] = {}
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = {name.strip().lower(): value.strip() for name, _, value in map(_header, head.split(b"\r\n"))}
        disposition = lines.get("content-disposition", "")
        kind = lines.get("content-type", "text/plain")
        found[_parameter(disposition, "name")] = (_parameter(disposition, "filename"), kind, data.removesuffix(b"\r\n"))
    return found


def _header(line: bytes) -> tuple[str, str, str]:
    return line.decode("utf-8", "replace").partition(":")


def _parameter(header: str, name: str) -> str:
    """Return `name=value` or `name="value"` of a header."""
    match = re.search(rf'(?:^|[;\s]){name}="?([^";]*)"?', header)
    return match.group(1) if match else ""
