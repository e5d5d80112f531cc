"""Reports of the whole suite: the API, every file and the command line say what SQL says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pypdf
import pytest
from click.testing import CliRunner

from razvilka_cli import main
from tests.integration.books import Books
from tests.integration.waiting import wait_until
from tests.integration.zones import zone_away_from_midnight
from tools.stack.running_stack import Account, RunningStack

ZONE = zone_away_from_midnight()
TODAY = {"period": "today", "tz": ZONE}


@pytest.fixture
def account(stack: RunningStack) -> Account:
    """Somebody of whom nothing of an earlier test is still on its way to the books."""
    return stack.new_account()


@pytest.fixture
def client(stack: RunningStack, account: Account):
    """A client of the account, after two calls whose rows are stored."""
    headers = {"Authorization": f"Bearer {account.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=60) as made:
        for model in ("yandexgpt-lite", "gigachat"):
            body = {"model": model, "messages": [{"role": "user", "content": "Сколько будет 2 + 2?"}]}
            made.post("/v1/chat/completions", json=body).raise_for_status()
        Books(stack).wait_for_rows(account.user_id, 2)
        yield made


def ordered(client: httpx.Client, **wishes: Any) -> dict[str, Any]:
    answer = client.post("/v1/reports", json={**TODAY, **wishes})
    assert answer.status_code == 202, answer.text
    # About few requests it is done at once, unless others are being made.
    path = f"/v1/reports/{answer.json()['id']}"
    return wait_until(lambda: dict(client.get(path).json()), lambda report: report["status"] in {"done", "failed"})


def test_the_api_and_every_file_say_what_sql_says(stack: RunningStack, client: httpx.Client, account: Account) -> None:
    """To the micro-rouble; whoever has the link gets the same bytes as the owner."""
    summary = client.get("/v1/usage/summary", params=TODAY).json()
    whole = client.get(ordered(client, format="json")["url"], headers={"Authorization": ""}).json()
    report = ordered(client, format="csv", report="requests")
    content = client.get(report["url"], headers={"Authorization": ""})
    own = client.get(f"/v1/reports/{report['id']}/content")
    pdf = client.get(ordered(client, format="pdf")["url"]).content

    *rows, total = csv.DictReader(io.StringIO(content.text, newline=""))
    (stored,) = stack.query(
        "SELECT (sum(cost) * 1000000)::bigint AS cost, count(*) AS requests FROM usage.usage"
        " WHERE user_id = $1 AND created_at >= date_trunc('day', now(), $3)"
        " AND created_at < $2::text::timestamptz",
        account.user_id,
        report["to"],
        ZONE,
    )
    assert (len(rows), sum(int(Decimal(row["cost_rub"]) * 1_000_000) for row in rows)) == (
        stored["requests"],
        stored["cost"],
    )
    assert whole["totals"]["cost_micro_rub"] == summary["total"]["cost_micro_rub"] == stored["cost"]
    assert Decimal(total["cost_rub"]) * 1_000_000 == stored["cost"]
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert total["cost_rub"].replace(".", ",") in text  # as its language writes it
    assert own.content == content.content
    assert hashlib.sha256(own.content).hexdigest() == report["sha256"]


@pytest.mark.usefixtures("client")
def test_the_command_line_saves_a_report_and_shows_usage(stack: RunningStack, account: Account, tmp_path: Path) -> None:
    """Waited for, whole, under the name that it was given."""
    runner, environment = CliRunner(), {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": account.key}

    saved = runner.invoke(
        main,
        ["report", "--format", "csv", "--report", "requests", "--period", "today", "--excel", "-o", str(tmp_path)],
        env=environment,
    )
    shown = runner.invoke(main, ["usage", "--period", "today"], env=environment)
    told = runner.invoke(main, ["usage", "--period", "today", "--json"], env=environment)

    assert (saved.exit_code, shown.exit_code, told.exit_code) == (0, 0, 0), saved.output + shown.output + told.output
    (path,) = tmp_path.iterdir()
    assert path.read_bytes().startswith("\ufeffНомер запроса;Время;".encode())
    assert "total" in shown.output
    assert json.loads(told.output)["total"]["requests"] >= 2


@pytest.mark.parametrize(
    ("arguments", "key", "told"),
    [
        (["report"], "", "set RAZVILKA_API_KEY"),
        (["report"], "rz_live_nobody", "invalid_key:"),
        (["report", "--period", "fortnight"], None, "`period` must be one of"),
        (["report", "--filter", "model"], None, "must be NAME=VALUE"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    stack: RunningStack, arguments: list[str], key: str | None, told: str
) -> None:
    """In one sentence, without a traceback."""
    environment = {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": stack.api_key if key is None else key}

    result = CliRunner().invoke(main, arguments, env=environment)

    assert result.exit_code != 0
    assert told in result.output
