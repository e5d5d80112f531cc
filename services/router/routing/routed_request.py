"""A request and its state while candidates are tried."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.catalog import Model
from services.router.domain.completion import Attempt
from services.router.domain.kept import Kept
from services.router.slots.asker import NOBODY, Asker
from services.router.status.canaries import Trial

_TOOL: Final = re.compile(r"tools\[([0-9]+)\]")


class RoutedRequest(Struct):
    """A request with its candidate models, best first, and the attempts so far."""

    request_id: str
    candidates: Sequence[Model]
    deadline: float | None
    """On the monotonic clock; None: none."""
    caller_deadline: float | None = None
    """When the caller waits no longer, on the monotonic clock; None: it always does."""
    attempts: list[Attempt] = field(default_factory=list)
    """Calls that were made, and candidates that were skipped, in order."""
    calls: int = 0
    """Calls that were made."""
    asker: Asker = NOBODY
    choices: int = 1
    queued_s: float = 0.0
    """That attempts before the one under way have waited for slots."""
    at: int = 0
    tries_of_candidate: int = 0
    trial: Trial | None = None
    """What hears how a request of a canary's channel goes."""
    skips_unsupported: bool = False
    """Whether a model that cannot do all that is asked gives way to the next one."""
    deferral: str = ""
    """Names what nobody waits for; "": somebody does."""
    kept: Kept = field(default_factory=Kept)
    """What the model under way has answered of several calls: it is asked for the rest, and no other model is."""

    tool_names: Sequence[str] = ()
    """What the functions are called that the model may call, in their order."""
    failure: ServiceError | None = None
    """Of the calls that have failed, the one that is told when nothing is left to try."""
    is_last_resort: bool = False
    """Whether nobody could be asked, so that those are whose circuits are open, the least bad first."""
    passed_over: list[Model] = field(default_factory=list)
    """Candidates that are not asked for the moment; what an administrator has drained is none of them."""

    def gives_way(self, error: ServiceError) -> bool:
        """Tell whether a model has refused what it cannot do, and another one may: after the first, always."""
        return (self.skips_unsupported or self.at > 0) and error.reason is ErrorReason.UNSUPPORTED_PARAMETER

    def queued_ms(self, of_attempt_s: float) -> int:
        """Return how long the request has waited for slots, with the attempt under way."""
        return round((self.queued_s + of_attempt_s) * 1000)

    def name_tool(self, failure: ServiceError) -> None:
        """Have a failure about one of the tools say what it is called, too: among many, a number is no help."""
        found = _TOOL.match(failure.param or "")
        if found is not None and int(found[1]) < len(self.tool_names):
            name = self.tool_names[int(found[1])]
            for place in (f"`{failure.param}`", f"'{failure.param}'"):
                failure.message = failure.message.replace(place, f"{place} ({name})", 1)

    def tried(self) -> str:
        """Return the attempts as JSON, for an error's details."""
        tried = [
            {"provider": one.provider, "model": one.model, "reason": one.reason, "latency_ms": one.latency_ms}
            for one in self.attempts
        ]
        return json.dumps(tried, separators=(",", ":"))
