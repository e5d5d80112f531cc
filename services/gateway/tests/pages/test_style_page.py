"""The page of styles shows what the one file of tokens says, in both languages."""

from __future__ import annotations

import pytest

from services.gateway.console.style import PATH, TOKENS
from services.gateway.pages.static_files import FOLDER
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.pages.browser import browser, log_in


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_each_token_is_shown_with_its_value(edge: Edge, language: str) -> None:
    """And the page has a form with a fault, as forms show one."""
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get(PATH, params={"lang": language})).text

    assert len(TOKENS) > 40
    assert all(f"--{token.name}</span><small>{token.value}</small>" in page for token in TOKENS)
    assert 'id="fault-refused"' in page


async def test_it_is_not_in_production(start_gateway: StartGateway) -> None:
    """It would tell nobody anything there."""
    edge = await start_gateway(environment="production")

    assert (await edge.client.get(PATH)).status_code == 404


def test_no_other_sheet_names_a_colour() -> None:
    """A colour that is not a token does not change with the scheme. White is the ground of a code for cameras."""
    sheets = [sheet for sheet in FOLDER.glob("*.css") if sheet.name != "tokens.css"]
    named = {line.strip() for sheet in sheets for line in sheet.read_text("utf-8").splitlines() if ": #" in line}

    assert {line.partition(" ")[0] for line in named} <= {".picture"}


def test_what_is_hidden_stays_hidden_however_it_is_laid_out() -> None:
    """Buttons are boxes of their own kind, which alone would show those that only scripts can serve."""
    assert "[hidden] { display: none !important; }" in (FOLDER / "console.css").read_text("utf-8")
