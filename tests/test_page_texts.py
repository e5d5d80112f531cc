"""What pages say of a service's settings is what the service has."""

import re

import pytest

from services.auth.accounts.settings import PasswordSettings
from services.gateway.pages import rendering
from services.gateway.pages.language import TEXTS

TEMPLATES = rendering.__file__.replace("rendering.py", "templates")


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("text", ["field.password_hint", "fault.password", "fault.password_length"])
def test_pages_have_no_lengths_of_passwords_of_their_own(language, text):
    """They are settings of auth, which tells them when it refuses one: pages had those of the defaults."""
    assert not re.findall(r"\d+", TEXTS[language][text])


@pytest.mark.parametrize("template", ["registration", "reset_password", "security"])
def test_a_browser_refuses_no_password_that_some_setting_allows(template):
    """Nothing may be set below what it asks for."""
    least = PasswordSettings.model_json_schema()["properties"]["min_length"]["minimum"]
    with open(f"{TEMPLATES}/{template}.html", encoding="utf-8") as file:
        assert re.findall(r'minlength="(\d+)"', file.read()) == [str(least)]
