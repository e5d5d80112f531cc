"""The same question as a program asks it: to copy into a shell, or a program in Python or JavaScript."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

KEY_VARIABLE: Final = "RAZVILKA_API_KEY"
CHAT: Final = "/v1/chat/completions"
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program of a few lines. `language` is its name as people write it."""

    language: str
    text: str


def snippets_of(url: str, body: Mapping[str, Any]) -> tuple[Snippet, ...]:
    """Return programs that ask `body` of the API at `url`; the key comes from their environment."""
    return (
        Snippet("curl", _curl(url, body)),
        Snippet("Python", _python(url, body)),
        Snippet("JavaScript", _javascript(url, body)),
    )


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


def _curl(url: str, body: Mapping[str, Any]) -> str:
    lines = (
        f"curl -sN {shlex.quote(url + CHAT)} \\",
        f'  -H "Authorization: Bearer ${KEY_VARIABLE}" -H "Content-Type: application/json" \\',
        f"  -d {shlex.quote(_json(body))}",
    )
    return "\n".join(lines)


def _python(url: str, body: Mapping[str, Any]) -> str:
    given = "\n".join(f"{_INDENT}{name}={_literal(value, _INDENT)}," for name, value in body.items())
    return f"""import os

from openai import OpenAI

client = OpenAI(base_url={f"{url}/v1"!r}, api_key=os.environ["{KEY_VARIABLE}"])
answer = client.chat.completions.create(
{given}
)
print(answer.choices[0].message.content)"""


def _literal(value: Any, margin: str) -> str:
    """Return JSON's values as Python writes them, a line each."""
    inner = margin + _INDENT
    if isinstance(value, dict) and value:
        lines = [f"{inner}{name!r}: {_literal(item, inner)},\n" for name, item in value.items()]
        return "{\n" + "".join(lines) + margin + "}"
    if isinstance(value, list) and value:
        lines = [f"{inner}{_literal(item, inner)},\n" for item in value]
        return "[\n" + "".join(lines) + margin + "]"
    return repr(value)


def _javascript(url: str, body: Mapping[str, Any]) -> str:
    return f"""import OpenAI from "openai";

const client = new OpenAI({{ baseURL: {json.dumps(f"{url}/v1")}, apiKey: process.env.{KEY_VARIABLE} }});
const answer = await client.chat.completions.create({_json(body)});
console.log(answer.choices[0].message.content);"""
