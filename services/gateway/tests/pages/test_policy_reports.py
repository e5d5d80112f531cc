"""Files of others are what they are said to be, and what browsers refuse on our pages is heard of."""

from __future__ import annotations

from hashlib import sha256

import pytest
from prometheus_client import REGISTRY

from services.gateway.pages.static_files import URLS, VENDORED
from services.gateway.tests.conftest import Edge


def test_vendored_files_are_what_they_are_said_to_be() -> None:
    """SHA-256 of every file that a browser gets, written down beside it with version and licence."""
    for folder in VENDORED.iterdir():
        said = (folder / "README.md").read_text("utf-8")
        assert "Version" in said
        assert (folder / "LICENSE").exists()
        for file in (file for file in folder.iterdir() if file.name in URLS):
            assert f"| `{file.name}` | `{sha256(file.read_bytes()).hexdigest()}` |" in said


REPORTS = {
    "the older form": ("application/csp-report", {"csp-report": {"violated-directive": "script-src 'self'"}}, 1),
    "the newer form": ("application/reports+json", [{"body": {"effectiveDirective": "script-src"}}] * 2, 2),
    "too many": ("application/reports+json", [{"body": {"effectiveDirective": "script-src"}}] * 50, 20),
}


@pytest.mark.parametrize(("media_type", "report", "count"), REPORTS.values(), ids=REPORTS.keys())
async def test_what_a_browser_refused_is_counted(edge: Edge, media_type: str, report: object, count: int) -> None:
    """By directive, of a closed set; the pages say where reports go."""
    name, labels = "razvilka_gateway_policy_reports_total", {"directive": "script-src"}
    before = REGISTRY.get_sample_value(name, labels) or 0

    page = await edge.client.get("/login")
    answer = await edge.client.post("/csp-reports", json=report, headers={"content-type": media_type})

    assert answer.status_code == 204
    assert (REGISTRY.get_sample_value(name, labels) or 0) - before == count
    assert page.headers["reporting-endpoints"] == 'csp="/csp-reports"'
    assert "report-uri /csp-reports; report-to csp" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("media_type", "content", "status"),
    [("text/plain", b"{}", 415), ("application/csp-report", b"{", 400), ("application/csp-report", b"[" * 99, 400),
     ("application/reports+json", b'[{"body":{"effectiveDirective":5}},7,{"body":[]}]', 204),
     ("application/csp-report", b" " * 99_999, 413)],
)  # fmt: skip
async def test_what_is_no_report_is_refused(edge: Edge, media_type: str, content: bytes, status: int) -> None:
    """Anybody may post here, so it is bounded like everything else."""
    answer = await edge.client.post("/csp-reports", content=content, headers={"content-type": media_type})

    assert answer.status_code == status
