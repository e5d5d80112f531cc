"""What waits for a user, in Redis, each with its expiry: authorization requests, devices, counted guesses.

Losing it loses only what is under way: people begin again. Nothing here says that a token is valid or revoked.
Secrets are stored as the SHA-256 of themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from services.auth.oauth.domain.authorization import AuthorizationRequest, Pending, ReplyTo
from services.auth.oauth.domain.device import DeviceDecision, DeviceFlow, Polling
from services.auth.oauth.domain.grant import Allowance
from services.auth.oauth.domain.token import digest
from services.auth.shared.cache.revocation_channel import cache_errors
from services.auth.shared.domain.budget import BudgetPeriod, KeyBudget
from services.auth.shared.domain.scope import known_scopes

PENDING: Final = "razvilka:auth:pending:"
DEVICE: Final = "razvilka:auth:device:"
USER_CODE: Final = "razvilka:auth:user_code:"
GUESSES: Final = "razvilka:auth:guesses:"


class PendingCache:
    """Authorization requests that wait for their user."""

    def __init__(self, client: Redis, *, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s

    async def put(self, pending_id: str, pending: Pending) -> None:
        """Keep a request.

        Raises:
            Unavailable: Redis is down.
        """
        with cache_errors():
            await self._client.set(PENDING + digest(pending_id).hex(), _dump(_pending_to_json(pending)), ex=self._ttl_s)

    async def get(self, pending_id: str) -> Pending | None:
        """Return a request; None when it is unknown, over or decided."""
        with cache_errors():
            raw = await self._client.get(PENDING + digest(pending_id).hex())
        return None if raw is None else _pending_from_json(json.loads(raw))

    async def drop(self, pending_id: str) -> bool:
        """Forget a request; tell whether it was this call that did: of two decisions only one counts."""
        with cache_errors():
            return bool(await self._client.delete(PENDING + digest(pending_id).hex()))


class DeviceCache:
    """Devices that wait for their user. What is decided is a key of its own, so that no poll can overwrite it."""

    def __init__(self, client: Redis, *, ttl_s: int) -> None:
        self._client = client
        # Known for as long again: a device that is late hears that it is, not that it never was.
        self._ttl_s = 2 * ttl_s

    async def put(self, device_code: str, flow: DeviceFlow) -> bool:
        """Keep a device; tell whether its user code was free."""
        name = digest(device_code).hex()
        with cache_errors():
            if not await self._client.set(USER_CODE + flow.user_code, name, ex=self._ttl_s, nx=True):
                return False
            await self._client.set(DEVICE + name, _dump(_flow_to_json(flow)), ex=self._ttl_s)
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
        text = _dump(_decision_to_json(decision))
        with cache_errors():
            return bool(await self._client.set(f"{DEVICE}{name}:decision", text, ex=self._ttl_s, nx=True))

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
        return Polling(_moment(read["last_at"]), read["interval_s"])

    async def note_poll(self, device_code: str, polling: Polling) -> None:
        """Keep how the device asks."""
        text = _dump({"last_at": _text(polling.last_at), "interval_s": polling.interval_s})
        with cache_errors():
            await self._client.set(f"{DEVICE}{digest(device_code).hex()}:polling", text, ex=self._ttl_s)

    async def drop(self, device_code: str, flow: DeviceFlow) -> None:
        """Forget a device that got its answer."""
        name = digest(device_code).hex()
        with cache_errors():
            await self._client.delete(
                DEVICE + name, f"{DEVICE}{name}:decision", f"{DEVICE}{name}:polling", USER_CODE + flow.user_code
            )


class GuessCounter:
    """Counts wrong guesses. Redis down: nobody may guess."""

    def __init__(self, client: Redis, *, window_s: int) -> None:
        self._client = client
        self._window_s = window_s

    async def begin(self, *who: str) -> int:
        """Count a guess of all of these before it is looked at, and return the highest count.

        Counting first leaves no gap in which many guesses at once would all see a low count.

        Raises:
            Unavailable: Redis is down.
        """
        pipe = self._client.pipeline(transaction=True)
        for name in who:
            pipe.incr(GUESSES + name)
            pipe.expire(GUESSES + name, self._window_s, nx=True)
        with cache_errors():
            answers = await pipe.execute()
        return max(int(count) for count in answers[::2])

    async def forgive(self, *who: str) -> None:
        """Take back a guess that was right."""
        pipe = self._client.pipeline(transaction=True)
        for name in who:
            pipe.decr(GUESSES + name)
            pipe.expire(GUESSES + name, self._window_s, nx=True)
        with cache_errors():
            await pipe.execute()


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _pending_to_json(pending: Pending) -> dict[str, Any]:
    request = pending.request
    return {
        "session_id": pending.session_id,
        "client_id": request.client_id,
        "redirect_uri": request.reply_to.redirect_uri,
        "state": request.reply_to.state,
        "issuer": request.reply_to.issuer,
        "scopes": sorted(request.scopes),
        "code_challenge": request.code_challenge,
        "nonce": request.nonce,
        "prompts": sorted(request.prompts),
        "max_age_s": request.max_age_s,
        "login_hint": request.login_hint,
        "ui_locales": request.ui_locales,
        "requested_at": _text(request.requested_at),
    }


def _pending_from_json(read: dict[str, Any]) -> Pending:
    request = AuthorizationRequest(
        client_id=read["client_id"],
        reply_to=ReplyTo(read["redirect_uri"], read["state"], read["issuer"]),
        scopes=known_scopes(read["scopes"]),
        code_challenge=read["code_challenge"],
        nonce=read["nonce"],
        prompts=frozenset(read["prompts"]),
        max_age_s=read["max_age_s"],
        login_hint=read["login_hint"],
        ui_locales=read["ui_locales"],
        requested_at=datetime.fromisoformat(read["requested_at"]),
    )
    return Pending(request, read["session_id"])


def _flow_to_json(flow: DeviceFlow) -> dict[str, Any]:
    return {
        "client_id": flow.client_id,
        "scopes": sorted(flow.scopes),
        "user_code": flow.user_code,
        "grant_id": flow.grant_id,
        "expires_at": _text(flow.expires_at),
    }


def _flow_from_json(read: dict[str, Any]) -> DeviceFlow:
    scopes, expires_at = known_scopes(read["scopes"]), datetime.fromisoformat(read["expires_at"])
    return DeviceFlow(read["client_id"], scopes, read["user_code"], read["grant_id"], expires_at)


def _decision_to_json(decision: DeviceDecision) -> dict[str, Any]:
    allowance = decision.allowance
    return {
        "approved": decision.approved,
        "user_id": decision.user_id,
        "authenticated_at": _text(decision.authenticated_at),
        "scopes": sorted(allowance.scopes),
        "models": list(allowance.models),
        "budget": [allowance.budget.period, allowance.budget.limit_micro_rub] if allowance.budget else None,
    }


def _decision_from_json(read: dict[str, Any]) -> DeviceDecision:
    budget = KeyBudget(BudgetPeriod(read["budget"][0]), read["budget"][1]) if read["budget"] else None
    allowance = Allowance(known_scopes(read["scopes"]), tuple(read["models"]), budget)
    authenticated_at = datetime.fromisoformat(read["authenticated_at"])
    return DeviceDecision(read["approved"], read["user_id"], authenticated_at, allowance)
