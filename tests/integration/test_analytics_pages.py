"""The pages on usage, budgets and notifications say what is true: their examples run, one after the other."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.documents import code_blocks, run_shell
from tests.integration.books import Books
from tests.integration.caller import ask
from tests.integration.waiting import wait_until
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import Account, RunningStack

PAGES: Final = ("analytics", "forecast", "insights", "reports", "budgets", "notifications")
SCOPES: Final = ("completions:write", "usage:read", "keys:read", "keys:write", "notifications:write")
# A refusal must end the script, and be seen; the examples are for people, who see it anyway.
STRICT: Final = 'curl() { command curl --fail-with-body "$@"; }\n'
LIMIT_S: Final = 120


@pytest.fixture(scope="module")
def account(stack: RunningStack) -> Account:
    """An account of its own that has used something: what the examples set caps nobody else."""
    made = stack.new_account(scopes=SCOPES)
    assert ask(stack.url, made.key, "Где север? [[tokens:3]]", max_tokens=50).status == 200
    Books(stack).wait_for_rows(made.user_id)
    # The gateway tells usage what models cost some seconds after it has started.
    wait_until(lambda: stack.query("SELECT model FROM usage.catalog_prices WHERE model = 'yandexgpt-lite:latest'"))
    return made


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_as_they_stand(
    page: str, stack: RunningStack, account: Account, tmp_path: Path
) -> None:
    """In one shell, from the first to the last; whatever is refused fails the test."""
    missing = [program for program in ("bash", "curl", "jq") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"the examples need {', '.join(missing)}")
    blocks = [text for language, text in code_blocks(REPOSITORY / "docs" / "api" / f"{page}.md") if language == "bash"]
    (tmp_path / ".razvilka").mkdir()
    (tmp_path / ".razvilka" / "demo.env").write_text(replace(stack.demo, api_key=account.key).text)

    assert blocks
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run_shell(STRICT + "\n".join(blocks), tmp_path, {"PATH": path}, limit_s=LIMIT_S)


def test_a_forecast_has_the_fields_of_its_example(stack: RunningStack, account: Account) -> None:
    """No more and no fewer: a page that lags behind fails here."""
    [example] = [
        json.loads(text)
        for language, text in code_blocks(REPOSITORY / "docs" / "api" / "forecast.md")
        if language == "json"
    ]

    got = httpx.get(
        f"{stack.url}/v1/usage/forecast",
        headers={"authorization": f"Bearer {account.key}"},
        trust_env=False,
        timeout=60,
    )

    assert got.json().keys() == example.keys()
