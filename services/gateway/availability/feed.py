"""Incidents as a feed (RSS 2.0), so that people and programs hear of them without asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from services.gateway.pages.language import TEXTS

RSS_PATH: Final = "/status.rss"
PAGE_PATH: Final = "/status"
_ATOM: Final = "http://www.w3.org/2005/Atom"
register_namespace("atom", _ATOM)


def feed_of(incidents: Iterable[Mapping[str, Any]], *, url: str, language: str, now: datetime) -> bytes:
    """Return the feed in a language; `url` is our address."""
    texts = TEXTS[language]
    rss = Element("rss", version="2.0")
    channel = SubElement(rss, "channel")
    _add(channel, "title", texts["status.feed"])
    _add(channel, "link", f"{url}{PAGE_PATH}")
    _add(channel, "description", texts["status.feed_hint"])
    _add(channel, "language", language)
    _add(channel, "lastBuildDate", format_datetime(now))
    SubElement(
        channel, f"{{{_ATOM}}}link", href=f"{url}{RSS_PATH}?lang={language}", rel="self", type="application/rss+xml"
    )
    for incident in incidents:
        _add_item(SubElement(channel, "item"), incident, url, language)
    feed: bytes = tostring(rss, encoding="utf-8", xml_declaration=True)
    return feed


def _add_item(item: Element, incident: Mapping[str, Any], url: str, language: str) -> None:
    texts = TEXTS[language]
    ended_at = incident["ended_at"]
    # Its end is news of its own: readers show an item once.
    phase = "began" if ended_at is None else "ended"
    title = texts[f"status.{phase}"].format(provider=incident["provider"])
    _add(item, "title", title)
    _add(item, "link", f"{url}{PAGE_PATH}#{incident['id']}")
    reasons = [texts.get(f"status_reason.{reason}", reason) for reason in incident["reasons"] if reason]
    told = [", ".join(part) for part in (incident["models"], reasons) if part]
    _add(item, "description", ": ".join(told))
    SubElement(item, "guid", isPermaLink="false").text = f"{incident['id']}-{phase}"
    _add(item, "pubDate", format_datetime(ended_at or incident["began_at"]))


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
