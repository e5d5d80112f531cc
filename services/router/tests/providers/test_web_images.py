"""Images at addresses: fetched from public hosts only, whatever name, digits, redirect or lookup leads elsewhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from emulator.wire.tls import CertificateFiles, make_certificates, server_context
from servicekit.errors import ErrorReason, ServiceError
from servicekit.outbound.public_addresses import AddressPolicy, is_public
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.web_images import WebImages, open_web_images

PARAM = "messages[0].content[1].image_url.url"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PICTURES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "image/tiff": b"II*\0" + bytes(20),
    "image/bmp": b"BM" + bytes(20),
}


class Names(AbstractResolver):
    """Knows one name; each lookup of it takes the next address, and the last one for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return None


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """An https server on a loopback port, and what it was asked for."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.seen: list[web.Request] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await self.answer(request)


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFiles:
    return make_certificates(tmp_path, "pictures.example")


@asynccontextmanager
async def site(answer: Answer, certificates: CertificateFiles) -> AsyncIterator[Site]:
    served = Site(answer)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", served.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificates)).start()
    served.url = f"https://pictures.example:{runner.addresses[0][1]}/a.png"
    try:
        yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def images(certificates: CertificateFiles, *addresses: str, **settings: Any) -> AsyncIterator[WebImages]:
    given = {"trusted_networks": "127.0.0.1/32", "ca_bundle": certificates.ca, **settings}
    async with open_web_images(WebImageSettings(**given), Names(*(addresses or ("127.0.0.1",)))) as opened:
        yield opened


async def refusal(fetcher: WebImages, url: str) -> str:
    with pytest.raises(ServiceError) as caught:
        await fetcher.fetch(url, PARAM, "somebody")
    assert (caught.value.reason, caught.value.param) == (ErrorReason.INVALID_PARAMETERS, PARAM)
    return caught.value.message


async def png(_: web.Request) -> web.StreamResponse:
    return web.Response(body=PNG, content_type="text/html")


@pytest.mark.parametrize(("mime", "content"), PICTURES.items())
async def test_a_picture_is_fetched_and_known_by_its_bytes(
    certificates: CertificateFiles, mime: str, content: bytes
) -> None:
    """What the server calls it is not believed, and nothing of ours goes along."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type="text/html")

    async with site(answer, certificates) as served, images(certificates) as fetcher:
        picture = await fetcher.fetch(served.url, PARAM, "somebody")

    assert (picture.mime, picture.content) == (mime, content)
    sent = {name.lower() for name in served.seen[0].headers}
    assert sent == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/a.png",
        "https://10.0.0.1/a.png",
        "https://172.16.3.4/a.png",
        "https://192.168.0.1/a.png",
        "https://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
        "https://100.64.0.1/a.png",
        "https://0.0.0.0/a.png",
        "https://224.0.0.1/a.png",
        "https://255.255.255.255/a.png",
        "https://[::1]/a.png",
        "https://[::]/a.png",
        "https://[fe80::1]/a.png",
        "https://[fec0::2]/a.png",
        "https://[fd00::1]/a.png",
        "https://[fd00:ec2::254]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        "https://[::ffff:a9fe:a9fe]/a.png",
        "https://[::7f00:1]/a.png",
        "https://[64:ff9b::7f00:1]/a.png",
        "https://[64:ff9b:1:a9fe:a9:fe00:808:808]/a.png",
        "https://[64:ff9b:1::808:808]/a.png",
        "https://[2002:7f00:1::]/a.png",
        "https://8.8.8.8:22/a.png",
    ],
)
async def test_addresses_of_a_network_of_ours_are_refused(certificates: CertificateFiles, url: str) -> None:
    """Private, loopback, link-local, metadata, IPv4 inside IPv6, and other ports of public hosts."""
    async with images(certificates, trusted_networks="") as fetcher:
        assert "not a public one" in await refusal(fetcher, url)


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/"])
async def test_other_ways_to_write_an_address_do_not_help(certificates: CertificateFiles, url: str) -> None:
    """The system reads these as 127.0.0.1."""
    async with open_web_images(WebImageSettings()) as fetcher:
        assert "fetched" in await refusal(fetcher, url)


async def test_a_name_that_means_an_address_of_ours_is_refused(certificates: CertificateFiles) -> None:
    """What counts is the address that is connected to."""
    async with site(png, certificates) as served, images(certificates, trusted_networks="") as fetcher:
        assert "not a public one" in await refusal(fetcher, served.url)

    assert served.seen == []


async def test_a_name_that_changes_its_meaning_is_looked_at_each_time(certificates: CertificateFiles) -> None:
    """DNS rebinding: allowed at first, something else when the redirect is followed."""

    async def back(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/again"})

    async with site(back, certificates) as served, images(certificates, "127.0.0.1", "127.0.0.2") as fetcher:
        assert "not a public one" in await refusal(fetcher, served.url)

    assert [request.path for request in served.seen] == ["/a.png"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://169.254.169.254/latest/meta-data/", "not a public one"),
        ("https://[::1]/", "not a public one"),
        ("http://pictures.example/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://user:word@pictures.example/", "no user"),
        ("https://pictures.example:99999/", "could not be fetched"),
    ],
)
async def test_redirects_are_checked_like_the_address(
    certificates: CertificateFiles, location: str, words: str
) -> None:
    """Wherever a public server may send us."""

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location})

    async with site(elsewhere, certificates) as served, images(certificates) as fetcher:
        assert words in await refusal(fetcher, served.url)


async def test_redirects_are_followed_and_bounded(certificates: CertificateFiles) -> None:
    """Three are common, an endless chain is not."""

    async def onwards(request: web.Request) -> web.StreamResponse:
        hop = int(request.query.get("hop", "0"))
        if (request.path == "/a.png" and hop < 3) or request.path == "/endless":
            return web.Response(status=307, headers={"Location": f"?hop={hop + 1}"})
        return await png(request)

    async with site(onwards, certificates) as served, images(certificates) as fetcher:
        assert (await fetcher.fetch(served.url, PARAM, "somebody")).content == PNG
        assert "redirects more than 3 times" in await refusal(fetcher, served.url.replace("a.png", "endless"))


async def test_size_kind_status_and_encoding_are_bounds(certificates: CertificateFiles) -> None:
    """Each refusal says what is wrong with the image."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/large":
            return web.Response(body=PNG + bytes(1024 * 1024))
        if request.path == "/zip":
            return web.Response(body=PNG, headers={"Content-Encoding": "gzip"})
        if request.path == "/text":
            return web.Response(text="<svg/>", content_type="image/png")
        return web.Response(status=403)

    async with site(answer, certificates) as served, images(certificates, size_mb=1) as fetcher:
        url = served.url.removesuffix("a.png")
        assert "larger than 1 MB" in await refusal(fetcher, url + "large")
        assert "compressed" in await refusal(fetcher, url + "zip")
        assert "no PNG, JPEG, TIFF or BMP" in await refusal(fetcher, url + "text")
        assert "answered 403" in await refusal(fetcher, url + "none")


async def test_a_server_that_does_not_answer_is_given_up(certificates: CertificateFiles) -> None:
    """One bound for waiting, connecting, redirects and reading."""

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with site(never, certificates) as served, images(certificates, timeout_s=0.2) as fetcher:
        assert "within 0.2 s" in await refusal(fetcher, served.url)


@pytest.mark.parametrize("url", ["https://", "https:///a", "https://a b/", "https://" + "a" * 3000, "https://[::1/"])
async def test_what_is_no_address_is_refused(certificates: CertificateFiles, url: str) -> None:
    """Before anything is looked up."""
    async with images(certificates) as fetcher:
        await refusal(fetcher, url)


async def test_a_server_without_a_good_certificate_is_not_trusted(certificates: CertificateFiles) -> None:
    """Nor is it said why: a caller learns nothing about what listens where."""
    async with site(png, certificates) as served, images(certificates, ca_bundle=None) as fetcher:
        assert await refusal(fetcher, served.url) == "The image could not be fetched from its address."


async def test_fetching_can_be_turned_off(certificates: CertificateFiles) -> None:
    """An installation without a way out says so."""
    async with images(certificates, fetch=False) as fetcher:
        with pytest.raises(ServiceError, match="data: URL") as caught:
            await fetcher.fetch("https://pictures.example/a.png", PARAM, "somebody")
    assert caught.value.reason is ErrorReason.UNSUPPORTED_PARAMETER


@pytest.mark.parametrize("address", ["8.8.8.8", "77.88.8.8", "2a02:6b8::feed:ff", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_allowed_at_443(address: str) -> None:
    """Also those of IPv4 inside IPv6."""
    assert is_public(ip_address(address))
    assert AddressPolicy().allows(address, 443)
    assert not AddressPolicy().allows(address, 8443)


def test_a_network_that_is_none_is_refused_at_start() -> None:
    """The variable is named by the settings' error."""
    with pytest.raises(ValueError, match="trusted_networks"):
        WebImageSettings(trusted_networks="10.0.0.0/33")
