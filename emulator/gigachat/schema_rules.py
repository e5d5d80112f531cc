"""Which JSON Schemas GigaChat takes, in functions and in response_format: a small subset, judged at every depth."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from emulator.toy_model import tokenizer

# A function definition larger than this is refused with words of its own.
LARGEST_FUNCTION_TOKENS: Final = 4_096
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TYPES: Final = ("string", "number", "integer", "boolean", "object", "array")
# By type; the numeric ones stand in the provider's own samples.
FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "string": ("date", "date-time", "time"),
    "integer": ("int32", "int64"),
    "number": ("float", "double"),
}
_REFUSED: Final = (
    "$ref", "$defs", "definitions", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "patternProperties",
    "prefixItems",
)  # fmt: skip


class BrokenRuleError(Exception):
    """A request that breaks a rule; the message is the provider's, the status is 422 unless another is given."""

    def __init__(self, message: str, status: int = 422) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


def check_functions(functions: list[dict[str, Any]]) -> None:
    """Check names, sizes and the schemas of parameters and results.

    Raises:
        BrokenRuleError: 422 for a name or a schema, 413 for a size.
    """
    for place, function in enumerate(functions):
        if not function.get("name"):
            raise BrokenRuleError("Invalid params: function name is empty")
        if not _NAME.fullmatch(str(function["name"])):
            raise BrokenRuleError("Invalid params: function name must have latin letters and not begin with a digit")
        tokens = tokenizer.count(msgspec.json.encode(function).decode())
        if tokens > LARGEST_FUNCTION_TOKENS:
            text = f"Tokens limit exceeded for index {place}: {tokens} (max {LARGEST_FUNCTION_TOKENS})"
            raise BrokenRuleError(text, 413)
        for name in ("parameters", "return_parameters"):
            if function.get(name):
                check_schema(function[name])


def check_response_format(wanted: dict[str, Any], kinds: tuple[str, ...] = ("text", "json_schema")) -> None:
    """Check the schema that an answer shall fit; `wanted` is the whole response_format, `kinds` the types known.

    Raises:
        BrokenRuleError: no such type, or a schema that breaks a rule.
    """
    kind = wanted.get("type", "text")
    if kind not in kinds:
        raise BrokenRuleError("Invalid params: response_format type is not supported")
    if kind == "json_schema":
        check_schema(wanted.get("schema"), "response_format.schema.")


def check_schema(schema: Any, path: str = "") -> None:
    """Check a schema and every schema inside it; only the outermost one may leave its type out.

    Raises:
        BrokenRuleError: naming the first field that is missing or not supported; `path` stands before the name.
    """
    _check_keywords(schema, path)
    _check_inside({"type": "object", **schema}, path)


def _check_keywords(schema: Any, path: str) -> None:
    if not isinstance(schema, dict):
        raise BrokenRuleError(f"Field '{path.removesuffix('.')}' must be an object")
    for keyword in _REFUSED:
        if keyword in schema:
            raise BrokenRuleError(f"Field '{path}{keyword}' is not supported")


def _check_inside(schema: dict[str, Any], path: str) -> None:
    _check_type(schema, path)
    _check_values(schema, path)
    for name, part in _parts(schema):
        inner = f"{path}{name}."
        _check_keywords(part, inner)
        _check_inside(part, inner)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas that stand directly in this one, with their names."""
    for name, part in (schema.get("properties") or {}).items():
        yield f"properties.{name}", part
    if "items" in schema:
        yield "items", schema["items"]
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield "additionalProperties", schema["additionalProperties"]


def _check_type(schema: dict[str, Any], path: str) -> None:
    if "type" not in schema:
        raise BrokenRuleError(f"Field '{path}type' is missing")
    kind = schema["type"]
    if kind not in TYPES:
        raise BrokenRuleError(f"Field '{path}type' must be one of {', '.join(TYPES)}")
    if kind == "object" and not isinstance(schema.get("properties"), dict):
        raise BrokenRuleError(f"Field '{path}properties' is missing")
    if kind == "array" and "items" not in schema:
        raise BrokenRuleError(f"Field '{path}items' is missing")


def _check_values(schema: dict[str, Any], path: str) -> None:
    allowed = schema.get("enum", [])
    if not isinstance(allowed, list) or not all(isinstance(value, str) for value in allowed):
        raise BrokenRuleError(f"Field '{path}enum' must be a list of strings")
    if not isinstance(schema.get("const", ""), str):
        raise BrokenRuleError(f"Field '{path}const' must be a string")
    formats = FORMATS.get(schema["type"], ())
    if "format" in schema and schema["format"] not in formats:
        raise BrokenRuleError(f"Field '{path}format' must be one of {', '.join(formats)}")
