"""The authorization server's part of the description: `protocol.yaml` beside this file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

import yaml

from services.gateway.reference.operations import Whole

_PART: Final[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "protocol.yaml").read_text(encoding="utf-8"))
TAG: Final = "oauth"
_ERROR: Final = {
    "schema": {"$ref": "#/components/schemas/OAuthError"},
    "example": {"error": "invalid_request", "error_description": "A parameter is missing."},
}
# What every endpoint for programs may answer, in the protocol's form.
_ERRORS: Final = {
    "400": "What is asked is refused; `error` says why.",
    "401": "The application, or the token, could not prove itself.",
    "403": "It may not do this.",
    "404": "It is switched off here.",
    "405": "The path has other methods; `Allow` lists them.",
    "408": "The body did not arrive in time.",
    "413": "The body is larger than it may be.",
    "415": "The body has another type than the endpoint reads.",
    "429": "Too many requests of this application or address.",
    "500": "A mistake of ours.",
    "503": "A part of the gateway is away: try again.",
    "504": "The answer was not ready in time.",
}


def add_protocol(whole: Whole) -> None:
    """Add the authorization server's endpoints."""
    part = copy.deepcopy(_PART)
    whole["components"]["schemas"] |= part["schemas"]
    for path, item in part["paths"].items():
        whole["paths"][path] = {method: _operation(operation) for method, operation in item.items()}


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    if "303" not in operation["responses"]:
        content = {"application/json": _ERROR}
        errors = {status: {"description": said, "content": content} for status, said in _ERRORS.items()}
        operation["responses"] = {**errors, **operation["responses"]}
    return {"tags": [TAG], **copy.deepcopy(operation)}
