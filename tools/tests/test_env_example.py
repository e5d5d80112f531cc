"""`.env.example` says what the settings classes say."""

from tools import env_example
from tools.settings_catalog import SETTINGS, settings_of


def test_the_committed_file_is_up_to_date():
    """A new setting appears in the file in the same commit."""
    assert env_example.FILE.read_text() == env_example.text(), "run make env-example"


def test_every_setting_says_what_it_is():
    """A name and a default are not an explanation."""
    silent = [each.variable for name in SETTINGS for each in settings_of(name) if not each.description]

    assert silent == []


def test_no_variable_belongs_to_two_settings():
    """One variable, one meaning."""
    variables = [each.variable for name in SETTINGS for each in settings_of(name)]

    assert len(variables) == len(set(variables))


def test_secrets_have_no_default():
    """A secret everybody knows is none; what is not given stays empty."""
    shown = [each.variable for name in SETTINGS for each in settings_of(name) if each.secret and each.default]

    assert shown == []
