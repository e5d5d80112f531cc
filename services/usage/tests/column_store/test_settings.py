"""Settings of analytics: what is wrong with them is said in one line, and before anything is done."""

from __future__ import annotations

import pytest

from services.usage.column_store.settings import AnalyticsSettings
from services.usage.column_store_command import main


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a usage instance has in its environment."""
    monkeypatch.setenv("RAZVILKA_PROFILE", "local")
    monkeypatch.setenv("USAGE_POSTGRES_DSN", "postgresql://usage@localhost/razvilka")
    monkeypatch.setenv("USAGE_ANALYTICS_STORE", "clickhouse")
    monkeypatch.setenv("USAGE_ANALYTICS_DSN", "http://localhost:8123/razvilka")


@pytest.mark.parametrize("arguments", [(), ("help",), ("fill", "2026"), ("fill", "2026-13"), ("state", "now")])
def test_what_nobody_understands_prints_the_usage(arguments, capsys):
    """Exit status 2."""
    assert main(list(arguments)) == 2
    assert "column_store_command" in capsys.readouterr().err


@pytest.mark.parametrize("dsn", ["", "clickhouse.internal", "https://host:8443", "clickhouse://host/db", "http:///db"])
def test_a_wrong_address_stops_with_one_line(dsn, settings, monkeypatch):
    """That names the setting and its form, and never the password."""
    monkeypatch.setenv("USAGE_ANALYTICS_DSN", dsn)

    with pytest.raises(SystemExit) as stopped:
        main(["state"])

    assert "USAGE_ANALYTICS_DSN in the form https://user:password@host:port/database" in str(stopped.value)


def test_a_service_without_the_store_has_no_use_for_the_command(settings, monkeypatch, capsys):
    """It says what to set."""
    monkeypatch.setenv("USAGE_ANALYTICS_STORE", "postgres")

    assert main(["verify"]) == 2
    assert "USAGE_ANALYTICS_STORE: set it to clickhouse" in capsys.readouterr().err


def test_production_refuses_a_way_that_can_be_overheard():
    """It names the setting; of an installation that answers from PostgreSQL nothing is asked."""
    open_way = AnalyticsSettings(store="clickhouse", dsn="http://u:p@host:8123/db")
    closed_way = AnalyticsSettings(store="clickhouse", dsn="https://u:p@host:8443/db")

    assert [fault.partition(":")[0] for fault in open_way.faults("USAGE_")] == ["USAGE_ANALYTICS_DSN"]
    assert list(closed_way.faults("USAGE_")) == list(AnalyticsSettings().faults("USAGE_")) == []
