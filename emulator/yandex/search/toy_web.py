"""A web that has the same pages and pictures for the same query, so that pages of results fit together."""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emulator.toy_model.language import is_english
from emulator.toy_model.text import passage, phrase
from emulator.yandex.resources.service import Asked

FOUND: Final = 57
LONGEST_QUERY: Final = 400
LAST_CHANGE: Final = datetime(2026, 10, 5, 9, 30, tzinfo=UTC).timestamp()
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Document:
    """One result: a page, or a picture on it."""

    number: int
    url: str
    domain: str
    title: str
    passages: tuple[str, ...]
    changed_at: float
    lang: str
    width: int
    height: int


def document(query: str, number: int, *, site: str = "") -> Document:
    """Return the result of a query at a place."""
    seed = zlib.crc32(f"{query}|{number}".encode())
    domain = site or f"camp{number % 7}.example.org"
    english = is_english(query)
    texts = tuple(passage(seed + part, 12, english=english, whole=True).text for part in range(3))
    title = f"{query}: {phrase(seed)}"
    changed_at = LAST_CHANGE - seed % 400 * _DAY_S
    sizes = 320 + seed % 8 * 160, 240 + seed % 8 * 120
    url = f"https://{domain}/{seed:08x}"
    return Document(number, url, domain, title, texts, changed_at, "en" if english else "ru", *sizes)


def found(query: str, page: int, size: int, *, site: str = "") -> list[Document]:
    """Return a page of the results; behind the last one there are none."""
    return [document(query, number, site=site) for number in range(page * size, min(FOUND, (page + 1) * size))]


def query_of(asked: Asked) -> tuple[str, int]:
    """Return the text and the page of a request's query, or refuse."""
    query: dict[str, Any] = asked.fields.get("query") or {}
    text, page = str(query.get("queryText") or ""), int(query.get("page") or 0)
    if not 0 < len(text) <= LONGEST_QUERY:
        raise asked.refuse(400, f"query.query_text: length must be in range [1, {LONGEST_QUERY}]")
    if query.get("searchType") in (None, "SEARCH_TYPE_UNSPECIFIED"):
        raise asked.refuse(400, "query.search_type: value is required")
    if page < 0:
        raise asked.refuse(400, "query.page: value must be no less than 0")
    return text, page


def size_of(asked: Asked, value: Any, name: str, default: int, largest: int) -> int:
    """Return a number of the request between one and the largest, or refuse."""
    size = int(value or default)
    if not 0 < size <= largest:
        raise asked.refuse(400, f"{name}: value must be in range [1, {largest}]")
    return size
