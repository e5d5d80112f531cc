"""Who reaches a port of the suite can do nothing there without a certificate that says who it is."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from razvilka.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    administration_pb2,
    auth_pb2,
    auth_pb2_grpc,
    budgets_pb2,
    oauth_pb2,
    personal_data_pb2,
)

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, PermissionDenied, ServiceError, Unavailable
from servicekit.rpc_client import Peer, open_channel, unary
from servicekit.tracing import begin_trace
from services.auth.callers import CALLERS as AUTH_CALLERS
from services.auth.callers import IN_THEIR_NAME
from services.router.callers import CALLERS as ROUTER_CALLERS
from services.usage.callers import CALLERS as USAGE_CALLERS
from tools.servers.ports import LOOPBACK
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import PATIENT, RunningStack

CLIENTS: Final = REPOSITORY / "services" / "gateway" / "clients"
SCOPES: Final = ["keys:read", "keys:write", "models:read"]


def call_as(stack: RunningStack, service: str, caller: str | None, method: str) -> Exception | None:
    """Send an empty request to a method and return how it was refused, None when it was answered."""
    target = f"{LOOPBACK}:{stack.parts.ports[f'{service.upper()}_GRPC_PORT']}"
    return asyncio.run(_call(target, Peer(service, stack.parts.home.tls / caller) if caller else None, method))


async def _call(target: str, peer: Peer | None, method: str) -> Exception | None:
    async with open_channel(target, peer) as channel:
        raw: Any = channel.stream_unary(method) if method.endswith("/Converse") else channel.unary_unary(method)
        try:
            # Who shows nothing never gets through: that is told at once, and is what is asked for.
            patience = PATIENT | {"wait_for_ready": peer is not None}
            await unary(raw, iter([]) if method.endswith("/Converse") else b"", **patience)
        except ServiceError as exc:
            return exc
    return None


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_a_port_answers_nobody_without_a_certificate(stack: RunningStack, service: str) -> None:
    """Without any credential gRPC made an administrator's key."""
    method = "/razvilka.auth.v1.AuthService/CreateApiKey"

    assert isinstance(call_as(stack, service, None, method), Unavailable)


def test_no_service_may_call_another(stack: RunningStack) -> None:
    """Only the gateway calls services; a stolen router opens nothing."""
    for service, methods in (("auth", AUTH_CALLERS), ("router", ROUTER_CALLERS), ("usage", USAGE_CALLERS)):
        for caller in {"auth", "router", "usage"} - {service}:
            for method in methods:
                assert isinstance(call_as(stack, service, caller, method), PermissionDenied), (caller, method)


def test_the_gateway_cannot_make_users_out_of_nothing(stack: RunningStack) -> None:
    """What only the operator's tools do, a stolen gateway cannot."""
    assert isinstance(call_as(stack, "auth", "gateway", "/razvilka.auth.v1.AccountService/SeedUser"), PermissionDenied)


def test_the_gateway_cannot_speak_for_an_operator(stack: RunningStack) -> None:
    """Nobody bounds what an operator makes: who says so must have the certificate."""
    request = auth_pb2.CreateApiKeyRequest(
        user_id=stack.new_account().user_id, name="x", scopes=["models:read"], by_operator=True
    )

    async def ask_auth() -> None:
        async with open_channel(stack.auth.target, Peer("auth", stack.parts.home.tls / "gateway")) as channel:
            stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
            await unary(stub.CreateApiKey, request, **PATIENT)

    with pytest.raises(PermissionDenied):
        asyncio.run(ask_auth())


def asks(
    stack: RunningStack, credential: bytes, request: Any, method: str, stub_of: Any = auth_pb2_grpc.AuthServiceStub
) -> ErrorReason | None:
    """Ask auth as the gateway, with what it was shown; return how it was refused, None when it was answered."""

    async def ask_auth() -> None:
        async with open_channel(stack.auth.target, Peer("auth", stack.parts.home.tls / "gateway")) as channel:
            stub: Any = stub_of(channel)
            call = CallContext("", begin_trace(None), credential)
            await unary(
                getattr(stub, method), request, deadline_s=60.0, call=call, in_their_name=True, wait_for_ready=True
            )

    try:
        asyncio.run(ask_auth())
    except ServiceError as exc:
        return exc.reason
    return None


def test_the_gateways_word_is_not_enough_to_act_for_somebody(stack: RunningStack) -> None:
    """A stolen gateway lists, makes and ends nothing for an account whose live credential it was not shown."""
    account, other = stack.new_account(scopes=SCOPES), stack.new_account(scopes=SCOPES)
    key, others_key = (f"Bearer {each.key}".encode() for each in (account, other))
    listing = auth_pb2.ListApiKeysRequest(user_id=account.user_id)
    ending = auth_pb2.RevokeApiKeyRequest(user_id=account.user_id, key_id=account.key_id)

    refusals = [
        asks(stack, credential, request, method)
        for request, method in ((listing, "ListApiKeys"), (ending, "RevokeApiKey"))
        for credential in (b"", b"Bearer nonsense", b"Session nonsense", others_key, account.user_id.encode())
    ]
    shown = asks(stack, key, listing, "ListApiKeys")
    ended = asks(stack, key, ending, "RevokeApiKey")
    afterwards = asks(stack, key, listing, "ListApiKeys")

    denied = ErrorReason.PERMISSION_DENIED
    assert refusals == [denied, ErrorReason.INVALID_KEY, ErrorReason.INVALID_CREDENTIALS, denied, denied] * 2
    assert (shown, ended, afterwards) == (None, None, ErrorReason.INVALID_KEY)


def test_a_maker_is_the_credential_that_is_shown(stack: RunningStack) -> None:
    """Its id was believed before: a weak key passed for a strong one of the same account."""
    account = stack.new_account(scopes=SCOPES)
    weak = weak_key(stack, account.user_id)
    strong = auth_pb2.Authority(subject=f"key:{account.key_id}", scopes=SCOPES)
    request = auth_pb2.CreateApiKeyRequest(user_id=account.user_id, name="x", scopes=["keys:write"], maker=strong)

    by_weak = asks(stack, f"Bearer {weak}".encode(), request, "CreateApiKey")
    by_itself = asks(stack, f"Bearer {account.key}".encode(), request, "CreateApiKey")
    request.maker.scopes.append("admin")
    by_more_than_itself = asks(stack, f"Bearer {account.key}".encode(), request, "CreateApiKey")

    denied = ErrorReason.PERMISSION_DENIED
    assert (by_weak, by_itself, by_more_than_itself) == (denied, None, denied)


def test_a_credential_does_in_its_users_name_what_it_may_itself(stack: RunningStack) -> None:
    """A weak key of an administrator, shown to a stolen gateway, was enough to shut anybody's account."""
    account = stack.new_account(scopes=SCOPES)
    ((admin_id,),) = stack.query("SELECT user_id FROM auth.api_keys WHERE 'admin' = ANY (scopes) LIMIT 1")
    weak = f"Bearer {weak_key(stack, admin_id)}".encode()
    shut = account_pb2.SetUserDisabledRequest(admin_user_id=admin_id, user_id=account.user_id, disabled=True)
    off = account_pb2.SetCredentialDisabledRequest(
        admin_user_id=admin_id, kind=account_pb2.CREDENTIAL_KIND_KEY, id=account.key_id, disabled=True
    )
    face = account_pb2_grpc.AccountServiceStub

    refusals = [
        asks(stack, weak, shut, "SetUserDisabled", face),
        asks(stack, weak, off, "SetCredentialDisabled", face),
        asks(stack, weak, account_pb2.ExportAccountRequest(user_id=admin_id), "ExportAccount", face),
        asks(stack, weak, auth_pb2.ListApiKeysRequest(user_id=admin_id), "ListApiKeys"),
    ]
    still_there = asks(
        stack, f"Bearer {account.key}".encode(), auth_pb2.ListApiKeysRequest(user_id=account.user_id), "ListApiKeys"
    )

    assert (refusals, still_there) == ([ErrorReason.INSUFFICIENT_SCOPE] * 4, None)


def weak_key(stack: RunningStack, user_id: str) -> str:
    """Return another key of an account, which may do little."""

    async def ask_auth() -> str:
        async with stack.auth.channel() as channel:
            stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
            request = auth_pb2.CreateApiKeyRequest(
                user_id=user_id, name="weak", scopes=["models:read"], by_operator=True
            )
            return str((await unary(stub.CreateApiKey, request, **PATIENT)).secret)

    return asyncio.run(ask_auth())


def test_every_call_that_names_who_asks_is_checked() -> None:
    """A method of auth with such a field has a row, or is one that needs no proof."""
    # The gateway reads what a token's grant allows while it verifies the token; nothing is done in anybody's name.
    # A batch goes on when its owner has gone: whose key it is decides whether its lines may still be asked.
    exempt = {"GetGrant", "GetKeyHolder"}
    naming = {
        method.name
        for file in (auth_pb2, oauth_pb2, account_pb2, administration_pb2, budgets_pb2, personal_data_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if {"user_id", "owner_user_id", "admin_user_id"} & set(method.input_type.fields_by_name)
    }

    assert naming == set(IN_THEIR_NAME) | exempt


def test_an_operators_certificate_does_not_pass_for_the_gateway(stack: RunningStack) -> None:
    """Nobody's tools log people in."""
    assert isinstance(call_as(stack, "auth", "operator", "/razvilka.auth.v1.AccountService/Login"), PermissionDenied)


def test_an_operators_certificate_opens_what_the_tools_need(stack: RunningStack) -> None:
    """The rows that let the tools in do let them in."""
    assert stack.issue_key().startswith("rz_")


def called_by_the_gateway() -> Iterator[str]:
    """Yield the names of the RPCs in the gateway's clients."""
    for file in CLIENTS.rglob("*.py"):
        yield from _called_in(file)


def _called_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self._stub", "stub"):
            yield node.attr


def test_every_call_of_the_gateway_has_a_row_that_lets_it_in_and_no_other() -> None:
    """Least privilege, both ways: nothing it needs is refused, nothing it does not need is open to it."""
    rows = AUTH_CALLERS | ROUTER_CALLERS | USAGE_CALLERS
    open_to_it = {method.rpartition("/")[2] for method, callers in rows.items() if "gateway" in callers}

    assert set(called_by_the_gateway()) == open_to_it
