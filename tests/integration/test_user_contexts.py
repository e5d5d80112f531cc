"""A stolen gateway reads nothing of those whose credentials it is not shown: not their bills, not their pictures."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from types import ModuleType
from typing import Any, Final

import httpx
import pytest
from razvilka.auth.v1 import user_context_pb2, user_context_pb2_grpc
from razvilka.router import v1 as router_v1
from razvilka.router.v1 import router_pb2, router_pb2_grpc
from razvilka.usage import v1 as usage_v1
from razvilka.usage.v1 import usage_pb2, usage_pb2_grpc

from servicekit.call import CallContext
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.rpc_client import Peer, open_channel, unary
from servicekit.tracing import begin_trace
from servicekit.trust.certificate_files import CertificateFiles
from servicekit.trust.user_context import ContextSigner, UserContext
from services.router.callers import IN_THEIR_NAME as AT_ROUTER
from services.usage.callers import IN_THEIR_NAME as AT_USAGE
from tools.servers.ports import LOOPBACK
from tools.stack.running_stack import PATIENT, Account, RunningStack

SCOPES: Final = ["completions:write", "usage:read", "models:read"]
DENIED: Final = ErrorReason.PERMISSION_DENIED
STUBS: Final[dict[str, Any]] = {
    "auth": user_context_pb2_grpc.UserContextServiceStub,
    "usage": usage_pb2_grpc.UsageServiceStub,
    "router": router_pb2_grpc.RouterServiceStub,
}


def ask(stack: RunningStack, service: str, method: str, request: Any, **shown: Any) -> Any:
    """Ask a service as a stolen gateway; return the answer, or the reason of the refusal."""
    target = f"{LOOPBACK}:{stack.parts.ports[f'{service.upper()}_GRPC_PORT']}"

    async def call_service() -> Any:
        async with open_channel(target, Peer(service, stack.parts.home.tls / "gateway")) as channel:
            return await unary(getattr(STUBS[service](channel), method), request, **PATIENT, **shown)

    try:
        return asyncio.run(call_service())
    except ServiceError as exc:
        return exc.reason


def context_of(stack: RunningStack, account: Account) -> bytes:
    """Return what auth signs to a gateway that was shown the account's key."""
    call = CallContext("", begin_trace(None), f"Bearer {account.key}".encode())
    request = user_context_pb2.SignUserContextRequest()
    return bytes(ask(stack, "auth", "SignUserContext", request, call=call, in_their_name=True).context)


def reads(stack: RunningStack, service: str, method: str, request: Any, shown: bytes) -> Any:
    """Ask with a context; return the reason of the refusal, None when it was answered."""
    answer = ask(stack, service, method, request, call=CallContext("", begin_trace(None)), user_context=shown)
    return answer if isinstance(answer, ErrorReason) else None


def forged_by_the_gateway(stack: RunningStack, user_id: str) -> bytes:
    """Return a context as a stolen gateway can make it: with the key and the certificate that it has."""
    files = CertificateFiles(stack.parts.home.tls / "gateway")
    signer = ContextSigner(files, ("router", "usage"), SystemClock())
    return signer.sign(UserContext(user_id, frozenset(SCOPES)))


def stored_request(stack: RunningStack, account: Account) -> usage_pb2.GetRequestRequest:
    """Have a request answered and billed; return what asks usage for it, once it is there."""
    body = {"model": "yandexgpt:latest", "messages": [{"role": "user", "content": "Привет"}]}
    headers = {"authorization": f"Bearer {account.key}"}
    answer = httpx.post(f"{stack.url}/v1/chat/completions", headers=headers, json=body, trust_env=False, timeout=30)
    request = usage_pb2.GetRequestRequest(user_id=account.user_id, request_id=answer.headers["x-request-id"])
    give_up_at = time.monotonic() + 60
    while reads(stack, "usage", "GetRequest", request, context_of(stack, account)) is not None:
        assert time.monotonic() < give_up_at, "the row never came"
        time.sleep(0.05)
    return request


def test_a_stolen_gateway_reads_no_rows_of_others(stack: RunningStack) -> None:
    """Usage believed the gateway's word. Now it takes a context of that user, signed by auth, with the scope."""
    account, thief = stack.new_account(scopes=SCOPES), stack.new_account(scopes=SCOPES)
    request = stored_request(stack, account)
    token, _, chain = context_of(stack, account).partition(b"\n")
    forged = forged_by_the_gateway(stack, account.user_id)
    shown = {
        "nothing": b"",
        "a context of the thief": context_of(stack, thief),
        "one that the gateway signed": forged,
        "that with auth's certificate": forged.partition(b"\n")[0] + b"\n" + chain,
        "one that was changed": token[:-8] + b"AAAAAAAA" + b"\n" + chain,
        "the user's own": token + b"\n" + chain,
    }

    answers = {what: reads(stack, "usage", "GetRequest", request, context) for what, context in shown.items()}

    assert answers == {**dict.fromkeys(shown, DENIED), "the user's own": None}


def test_a_stolen_gateway_gets_no_pictures_of_others(stack: RunningStack) -> None:
    """The router's `owner` was the gateway's word, too; whose it is, is asked before whether there is one."""
    account, thief = stack.new_account(scopes=SCOPES), stack.new_account(scopes=SCOPES)
    get = router_pb2.GetFileRequest(owner=account.user_id, file_id="file-none")
    delete = router_pb2.DeleteFileRequest(owner=account.user_id, file_id="file-none")
    contexts = (
        b"",
        context_of(stack, thief),
        forged_by_the_gateway(stack, account.user_id),
        context_of(stack, account),
    )

    got = [reads(stack, "router", "GetFile", get, shown) for shown in contexts]
    deleted = [reads(stack, "router", "DeleteFile", delete, shown) for shown in contexts]

    assert got == deleted == [DENIED, DENIED, DENIED, ErrorReason.NOT_FOUND]


def test_a_context_has_the_scopes_of_the_credential(stack: RunningStack) -> None:
    """A key that may not read usage opens no usage, though it is the user's own."""
    account = stack.new_account(scopes=["models:read"])
    request = usage_pb2.GetRequestRequest(user_id=account.user_id, request_id="01980000-0000-7000-8000-000000000000")

    assert reads(stack, "usage", "GetRequest", request, context_of(stack, account)) is DENIED


@pytest.mark.parametrize("credential", [b"", b"Bearer nonsense", b"Session nonsense", b"user-1"])
def test_auth_signs_nothing_without_a_live_credential(stack: RunningStack, credential: bytes) -> None:
    """Whatever a gateway says."""
    call = CallContext("", begin_trace(None), credential)

    answer = ask(
        stack, "auth", "SignUserContext", user_context_pb2.SignUserContextRequest(), call=call, in_their_name=True
    )

    assert answer in (DENIED, ErrorReason.INVALID_KEY, ErrorReason.INVALID_CREDENTIALS)


def files_of(package: ModuleType) -> list[ModuleType]:
    """Return the contracts of a service, whichever rooms it has."""
    names = [each.name for each in pkgutil.iter_modules(package.__path__) if each.name.endswith("_pb2")]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


def test_every_call_that_names_a_user_is_checked() -> None:
    """A method with such a field has a row, or is the gateway's own."""
    # The gateway keeps the books and rebuilds budgets from them; nobody is there to show anything.
    own = {"GetSpend"}
    naming = {
        method.name
        for file in (*files_of(router_v1), *files_of(usage_v1))
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if {"user_id", "admin_user_id", "owner", "tenant"} & set(method.input_type.fields_by_name)
    }

    assert naming == set(AT_USAGE) | set(AT_ROUTER) | own
