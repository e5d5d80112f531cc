"""Yandex's generative search: an answer made of pages, with marks that tell which."""

from typing import Any, Final
from urllib.parse import urlsplit

from emulator.markers import read_directions
from emulator.toy_model.answer import Ask, compose
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.search.toy_web import found
from emulator.yandex.surface import YandexSurface

SOURCES: Final = 5
USED: Final = 2
_PLACES: Final = (("site", "site"), ("host", "host"), ("url", "url"))


class GenerativeSearchService:
    """Adds the route to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register it."""
        self._surface = surface
        Service(surface, "search").add("POST /v2/gen/search", self.search)

    def search(self, asked: Asked) -> list[dict[str, Any]]:
        """Return the answer; with partial results, what there is of it before."""
        messages: list[dict[str, Any]] = asked.fields.get("messages") or []
        if not messages or messages[-1].get("role") != "ROLE_USER" or not messages[-1].get("content"):
            raise asked.refuse(400, "messages: the last message must be from user")
        text = str(messages[-1]["content"])
        ask = Ask("search", text, directions=read_directions(text))
        said = compose(ask, tokens_per_chunk=self._surface.core.settings.tokens_per_chunk, fault=None).text
        sources = self._sources(asked, text)
        queries = [{"text": text, "reqId": self._surface.core.new_id()}]
        whole = {"message": _message(f"{said} [1][2]"), "sources": sources, "searchQueries": queries}
        if not asked.fields.get("getPartialResults"):
            return [whole]
        return [{"message": _message(said[: len(said) // 2])}, whole]

    def _sources(self, asked: Asked, text: str) -> list[dict[str, Any]]:
        """Return the pages, of the places that the request names."""
        places = [place for option, name in _PLACES for place in (asked.fields.get(option) or {}).get(name, [])]
        docs = [doc for place in places or [""] for doc in found(text, 0, SOURCES, site=_domain(place))][:SOURCES]
        return [{"url": doc.url, "title": doc.title, "used": number < USED} for number, doc in enumerate(docs)]


def _message(text: str) -> dict[str, str]:
    return {"content": text, "role": "ROLE_ASSISTANT"}


def _domain(place: str) -> str:
    """Return the host of an address, or a host as it is."""
    return urlsplit(place).netloc or place.partition("/")[0]
