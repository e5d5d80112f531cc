"""What a page makes a browser fetch: its style sheets, scripts and pictures."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

# Of a page with all of them, as they travel.
MOST_BYTES: Final = 200_000
_FETCHED_LINKS: Final = frozenset({"stylesheet", "icon", "preload", "modulepreload"})
_SOURCES: Final = frozenset({"script", "img", "source", "audio", "video", "iframe", "embed"})


class _Assets(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and _FETCHED_LINKS & {*given.get("rel", "").split()}:
            self.found.append(given["href"])
        elif tag in _SOURCES and given.get("src"):
            self.found.append(given["src"])


def assets_of(html: str) -> list[str]:
    """Return the addresses, each once, in the order of the page; pictures within the page itself cost nothing more."""
    parser = _Assets()
    parser.feed(html)
    return [address for address in dict.fromkeys(parser.found) if not address.startswith("data:")]
