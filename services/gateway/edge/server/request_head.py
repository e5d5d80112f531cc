"""What RFC 9110 and 9112 say of a request's head, beyond its grammar: the parser checks that and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Head = Iterable[tuple[bytes, bytes]]

# uri-host [":" port] (RFC 9110 7.2), never empty: a name, an IPv4 address, or an IPv6 address in brackets.
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is refused before anybody looks at its path."""

    status: int
    text: str


MALFORMED: Final = Fault(400, "The HTTP request is malformed.")
_VERSION: Final = Fault(400, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
_NO_HOST: Final = Fault(400, "The request must have exactly one Host header, with a host.")
_OLD_CHUNKS: Final = Fault(400, "HTTP/1.0 knows no Transfer-Encoding.")
_CODING: Final = Fault(501, "The only Transfer-Encoding known here is chunked.")
_TUNNEL: Final = Fault(400, "This is no proxy.")
_TARGET: Final = Fault(400, "The request target must be a path.")


def fault_of(method: bytes, target: bytes, version: str, headers: Head) -> Fault | None:
    """Return what is wrong with a head; None: nothing."""
    if version not in ("1.1", "1.0"):
        return _VERSION
    if method == b"CONNECT":
        return _TUNNEL
    if target == b"*" and method != b"OPTIONS":
        return _TARGET
    hosts, codings = [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
    # RFC 9112 3.2. Without it, two servers on the way could think of two sites.
    if len(hosts) > 1 or (hosts and not _HOST.fullmatch(hosts[0])) or (not hosts and version == "1.1"):
        return _NO_HOST
    return _coding_fault(codings, version) if codings else None


def _coding_fault(codings: list[bytes], version: str) -> Fault | None:
    """RFC 9112 6.1: a coding that is not understood is 501, a body without a known end is 400."""
    if version == "1.0":
        return _OLD_CHUNKS
    names = [name.strip().lower() for name in b",".join(codings).split(b",")]
    if names == [b"chunked"]:
        return None
    return _CODING if names.count(b"chunked") == 1 and names[-1] == b"chunked" else MALFORMED


def without_upgrade(method: bytes, target: bytes, version: str, headers: Head) -> bytes:
    """Return the head as it would be had nobody asked for another protocol (RFC 9110 7.8: that may be ignored).

    The parser takes what follows an Upgrade for another protocol; the body would be read as the next request.
    """
    lines = [b"%b %b HTTP/%b" % (method, target, version.encode())]
    lines += [b"%b: %b" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])
