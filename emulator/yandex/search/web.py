"""Yandex's web search, at once and deferred."""

import base64
from typing import Any, Final

from emulator.yandex.operations import OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.search.results import html, page_doc, xml
from emulator.yandex.search.toy_web import FOUND, Document, document, found, query_of, size_of
from emulator.yandex.surface import YandexSurface

_RESPONSE: Final = "yandex.cloud.searchapi.v2.WebSearchResponse"


class WebSearchService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface, operations: OperationsSurface) -> None:
        """Register them."""
        self._surface, self._operations = surface, operations
        service = Service(surface, "search")
        service.add("POST /v2/web/search", self.search)
        service.add("POST /v2/web/searchAsync", self.search_later)

    def search(self, asked: Asked) -> dict[str, Any]:
        """Return a page of results."""
        return {"rawData": base64.b64encode(self._page(asked)).decode()}

    def search_later(self, asked: Asked) -> dict[str, Any]:
        """Begin a search; the request is judged at once."""
        found_page = self.search(asked)
        operation = self._operations.begin("WEB search async", lambda: packed(_RESPONSE, found_page))
        return self._operations.told(operation, begun=True)

    def _page(self, asked: Asked) -> bytes:
        text, page = query_of(asked)
        spec: dict[str, Any] = asked.fields.get("groupSpec") or {}
        size = size_of(asked, spec.get("groupsOnPage"), "group_spec.groups_on_page", 10, 100)
        depth = size_of(asked, spec.get("docsInGroup"), "group_spec.docs_in_group", 1, 3)
        docs = self._sorted(asked, text, page, size)
        if asked.text("responseFormat") == "FORMAT_HTML":
            return html(text, docs)
        groups = [_group(text, doc, depth) for doc in docs]
        passages = size_of(asked, asked.fields.get("maxPassages"), "max_passages", 2, 5)
        written = (page_doc(doc, passages) for group in groups for doc in group)
        return xml(text, page, groups, self._surface.core.new_id(), written)

    def _sorted(self, asked: Asked, text: str, page: int, size: int) -> list[Document]:
        spec: dict[str, Any] = asked.fields.get("sortSpec") or {}
        if spec.get("sortMode") != "SORT_MODE_BY_TIME":
            return found(text, page, size)
        rising = spec.get("sortOrder") == "SORT_ORDER_ASC"
        everything = sorted(found(text, 0, FOUND), key=lambda doc: doc.changed_at, reverse=not rising)
        return everything[page * size : (page + 1) * size]


def _group(text: str, doc: Document, depth: int) -> list[Document]:
    """Return a result with further ones of its site."""
    return [doc, *(document(text, doc.number + FOUND * place, site=doc.domain) for place in range(1, depth))]
