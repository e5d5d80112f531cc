"""YandexART: a picture in the background, whose size follows from the ratio of its sides."""

import base64
import struct
import zlib
from typing import Any, Final

from emulator.yandex.operations import OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.surface import YandexSurface

LONGEST_PROMPT: Final = 500
MODEL_VERSION: Final = "05.10.2026"
_RESPONSE: Final = "yandex.cloud.ai.foundation_models.v1.image_generation.ImageGenerationResponse"


class ImageGenerationService:
    """Adds the route to the Yandex listener."""

    def __init__(self, surface: YandexSurface, operations: OperationsSurface) -> None:
        """Register it."""
        self._surface, self._operations = surface, operations
        Service(surface, "images").add("POST /foundationModels/v1/imageGenerationAsync", self.generate)

    def generate(self, asked: Asked) -> dict[str, Any]:
        """Begin to draw; the same words and seed give the same picture."""
        self._surface.checked_uri(asked.call, asked.fields.get("modelUri"), "art")
        options: dict[str, Any] = asked.fields.get("generationOptions") or {}
        if options.get("mimeType", "image/jpeg") != "image/jpeg":
            raise asked.refuse(400, f"unsupported mime type '{options['mimeType']}'")
        texts = [str(message.get("text") or "") for message in asked.fields.get("messages") or []]
        if not texts or not all(0 < len(text) <= LONGEST_PROMPT for text in texts):
            raise asked.refuse(400, f"text length must be in range [1, {LONGEST_PROMPT}]")
        ratio: dict[str, Any] = options.get("aspectRatio") or {}
        width, height = _size(int(ratio.get("widthRatio") or 1), int(ratio.get("heightRatio") or 1))
        seed = zlib.crc32(f"{texts}|{options.get('seed')}".encode())
        image = base64.b64encode(picture(width, height, seed)).decode()
        found = packed(_RESPONSE, {"image": image, "modelVersion": MODEL_VERSION})
        operation = self._operations.begin("Image generation", lambda: found)
        return self._operations.told(operation, begun=True)


def _size(width_ratio: int, height_ratio: int) -> tuple[int, int]:
    """Return sides of about a megapixel together, in steps of 32."""
    side = (1024 * 1024 / (width_ratio * height_ratio)) ** 0.5
    return max(32, round(side * width_ratio / 32) * 32), max(32, round(side * height_ratio / 32) * 32)


def picture(width: int, height: int, seed: int) -> bytes:
    """Return a JPEG of that size as far as its header goes; what is drawn is a comment."""
    comment = f"toy picture {seed:08x}".encode()
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    segments = ((b"\xff\xfe", comment), (b"\xff\xc0", frame))
    return (
        b"\xff\xd8" + b"".join(mark + struct.pack(">H", len(data) + 2) + data for mark, data in segments) + b"\xff\xd9"
    )
