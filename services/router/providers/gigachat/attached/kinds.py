"""Media types that GigaChat takes, and its own names for them."""

from __future__ import annotations

from typing import Final

_JPEG: Final = ("image/jpeg", "jpg")
_IMAGES: Final = {
    "image/png": ("image/png", "png"),
    "image/jpeg": _JPEG,
    "image/jpg": _JPEG,
    "image/tiff": ("image/tiff", "tiff"),
    "image/bmp": ("image/bmp", "bmp"),
}
_SOUNDS: Final = {
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "mp4": "audio/mp4",
    "m4a": "audio/x-m4a",
    "weba": "audio/webm",
    "webm": "audio/webm",
    "ogg": "audio/x-ogg",
    "opus": "audio/opus",
}
_DOCUMENTS: Final = {
    "txt": "text/plain",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "epub": "application/epub",
    "ppt": "application/ppt",
    "pptx": "application/pptx",
    "xlsx": "application/vnd.ms-excel",
}
_ELSEWHERE: Final = {
    "application/epub+zip": "epub",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
# Text whatever it is called: these are what callers give notes and tables as.
_TEXTS: Final = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})
_UNKNOWN: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
IMAGES: Final = "PNG, JPEG, TIFF and BMP"
SOUNDS: Final = ", ".join(_SOUNDS)
DOCUMENTS: Final = ", ".join(_DOCUMENTS)


def image_kind(mime: str) -> tuple[str, str] | None:
    """Return the type and the extension of a picture; None: it takes none of these, as WebP and GIF."""
    return _IMAGES.get(mime.lower())


def sound_type(extension: str) -> str | None:
    """Return the type of sound in a format; None: it takes none of these."""
    return _SOUNDS.get(extension.lower())


def document_kind(mime: str, name: str) -> tuple[str, str] | None:
    """Return the type and the extension of a document, by its type or, where that says nothing, by its name.

    None: it takes none of these.
    """
    mime = mime.lower()
    extension = next((short for short, own in _DOCUMENTS.items() if own == mime), _ELSEWHERE.get(mime, ""))
    named = name.rpartition(".")[2].lower()
    if mime.startswith("text/") or mime in _TEXTS:
        extension = "txt"
    elif mime in _UNKNOWN and named in _DOCUMENTS:
        extension = named
    return (_DOCUMENTS[extension], extension) if extension else None
