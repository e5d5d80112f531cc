"""Vision's text recognition: every picture has a text that belongs to its bytes, laid out in lines."""

import base64
import struct
import zlib
from typing import Any, Final

from emulator.kept import Kept
from emulator.toy_model.text import passage
from emulator.yandex.operations import Operation, OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.surface import YandexSurface

LARGEST: Final = 10 * 1024 * 1024
LINE_HEIGHT: Final = 40
_TYPES: Final = ("image/jpeg", "image/png", "application/pdf", "JPEG", "PNG", "PDF")
_TEMPLATES: Final = {"passport": ("name", "surname", "birth_date"), "license-plates": ("license_plate_number",)}
_MODELS: Final = frozenset({
    "page", "page-column-sort", "handwritten", "table", "markdown", "math-markdown", "passport", "driver-license-front",
    "driver-license-back", "vehicle-registration-front", "vehicle-registration-back", "license-plates",
})  # fmt: skip
NO_ENTITY: Final = "-1"


class TextRecognitionService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface, operations: OperationsSurface) -> None:
        """Register them."""
        self._operations = operations
        self._read: Kept[tuple[Operation, list[dict[str, Any]]]] = Kept()
        service = Service(surface, "vision")
        service.add("POST /ocr/v1/recognizeText", self.recognise)
        service.add("POST /ocr/v1/recognizeTextAsync", self.recognise_later)
        service.add("GET /ocr/v1/getRecognition", self.recognition)

    def recognise(self, asked: Asked) -> list[dict[str, Any]]:
        """Return the text page by page."""
        content = base64.b64decode(asked.text("content"))
        if not 0 < len(content) <= LARGEST:
            raise asked.refuse(400, f"content size must be in range [1, {LARGEST}]")
        if asked.text("mimeType") not in _TYPES:
            raise asked.refuse(400, f"unsupported mime type '{asked.text('mimeType')}'")
        model = asked.text("model") or "page"
        if model not in _MODELS:
            raise asked.refuse(400, f"unknown model '{model}'")
        language = next(iter(asked.fields.get("languageCodes") or []), "ru")
        pages = max(1, content.count(b"/Type /Page\n") + content.count(b"/Type/Page\n"))
        return [
            {"page": str(page), "textAnnotation": _annotation(content, page, model, str(language))}
            for page in range(pages)
        ]

    def recognise_later(self, asked: Asked) -> dict[str, Any]:
        """Begin; the request is judged at once."""
        pages = self.recognise(asked)
        operation = self._operations.begin("OCR async recognition", lambda: packed("google.protobuf.Empty", {}))
        self._read.put(operation.id, (operation, pages))
        return self._operations.told(operation, begun=True)

    def recognition(self, asked: Asked) -> list[dict[str, Any]]:
        """Return what was read, once the operation is done."""
        found = self._read.get(asked.text("operationId"))
        if found is None or not self._operations.is_done(found[0]):
            raise asked.refuse(404, f"Recognition {asked.text('operationId')} not found")
        return found[1]


def _annotation(content: bytes, page: int, model: str, language: str) -> dict[str, Any]:
    width, height = _size(content)
    text = passage(zlib.crc32(content) + page, 24, english=language == "en", whole=True).text
    lines = text.replace(". ", ".\n").split("\n")
    entities = [{"name": name, "text": text.split()[0]} for name in _TEMPLATES.get(model, ())]
    written = [_line(line, number, width, entities) for number, line in enumerate(lines)]
    box = _box(0, 0, width, LINE_HEIGHT * len(lines))
    languages = [{"languageCode": language}]
    block = {"boundingBox": box, "lines": written, "languages": languages, "layoutType": "LAYOUT_TYPE_TEXT"}
    found = {"width": str(width), "height": str(height), "blocks": [block], "entities": entities, "rotate": "ANGLE_0"}
    found |= {"fullText": "\n".join(lines), "tables": [_table(lines, width)] if model == "table" else []}
    return found | ({"markdown": "\n\n".join(lines)} if model.endswith("markdown") else {})


def _line(text: str, number: int, width: int, entities: list[dict[str, Any]]) -> dict[str, Any]:
    words, top = text.split(), number * LINE_HEIGHT
    step = width // max(1, len(words))
    written = [
        {
            "text": word,
            "boundingBox": _box(place * step, top, (place + 1) * step, top + LINE_HEIGHT),
            "entityIndex": "0" if entities and number == place == 0 else NO_ENTITY,
        }
        for place, word in enumerate(words)
    ]
    box = _box(0, top, width, top + LINE_HEIGHT)
    return {"text": text, "boundingBox": box, "words": written, "orientation": "ANGLE_0"}


def _table(lines: list[str], width: int) -> dict[str, Any]:
    """Return the lines as a table of one column."""
    cells = [
        {
            "boundingBox": _box(0, row * LINE_HEIGHT, width, (row + 1) * LINE_HEIGHT),
            "rowIndex": str(row), "columnIndex": "0", "rowSpan": "1", "columnSpan": "1", "text": line,
        }
        for row, line in enumerate(lines)
    ]  # fmt: skip
    box = _box(0, 0, width, LINE_HEIGHT * len(lines))
    return {"boundingBox": box, "rowCount": str(len(lines)), "columnCount": "1", "cells": cells}


def _box(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    corners = ((left, top), (left, bottom), (right, bottom), (right, top))
    return {"vertices": [{"x": str(x), "y": str(y)} for x, y in corners]}


def _size(content: bytes) -> tuple[int, int]:
    """Return the size that a PNG tells, and a usual one for the rest."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    return 1_000, 1_400
