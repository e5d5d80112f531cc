"""Where a JSON text says what only some readers would take: a name twice, NaN, text that is none. Always with the path.

Twice one name in an object, and the two ends of a proxy could read two different requests (RFC 8259 4).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import ErrorReason, InvalidRequest

_NOT_FINITE: Final = "NaN and Infinity are not JSON numbers"
_NOT_TEXT: Final = "The text is not valid UTF-8"
_BAD_NAME: Final = "A key is not valid UTF-8"
_NUL: Final = "The text has a NUL character"
_SHOWN: Final = 64


class _NameTwiceError(ValueError):
    """Some object says a name twice; which one is looked for then."""


@dataclass(frozen=True, slots=True)
class _NameTwice:
    """Stands in the place of an object that says a name twice."""

    name: str


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NameTwiceError
    return found


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _NameTwice:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    # A look back over the names before for each name took a second of everybody's for 14,000 of them.
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return _NameTwice(name)
        seen.add(name)
    raise AssertionError("as many names as values, yet none twice")


# Not strict: control characters stand for escapes in an outline, and the real decoder has refused others.
_CHECK: Final = json.JSONDecoder(object_pairs_hook=_unique, strict=False)
_TREE: Final = json.JSONDecoder(object_pairs_hook=_marked, strict=False)


def check_names(text: bytes) -> Any:
    """Return the value of a JSON text (or its outline), known to be valid, in which no object says a name twice.

    Raises:
        InvalidRequest: one does; `param` is the path of the name.
    """
    try:
        # Not `decode`: it looks by regular expressions for what no valid text has around its value.
        return _CHECK.raw_decode(text.decode().lstrip())[0]
    except _NameTwiceError:
        refuse_faults(_TREE.decode(text.decode()))
    except ValueError:
        raise InvalidRequest(
            ErrorReason.INVALID_REQUEST, "The body is not valid JSON: a number is too long.", param="body"
        ) from None


def strict_tree(body: bytes) -> Any:
    """Return the value of a small JSON text that all readers read alike, and all stores can keep.

    Raises:
        InvalidRequest: there is none; it says where, as far as that can be known.
    """
    try:
        tree = json.loads(body.decode(), object_pairs_hook=_marked)
    except UnicodeDecodeError as exc:
        raise _not_json(f"invalid UTF-8 at byte {exc.start}") from None
    except json.JSONDecodeError as exc:
        raise _not_json(f"{exc.msg} at character {exc.pos}") from None
    except (ValueError, RecursionError):
        raise _not_json("unreadable") from None
    refuse_faults(tree, storable=True)
    return tree


def faults_in_broken(body: bytes) -> None:
    """Say where a small text that the decoder did not take is at fault, if it is a fault that can be named.

    Raises:
        InvalidRequest: names the field.
    """
    try:
        tree = _TREE.decode(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return
    refuse_faults(tree)


def refuse_faults(tree: Any, *, storable: bool = False) -> None:
    """Refuse a decoded value that has a fault; `storable`: NUL is one, for PostgreSQL has no such text.

    Raises:
        InvalidRequest: names the field.
    """
    found = _find(tree, storable)
    if found is None:
        return
    path, problem = found
    where = _shown(path)
    raise InvalidRequest(ErrorReason.INVALID_REQUEST, f"{problem} (field `{where}`).", param=where)


Path = tuple[str | int, ...]


def _find(tree: Any, storable: bool) -> tuple[Path, str] | None:
    """Look at every value once, in order. Paths are links to their parents until one is wanted."""
    waiting: list[tuple[Any, Any]] = [(None, tree)]
    while waiting:
        link, value = waiting.pop()
        if isinstance(value, dict):
            waiting += reversed([((link, name), item) for name, item in value.items()])
        elif isinstance(value, list):
            waiting += reversed([((link, at), item) for at, item in enumerate(value)])
        problem = _problem(value, link, storable)
        if problem:
            path = (*_unlinked(link), value.name) if isinstance(value, _NameTwice) else tuple(_unlinked(link))
            return path, problem
    return None


def _problem(value: Any, link: Any, storable: bool) -> str:
    if isinstance(value, str):
        problem = _text_problem(value, storable)
    elif isinstance(value, float) and not math.isfinite(value):
        problem = _NOT_FINITE
    else:
        problem = "This key comes twice in one object" if isinstance(value, _NameTwice) else ""
    name = link[1] if link else 0
    return _BAD_NAME if isinstance(name, str) and _text_problem(name, storable) else problem


def _text_problem(text: str, storable: bool) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _NOT_TEXT
    return _NUL if storable and "\0" in text else ""


def _unlinked(link: Any) -> Iterator[str | int]:
    steps: list[str | int] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return reversed(steps)


def _shown(path: Path) -> str:
    text = ""
    for step in path:
        name = step if isinstance(step, int) else step.encode("utf-8", "replace").decode()[:_SHOWN]
        text += f"[{name}]" if isinstance(step, int) else f".{name}"
    return text.lstrip(".") or "body"


def _not_json(detail: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_REQUEST, f"The body is not valid JSON: {detail}.", param="body")
