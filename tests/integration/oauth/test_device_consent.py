"""What a person leaves ticked is what a program without a browser gets (rule 52)."""

from collections.abc import Sequence
from typing import Any

from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.forms import form_with

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "models:read completions:write"


def let_in(house: House, person: Person, app: Application, *, without: Sequence[str]) -> dict[str, Any]:
    """Begin at a device, decide in a browser, return what the device gets."""
    device = app.post("/device_authorization", scope=SCOPE).json()
    with house.browser(person) as browser:
        enter = form_with(browser.get(device["verification_uri_complete"]).text, "user_code")
        assert enter is not None
        confirm = form_with(browser.send(enter).text, "decision")
        assert confirm is not None
        unticked: dict[str, str | None] = {f"scope {scope}": None for scope in without}
        assert browser.post(confirm.action, confirm.filled(**unticked, decision="approve")).status_code == 200
    return dict(app.token(grant_type=GRANT, device_code=device["device_code"]).json())


def test_a_device_gets_what_is_left_ticked(house: House, person: Person, public: Application):
    """Rule 52: less than it asked for, said in `scope`."""
    token = let_in(house, person, public, without=["completions:write"])

    assert token["scope"] == "models:read"


def test_who_unticks_everything_gives_nothing(house: House, person: Person, public: Application):
    """Rule 52: access_denied, not everything."""
    token = let_in(house, person, public, without=SCOPE.split())

    assert token["error"] == "access_denied"
