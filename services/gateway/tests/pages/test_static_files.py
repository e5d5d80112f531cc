"""Files of the pages travel once, packed, under a name of their content."""

from __future__ import annotations

import gzip

import pytest

from services.gateway.pages.compressing import WORTH_BYTES
from services.gateway.pages.static_files import FILES, PREFIX, URLS
from services.gateway.tests.conftest import Edge

SHEET = "console.css"


async def test_a_file_is_sent_packed_to_whoever_takes_that_and_kept_for_ever(edge: Edge) -> None:
    """Its content is the same either way; caches are told that there are two forms."""
    packed = await edge.client.get(URLS[SHEET], headers={"accept-encoding": "br, gzip;q=0.5"})
    plain = await edge.client.get(URLS[SHEET], headers={"accept-encoding": "identity"})

    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content
    for answer in (packed, plain):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "accept-encoding" in answer.headers["vary"]
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("taken", ["", "identity", "gzip;q=0", "gzip; q=0.0", "br", "x-gzipped"])
async def test_a_file_is_sent_plain_to_whoever_does_not_take_gzip(edge: Edge, taken: str) -> None:
    """Also to who says so in so many words."""
    answer = await edge.client.get(URLS[SHEET], headers={"accept-encoding": taken})

    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("form", ["gzip", "identity"])
async def test_who_has_the_file_is_told_so(edge: Edge, form: str) -> None:
    """Among other tags, and marked as weak by a proxy; the form that they have not is sent."""
    headers = {"accept-encoding": form}
    tag = (await edge.client.get(URLS[SHEET], headers=headers)).headers["etag"]

    known = await edge.client.get(URLS[SHEET], headers={**headers, "if-none-match": f'"other", W/{tag}'})
    other = await edge.client.get(URLS[SHEET], headers={**headers, "if-none-match": '"other"'})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert other.status_code == 200


def test_every_file_that_is_worth_it_was_packed_once() -> None:
    """At the start, not for each who asks."""
    for name, file in FILES.items():
        assert PREFIX + name in URLS.values()
        assert not file.packed or gzip.decompress(file.packed) == file.body
    assert all(bool(file.packed) == (len(file.body) > WORTH_BYTES) for file in FILES.values())


async def test_a_page_is_packed_for_whoever_takes_that(edge: Edge) -> None:
    """One page, two forms; what is no page of ours goes as it is."""
    packed = await edge.client.get("/login", headers={"accept-encoding": "gzip"})
    plain = await edge.client.get("/login", headers={"accept-encoding": "identity"})
    download = await edge.client.get("/", headers={"accept": "application/json", "accept-encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) < len(packed.content) + 200
    assert "content-encoding" not in plain.headers
    assert {each.headers["vary"] for each in (packed, plain)} == {"accept-encoding"}
    assert "content-encoding" not in download.headers
