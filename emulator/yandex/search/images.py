"""Yandex's search of pictures: by words, or by a picture."""

import base64
import zlib
from typing import Any, Final

from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.search.results import image_doc, xml
from emulator.yandex.search.toy_web import FOUND, Document, found, query_of, size_of
from emulator.yandex.surface import YandexSurface

PAGE: Final = 20
_FORMATS: Final = ("jpeg", "png", "gif")
_BEGINNINGS: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")


class ImageSearchService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register them."""
        self._surface = surface
        service = Service(surface, "search")
        service.add("POST /v2/image/search", self.search)
        service.add("POST /v2/image/search_by_image", self.search_by_image)

    def search(self, asked: Asked) -> dict[str, Any]:
        """Return a page of pictures as XML."""
        text, page = query_of(asked)
        size = size_of(asked, asked.fields.get("docsOnPage"), "docs_on_page", PAGE, 60)
        docs = found(text, page, size, site=asked.text("site"))
        spec: dict[str, Any] = asked.fields.get("imageSpec") or {}
        wanted = str(spec.get("format", "")).removeprefix("IMAGE_FORMAT_").lower()
        written = (image_doc(doc, wanted or _format_of(doc)) for doc in docs)
        body = xml(text, page, [[doc] for doc in docs], self._surface.core.new_id(), written)
        return {"rawData": base64.b64encode(body).decode()}

    def search_by_image(self, asked: Asked) -> dict[str, Any]:
        """Return a page of pictures that are like one; an id stands for a picture that was sent before."""
        image_id = self._image_id(asked)
        page = asked.number("page")
        docs = found(image_id, page, PAGE, site=asked.text("site"))
        images = [_described(doc) for doc in docs]
        return {"id": image_id, "page": str(page), "maxPage": str(-(-FOUND // PAGE) - 1), "images": images}

    def _image_id(self, asked: Asked) -> str:
        if asked.text("id"):
            return asked.text("id")
        if asked.text("url"):
            return f"cbir-{zlib.crc32(asked.text('url').encode()):08x}"
        data = base64.b64decode(asked.text("data"))
        if not data.startswith(_BEGINNINGS):
            raise asked.refuse(400, "image: unsupported format, use JPEG, PNG or GIF")
        return f"cbir-{zlib.crc32(data):08x}"


def _format_of(doc: Document) -> str:
    return _FORMATS[doc.number % len(_FORMATS)]


def _described(doc: Document) -> dict[str, Any]:
    return {
        "url": f"{doc.url}.{_format_of(doc)}",
        "format": f"IMAGE_FORMAT_{_format_of(doc).upper()}",
        "width": str(doc.width),
        "height": str(doc.height),
        "passage": doc.passages[0],
        "host": doc.domain,
        "pageTitle": doc.passages[1],
        "pageUrl": doc.url,
    }
