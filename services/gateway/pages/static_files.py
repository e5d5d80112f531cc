"""The files of the pages, under names that change with their content: browsers may keep them for ever."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from services.gateway.pages.compressing import pack

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/console/static/"
CACHE: Final = b"public, max-age=31536000, immutable"
# Of others, unchanged; each folder says version, licence and digests.
VENDORED: Final = Path(__file__).parent / "vendor"
_TYPES: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. `packed`: the same by gzip, made once; empty where that saves nothing. `tag` is of its content."""

    media_type: bytes
    body: bytes
    packed: bytes
    tag: bytes


def _load() -> tuple[dict[str, StaticFile], dict[str, str]]:
    files, urls = {}, {}
    vendored = (path for path in VENDORED.glob("*/*") if path.suffix in _TYPES)
    for path in sorted([*FOLDER.iterdir(), *vendored]):
        body = path.read_bytes()
        digest = sha256(body).hexdigest()[:12]
        name = f"{path.stem}.{digest}{path.suffix}"
        files[name] = StaticFile(_TYPES[path.suffix], body, pack(body), digest.encode())
        urls[path.name] = PREFIX + name
    return files, urls


FILES, URLS = _load()
