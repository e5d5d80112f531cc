"""The control API: faults by script, replays, ground truth, credentials, limits. Under `/control/`."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from emulator.core import Call, Core, Surface
from emulator.gigachat.oauth import GigaChatAccess
from emulator.golden_files import golden_names, load_document
from emulator.openai.upstream import OpenAIUpstream
from emulator.settings import ServiceAccount
from emulator.wire.fault_modes import FORMS
from emulator.wire.faults import FAULTS, Rule, make_fault
from emulator.wire.replies import Exchange, Reply, SentResponse, content_length, head
from emulator.yandex.auth import YandexAccess

_RULE_FIELDS = ("provider", "model", "operation", "times", "skip", "chance", "for_s")


@dataclass(slots=True)
class Addresses:
    """Where a running emulator answers, by listener; `tls` is empty when TLS is off, `grpc` holds host and port."""

    urls: dict[str, str] = field(default_factory=dict)
    tls: dict[str, str] = field(default_factory=dict)
    grpc: dict[str, str] = field(default_factory=dict)
    ca_path: str = ""

    def shown(self) -> dict[str, Any]:
        """Return them as the control API and the first log line say them: `yandex_url` and so on."""
        named: dict[str, Any] = {f"{name}_url": url for name, url in self.urls.items()}
        return named | {"grpc": self.grpc, "tls": self.tls, "ca_path": self.ca_path}


@dataclass(frozen=True, slots=True)
class Providers:
    """Whom each emulated provider knows now: keys, tokens, packages."""

    yandex: YandexAccess
    gigachat: GigaChatAccess
    openai: OpenAIUpstream


class ControlSurface(Surface):
    """Not a provider: its calls leave no trace in the ground truth."""

    provider = "control"

    def __init__(self, core: Core, providers: Providers, addresses: Addresses) -> None:
        """Register the routes; `addresses` may still be empty."""
        super().__init__(core)
        self._providers = providers
        self._running_at = addresses
        self._handlers = {
            "GET /control/health": self._health,
            "GET /control/addresses": self._addresses,
            "GET /control/faults": self._list_faults,
            "POST /control/faults": self._add_fault,
            "DELETE /control/faults": self._remove_faults,
            "POST /control/replays": self._replay,
            "GET /control/golden": self._golden,
            "GET /control/ground-truth": self._ground_truth,
            "POST /control/reset": self._reset,
            "POST /control/credentials": self._add_credential,
            "DELETE /control/credentials": self._revoke_credential,
            "POST /control/tokens/expire": self._expire_tokens,
            "POST /control/limits": self._set_limits,
        }

    async def handle(self, request: web.BaseRequest) -> SentResponse:
        """Serve one control call; mistakes are 400 with the reason."""
        exchange = Exchange(request, await request.read())
        handler = self._handlers.get(f"{request.method} {request.path}")
        status = 200
        try:
            found: Any = {"error": "no such control path", "paths": list(self._handlers)}
            if handler is None:
                status = 404
            else:
                body = exchange.json() if exchange.body else {}
                found = handler(body | dict(request.query))
        except (ValueError, LookupError, TypeError) as error:
            status, found = 400, {"error": f"{type(error).__name__}: {error}"}
        data = msgspec.json.encode(found)
        exchange.write(head(Reply([data], status), content_length(len(data))) + data)
        return exchange.finished()

    def unknown_path(self, call: Call) -> Reply:
        """Never asked: handle() does it all."""
        return Reply([b""], 404)

    def _health(self, body: dict[str, Any]) -> Any:
        return {"status": "ok"}

    def _addresses(self, body: dict[str, Any]) -> Any:
        return self._running_at.shown()

    def _list_faults(self, body: dict[str, Any]) -> Any:
        return {
            "known": FAULTS,
            "modes": FORMS,
            "pending": self.core.faults.pending(),
            "rules": self.core.faults.shown(),
        }

    def _remove_faults(self, body: dict[str, Any]) -> Any:
        return {"removed": self.core.faults.remove(body.get("provider"))}

    def _add_fault(self, body: dict[str, Any]) -> Any:
        fault = make_fault(str(body["fault"]), body.get("args") or {})
        self.core.faults.add(Rule(fault, **{key: body[key] for key in _RULE_FIELDS if key in body}))
        return {"pending": self.core.faults.pending()}

    def _replay(self, body: dict[str, Any]) -> Any:
        self.core.golden.replay(str(body["name"]))
        return {"queued": body["name"]}

    def _golden(self, body: dict[str, Any]) -> Any:
        return load_document(str(body["name"])) if "name" in body else golden_names()

    def _ground_truth(self, body: dict[str, Any]) -> Any:
        entries = self.core.ground_truth.since(int(body.get("since", 0)))
        wanted = {key: body[key] for key in ("provider", "operation", "model", "ended") if key in body}
        return [entry for entry in entries if all(getattr(entry, key) == wanted[key] for key in wanted)]

    def _reset(self, body: dict[str, Any]) -> Any:
        self.core.reset()
        return {"status": "clean"}

    def _add_credential(self, body: dict[str, Any]) -> Any:
        kind, providers = body["kind"], self._providers
        if kind == "yandex_api_key":
            providers.yandex.api_keys[str(body["key"])] = str(body["folder"])
        elif kind == "yandex_service_account":
            account = ServiceAccount(id=body["id"], public_key=body["public_key"], folder=body["folder"])
            providers.yandex.service_accounts[str(body["key_id"])] = account
        elif kind == "gigachat":
            providers.gigachat.credentials[str(body["key"])] = str(body["scope"])
        elif kind == "openai":
            providers.openai.api_keys.add(str(body["key"]))
        else:
            raise ValueError(f"unknown kind {kind!r}")
        return {"added": kind}

    def _revoke_credential(self, body: dict[str, Any]) -> Any:
        key, providers = str(body["key"]), self._providers
        providers.yandex.api_keys.pop(key, None)
        providers.yandex.service_accounts.pop(key, None)
        providers.gigachat.revoke(key)
        providers.openai.api_keys.discard(key)
        return {"revoked": True}

    def _expire_tokens(self, body: dict[str, Any]) -> Any:
        provider, ended = body.get("provider"), 0
        if provider in (None, "yandex"):
            ended += self._providers.yandex.expire_tokens()
        if provider in (None, "gigachat"):
            ended += self._providers.gigachat.expire_tokens()
        return {"expired": ended}

    def _set_limits(self, body: dict[str, Any]) -> Any:
        """Set quotas by their settings' names, `lifted` for all others, and `packages`: model -> tokens left."""
        body, quotas = dict(body), self.core.quotas
        self._providers.gigachat.packages.update(body.pop("packages", {}))
        quotas.lifted = bool(body.pop("lifted", quotas.lifted))
        for name, value in body.items():
            quotas.set(name, int(value))
        return {"lifted": quotas.lifted, "limits": quotas.shown(), "packages": self._providers.gigachat.packages}
