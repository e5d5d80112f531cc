"""Text of a template: a manifest as YAML, with holes where Helm puts values."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_OPEN, _CLOSE = "⟦", "⟧"
# A hole that is the whole of a scalar may stand in quotes that YAML put there; one inside of text keeps its quotes.
_WHOLE: Final = re.compile(rf"'{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}'")
_BLOCK: Final = re.compile(rf"^(\s*)- '?{_OPEN}%([^{_OPEN}{_CLOSE}]*){_CLOSE}'?$", re.MULTILINE)
_KEY: Final = re.compile(rf"^(\s*)'?{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}'?: null$", re.MULTILINE)
_PART: Final = re.compile(rf"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_LINE_WIDTH: Final = 10_000


def hole(expression: str) -> str:
    """Return what stands in a manifest for a Go template's expression."""
    return f"{_OPEN}{expression}{_CLOSE}"


def only_if(expression: str, items: list[Any]) -> list[Any]:
    """Return list items that are there only if the expression is true."""
    return [hole(f"%if {expression}"), *items, hole("%end")]


def values_block(name: str, indent: int) -> str:
    """Return a hole for a part of the values, indented by so many spaces."""
    return hole(f"- toYaml .Values.{name} | nindent {indent}")


def template_of(manifest: dict[str, Any]) -> str:
    """Return a manifest as the text of a template."""
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=_LINE_WIDTH)
    text = _KEY.sub(r"\1{{\2 }}", _BLOCK.sub(r"\1{{- \2 }}", text))
    return _PART.sub(_filled, _WHOLE.sub(_filled, text))


def _filled(found: re.Match[str]) -> str:
    expression = found[1].replace("''", "'")
    return f"{{{{{expression} }}}}" if expression.startswith("- ") else f"{{{{ {expression} }}}}"
