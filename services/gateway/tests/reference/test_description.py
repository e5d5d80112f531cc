"""The OpenAPI description is whole: by the specification, and by rules of our own."""

from __future__ import annotations

import ast
import copy
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from services.gateway.app import Application
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.problems import RENDERING
from services.gateway.identity.access import Scope
from services.gateway.metering.storable import MAX_TAG_VALUE
from services.gateway.reference import glossary
from services.gateway.reference.examples import REQUESTS
from services.gateway.reference.operations import NAMES, Whole, first_sentence, operations_of
from services.gateway.reference.protocol import add_protocol
from services.gateway.reference.security import as_route
from services.gateway.tests.reference import rules

# Of the protocol, and described as one of them: the other one, and what people's browsers post.
SAID_ELSEWHERE = {"/.well-known/openid-configuration"}


def test_it_is_an_openapi_description(whole: Whole) -> None:
    """By a validator that we did not write."""
    OpenAPIV31SpecValidator(copy.deepcopy(whole)).validate()


def test_it_keeps_our_rules(whole: Whole) -> None:
    """What is missing is named, with where to add it."""
    assert "\n".join(said for rule in rules.RULES for said in rule(whole)) == ""


def test_every_route_that_answers_programs_is_in_it(app: Application, whole: Whole) -> None:
    """Pages are not, and what was at /oauth/… before is named in the text only."""
    described = {as_route(path) for path in whole["paths"]}
    served = {route.path for route in app.known_routes if isinstance(route, Route)}
    protocol: Whole = {"components": {"schemas": {}}, "paths": {}}
    add_protocol(protocol)
    pages = {
        route.path
        for route in app.known_routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint) and route.path not in protocol["paths"]
    }

    assert described <= served
    assert served - described - pages == {"/openapi.json"}


def test_nothing_in_the_words_is_about_nothing(whole: Whole) -> None:
    """An entry that no route needs any more goes."""
    schemas = whole["components"]["schemas"]
    fields = {name for schema in schemas.values() for name in schema.get("properties", {})}
    dotted = {f"{name}.{field}" for name, schema in schemas.items() for field in schema.get("properties", {})}
    operations = list(operations_of(whole))
    parameters = {each["name"] for _, _, operation in operations for each in operation.get("parameters", [])}
    ids = {operation["operationId"] for _, _, operation in operations}

    assert glossary.FIELDS.keys() - fields - dotted - parameters - schemas.keys() == set()
    assert glossary.TAGS.keys() == {tag["name"] for tag in whole["tags"]}
    assert glossary.SCOPES.keys() == {scope.value for scope in Scope} | {"openid", "profile", "email"}
    assert glossary.ERRORS.keys() == {reason.value.lower() for reason in RENDERING}
    assert NAMES.keys() <= {f"{method} {path}" for method, path, _ in operations}
    assert REQUESTS.keys() <= ids


def test_every_json_body_of_a_request_is_a_named_schema(whole: Whole) -> None:
    """Only named schemas get words for their fields: the two bodies about findings had none."""
    contents = {
        path: content["schema"]
        for _, path, operation in operations_of(whole)
        if (content := operation.get("requestBody", {}).get("content", {}).get("application/json"))
    }

    assert [path for path, schema in contents.items() if "$ref" not in schema] == []


def test_what_goes_into_embeddings_is_described_as_it_is_taken(whole: Whole) -> None:
    """LangChain sends tokens."""
    allowed = Draft202012Validator(whole["components"]["schemas"]["EmbeddingRequest"]["properties"]["input"])
    taken: list[Any] = ["a", ["a", "b"], [1, 2], [[1], [2, 3]]]
    refused: list[Any] = ["", [], [[]], [""], [-1], [100_256], [["a"]], [1] * 8193, {"a": 1}]

    assert [each for each in taken if not allowed.is_valid(each)] == []
    assert [each for each in refused if allowed.is_valid(each)] == []


def test_errors_of_the_messages_api_are_described_in_its_own_form(whole: Whole) -> None:
    """All but those that the server answers before any route is found."""
    responses = whole["paths"]["/v1/messages"]["post"]["responses"]
    schemas = {
        status: rules.resolved(whole, response)["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for status, response in responses.items()
        if status[0] in "45"
    }

    assert schemas.pop("431") == "ErrorBody"
    assert set(schemas.values()) == {"MessagesErrorBody"}


def test_whom_a_message_is_for_is_described_as_long_as_a_tag_may_be(whole: Whole) -> None:
    """It is one of them."""
    bound = whole["components"]["schemas"]["Metadata"]["properties"]["user_id"]["anyOf"][0]["maxLength"]

    assert bound == MAX_TAG_VALUE


def test_who_a_token_is_of_takes_no_key(whole: Whole) -> None:
    """It is read, by POST as by GET."""
    assert "parameters" not in whole["paths"]["/userinfo"]["post"]


def test_models_of_a_credential_are_shown_as_they_are_taken(whole: Whole) -> None:
    """Ids; patterns are of quotas."""
    changed = whole["paths"]["/v1/keys/{key_id}"]["patch"]["requestBody"]["content"]["application/json"]["example"]

    assert changed["models"] == ["yandexgpt:latest"]


def test_samples_can_be_typed(whole: Whole) -> None:
    """A shell and Python read each of them."""
    for _, _, operation in operations_of(whole):
        curl, python = (sample["source"] for sample in operation["x-codeSamples"])
        assert shlex.split(curl)[0] == "curl"
        ast.parse(python)


def _without_errors(whole: Whole) -> None:
    whole["paths"]["/v1/models"]["get"]["responses"].pop("401")


def _without_words(whole: Whole) -> None:
    whole["components"]["schemas"]["KeyOut"]["properties"]["prefix"].pop("description")


def _with_a_bad_example(whole: Whole) -> None:
    whole["paths"]["/v1/keys"]["post"]["requestBody"]["content"]["application/json"]["example"] = {"name": 7}


def _with_the_same_id_twice(whole: Whole) -> None:
    whole["paths"]["/v1/keys"]["get"]["operationId"] = "list_models"


def _with_a_strange_scope(whole: Whole) -> None:
    whole["paths"]["/v1/keys"]["get"]["security"] = [{"key": ["dance"]}]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without_errors, "GET /v1/models: no 401"),
        (_without_words, "KeyOut.prefix has no words"),
        (_with_a_bad_example, "POST /v1/keys, request: $.name"),
        (_with_the_same_id_twice, "list_models names 2 operations"),
        (_with_a_strange_scope, "GET /v1/keys: key ['dance']"),
    ],
)
def test_the_rules_find_what_is_wrong(whole: Whole, spoil: Callable[[Any], None], says: str) -> None:
    """Each of them bites."""
    spoiled = copy.deepcopy(whole)
    spoil(spoiled)

    assert any(says in said for rule in rules.RULES for said in rule(spoiled))


def test_a_summary_is_a_sentence_that_fits_a_list() -> None:
    """Cut at a clause when it is long."""
    assert first_sentence("Return one model; ids may have colons. More.") == "Return one model; ids may have colons"
    assert first_sentence(f"Return it; {'x' * 120}.") == "Return it"
