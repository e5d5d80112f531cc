"""What pages say of a service's settings is what the service has."""

import re

import pytest

from services.auth.accounts.settings import PasswordSettings
from services.gateway.pages.language import TEXTS


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("text", ["field.password_hint", "fault.password"])
def test_pages_tell_how_long_a_password_may_be_as_auth_checks_it(text, language):
    """Whoever has one of two hundred characters need not shorten it."""
    lengths = PasswordSettings()

    assert re.findall(r"\d+", TEXTS[language][text]) == [str(lengths.min_length), str(lengths.max_length)]
