"""A provider's statement beside our bills: what differs is named, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click import ClickException
from click.testing import CliRunner

from razvilka_cli.actions.reconcile import Difference, differences, read_statement
from razvilka_cli.commands import main
from razvilka_cli.tests.scripted import Reply, scripted_server
from tools.accounts.calls import DemoCalls
from tools.stack.running_stack import RunningStack

DAY = date(2026, 11, 1)


def statement(tmp_path: Path, *lines: str, head: str = "date,model,cost_rub") -> Path:
    """Return a file of these lines."""
    path = tmp_path / "bill.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8-sig")
    return path


def test_lines_of_one_day_and_model_are_one_sum_and_kopecks_are_rounding(tmp_path: Path) -> None:
    lines = ("2026-11-01,yandexgpt:latest,10.00", '2026-11-01,yandexgpt:latest,"2,50"', "2026-11-01,gone,1")
    stated = read_statement(statement(tmp_path, *lines))
    billed = {(DAY, "yandexgpt:latest"): Decimal("12.494000"), (DAY, "ours"): Decimal("3.000000")}

    assert list(differences(stated, billed)) == [
        Difference(DAY, "gone", Decimal("1"), None),
        Difference(DAY, "ours", None, Decimal("3.000000")),
    ]


def test_a_quote_that_is_never_closed_is_a_bad_statement(tmp_path: Path) -> None:
    """It takes the rest of the file for one value, which is larger than any."""
    path = statement(tmp_path, *['2026-11-01,"m,1', *["2026-11-02,yandexgpt:latest,10.00"] * 5_000])

    with pytest.raises(ClickException) as caught:
        read_statement(path)

    assert "cannot be read: field larger than" in caught.value.message


def test_each_of_many_models_is_compared_by_its_name(tmp_path: Path) -> None:
    """Beyond the hundred dearest they were one line, `other`: each of them differed, and so did that line."""
    models = [f"model-{number}" for number in range(150)]

    def answer(_method: str, path: str) -> Reply:
        most = int(parse_qs(urlsplit(path).query).get("top", ["0"])[0]) or len(models)
        groups = [{"version": model} for model in models[:most]] + [None] * (most < len(models))
        rows = [{"starts_at": "2026-11-01T00:00:00Z", "group": group, "cost_rub": "1.000000"} for group in groups]
        return Reply(200, {"data": rows})

    told = statement(tmp_path, *[f"2026-11-01,{model},1" for model in models])
    with scripted_server(lambda _: answer) as server:
        run = ["--url", server.url, "--key", "k", "reconcile", "--provider", "openai", "--tz", "UTC"]
        result = CliRunner().invoke(main, [*run, "--csv", str(told)])

    assert (result.exit_code, result.output.strip()) == (0, "150 lines of openai, 0 differ")


async def administrators_key(stack: RunningStack) -> str:
    """Return a key that may read everybody's usage."""
    async with stack.auth.channel() as channel:
        return await DemoCalls(channel).new_key(stack.demo.demo_user_id, "reconcile", ("usage:read", "admin"))


@pytest.mark.parametrize(
    ("head", "line", "says"),
    [
        ("day,model,cost_rub", "2026-11-01,m,1", "has no column date"),
        ("date,model,cost_rub", "01.11.2026,m,1", "line 2: date must be a day"),
        ("date,model,cost_rub", "2026-11-01,m,much", "line 2: cost_rub must be a number"),
        ("date,model,cost_rub", "2026-11-01,m,NaN", "line 2: cost_rub must be a number"),
    ],
)
def test_a_line_that_says_nothing_is_named(tmp_path: Path, head: str, line: str, says: str) -> None:
    with pytest.raises(ClickException, match=says):
        read_statement(statement(tmp_path, line, head=head))


def test_an_administrator_compares_and_the_exit_status_tells(stack: RunningStack, tmp_path: Path) -> None:
    """Of a day on which nobody asked anything."""
    key = asyncio.run(administrators_key(stack))
    same = statement(tmp_path, "2024-01-01,yandexgpt:latest,0")
    run = ["--url", stack.url, "--key", key, "reconcile", "--provider", "yandexgpt", "--csv"]

    sound = CliRunner().invoke(main, [*run, str(same)])
    other = CliRunner().invoke(main, [*run, str(statement(tmp_path, "2024-01-01,yandexgpt:latest,5"))])

    assert (sound.exit_code, other.exit_code) == (0, 1), sound.output + other.output
    assert "0 differ" in sound.output
    assert "1 differ" in other.output
