"""The control API from Python: the same methods for an emulator in this process and in another."""

from typing import Any, Self

import aiohttp


class ControlError(Exception):
    """The emulator did not understand the control call."""


class EmulatorControl:
    """A client of one emulator's control API. Use as an async context manager."""

    def __init__(self, control_url: str) -> None:
        """Remember the address, for example http://127.0.0.1:18080."""
        self._url = control_url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(self._url, timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()

    async def fail(
        self,
        fault: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        operation: str | None = None,
        times: int = 1,
        skip: int = 0,
        chance: float = 1.0,
        for_s: float = 0.0,
        **args: object,
    ) -> None:
        """Commit a fault on the next `times` fitting calls (-1: until reset), after letting `skip` of them pass.

        `model` is any part of the model's name; `operation` is chat, embeddings, tokenize, models, files, token.
        Token calls (OAuth, IAM) are hit only when operation="token" says so. It waits `for_s` at most; 0: no end.
        """
        rule: dict[str, Any] = {"fault": fault, "args": args, "times": times, "skip": skip, "chance": chance}
        rule["for_s"] = for_s
        named = {"provider": provider, "model": model, "operation": operation}
        await self.call("POST", "faults", rule | {key: value for key, value in named.items() if value is not None})

    async def replay(self, name: str) -> None:
        """Answer the next fitting call with this golden payload, for example "yandex/stream_native_text"."""
        await self.call("POST", "replays", {"name": name})

    async def golden(self, name: str) -> dict[str, Any]:
        """Return a golden document."""
        return dict(await self.call("GET", "golden", query={"name": name}))

    async def ground_truth(self, *, since: int = 0, **equals: str) -> list[dict[str, Any]]:
        """Return the log of calls, oldest first; `provider`, `operation`, `model`, `ended` narrow it down."""
        return list(await self.call("GET", "ground-truth", query={"since": str(since), **equals}))

    async def reset(self) -> None:
        """Forget faults, replays, limits and the log; credentials and tokens stay."""
        await self.call("POST", "reset")

    async def expire_tokens(self, provider: str | None = None) -> int:
        """End all access tokens now; return how many there were."""
        body = {} if provider is None else {"provider": provider}
        return int((await self.call("POST", "tokens/expire", body))["expired"])

    async def add_credential(self, kind: str, **fields: str) -> None:
        """Accept another credential: yandex_api_key(key, folder), gigachat(key, scope), yandex_service_account."""
        await self.call("POST", "credentials", {"kind": kind, **fields})

    async def revoke_credential(self, key: str) -> None:
        """Accept the credential no more, nor the tokens that it got."""
        await self.call("DELETE", "credentials", {"key": key})

    async def set_limits(self, *, packages: dict[str, int] | None = None, **limits: int) -> None:
        """Set quotas by the names of `emulator.limits.QUOTAS`, and token packages."""
        await self.call("POST", "limits", {**limits, "packages": packages or {}})

    async def lift_quotas(self) -> None:
        """Let everybody call as often as they like, until a reset."""
        await self.call("POST", "limits", {"lifted": True})

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, str] | None = None
    ) -> Any:
        """Make one control call.

        Raises:
            ControlError: the emulator refused it.
        """
        if self._session is None:
            raise ControlError("use `async with EmulatorControl(...)`")
        async with self._session.request(method, f"/control/{path}", json=body, params=query) as response:
            found = await response.json()
            if response.status != 200:
                raise ControlError(found.get("error", "refused"))
            return found
