"""Text as the value of a header: whatever it says, it stays one value of one header (RFC 9110 5.5).

Whoever puts anything but figures and constants into a header does it here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 2048


# Names of models, providers and parameters: a small closed set, seen in every request.
@lru_cache(maxsize=4096)
def plain_value(text: str) -> bytes:
    """Return the text with ? for every character that is not printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:_LONGEST]).strip().encode("ascii")


def quoted_value(text: str) -> bytes:
    """Return the text as a quoted string, with ? for what could end it: a parameter stays one parameter."""
    return b'"%b"' % plain_value(text).translate(_QUOTABLE)


_QUOTABLE: Final = bytes.maketrans(b'"\\', b"??")


def address_value(url: str) -> bytes:
    """Return an address with everything escaped that has no place in one.

    The authorization server encodes what it puts into addresses. If it ever did not, the header must stay one header.
    """
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._", errors="replace").encode("ascii")
