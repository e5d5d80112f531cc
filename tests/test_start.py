"""What a service loads before anybody has asked it for anything: memory of every instance."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

SERVICES: Final = ("auth", "gateway", "router", "usage")
# Needed by a rare request, by a setting few have, by the migrator, or by people at a terminal: to be loaded then.
NOT_AT_START: Final = (
    "authlib",  # a login by another provider
    "httpx",
    "opentelemetry.sdk.trace",  # spans, where a collector is named
    "opentelemetry.exporter",
    "yoyo",  # migrations
    "psycopg",
    "typst",  # reports
    "xlsxwriter",
    "duckdb",
    "rich",  # terminals
    "services.gateway.reference.completing",  # the description of the API
    "pygments",
)
IMPORT: Final = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"


def test_services_start_without_what_only_rare_requests_need() -> None:
    """Together it took a third of the memory of a service at rest."""
    mains = [f"services.{service}.__main__" for service in SERVICES]

    # One process for all: to start Python four times is what would take long.
    ended = subprocess.run([sys.executable, "-c", IMPORT, *mains], capture_output=True, text=True, check=True)

    loaded = set(ended.stdout.split())
    assert loaded >= set(mains)
    assert not [name for name in NOT_AT_START if name in loaded]
