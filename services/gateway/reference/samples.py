"""How each operation is called: by curl and by Python, ready to be pasted after `source .razvilka/demo.env`."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from services.gateway.reference.operations import Operation, Whole, operations_of

_IN_PATH: Final = re.compile(r"\{(\w+)\}")
FORM: Final = "application/x-www-form-urlencoded"
UPLOAD: Final = "multipart/form-data"


def add_samples(whole: Whole) -> None:
    """Give every operation its samples, in the form that tools for reading descriptions know."""
    for method, path, operation in operations_of(whole):
        operation["x-codeSamples"] = [
            {"lang": "Shell", "label": "curl", "source": curl(method, path, operation)},
            {"lang": "Python", "label": "Python", "source": python(method, path, operation)},
        ]


def curl(method: str, path: str, operation: Operation) -> str:
    """Return the command."""
    address = _IN_PATH.sub(lambda found: f"${found[1].upper()}", path) + _query(operation)
    lines = [f'curl -sS {"" if method == "GET" else f"-X {method} "}"$RAZVILKA_URL{address}"']
    if "security" in operation:
        lines.append('-H "Authorization: Bearer $RAZVILKA_API_KEY"')
    kind, body = _body(operation)
    if kind == UPLOAD:
        lines += ["-F purpose=batch", "-F file=@requests.jsonl"]
    elif kind == FORM:
        lines += [f"--data-urlencode {_quoted(f'{name}={value}')}" for name, value in body.items()]
    elif kind:
        lines += ["-H 'Content-Type: application/json'", f"-d {_quoted(json.dumps(body, ensure_ascii=False))}"]
    return " \\\n  ".join(lines)


def python(method: str, path: str, operation: Operation) -> str:
    """Return the program."""
    names = _IN_PATH.findall(path)
    address = f'{"f" if names else ""}"{path}{_query(operation)}"'
    given = [address, *_python_body(operation)]
    headers = ""
    if "security" in operation:
        headers = ', headers={"Authorization": f"Bearer {os.environ[\'RAZVILKA_API_KEY\']}"}'
    return "\n".join(
        [
            "import os",
            "import httpx",
            "",
            *(f'{name} = os.environ["{name.upper()}"]' for name in names),
            f'gateway = httpx.Client(base_url=os.environ["RAZVILKA_URL"]{headers}, timeout=60)',
            f"answer = gateway.{method.lower()}({', '.join(given)})",
            "print(answer.raise_for_status().text)",
        ]
    )


def _python_body(operation: Operation) -> list[str]:
    kind, body = _body(operation)
    if kind == UPLOAD:
        return ['data={"purpose": "batch"}', 'files={"file": open("requests.jsonl", "rb")}']
    if not kind:
        return []
    return [f"{'data' if kind == FORM else 'json'}={body!r}"]


def _body(operation: Operation) -> tuple[str, Any]:
    if "requestBody" not in operation:
        return "", None
    kind, content = next(iter(operation["requestBody"]["content"].items()))
    return kind, content.get("example")


def _query(operation: Operation) -> str:
    needed = [each for each in operation.get("parameters", []) if each["in"] == "query" and each.get("required")]
    return "?" + "&".join(f"{each['name']}={each.get('example', '…')}" for each in needed) if needed else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
