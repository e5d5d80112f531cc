"""Images made by GigaChat's model: replaces the provider's id in the answer by one that the caller can use.

The model's text says `<img src="<uuid>" fuse="true"/>`, in a stream in any number of pieces.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from services.router.domain.file_id import FileIds

_TAGS: Final = ("<img ", "<video ", "<audio ", "<model3d ")
_SOURCE: Final = re.compile(r"(<(?:img|video|audio|model3d) [^<>]{0,100}?src=[\"'])([0-9a-fA-F-]{36})(?=[\"'])")
# A tag is shorter; what goes on longer is text that begins like one.
_LONGEST_TAG: Final = 200


class MadeFiles:
    """Reads one answer's text as it comes, holding back what may be the beginning of a tag."""

    __slots__ = ("_held", "_ids", "_owner")

    def __init__(self, ids: FileIds, owner: str) -> None:
        self._ids = ids
        self._owner = owner
        self._held = ""

    def feed(self, text: str, *, is_last: bool) -> str:
        """Return what may be given out: the text so far without a tag that has not ended."""
        if not self._owner or (not self._held and "<" not in text):
            return text
        text = self._held + text
        end = len(text) if is_last else _begin_of_open_tag(text)
        self._held = text[end:]
        return _SOURCE.sub(self._renamed, text[:end])

    def _renamed(self, found: re.Match[str]) -> str:
        try:
            file = UUID(found[2])
        except ValueError:
            return found[0]
        return found[1] + self._ids.encode(self._owner, file)


def _begin_of_open_tag(text: str) -> int:
    at = text.rfind("<")
    tail = text[at:]
    if at < 0 or ">" in tail or len(tail) > _LONGEST_TAG:
        return len(text)
    return at if any(tail.startswith(tag) or tag.startswith(tail) for tag in _TAGS) else len(text)
