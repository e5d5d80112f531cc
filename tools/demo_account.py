"""The demo account: a user of the enterprise tier, a key and an administrator's key, made once.

`python -m tools.demo_account AUTH_TARGET FILE URL` keeps them in FILE and prints what is in it.
"""

import asyncio
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from razvilka.auth.v1 import auth_pb2, auth_pb2_grpc

from servicekit.errors import Conflict, NotFound, Unauthenticated
from servicekit.rpc_client import open_channel, unary

EMAIL: Final = "demo@example.com"
DEADLINE_S: Final = 15.0
FIELDS: Final = ("RAZVILKA_URL", "RAZVILKA_API_KEY", "RAZVILKA_ADMIN_KEY", "RAZVILKA_DEMO_USER_ID")


@dataclass(frozen=True, slots=True)
class Demo:
    """What the file holds."""

    url: str
    api_key: str = field(repr=False)
    admin_key: str = field(repr=False)
    user_id: str

    @property
    def text(self) -> str:
        """Return the file's text: one variable a line."""
        values = (self.url, self.api_key, self.admin_key, self.user_id)
        return "".join(f"{name}={value}\n" for name, value in zip(FIELDS, values, strict=True))


async def ensure_demo(file: Path, *, auth_target: str, url: str) -> Demo:
    """Return a demo account whose keys work, making what is missing, and write the file."""
    known = read_env_file(file)
    async with open_channel(auth_target) as channel:
        auth = _Auth(auth_pb2_grpc.AuthServiceStub(channel))
        api_key, admin_key = known.get("RAZVILKA_API_KEY", ""), known.get("RAZVILKA_ADMIN_KEY", "")
        user_id = await auth.holder(api_key)
        if user_id is None:
            user_id = await auth.user(known.get("RAZVILKA_DEMO_USER_ID"))
            api_key = await auth.new_key(user_id, "demo", [])
        if await auth.holder(admin_key) is None:
            admin_key = await auth.new_key(user_id, "demo administrator", ["admin"])
    demo = Demo(url, api_key, admin_key, user_id)
    _write_private(file, demo.text)
    return demo


def read_env_file(file: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines, {} when there is none."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _write_private(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)


class _Auth:
    """The calls to the auth service that the demo account takes."""

    def __init__(self, stub: auth_pb2_grpc.AuthServiceStub) -> None:
        self._stub: Any = stub

    async def holder(self, key: str) -> str | None:
        """Return the user a key belongs to, None when it does not work."""
        if not key:
            return None
        request = auth_pb2.VerifyApiKeyRequest(secret=key)
        try:
            answer = await unary(self._stub.VerifyApiKey, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        except (Unauthenticated, NotFound):
            return None
        return str(answer.caller.user_id)

    async def user(self, known_id: str | None) -> str:
        """Return the demo user's id; a taken e-mail whose id is forgotten gets a namesake."""
        try:
            return await self._create(EMAIL)
        except Conflict:
            if known_id:
                return known_id
        name, _, domain = EMAIL.partition("@")
        return await self._create(f"{name}+{secrets.token_hex(4)}@{domain}")

    async def _create(self, email: str) -> str:
        request = auth_pb2.CreateUserRequest(email=email, tier=auth_pb2.TIER_ENTERPRISE)
        answer = await unary(self._stub.CreateUser, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        return str(answer.user.id)

    async def new_key(self, user_id: str, name: str, scopes: list[str]) -> str:
        request = auth_pb2.CreateApiKeyRequest(user_id=user_id, name=name, scopes=scopes)
        answer = await unary(self._stub.CreateApiKey, request, deadline_s=DEADLINE_S, wait_for_ready=True)
        return str(answer.secret)


if __name__ == "__main__":
    made = asyncio.run(ensure_demo(Path(sys.argv[2]), auth_target=sys.argv[1], url=sys.argv[3]))
    sys.stdout.write(made.text)
