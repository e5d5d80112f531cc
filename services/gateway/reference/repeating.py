"""Which operations take a key, so that what is sent again is done once."""

from __future__ import annotations

from typing import Final

from services.gateway.edge.api_description import IDEMPOTENCY_KEY
from services.gateway.inference.keeping.orders import UNKEPT
from services.gateway.reference.operations import Whole, operations_of

# Hot operations that are billed say it themselves; these cost nothing, and may be repeated as they are.
FREE: Final = frozenset({"/v1/tokenize", "/v1/messages/count_tokens", "/v1/responses/input_tokens", "/userinfo"})


def declare_keys(whole: Whole) -> None:
    """Say of every order of a known caller that it takes a key."""
    for method, path, operation in operations_of(whole):
        if method != "POST" or "security" not in operation or path in UNKEPT | FREE:
            continue
        parameters = operation.setdefault("parameters", [])
        if IDEMPOTENCY_KEY not in parameters:
            parameters.append(dict(IDEMPOTENCY_KEY))
