"""What the status page, its JSON and its feed tell: put together from what routers and usage say of everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from servicekit.call import CallContext
from servicekit.clock import Clock
from services.gateway.availability.incidents import Incident, incidents_of
from services.gateway.availability.remembered import Remembered
from services.gateway.availability.shares import VersionShares, shares_of
from services.gateway.availability.spans import KEPT_S, SPANS, Span
from services.gateway.clients.completion import ModelStatus
from services.gateway.clients.kept.probe_results import LastProbe, ProbeResults
from services.gateway.clients.router.client import RouterClient
from services.gateway.clients.usage_statistics.client import StatisticsClient
from services.gateway.clients.usage_statistics.values import Period
from services.gateway.inference.routes.provider_status import by_provider, overall
from services.gateway.probing.probe import Outcome

# Statuses that are read to find incidents: the newest.
MOST_STATUSES: Final = 1000
MOST_INCIDENTS: Final = 50
LONGEST: Final = timedelta(days=90)
Shares = Mapping[str, VersionShares]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The figures of a span, and when it began."""

    begins_at: datetime
    shares: Shares


class PublicStatus:
    """Asks routers and usage at most every half minute, however many look."""

    def __init__(self, router: RouterClient, statistics: StatisticsClient, probes: ProbeResults, clock: Clock) -> None:
        self._router = router
        self._statistics = statistics
        self._probes = probes
        self._clock = clock
        self._statuses: Remembered[list[ModelStatus]] = Remembered(clock, KEPT_S)
        self._incidents: Remembered[list[Incident]] = Remembered(clock, KEPT_S)
        self._last: Remembered[dict[str, LastProbe]] = Remembered(clock, KEPT_S)
        kept = {name: Remembered[_Asked](clock, span.kept_s) for name, span in SPANS.items()}
        self._spans: Mapping[str, Remembered[_Asked]] = kept

    async def body(self, call: CallContext) -> dict[str, Any]:
        """Return the status as JSON; parts that nobody can tell are null."""
        # Nobody's call: whoever asks first does so for all.
        call = CallContext(call.request_id, call.trace)
        statuses, incidents, asked, probes = await asyncio.gather(
            self._statuses.get(partial(self._router.provider_status, call)),
            self._incidents.get(partial(self._find_incidents, call)),
            self._figures(call),
            self._last.get(self._probes.last),
        )
        providers = None if statuses is None else _providers(statuses, asked, probes or {})
        return {
            "status": overall([each.status for each in statuses or ()]),
            "updated_at": self._clock.now(),
            "providers": providers,
            "incidents": None if incidents is None else [_incident_body(each) for each in incidents],
        }

    async def _figures(self, call: CallContext) -> Mapping[str, _Asked | None]:
        asking = [self._spans[name].get(partial(self._ask, span, call)) for name, span in SPANS.items()]
        return dict(zip(SPANS, await asyncio.gather(*asking), strict=True))

    async def _find_incidents(self, call: CallContext) -> list[Incident]:
        past = await self._router.administration.history("", "", MOST_STATUSES, call)
        since = self._clock.now() - LONGEST
        return [each for each in incidents_of(past) if each.ended_at is None or each.ended_at >= since][:MOST_INCIDENTS]

    async def _ask(self, span: Span, call: CallContext) -> _Asked:
        now = self._clock.now()
        begins_at = span.begins_at(now)
        health = await self._statistics.platform_health(Period(begins_at, now, "UTC"), span.bucket, call)
        return _Asked(begins_at, shares_of(health, span, begins_at))


def _providers(
    statuses: Sequence[ModelStatus], asked: Mapping[str, _Asked | None], probes: Mapping[str, LastProbe]
) -> list[dict[str, Any]]:
    return [
        {
            "provider": provider["provider"],
            "status": provider["status"],
            "since": provider["since"],
            "models": [_model(model, asked, probes.get(model["model"])) for model in provider["models"]],
        }
        for provider in by_provider(statuses)
    ]


def _model(model: Mapping[str, Any], asked: Mapping[str, _Asked | None], probe: LastProbe | None) -> dict[str, Any]:
    told = {name: model[name] for name in ("model", "status", "reason", "since")}
    spans = {name: _span_body(name, model["model"], found) for name, found in asked.items()}
    # What is wrong with the probes' own key says nothing of the model.
    is_known = probe is not None and probe.outcome != Outcome.REFUSED
    return {**told, "probe": _probe_body(probe) if probe and is_known else None, "spans": spans}


def _probe_body(probe: LastProbe) -> dict[str, Any]:
    return {"at": probe.at, "answered": probe.outcome == Outcome.ANSWERED, "first_token_ms": probe.first_token_ms}


def _span_body(name: str, version: str, asked: _Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    span, shares = SPANS[name], asked.shares.get(version)
    return {
        "begins_at": asked.begins_at,
        "step_s": int(span.step.total_seconds()),
        "availability": shares and shares.availability,
        "error_rate": None if shares is None or shares.availability is None else round(1 - shares.availability, 4),
        "first_token_p50_ms": shares and shares.first_token.p50_ms,
        "first_token_p95_ms": shares and shares.first_token.p95_ms,
        "bars": shares.bars if shares else [None] * span.bars,
    }


def _incident_body(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "provider": incident.provider,
        "models": incident.models,
        "status": incident.status,
        "reasons": incident.reasons,
        "began_at": incident.began_at,
        "ended_at": incident.ended_at,
    }
