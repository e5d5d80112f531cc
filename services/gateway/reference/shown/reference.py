"""The whole reference: what pages show of the description, made once and rendered once in each language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.pages.language import LANGUAGES
from services.gateway.pages.rendering import render
from services.gateway.reference.operations import Whole
from services.gateway.reference.shown.operations import Codes, Room, ShownOperation, codes_of, rooms_of, scopes_of
from services.gateway.reference.shown.search import Search
from services.gateway.reference.shown.titles import Titles, read_titles, titles_of


@dataclass(frozen=True, slots=True)
class Reference:
    """What there is to show. `rendered`: a room's operations as HTML, by language and name."""

    rooms: Mapping[str, Room]
    operations: Mapping[str, ShownOperation]
    codes: Codes
    scopes: Mapping[str, str]
    titles: Mapping[str, Titles]
    search: Search
    rendered: Mapping[tuple[str, str], str]


def reference_of(whole: Whole) -> Reference:
    """Return what the description says, ready to be shown. It takes half a second: not for the event loop."""
    rooms = {room.name: room for room in rooms_of(whole)}
    given = read_titles()
    titles = {language: titles_of(given, language) for language in LANGUAGES}
    codes = codes_of(whole)
    said = {code: said for of_status in codes.values() for code, said in of_status}
    return Reference(
        rooms=rooms,
        operations={each.id: each for room in rooms.values() for each in room.operations},
        codes=codes,
        scopes=scopes_of(whole),
        titles=titles,
        search=Search(rooms.values(), given["operations"].values(), said),
        rendered={
            (language, room.name): _rendered(language, room, titles[language])
            for language in LANGUAGES
            for room in rooms.values()
        },
    )


def _rendered(language: str, room: Room, titles: Titles) -> str:
    named = frozenset(each.name for each in room.types)
    return render("reference/operations.html", language, {"room": room, "titles": titles, "named": named}).decode()
