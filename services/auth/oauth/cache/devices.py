"""Device authorizations that wait for their user, in Redis."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from servicekit.once.single_use import Claims
from services.auth.oauth.cache.json_values import timestamp_from_text, timestamp_text, to_json
from services.auth.oauth.domain.device import DeviceDecision, DeviceFlow, Polling
from services.auth.oauth.domain.grant import Allowance
from services.auth.oauth.domain.token import digest
from services.auth.shared.cache.errors import cache_errors
from services.auth.shared.domain.budget import BudgetPeriod, KeyBudget
from services.auth.shared.domain.scope import known_scopes

DEVICE: Final = "razvilka:auth:device:"
USER_CODE: Final = "razvilka:auth:user_code:"


class DeviceCache:
    """Devices that wait for their user. The decision is a separate key, so that no poll can overwrite it."""

    def __init__(self, client: Redis, *, ttl_s: int) -> None:
        self._client = client
        self._claims = Claims(client)
        # Known for as long again: a device that is late hears that it is, not that it never was.
        self._ttl_s = 2 * ttl_s

    async def put(self, device_code: str, flow: DeviceFlow) -> bool:
        """Keep a device; tell whether its user code was free."""
        name = digest(device_code).hex()
        with cache_errors():
            if not await self._claims.claim(USER_CODE + flow.user_code, owner=name, ttl_s=self._ttl_s):
                return False
            await self._client.set(DEVICE + name, to_json(_flow_to_json(flow)), ex=self._ttl_s)
        return True

    async def find(self, device_code: str) -> DeviceFlow | None:
        """Return the device of this code."""
        return await self._find(digest(device_code).hex())

    async def find_by_user_code(self, user_code: str) -> tuple[str, DeviceFlow] | None:
        """Return the device that shows this code, with its name here."""
        with cache_errors():
            raw = await self._client.get(USER_CODE + user_code)
        if raw is None:
            return None
        name = raw if isinstance(raw, str) else raw.decode()
        flow = await self._find(name)
        return None if flow is None else (name, flow)

    async def _find(self, name: str) -> DeviceFlow | None:
        with cache_errors():
            raw = await self._client.get(DEVICE + name)
        return None if raw is None else _flow_from_json(json.loads(raw))

    async def decide(self, name: str, decision: DeviceDecision) -> bool:
        """Note the decision; tell whether it is the first."""
        # Two equal decisions are two: of a double click one counts.
        text = to_json(_decision_to_json(decision) | {"made": secrets.token_hex(8)})
        with cache_errors():
            return await self._claims.claim(f"{DEVICE}{name}:decision", owner=text, ttl_s=self._ttl_s)

    async def decision(self, device_code: str) -> DeviceDecision | None:
        """Return what was decided."""
        with cache_errors():
            raw = await self._client.get(f"{DEVICE}{digest(device_code).hex()}:decision")
        return None if raw is None else _decision_from_json(json.loads(raw))

    async def polling(self, device_code: str, interval_s: int) -> Polling:
        """Return how the device has asked so far."""
        with cache_errors():
            raw = await self._client.get(f"{DEVICE}{digest(device_code).hex()}:polling")
        if raw is None:
            return Polling(None, interval_s)
        read = json.loads(raw)
        return Polling(timestamp_from_text(read["last_at"]), read["interval_s"])

    async def note_poll(self, device_code: str, polling: Polling) -> None:
        """Keep how the device asks."""
        text = to_json({"last_at": timestamp_text(polling.last_at), "interval_s": polling.interval_s})
        with cache_errors():
            await self._client.set(f"{DEVICE}{digest(device_code).hex()}:polling", text, ex=self._ttl_s)

    async def drop(self, device_code: str, flow: DeviceFlow) -> None:
        """Forget a device that got its answer."""
        name = digest(device_code).hex()
        with cache_errors(), may_repeat():
            await self._client.delete(
                DEVICE + name, f"{DEVICE}{name}:decision", f"{DEVICE}{name}:polling", USER_CODE + flow.user_code
            )


def _flow_to_json(flow: DeviceFlow) -> dict[str, Any]:
    return {
        "client_id": flow.client_id,
        "scopes": sorted(flow.scopes),
        "user_code": flow.user_code,
        "grant_id": flow.grant_id,
        "expires_at": timestamp_text(flow.expires_at),
    }


def _flow_from_json(read: dict[str, Any]) -> DeviceFlow:
    scopes, expires_at = known_scopes(read["scopes"]), datetime.fromisoformat(read["expires_at"])
    return DeviceFlow(read["client_id"], scopes, read["user_code"], read["grant_id"], expires_at)


def _decision_to_json(decision: DeviceDecision) -> dict[str, Any]:
    allowance = decision.allowance
    return {
        "approved": decision.approved,
        "user_id": decision.user_id,
        "authenticated_at": timestamp_text(decision.authenticated_at),
        "scopes": sorted(allowance.scopes),
        "methods": list(decision.methods),
        "epoch": decision.epoch,
        "models": list(allowance.models),
        "budget": [allowance.budget.period, allowance.budget.limit_micro_rub] if allowance.budget else None,
    }


def _decision_from_json(read: dict[str, Any]) -> DeviceDecision:
    budget = KeyBudget(BudgetPeriod(read["budget"][0]), read["budget"][1]) if read["budget"] else None
    allowance = Allowance(known_scopes(read["scopes"]), tuple(read["models"]), budget)
    authenticated_at = datetime.fromisoformat(read["authenticated_at"])
    methods = tuple(read.get("methods", ()))
    proved = (authenticated_at, allowance, methods, read.get("epoch"))
    return DeviceDecision(read["approved"], read["user_id"], *proved)
