"""After the move a user of 1.0 finds the account as it was: tier, keys, and what was used from the first day on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.compat.release_1_0.moved import DAYS, FIRST_DAY, Moved, OldUser
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack

EVER = {"from": FIRST_DAY.isoformat(), "to": "2999-01-01", "tz": "UTC"}


def client_of(stack: RunningStack, user: OldUser) -> httpx.Client:
    """Return a client with the key that 1.0 gave."""
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {user.key}"}, timeout=60)


@pytest.fixture
def payer(stack: RunningStack, moved: Moved) -> Iterator[httpx.Client]:
    """Return a client of the user with a history."""
    with client_of(stack, moved.payer) as made:
        yield made


def read(client: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    """Return a body; the answer must be 200."""
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_key_tells_what_its_account_spent_in_1_0(payer: httpx.Client, moved: Moved) -> None:
    """1.0 counted by account and showed that with the key; what is spent since comes on top."""
    data = read(payer, "/v1/auth/key")["data"]

    assert data["label"] == "production"
    assert round(data["usage"] * 1e6) >= moved.micro_rub


def test_tiers_and_their_quotas_come_along(stack: RunningStack, moved: Moved, payer: httpx.Client) -> None:
    """The one that was written down, and 1.0's own where there was none."""
    with client_of(stack, moved.free) as free:
        tiers = [read(each, "/v1/auth/key")["data"] for each in (payer, free)]

    assert [each["tier"] for each in tiers] == ["enterprise", "free"]
    assert [tiers[1]["rate_limit"][name] for name in ("requests", "requests_per_day", "concurrent_requests")] == [
        20, 200, 5,
    ]  # fmt: skip
    assert tiers[1]["usage"] == 0


def test_a_summary_goes_back_to_the_first_day(payer: httpx.Client, moved: Moved) -> None:
    """All of it to the micro-rouble, and the first day by itself; the model under its name of 1.1."""
    ever = read(payer, "/v1/usage/summary", **EVER, group_by="model", model="gigachat-pro", endpoint="")
    first = read(payer, "/v1/usage/timeseries", **EVER | {"to": "2022-07-01"}, bucket="day")["data"]

    assert ever["total"]["cost_micro_rub"] == moved.micro_rub
    assert ever["total"]["requests"] == moved.requests
    assert ever["total"]["tokens_input"] + ever["total"]["tokens_output"] == moved.tokens
    assert [(row["starts_at"][:10], row["requests"]) for row in first] == [(FIRST_DAY.isoformat(), 1)]
    months = read(payer, "/v1/usage/timeseries", period="all", tz="UTC")["data"]
    assert months[0]["starts_at"][:10] == FIRST_DAY.isoformat()


def test_a_request_is_found_by_its_old_id(payer: httpx.Client, moved: Moved) -> None:
    data = read(payer, "/v1/generation", id=moved.request_id)["data"]

    assert (data["tokens_prompt"], data["tokens_completion"]) == (100, 20)
    assert date.fromisoformat(data["created_at"][:10]) == FIRST_DAY


def test_a_forecast_knows_the_days_of_1_0(payer: httpx.Client) -> None:
    """A history of twelve weeks foretells the month: nobody begins anew."""
    found = read(payer, "/v1/usage/forecast", tz="UTC")

    assert found["refusal"] is None
    assert found["history_days"] >= DAYS - 1
    assert found["month_end"]["expected"]["p50_micro_rub"] > 0


def test_a_report_has_the_requests_of_1_0(payer: httpx.Client, moved: Moved) -> None:
    """A row each, with the name that the model had in 1.0."""
    order = {"format": "csv", "report": "requests", "from": "2022-06-01", "to": "2022-07-01", "tz": "UTC"}
    made = payer.post("/v1/reports", json=order)
    assert made.status_code == 202, made.text

    path = f"/v1/reports/{made.json()['id']}"
    done = wait_until(lambda: read(payer, path), lambda report: report["status"] in ("done", "failed"))
    row, total = csv.DictReader(io.StringIO(payer.get(f"{path}/content").text))

    assert done["status"] == "done"
    assert (row["model"], row["requested_model"], row["source"]) == ("gigachat-pro", "gigachat/pro", "imported")
    assert Decimal(total["cost_rub"]) == Decimal(row["cost_rub"]) == Decimal("0.001")
