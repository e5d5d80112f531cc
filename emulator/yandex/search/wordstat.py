"""Yandex's Wordstat: what people ask, how often, when and where; the numbers are a checksum's."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from emulator.toy_model.text import phrase
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.search.toy_web import LONGEST_QUERY
from emulator.yandex.surface import YandexSurface

MOST_PHRASES: Final = 2_000
MOST_DATES: Final = 1_000
# Region, its parts, and whether these are cities.
_TREE: Final = {
    ("225", "Россия"): (("1", "Москва и Московская область"), ("10174", "Санкт-Петербург и Ленинградская область")),
    ("149", "Беларусь"): (("157", "Минск"),),
}
_CITIES: Final = {"1": (("213", "Москва"),), "10174": (("2", "Санкт-Петербург"),)}
_OF_KIND: Final = {
    "REGION_CITIES": ("213", "2", "157"),
    "REGION_REGIONS": ("1", "10174"),
    "REGION_ALL": ("225", "149", "1", "10174", "213", "2", "157"),
}
_STEPS: Final = {"PERIOD_MONTHLY": 28, "PERIOD_WEEKLY": 7, "PERIOD_DAILY": 1}


class WordstatService:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register them."""
        self._now = surface.core.now
        service = Service(surface, "search")
        service.add("POST /v2/wordstat/topRequests", self.top)
        service.add("POST /v2/wordstat/dynamics", self.dynamics)
        service.add("POST /v2/wordstat/regions", self.regions)
        service.add("POST /v2/wordstat/getRegionsTree", self.tree)

    def top(self, asked: Asked) -> dict[str, Any]:
        """Return longer queries with the phrase, the most frequent first, and others like it."""
        words, size = _phrase_of(asked), asked.number("numPhrases", 50)
        if not 0 < size <= MOST_PHRASES:
            raise asked.refuse(400, f"num_phrases must be in range [1, {MOST_PHRASES}]")
        begun = _count(words, asked)
        longer = [words, *dict.fromkeys(f"{words} {phrase(number).lower()}" for number in range(size - 1))]
        near = list(dict.fromkeys(phrase(begun + number).lower() for number in range(size)))
        results = [{"phrase": one, "count": str(begun // place)} for place, one in enumerate(longer, start=1)]
        others = [{"phrase": one, "count": str(begun // (2 * place))} for place, one in enumerate(near, start=1)]
        return {"totalCount": str(begun), "results": results, "associations": others}

    def dynamics(self, asked: Asked) -> dict[str, Any]:
        """Return how often the phrase was asked in each period between two dates."""
        words, step = _phrase_of(asked), _STEPS.get(asked.text("period"))
        if step is None:
            raise asked.refuse(400, "period: value is required")
        asked.needs("fromDate")
        start = _date(asked.text("fromDate"))
        end = _date(asked.text("toDate")) if asked.text("toDate") else datetime.fromtimestamp(self._now(), UTC)
        results: list[dict[str, Any]] = []
        while start <= end and len(results) < MOST_DATES:
            count = _count(f"{words}|{start:%Y%m%d}", asked)
            results.append({"date": f"{start:%Y-%m-%dT%H:%M:%SZ}", "count": str(count), "share": count / 10**9})
            start = _next(start, step)
        return {"results": results}

    def regions(self, asked: Asked) -> dict[str, Any]:
        """Return where the phrase is asked; the shares make one."""
        words = _phrase_of(asked)
        kinds = _OF_KIND.get(asked.text("region"), _OF_KIND["REGION_ALL"])
        counts = {region: _count(f"{words}|{region}", asked) for region in kinds}
        total = sum(counts.values())
        rows = [
            {"region": region, "count": str(count), "share": count / total, "affinityIndex": 100 * count / total}
            for region, count in counts.items()
        ]
        return {"results": rows}

    def tree(self, asked: Asked) -> dict[str, Any]:
        """Return the regions that there are."""
        return {"regions": [_region(country, parts) for country, parts in _TREE.items()]}


def _region(region: tuple[str, str], parts: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    children = [_region(part, _CITIES.get(part[0], ())) for part in parts]
    return {"id": region[0], "label": region[1], "children": children}


def _phrase_of(asked: Asked) -> str:
    words = asked.text("phrase")
    if not 0 < len(words) <= LONGEST_QUERY:
        raise asked.refuse(400, f"phrase: length must be in range [1, {LONGEST_QUERY}]")
    return words


def _count(words: str, asked: Asked) -> int:
    """Return how often something is asked; with regions or devices it is another number."""
    about = f"{words}|{asked.fields.get('regions')}|{asked.fields.get('devices')}"
    return 10_000 + zlib.crc32(about.encode()) % 90_000


def _date(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _next(start: datetime, step: int) -> datetime:
    """Return the beginning of the next period; months are as long as they are."""
    if step < 28:
        return start + timedelta(days=step)
    return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
