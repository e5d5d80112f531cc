"""IAM tokens: for a signed JWT, for a Passport token, on a VM."""

import msgspec

from emulator.core import Call
from emulator.wire.replies import Reply
from emulator.yandex.auth import check_jwt
from emulator.yandex.surface import YandexSurface, timestamp

METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


class IamSurface:
    """Adds the token endpoints to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        surface.routes |= {
            "POST /iam/v1/tokens": ("token", self.create),
            f"GET {METADATA_PATH}": ("token", self.metadata),
        }

    async def create(self, call: Call) -> Reply:
        """`POST /iam/v1/tokens`."""
        fault = self._surface.choose_fault(call)
        body = call.received.json()
        if body.get("jwt"):
            try:
                folder: str | None = check_jwt(self._surface.access, str(body["jwt"]), self._core.now())
            except ValueError as reason:
                raise self._surface.refuse(call, 401, str(reason)) from None
        elif body.get("yandexPassportOauthToken") in self._core.settings.yandex_oauth_tokens:
            folder = None
        else:
            raise self._surface.refuse(call, 401, "OAuth token is invalid or expired")
        token, expires_at = self._surface.access.issue(folder)
        found = {"iamToken": token, "expiresAt": timestamp(expires_at, nanoseconds=True)}
        latency_s = 0.0 if fault is None else self._core.latency_s(None, fault)
        return Reply([msgspec.json.encode(found)], fault=fault, latency_s=latency_s)

    async def metadata(self, call: Call) -> Reply:
        """The VM metadata path; only for those who send `Metadata-Flavor: Google`."""
        fault = self._surface.choose_fault(call)
        if call.received.header("metadata-flavor") != "Google":
            return Reply([b"Missing Metadata-Flavor:Google header"], 403, b"text/plain")
        token, expires_at = self._surface.access.issue(self._core.settings.yandex_metadata_folder)
        found = {"access_token": token, "expires_in": int(expires_at - self._core.now()), "token_type": "Bearer"}
        return Reply([msgspec.json.encode(found)], fault=fault)
