"""`razvilka` against the running suite: every command, what it prints, and the status that it ends with."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from razvilka_cli import main
from razvilka_cli.actions.chat import converse
from razvilka_cli.credentials import StoredKey, find_credential
from razvilka_cli.invocation import Invocation
from razvilka_cli.login import SCOPES
from tests.integration.books import Books
from tools.stack.running_stack import Account, RunningStack

Run = Callable[..., Result]
QUESTION: Final = "Сколько будет 2 + 2?"


@pytest.fixture(scope="module")
def account(stack: RunningStack) -> Account:
    """Somebody whose figures no other test changes."""
    return stack.new_account(scopes=SCOPES)


@pytest.fixture
def run(stack: RunningStack, account: Account, cli_home: Path) -> Run:
    """Run the program with the account's key."""

    def invoke(
        *arguments: str, key: str | None = None, stdin: str | bytes | None = None, status: int = 0, or_status: int = 0
    ) -> Result:
        environment = {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": account.key if key is None else key}
        result = CliRunner().invoke(main, list(arguments), env=environment, input=stdin)
        assert result.exit_code in (status, or_status or status), result.output
        return result

    return invoke


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_key_can_be_kept_instead(stack: RunningStack, account: Account, cli_home: Path, run: Run) -> None:
    """Only one that is good there; the profile is used without being named."""
    refused = run("login", "--with-key", key="", stdin="rz_live_nobody\n", status=3)
    kept = run("login", "--with-key", key="", stdin=f"{account.key}\n")
    runner = CliRunner()
    who = runner.invoke(main, ["whoami", "--json"])

    assert "invalid_key" in refused.stderr
    assert account.key not in kept.output
    assert (who.exit_code, told(who)["by"]) == (0, "stored key"), who.output
    assert find_credential(stack.url) == StoredKey(account.key)


def test_chat_streams_the_answer_and_then_says_what_it_cost(run: Run) -> None:
    """The answer alone goes to the standard output."""
    streamed = run("chat", "-m", "yandexgpt-lite", "--system", "Отвечай коротко.", *QUESTION.split())
    piped = run("chat", "-m", "gigachat", stdin=QUESTION)
    both = run("chat", "-m", "gigachat", "--max-tokens", "20", "Кратко:", "-", stdin="долгий текст")
    whole = run("chat", "-m", "yandexgpt-lite", "--temperature", "0", "--json", QUESTION)

    assert streamed.stdout.strip()
    assert "tokens · 0.0" in streamed.stderr
    assert "₽ · first words after" in streamed.stderr
    assert piped.stdout.strip()
    assert both.stdout.strip()
    assert told(whole)["usage"]["cost_rub"]


def test_a_conversation_goes_on_until_its_end(
    stack: RunningStack, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line is a question; empty ones are none."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("Первый вопрос\n\nВторой вопрос\n"))

    converse(Invocation(stack.url, account.key), "", "", {"model": "yandexgpt-lite"})

    assert capsys.readouterr().err.count("first words after") == 2


def test_models_and_their_state_are_listed(run: Run) -> None:
    """As tables, as JSON, one in full."""
    listed = run("models", "--search", "YandexGPT-Lite")
    one = run("models", "yandexgpt:latest")
    # 6: another test has brought a model down.
    states = run("status", or_status=6)

    assert "yandexgpt-lite:latest" in listed.stdout
    assert "gigachat" not in listed.stdout
    assert "context_length" in one.stdout
    assert "yandexgpt" in states.stdout
    assert {"data", "canaries"} <= told(run("status", "--json", or_status=6)).keys()
    assert all("id" in model for model in told(run("--json", "models"))["data"])


def test_usage_and_requests_say_what_the_api_says(stack: RunningStack, run: Run, tmp_path: Path) -> None:
    """Summaries, time series, the log, one request explained, the export."""
    # Of nobody else's tests a row is still on its way to these books, which are read several times.
    account = stack.new_account(scopes=SCOPES)
    run = partial(run, key=account.key)
    for model in ("yandexgpt-lite", "gigachat"):
        run("chat", "-m", model, QUESTION)
    Books(stack).wait_for_rows(account.user_id, 2)
    summary = run("usage", "--period", "today", "--group-by", "provider", "--json")
    table = run("usage", "--period", "today")
    series = run("usage", "--period", "today", "--bucket", "hour", "--top", "1", "--filter", "provider=gigachat")
    log = run("requests", "list", "--limit", "1", "--json")
    newest = told(log)["data"][0]
    explained = run("requests", "show", newest["id"])
    run("export", "--period", "today", "-o", str(tmp_path / "today.csv"))
    lines = run("export", "--period", "today", "--format", "jsonl").stdout.splitlines()

    total = told(summary)["total"]
    assert total["cost_rub"] in table.stdout
    assert "since" in series.stdout
    assert newest["id"] in explained.stdout
    assert newest["cost_rub"] in explained.stdout
    assert len(lines) == total["requests"]
    assert sum(json.loads(line)["cost_micro_rub"] for line in lines) == total["cost_micro_rub"]
    assert len((tmp_path / "today.csv").read_text(encoding="utf-8-sig").splitlines()) == total["requests"] + 1
    assert "--cursor" in run("requests", "list", "--limit", "1").stdout


def test_a_key_is_made_rotated_and_revoked(stack: RunningStack, run: Run) -> None:
    """Its secret alone is on the standard output, so that a script can take it."""
    secret = run("keys", "create", "ci", "--model", "gigachat", "--budget-rub", "12,5", "--scope", "models:read").stdout
    listed = told(run("keys", "list", "--json"))["data"]
    (made,) = [key for key in listed if key["name"] == "ci"]
    rotated = told(run("keys", "rotate", made["id"], "--overlap", "0", "--json"))
    unsure = run("keys", "revoke", rotated["id"], status=2)
    run("keys", "revoke", rotated["id"], "--yes")

    assert secret.startswith("rz_")
    assert secret.count("\n") == 1
    assert (made["models"], made["budget"]["limit_micro_rub"]) == (["gigachat"], 12_500_000)
    assert "Say --yes." in unsure.stderr
    assert "12.5 ₽ a month" in run("keys", "list").stdout
    assert run("models", key=rotated["key"], status=3).stderr.startswith("Error: invalid_key: ")


def test_budgets_are_set_changed_and_deleted(run: Run) -> None:
    """A budget of roubles and a quota of tokens."""
    budget = told(run("budgets", "set", "--period", "month", "--limit-rub", "1500", "--json"))
    quota = run("budgets", "set", "--measure", "tokens", "--period", "day", "--limit", "9000", "--models", "giga*")
    changed = told(run("budgets", "set", budget["id"], "--limit-rub", "2000", "--mode", "shadow", "--json"))
    listed = run("budgets", "list").stdout
    deleted = told(run("budgets", "delete", budget["id"], "--yes", "--json"))

    assert (changed["limit_rub"], changed["mode"]) == ("2000.000000", "shadow")
    assert "9000" in quota.stdout
    assert budget["id"] in listed
    assert "giga*" in listed
    assert deleted["id"] == budget["id"]
    run("budgets", "set", budget["id"], "--period", "day", status=2)
    run("budgets", "set", "--limit-rub", "1", status=2)


@pytest.mark.parametrize(
    ("arguments", "key", "status", "said"),
    [
        (["models"], "", 3, "no_credential: Nobody is logged in"),
        (["models"], "rz_live_nobody", 3, "Run `razvilka login`"),
        (["models"], "ключ", 3, "This is no API key."),
        (["--url", "ftp://x", "models"], None, 2, "bad_url:"),
        (["--url", "http://a:b@x", "models"], None, 2, "RAZVILKA_API_KEY"),
        (["--url", "http://127.0.0.1:1", "models"], None, 7, "unreachable:"),
        (["--profile", "none", "models"], None, 2, "There is no profile 'none'"),
        (["chat", "-m", "gpt-17", "?"], None, 4, "`razvilka models` lists them."),
        (["chat"], None, 2, "no_question:"),
        (["requests", "show", "../../keys"], None, 4, "not_found:"),
        (["usage", "--period", "fortnight"], None, 4, "`period` must be one of"),
        (["usage", "--filter", "=x"], None, 2, "NAME=VALUE"),
        (["budgets", "set", "--period", "month", "--limit-rub", "much"], None, 4, "limit_rub"),
        (["keys", "create", "x", "--budget-rub", "-1"], None, 2, "is no amount of roubles"),
        (["keys", "create", ""], None, 4, "name"),
        (["export", "-o", "/nowhere/at/all"], None, 2, "cannot be written"),
        (["report", "-o", "/nowhere/at/all"], None, 2, "cannot be written"),
        (["profiles", "set", "a b", "--url", "http://x"], None, 2, "cannot name a profile"),
        (["profiles", "set", "a"], None, 2, "Say --url."),
        (["profiles", "delete", "a"], None, 2, "There is no profile"),
        (["login", "--with-key"], None, 2, "No key came in."),
        (["dance"], None, 2, "No such command"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    run: Run, arguments: list[str], key: str | None, status: int, said: str
) -> None:
    """With what to do about it, a status of its own, and no traceback."""
    result = run(*arguments, key=key, status=status)
    as_json = run("--json", *arguments, key=key, status=status)

    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in errors[-1]
    assert len(errors) == 1
    assert result.stdout == ""
    if status != 2:
        assert json.loads(as_json.stderr)["error"]["exit_status"] == status


def test_a_spent_budget_has_a_status_of_its_own(run: Run) -> None:
    """Scripts tell it from a mistake."""
    poor = run("keys", "create", "poor", "--budget-rub", "0.000001").stdout.strip()

    result = run("chat", "-m", "yandexgpt", QUESTION, key=poor, status=5)

    assert "`razvilka budgets list` shows them." in result.stderr


def test_a_reader_that_goes_away_is_no_failure(stack: RunningStack, account: Account, cli_home: Path) -> None:
    """`razvilka export | head` says nothing."""
    command = [sys.executable, "-m", "razvilka_cli", "--url", stack.url, "--key", account.key, "models", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.close()
        assert program.stderr is not None
        said = program.stderr.read()

    assert (program.returncode, said) == (141, b"")
