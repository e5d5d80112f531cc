"""Deterministic texts and instances of schemas."""

import itertools
import json

import pytest

from emulator.toy_model import tokenizer
from emulator.toy_model.language import ENGLISH, RUSSIAN, Grammar, is_english, sentences
from emulator.toy_model.text import json_text, passage


@pytest.mark.parametrize("english", [False, True])
@pytest.mark.parametrize("seed", [0, 511, 123_456])
@pytest.mark.parametrize("tokens", [0, 1, 2, 57, 5_000, 30_000])
def test_a_passage_has_exactly_the_tokens_asked_for(tokens: int, seed: int, english: bool) -> None:
    """Any length works, beyond all sentences there are too."""
    found = passage(seed, tokens, english=english)

    assert tokenizer.count(found.text) == found.tokens == tokens
    assert found.text[: found.end_of(tokens)] == found.text
    assert [found.end_of(number) for number in (1, 2)[:tokens]] == tokenizer.token_ends(found.text)[:2]


@pytest.mark.parametrize("seed", [0, 7, 511, 123_456])
def test_a_whole_passage_ends_with_a_sentence(seed: int) -> None:
    """It has at least the tokens asked for, and reads to its end."""
    found = passage(seed, 40, whole=True)

    assert found.tokens == tokenizer.count(found.text) >= 40
    assert found.text.endswith(".")
    assert found.text[0].isupper()


@pytest.mark.parametrize("grammar", [RUSSIAN, ENGLISH])
def test_sentences_differ_and_neighbours_always_do(grammar: Grammar) -> None:
    """A newcomer who reads on does not read the same again."""
    row = list(sentences(grammar))

    assert len(set(row)) > 400
    assert all(one != other for one, other in itertools.pairwise(row))


@pytest.mark.parametrize(
    ("prompt", "english"),
    [("Hello", True), ("привет", False), ("Что такое GPT?", False), ("x [[tokens:5]]", False), ("12", False)],
)
def test_an_answer_is_in_the_language_of_its_question(prompt: str, english: bool) -> None:
    """Latin words without a Cyrillic letter are English; directions are no words."""
    assert is_english(prompt) is english


def test_the_same_seed_has_the_same_words_and_a_longer_one_begins_alike() -> None:
    """An answer cut by max_tokens is a prefix of the whole one."""
    assert passage(7, 30).text.startswith(passage(7, 10).text)
    assert passage(7, 30).text != passage(8, 30).text


def test_json_fits_its_schema() -> None:
    """Every keyword that structured output uses is honoured."""
    schema = {
        "type": "object",
        "properties": {
            "camp": {"type": "string", "minLength": 30},
            "kind": {"enum": ["a", "b"]},
            "metres": {"type": "integer", "minimum": 400, "maximum": 410},
            "share": {"type": "number", "maximum": 2, "minimum": 1},
            "open": {"type": "boolean"},
            "note": {"type": ["null", "string"]},
            "rivers": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/river"}},
            "none": {"type": "null"},
            "place": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "minItems": 2},
            "fixed": {"const": 5},
        },
        "$defs": {"river": {"type": "object", "properties": {"name": {"anyOf": [{"type": "string"}]}}}},
    }

    found = json.loads(json_text(schema, 11))

    assert len(found["camp"]) >= 30
    assert found["kind"] in ("a", "b")
    assert 400 <= found["metres"] <= 410
    assert 1 <= found["share"] <= 2
    assert [set(river) for river in found["rivers"]] == [{"name"}, {"name"}]
    assert found["none"] is None
    assert [type(part) for part in found["place"]] == [int, bool]
    assert found["fixed"] == 5


def test_a_schema_that_contains_itself_ends() -> None:
    """A recursive schema yields a finite instance."""
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}, "items": {"type": "array"}}}

    assert json.loads(json_text(schema, 1))["child"]


def test_a_tree_ends_in_null_where_it_may() -> None:
    """As typed agents have them: the end of a branch has all its fields, too."""
    node = {"anyOf": [{"$ref": "#"}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "child": node}, "required": ["name"]}

    found = json.loads(json_text(schema, 1))

    while found is not None:
        assert found["name"]
        found = found["child"]


# Four references a level and sixteen levels are four billion values.
FANS_OUT = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcd"}}


@pytest.mark.parametrize(
    "schema",
    [
        FANS_OUT,
        {"type": "array", "minItems": 10**9, "items": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "string", "minLength": 10**9}]},
        {"anyOf": [{"$ref": "#"}]},
    ],
)
def test_a_small_schema_that_asks_for_billions_of_values_gets_some(schema: dict[str, object]) -> None:
    """A schema of a few hundred bytes had taken all memory of whoever runs the emulator."""
    assert 0 < len(json_text(schema, 1)) < 1_000_000


def test_without_a_schema_any_object_will_do() -> None:
    """json_object gets an object."""
    assert set(json.loads(json_text(None, 1))) == {"answer"}
