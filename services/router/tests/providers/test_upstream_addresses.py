"""Where an upstream's name may lead: anywhere that has its certificate; in plaintext, to private networks only."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from structlog.testing import capture_logs
from yarl import URL

from emulator.wire.tls import make_certificates, server_context
from servicekit.errors import ErrorReason, ServiceError
from servicekit.outbound.public_addresses import PlaintextPolicy
from services.router.providers.transport.http import open_http
from services.router.providers.transport.settings import HttpSettings
from services.router.providers.transport.tls import tls_for

HEADERS = {"Authorization": "Bearer the key of the upstream"}


class Names(AbstractResolver):
    """Answers every lookup with the next address, and the last one for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return None


class Upstream:
    """A server on a loopback port, and the Host of each request that came."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.hosts.append(request.host)
        return web.json_response({})


@asynccontextmanager
async def upstream(tls: Path | None = None, name: str = "") -> AsyncIterator[Upstream]:
    """Yield a server; with a folder it has a certificate of this name."""
    served, application = Upstream(), web.Application()
    application.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    context = None if tls is None else server_context(make_certificates(tls, name))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    served.port = runner.addresses[0][1]
    try:
        yield served
    finally:
        await runner.cleanup()


async def test_a_name_is_looked_up_once_and_called_by_its_name() -> None:
    """The connection is made to the address that was looked at; what the name means later gains nothing."""
    names = Names("127.0.0.1", "203.0.113.9")
    async with upstream() as served, open_http(HttpSettings(), names) as http:
        url = URL(f"http://models.internal:{served.port}/v1")
        for _ in range(2):
            assert (await http.get(url, HEADERS)).ok

        assert served.hosts == [f"models.internal:{served.port}"] * 2
        assert names.asked == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "169.254.169.254", "2a02:6b8::1", "::ffff:8.8.8.8", "0.0.0.0"])
async def test_plaintext_is_not_sent_where_a_lookup_leads_away(address: str) -> None:
    """A name that is answered with an address of somebody else got the prompts and the key before."""
    async with open_http(HttpSettings(connect_s=0.2), Names(address)) as http:
        with capture_logs() as logs, pytest.raises(ServiceError) as caught:
            await http.post(URL("http://models.internal/v1"), b"a prompt", HEADERS)

    assert caught.value.reason is ErrorReason.PROVIDER_UNAVAILABLE
    (told,) = [line for line in logs if line["event"] == "router.plaintext_refused"]
    assert (told["host"], "ROUTER_HTTP_PLAINTEXT_NETWORKS" in told["remedy"]) == ("models.internal", True)


async def test_plaintext_is_not_sent_to_a_public_address_in_digits() -> None:
    """No lookup is needed to overhear that."""
    async with open_http(HttpSettings(connect_s=0.2), Names("127.0.0.1")) as http:
        with capture_logs() as logs, pytest.raises(ServiceError):
            await http.post(URL("http://8.8.8.8/v1"), b"a prompt", HEADERS)

    assert [line["event"] for line in logs] == ["router.plaintext_refused"]


async def test_over_https_the_certificate_says_who_answers(tmp_path: Path) -> None:
    """Wherever a name leads: a server without the name's certificate gets no byte of a request."""
    async with upstream(tmp_path, "models.example") as served, open_http(HttpSettings(), Names("127.0.0.1")) as http:
        tls = tls_for(tmp_path / "ca.pem")
        assert (await http.get(URL(f"https://models.example:{served.port}/v1"), HEADERS, tls)).ok
        with pytest.raises(ServiceError, match="certificate"):
            await http.get(URL(f"https://other.example:{served.port}/v1"), HEADERS, tls)

        assert served.hosts == [f"models.example:{served.port}"]


@pytest.mark.parametrize(
    ("address", "by_name", "in_digits"),
    [
        ("10.1.2.3", True, True),
        ("127.0.0.1", True, True),
        ("100.64.0.9", True, True),
        ("fd00::9", True, True),
        ("169.254.169.254", False, True),
        ("203.0.113.9", True, True),
        ("8.8.4.4", True, True),
        ("8.8.8.8", False, False),
        ("64:ff9b::808:808", False, False),
        ("64:ff9b:1::808:808", False, False),
        ("64:ff9b:1:808:8:800:a01:203", False, False),
    ],
)
def test_private_addresses_and_those_the_operator_names_may_be_called_in_plaintext(
    address: str, by_name: bool, in_digits: bool
) -> None:
    """Of a cloud's metadata only the digits, which an operator writes down."""
    policy = PlaintextPolicy(HttpSettings(plaintext_networks="8.8.4.0/24").networks)

    assert (policy.allows(address, 80), policy.allows_digits(address)) == (by_name, in_digits)
