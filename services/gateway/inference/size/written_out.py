"""How large schemas become at a provider that knows no references and unions: its adapter writes them out.

The count is a little more than what is written: each reference counts what it points to, a union all of its parts, a
node what stands for words that the provider does not know. It goes to the router with the call, and the router refuses
a schema that becomes larger all the same: so the hold covers whatever is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from services.gateway.inference.size.text_size import size_of

# More than any schema of use has; what is not counted then is not sent to such a provider either.
MOST_STEPS: Final = 5_000
DEEPEST: Final = 40
# A type or a note that is added: "Always 5.", "Format: uuid.", an empty list of properties.
NODE_BOUND: Final = 64
# The note that stands for a union of types, or for conditions, quotes its parts, in JSON within JSON, up to 600
# characters.
NOTE_BOUND: Final = 1_300
_UNIONS: Final = ("anyOf", "oneOf", "allOf")
_LISTS: Final = (*_UNIONS, "prefixItems")
_BY_NAME: Final = ("properties", "patternProperties")
_CONDITIONS: Final = ("if", "then", "else", "dependentSchemas", "unevaluatedProperties", "contains", "not")
# What zod says of every record is not told.
_ANY_NAME: Final[tuple[Any, ...]] = ({"type": "string"}, {}, True)
_PLAIN: Final = frozenset({"string", "number", "integer", "boolean"})

_encode: Final = msgspec.json.Encoder().encode


class Schemas:
    """The schemas of one request; they are walked through once, and only if a model asks for it."""

    __slots__ = ("_bound", "_schemas", "_written")

    def __init__(self, schemas: Sequence[dict[str, Any]] = ()) -> None:
        self._schemas = schemas
        self._written = sum(map(_tokens, schemas))
        self._bound = -1

    @property
    def bound(self) -> int:
        """The most tokens of all of them when they are written out: never less than as they stand."""
        if self._bound < 0:
            self._bound = max(self._written, _WriteOut().all(self._schemas))
        return self._bound

    @property
    def growth(self) -> int:
        """The most tokens by which they grow."""
        return self.bound - self._written if self._schemas else 0


class _WriteOut:
    """Counts; the steps of all schemas of a request are limited together."""

    def __init__(self) -> None:
        self._steps = 0
        # By id, for as long as the schemas are there: a node is measured once, however many references lead to it.
        self._own: dict[int, int] = {}

    def all(self, schemas: Sequence[dict[str, Any]]) -> int:
        return sum(self._node(schema, schema, frozenset(), 0) for schema in schemas)

    def _node(self, node: Any, root: dict[str, Any], trail: frozenset[str], depth: int) -> int:
        self._steps += 1
        if self._steps > MOST_STEPS or depth > DEEPEST:
            return 0
        if not isinstance(node, dict):
            return NODE_BOUND
        inside = sum(self._node(child, root, trail, depth + 1) for child in _children(node))
        return self._measured(node) + inside + self._referred(node.get("$ref"), root, trail, depth)

    def _measured(self, node: dict[str, Any]) -> int:
        own = self._own.get(id(node))
        if own is None:
            own = self._own[id(node)] = _own(node)
        return own

    def _referred(self, ref: Any, root: dict[str, Any], trail: frozenset[str], depth: int) -> int:
        if not isinstance(ref, str):
            return 0
        if ref in trail:
            return NODE_BOUND
        return self._node(_target(ref, root), root, trail | {ref}, depth + 1)


def _children(node: dict[str, Any]) -> Iterator[Any]:
    for name in _BY_NAME:
        if isinstance(named := node.get(name), dict):
            yield from named.values()
    for name in _LISTS:
        if isinstance(listed := node.get(name), list):
            yield from listed
    items = node.get("items")
    if items is not None:
        yield from items if isinstance(items, list) else (items,)
    if isinstance(other := node.get("additionalProperties"), dict):
        yield other


def _own(node: dict[str, Any]) -> int:
    """Return the tokens of a node without its children, in the words that may stand for it."""
    own = {name: value for name, value in node.items() if name not in (*_LISTS, "items", "$defs", "definitions")}
    own.update({name: dict.fromkeys(named, 0) for name in _BY_NAME if isinstance(named := node.get(name), dict)})
    if isinstance(own.get("additionalProperties"), dict):
        own["additionalProperties"] = 0
    return _tokens(own) + _added(node) + _noted(node)


def _noted(node: dict[str, Any]) -> int:
    """Return the tokens of the note that tells conditions: once, in JSON within JSON."""
    told: dict[str, Any] = {name: node[name] for name in _CONDITIONS if name in node}
    if node.get("propertyNames", True) not in _ANY_NAME:
        told["propertyNames"] = node["propertyNames"]
    return NODE_BOUND + min(NOTE_BOUND, 2 * first_tokens(told, NOTE_BOUND)) if told else 0


def _added(node: dict[str, Any]) -> int:
    kind = node.get("type")
    values = [node[name] for name in ("enum", "const") if name in node]
    if values:
        # As text: quoted, and JSON in JSON.
        return NODE_BOUND + 2 * _tokens(values) + 4 * sum(len(each) for each in values if isinstance(each, list))
    if isinstance(kind, list) or any(name in node for name in _UNIONS):
        # Each type of a list is quoted with all the words beside it; a quote in a quote is two characters.
        quoted = 2 * max(1, len(kind) if isinstance(kind, list) else 1)
        return NODE_BOUND + min(NOTE_BOUND, quoted * first_tokens(node, NOTE_BOUND))
    if kind in _PLAIN and "format" not in node:
        return 0
    return 0 if kind == "object" and "properties" in node else NODE_BOUND


def _target(ref: str, root: dict[str, Any]) -> Any:
    target: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    return target


def first_tokens(value: Any, most: int) -> int:
    """Return the tokens of a value, or at least `most` of those that are more: unions stand in unions."""
    tokens, waiting = 0, [value]
    while waiting and tokens < most:
        part = waiting.pop()
        if isinstance(part, dict):
            tokens += 2 + max(0, 2 * len(part) - 1)
            waiting += [*part, *part.values()] if len(part) < most else []
        elif isinstance(part, list):
            tokens += 1 + max(1, len(part))
            waiting += part if len(part) < most else ()
        else:
            tokens += _tokens(part[:most] if isinstance(part, str) else part)
    return tokens


def _tokens(value: Any) -> int:
    return size_of(_encode(value)).token_bound
