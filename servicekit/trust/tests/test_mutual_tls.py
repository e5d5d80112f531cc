"""Services over real connections with real certificates: who is let in, and what happens when files change."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from razvilka.usage.v1 import usage_pb2, usage_pb2_grpc

from servicekit import rpc_client
from servicekit.errors import PermissionDenied, ServiceError, Unavailable
from servicekit.probe import is_ready
from servicekit.rpc_client import Peer
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings, TlsSettings
from servicekit.trust.callers import CallPolicy, MissingRow
from servicekit.trust.certificate_files import BadCertificate, CertificateFiles
from servicekit.trust.renewed_channel import RenewedChannel
from tools.certificates import CERTIFICATE_LIVES, HOLDERS, ensure_certificates

PREFIX = "/razvilka.usage.v1.UsageService/"
ROWS: dict[str, tuple[str, ...]] = {
    PREFIX + method.name: ("gateway",) for method in usage_pb2.DESCRIPTOR.services_by_name["UsageService"].methods
}


class Servicer(usage_pb2_grpc.UsageServiceServicer):
    async def GetSpend(self, request: Any, context: Any) -> Any:
        return usage_pb2.GetSpendResponse(requests=1)


def register(server: grpc.aio.Server) -> None:
    usage_pb2_grpc.add_UsageServiceServicer_to_server(Servicer(), server)


async def always() -> bool:
    return True


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    ensure_certificates(tmp_path / "tls")
    return tmp_path / "tls"


@asynccontextmanager
async def usage(
    certificates: Path, rows: dict[str, tuple[str, ...]] = ROWS, shown: str = "usage"
) -> AsyncIterator[str]:
    tls = TlsSettings(dir=certificates / shown)
    async with running_server(GrpcSettings(grace_s=0), register, always, CallPolicy(rows), tls) as port:
        yield f"127.0.0.1:{port}"


async def ask(channel: grpc.aio.Channel, *, connects: bool = True) -> int:
    """Ask over a channel that connects sooner or later, on a machine that stands still too; or over one that cannot."""
    stub: Any = usage_pb2_grpc.UsageServiceStub(channel)
    request = usage_pb2.GetSpendRequest(user_id="u")
    answer = await rpc_client.unary(stub.GetSpend, request, deadline_s=60.0, wait_for_ready=connects)
    return int(answer.requests)


async def ask_as(certificates: Path, caller: str, target: str, *, connects: bool = True) -> int:
    async with rpc_client.open_channel(target, Peer("usage", certificates / caller)) as channel:
        return await ask(channel, connects=connects)


async def test_a_listed_caller_is_served(certificates: Path) -> None:
    """The gateway's certificate opens the gateway's calls."""
    async with usage(certificates) as target:
        assert await ask_as(certificates, "gateway", target) == 1


@pytest.mark.parametrize("caller", [holder for holder in HOLDERS if holder != "gateway"])
async def test_a_caller_that_is_not_listed_is_refused(certificates: Path, caller: str) -> None:
    """A certificate of the suite is not enough: the row must name its holder."""
    async with usage(certificates) as target:
        with pytest.raises(PermissionDenied):
            await ask_as(certificates, caller, target)


async def test_nobody_is_served_without_a_certificate(certificates: Path) -> None:
    """Neither in plaintext nor over TLS without a certificate of the caller."""
    async with usage(certificates) as target:
        with pytest.raises(Unavailable):
            async with rpc_client.open_channel(target) as channel:
                await ask(channel, connects=False)

        credentials = grpc.ssl_channel_credentials((certificates / "gateway" / "ca.crt").read_bytes())
        options = [("grpc.ssl_target_name_override", "usage.razvilka.internal")]
        async with grpc.aio.secure_channel(target, credentials, options=options) as channel:
            with pytest.raises(Unavailable):
                await ask(channel, connects=False)


async def test_a_certificate_of_another_authority_is_refused(certificates: Path, tmp_path: Path) -> None:
    """The same name, signed by somebody else, is a stranger."""
    ensure_certificates(tmp_path / "other")
    (tmp_path / "other" / "gateway" / "ca.crt").write_bytes((certificates / "gateway" / "ca.crt").read_bytes())
    async with usage(certificates) as target:
        with pytest.raises(Unavailable):
            await ask_as(tmp_path / "other", "gateway", target, connects=False)


async def test_another_service_at_the_address_is_not_believed(certificates: Path) -> None:
    """The caller pins the name of whom it calls: the router cannot pass for usage."""
    async with usage(certificates, shown="router") as target:
        with pytest.raises(Unavailable):
            await ask_as(certificates, "gateway", target, connects=False)


async def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    """A stolen one is worth little after a month, though the authority is still believed."""
    tls = tmp_path / "tls"
    ensure_certificates(tls, datetime.now(UTC) - CERTIFICATE_LIVES - timedelta(days=1))
    shutil.copytree(tls / "gateway", tls / "stolen")
    ensure_certificates(tls)

    async with usage(tls) as target:
        assert await ask_as(tls, "gateway", target) == 1
        with pytest.raises(Unavailable):
            await ask_as(tls, "stolen", target, connects=False)


async def test_an_rpc_without_a_row_stops_the_start(certificates: Path) -> None:
    """Nobody adds a call and forgets to say whose it is."""
    rows = {method: callers for method, callers in ROWS.items() if not method.endswith("GetRequest")}

    with pytest.raises(MissingRow, match=r"no row says who may call .*GetRequest"):
        async with usage(certificates, rows):
            pass


async def test_a_row_without_an_rpc_stops_the_start(certificates: Path) -> None:
    """A typo in a row would leave the real call without one."""
    with pytest.raises(MissingRow, match="GetSpent, which is not served"):
        async with usage(certificates, ROWS | {f"{PREFIX}GetSpent": ("gateway",)}):
            pass


async def test_an_unknown_method_is_not_served(certificates: Path) -> None:
    """Also for a caller with a certificate."""
    async with usage(certificates) as target:
        peer = Peer("usage", certificates / "gateway")
        async with rpc_client.open_channel(target, peer) as channel:
            forget: Any = channel.unary_unary(f"{PREFIX}Forget")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await forget(b"", wait_for_ready=True)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_probe_shows_the_services_own_certificate(certificates: Path) -> None:
    """Container engines ask in the service's own environment."""
    async with usage(certificates) as target:
        assert await is_ready(f"usage@{target}", {"USAGE_TLS_DIR": str(certificates / "usage")})
        assert not await is_ready(target, {})


async def test_replaced_certificates_are_used_without_a_restart(certificates: Path) -> None:
    """Authority and all: server and client go over to the new files, and the old ones are worth nothing."""
    stolen = shutil.copytree(certificates / "gateway", certificates / "stolen")
    async with usage(certificates) as target:
        async with rpc_client.open_channel(target, Peer("usage", certificates / "gateway")) as channel:
            before = cast("RenewedChannel", channel).current
            assert await ask(channel) == 1

            shutil.rmtree(certificates / "authority")
            ensure_certificates(certificates)
            async with asyncio.timeout(30):
                while cast("RenewedChannel", channel).current is before:
                    await asyncio.sleep(0.05)

            assert await ask(channel) == 1
        shutil.copy(certificates / "gateway" / "ca.crt", stolen)
        with pytest.raises(Unavailable):
            await ask_as(certificates, "stolen", target, connects=False)


async def test_half_replaced_files_leave_the_certificate_before(certificates: Path) -> None:
    """Between two renames the key is another certificate's; that moment must not end the service."""
    files = CertificateFiles(certificates / "usage")
    files.read()
    key = certificates / "usage" / "tls.key"
    own = key.read_bytes()

    key.write_bytes((certificates / "router" / "tls.key").read_bytes())
    assert files.read_if_changed() is None

    key.write_bytes(own)
    os.utime(key, ns=(1, 1))
    assert files.read_if_changed() is not None


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
async def test_a_missing_file_stops_the_start(certificates: Path, name: str) -> None:
    """Never plaintext instead."""
    (certificates / "usage" / name).unlink()

    with pytest.raises(BadCertificate, match=name):
        async with usage(certificates):
            pass


async def test_a_refusal_is_an_answer_of_the_vocabulary(certificates: Path) -> None:
    """The refused caller is not told who might have been let in."""
    async with usage(certificates) as target:
        with pytest.raises(ServiceError) as caught:
            await ask_as(certificates, "operator", target)

    assert "gateway" not in caught.value.message
