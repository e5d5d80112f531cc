"""What a page may do: show itself, and post its forms to us and, by a redirect, to the client it asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

REPORTS_PATH: Final = "/csp-reports"
# Where browsers send reports: the older way by address, the newer by name.
REPORTING: Final = (b"reporting-endpoints", f'csp="{REPORTS_PATH}"'.encode())
# What a file that we hand out may do in a browser: nothing, whatever is in it.
FILE_POLICY: Final = "sandbox; default-src 'none'"
_FIXED: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; "
    f"base-uri 'none'; report-uri {REPORTS_PATH}; report-to csp; form-action "
)


def page_policy(form_targets: Iterable[str] = ()) -> bytes:
    """Return the Content-Security-Policy. Browsers apply form-action to the redirects after a post, too."""
    return (_FIXED + " ".join(["'self'", *sorted(set(form_targets))])).encode("ascii")


def scripted_policy() -> bytes:
    """Return the policy of a page that runs scripts of ours, from files, which ask us and nobody else."""
    return b"script-src 'self'; connect-src 'self'; " + page_policy()


def form_targets(redirect_uris: Iterable[str]) -> list[str]:
    """Return the sources that let a form's redirect reach these addresses."""
    return [target for uri in redirect_uris if (target := _target(uri))]


def _target(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:" if parts.scheme.replace(".", "").replace("-", "").replace("+", "").isalnum() else ""
    if ":" in host:
        # CSP has no words for IPv6 addresses. Only loopback ones can be registered, and those only without TLS.
        return "http:"
    if not host.isascii() or not host.replace(".", "").replace("-", "").isalnum():
        return ""
    if host == "127.0.0.1":
        return f"{parts.scheme}://{host}:*"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"
