"""`razvilka login` against the running suite: a person lets the program in, or does not.

The other commands are in `test_command_line.py`.
"""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from razvilka_cli import main
from razvilka_cli.errors import Failure
from razvilka_cli.gateway import Place
from razvilka_cli.login import SCOPES, Asked, log_in
from razvilka_cli.profiles import Profile
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.forms import form_with
from tools.stack.running_stack import RunningStack


def decide(house: House, person: Person, address: str, decision: str) -> int:
    """Say whether the program whose code is in the address is let in, as a person does; return the page's status."""
    with house.browser(person) as browser:
        enter = form_with(browser.get(address).text, "user_code")
        assert enter is not None
        confirm = form_with(browser.send(enter).text, "decision")
        assert confirm is not None
        return browser.send(confirm, decision=decision).status_code


def test_a_person_logs_in_by_a_browser_stays_logged_in_and_logs_out(
    stack: RunningStack, house: House, person: Person, cli_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key and no registration; the tokens are renewed when they end, and worth nothing after logout."""

    def open_browser(address: str) -> bool:
        assert decide(house, person, address, "approve") == 200
        return True

    monkeypatch.setattr(webbrowser, "open", open_browser)
    runner, kept = CliRunner(), cli_home / "credentials.json"

    entered = runner.invoke(main, ["--url", stack.url, "--profile", "work", "login", "--browser"])
    assert entered.exit_code == 0, entered.output
    assert kept.stat().st_mode & 0o777 == 0o600
    first = json.loads(kept.read_text())
    kept.write_text(json.dumps({url: {**login, "expires_at": 0} for url, login in first.items()}))
    who = runner.invoke(main, ["whoami", "--json"])
    listed = runner.invoke(main, ["--profile", "work", "models", "--json"], env={"RAZVILKA_API_KEY": "of another"})
    second = json.loads(kept.read_text())
    left = runner.invoke(main, ["logout"])
    after = runner.invoke(main, ["whoami"])

    assert (who.exit_code, listed.exit_code, left.exit_code) == (0, 0, 0), who.output + listed.output + left.output
    assert json.loads(who.stdout)["person"]["email"] == person.email
    assert set(json.loads(who.stdout)["credential"]["scopes"]) == set(SCOPES)
    assert first[stack.url]["refresh_token"] != second[stack.url]["refresh_token"]
    assert json.loads(kept.read_text()) == {}
    assert after.exit_code == 3
    refused = httpx.post(
        f"{stack.url}/token",
        data={
            "grant_type": "refresh_token",
            "client_id": "razvilka-cli",
            "refresh_token": second[stack.url]["refresh_token"],
        },
        timeout=60,
    )
    assert refused.json()["error"] == "invalid_grant"


def test_a_person_who_says_no_is_heard(stack: RunningStack, house: House, person: Person) -> None:
    """It is no failure of the gateway, and nothing is kept."""

    def refuse(asked: Asked) -> None:
        decide(house, person, asked.whole_address, "deny")

    with pytest.raises(Failure, match="refused in the browser") as refused:
        log_in(Place(stack.url, "", Profile(stack.url), False), ("models:read",), refuse)

    assert refused.value.exit_code == 3


def test_a_gateway_that_calls_itself_otherwise_gets_no_code(stack: RunningStack, cli_home: Path) -> None:
    """What is typed for one address goes to no other."""
    result = CliRunner().invoke(main, ["--url", stack.url.replace("127.0.0.1", "localhost"), "login"])

    assert result.exit_code == 2
    assert f"Use --url {stack.url}." in result.stderr
