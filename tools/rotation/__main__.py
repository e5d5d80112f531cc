"""`python -m tools.rotation signing-key|pepper|database-password SERVICE|certificates`, for this folder."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

from razvilka.auth.v1 import oauth_pb2, oauth_pb2_grpc

from servicekit.errors import ServiceError
from servicekit.rpc_client import unary
from tools.accounts.demo import Auth
from tools.certificates import reissue_certificates
from tools.private_file import write_private
from tools.rotation.secrets_file import with_new_password, with_new_pepper
from tools.servers import bootstrap
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK
from tools.stack.environments import DATABASE
from tools.stack.errors import StackError
from tools.stack.home import Home, home_of, read_json
from tools.stack.readiness import wait_until_ready
from tools.stack.up import describe

RPC_DEADLINE_S: Final = 15.0


def rotate_signing_key(home: Home, _arguments: list[str]) -> str:
    """Have auth make the key that signs next; nothing restarts."""
    port = read_json(home.run / "ports.json")["AUTH_GRPC_PORT"]
    answer = asyncio.run(_new_signing_key(Auth(f"{LOOPBACK}:{port}", home.tls / "operator")))
    signs_from = answer.signs_from.ToDatetime().isoformat(timespec="seconds")
    return f"key {answer.kid} is published and signs from {signs_from}Z; the one before verifies until its tokens end"


async def _new_signing_key(auth: Auth) -> oauth_pb2.RotateSigningKeyResponse:
    async with auth.channel() as channel:
        rotate = oauth_pb2_grpc.OAuthServiceStub(channel).RotateSigningKey
        answer: oauth_pb2.RotateSigningKeyResponse = await unary(
            rotate, oauth_pb2.RotateSigningKeyRequest(), deadline_s=RPC_DEADLINE_S
        )
    return answer


def rotate_pepper(home: Home, _arguments: list[str]) -> str:
    """Store keys under a new pepper from now on; auth restarts, and gateways go on with the keys they know."""
    _write_secrets(home, with_new_pepper(_secrets(home)))
    _restart_what_changed(home)
    return "keys move to the new pepper when they are used; the one before verifies them until then"


def rotate_database_password(home: Home, arguments: list[str]) -> str:
    """Give a service's role in PostgreSQL a new password; the service restarts, connections that are open stay."""
    if len(arguments) != 1 or arguments[0] not in bootstrap.SCHEMAS:
        raise StackError(f"name a service: SERVICE={'|'.join(bootstrap.SCHEMAS)}")
    role = bootstrap.role(arguments[0])
    changed = with_new_password(_secrets(home), role)
    _write_secrets(home, changed)
    bootstrap.bootstrap(describe(home, dict(os.environ)).admin_dsn(DATABASE), {role: changed[role]})
    _restart_what_changed(home)
    return f"{role} has a new password; the one before opens no connection any more"


def rotate_certificates(home: Home, _arguments: list[str]) -> str:
    """Give every service a new certificate of the same authority; they read it without a restart."""
    reissue_certificates(home.tls)
    return "new certificates are in place; services show them from the next connection on"


def _secrets(home: Home) -> dict[str, str]:
    known = read_json(home.root / "secrets.json")
    if not known:
        raise StackError("there is no suite here: make up makes one")
    return known


def _write_secrets(home: Home, changed: Mapping[str, str]) -> None:
    write_private(home.root / "secrets.json", json.dumps(changed, indent=2))


def _restart_what_changed(home: Home) -> None:
    # Only the programs whose settings are others now; the rest goes on.
    stack = describe(home, dict(os.environ))
    stack.supervisor.apply(stack.programs)
    for program in stack.programs:
        stack.supervisor.start(program.name)
    wait_until_ready(stack.home, stack.supervisor, stack.url)


COMMANDS: Final[Mapping[str, Callable[[Home, list[str]], str]]] = {
    "signing-key": rotate_signing_key,
    "pepper": rotate_pepper,
    "database-password": rotate_database_password,
    "certificates": rotate_certificates,
}


def main(arguments: list[str]) -> int:
    """Rotate what is named; say in one line what became of the old one."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m tools.rotation {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    home = home_of(os.environ)
    try:
        with home.locked():
            print(COMMANDS[arguments[0]](home, arguments[1:]))
    except (StackError, ServerError, ServiceError, OSError) as exc:
        print(f"not rotated: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
