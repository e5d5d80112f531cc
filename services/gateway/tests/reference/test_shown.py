"""What the pages of the reference show: everything that is described, found by any of its words, in two languages."""

from __future__ import annotations

import re

import pytest

from services.gateway.pages.language import LANGUAGES
from services.gateway.reference.operations import Whole, operations_of
from services.gateway.reference.shown.fields import fields_of, kind_of, limits_of
from services.gateway.reference.shown.openai_client import CALLS
from services.gateway.reference.shown.operations import codes_of, scopes_of
from services.gateway.reference.shown.reference import Reference, reference_of
from services.gateway.reference.shown.titles import read_titles

_MADE: list[Reference] = []


@pytest.fixture
def reference(whole: Whole) -> Reference:
    """What there is to show: made once, like the description."""
    if not _MADE:
        _MADE.append(reference_of(whole))
    return _MADE[0]


def test_every_operation_is_shown_with_its_samples_and_fields(whole: Whole, reference: Reference) -> None:
    """In both languages, on the page of its room."""
    for language in LANGUAGES:
        for method, path, operation in operations_of(whole):
            text = reference.rendered[language, operation["tags"][0]]
            assert f'<section class="operation" id="{operation["operationId"]}"' in text, (method, path)
            assert f'id="{operation["operationId"]}-shell"' in text
    assert all(f'id="{name}-openai"' in "".join(reference.rendered.values()) for name in CALLS)


def test_programs_for_openais_client_are_python(reference: Reference) -> None:
    """Each asks by the example of the description."""
    programs = [
        sample.source
        for operation in reference.operations.values()
        for sample in operation.samples
        if sample.name == "openai"
    ]

    assert len(programs) == len(CALLS)
    for program in programs:
        compile(program, "program", "exec")
    assert any("chat.completions.create(model='yandexgpt:latest', messages=" in program for program in programs)


def test_everything_that_is_shown_has_a_title_in_russian(whole: Whole) -> None:
    """Rooms, operations, codes and scopes; a title too many is named as well."""
    titles = read_titles()
    rooms = {tag["name"] for tag in whole["tags"]}
    shown = {
        "rooms": rooms,
        "about": rooms,
        "operations": {operation["operationId"] for _, _, operation in operations_of(whole)},
        "errors": {code for of_status in codes_of(whole).values() for code, _ in of_status},
        "scopes": {*scopes_of(whole)},
    }

    assert {kind: names ^ set(titles[kind]["ru"]) for kind, names in shown.items()} == {kind: set() for kind in shown}
    assert set(titles["rooms"]["en"]) == rooms
    for of_language in titles.values():
        for title in of_language["ru"].values():
            assert re.search("[а-яё]|OAuth", title), title
            assert title.count("`") % 2 == 0


ROTATED = {f"/v1/{each}/rotate" for each in ("keys/{key_id}", "webhooks/{channel_id}", "clients/{client_id}")}


@pytest.mark.parametrize(
    ("phrase", "paths"),
    [
        ("overlap_s POST rotate", ROTATED),
        ("вебхук секрет", {"/v1/webhooks/{channel_id}/rotate", "/v1/webhooks"}),
        ("/V1/EMBEDDINGS", {"/v1/embeddings"}),
        ("нет такого слова", set()),
    ],
)
def test_the_search_finds_what_has_every_word(reference: Reference, phrase: str, paths: set[str]) -> None:
    """In titles of either language, paths, fields and examples; what has them in its title comes first."""
    found = reference.search.find(phrase)

    assert {operation.path for operation in found.operations[: len(paths)]} == paths
    assert bool(found.count) == bool(paths)


def test_the_search_finds_codes_and_bounds_what_it_is_asked(reference: Reference) -> None:
    """A code is found by itself, not at each operation; nobody waits for a thousand words."""
    found = reference.search.find("insufficient_scope")

    assert (found.codes, found.count) == (("insufficient_scope",), 0)
    assert reference.search.find("a " * 5_000).count == reference.search.find("a").count
    assert reference.search.find("  ").operations == ()


def test_types_and_limits_are_written_shortly() -> None:
    """As people who write programs read them."""
    schemas = {"Cap": {"type": "object", "properties": {"limit": {"type": "integer", "minimum": 0}}}}
    inner = {"type": "object", "required": ["a"], "properties": {"a": {"const": "x"}}}
    schema = {"properties": {"caps": {"type": "array", "items": {"$ref": "#/components/schemas/Cap"}}, "one": inner}}

    rows = {row.name: "".join(part.text for part in row.kind) for row in fields_of(schema, schemas)}
    choice = {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "default": ""}

    assert rows == {"caps": "Cap[]", "one": "object", "one.a": '"x"'}
    assert "".join(part.text for part in kind_of({"type": "array", "items": choice})) == "(string | null)[]"
    assert [(limit.name, limit.value) for limit in limits_of(choice)] == [
        ("default", '""'),
        ("characters_at_most", "3"),
    ]
    assert "".join(part.text for part in kind_of({"type": "object", "additionalProperties": {"enum": [1, 2]}})) == (
        "map<1 | 2>"
    )
