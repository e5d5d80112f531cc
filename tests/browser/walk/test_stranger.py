"""Somebody types into every form what nobody should: no page breaks, says nothing, or forgets what was typed.

By plain requests: what a browser sends without scripts. `make pages-walk` runs it.
"""

import os
import re
from collections.abc import Iterator
from html import unescape
from typing import Final

import httpx
import pytest

from tests.browser.walk.looking import FOLDER
from tests.browser.walk.places import PLACES
from tests.browser.walk.residents import Resident
from tests.oauth_kit.house import House
from tools.browser.browser import Browser
from tools.browser.forms import Form, forms_in

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
HOSTILE: Final = {
    "nothing": "",
    "blanks": " \t ",
    "long": "я" * 10_000,
    "markup": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "emoji": "👩‍👩‍👧‍👦🇷🇺",
    "backwards": "\u202eабв\u2066",
    "negative": "-1",
    "huge": "9" * 40,
    "fraction": "1e309",
    "no day": "2027-02-31",
    "far day": "9999-12-31",
    "early day": "0001-01-01",
    "zero": "\x00",
    "path": "../../etc/passwd?x=1#y",
    "template": "{{ 7*7 }}${7*7}%s%n",
}
# What ends the walk: the account, its login, its password; and what is sent elsewhere.
SKIPPED: Final = (
    "/logout",
    "/login",
    "/console/password",
    "/console/sessions",
    "/console/totp",
    "/console/data",
    "/demo",
)
# What a form sends besides what is typed.
OWN: Final = ("csrf", "once", "order", "user_id", "id", "pending_id")
# Hidden, for managers of passwords; cut to its length; and what no page shows again.
NEVER_SHOWN: Final = {"username", "user_code", "password", "new_password", "current_password", "totp_code", "code"}
OF_OTHERS: Final = ("the application you came from", "из которого вы пришли", "Go back to the application")
SAME_SITE: Final = {"sec-fetch-site": "same-origin"}


def forms_to_fill(browser: Browser, resident: Resident) -> Iterator[tuple[str, Form]]:
    """Yield each form of each page, once, that has something to type into."""
    seen = set()
    for place in PLACES:
        path = place.path(resident.ids)
        page = browser.get(path) if path else None
        if page is None or page.status_code != 200:
            continue
        for form in forms_in(page.text):
            areas = re.findall(r'<textarea[^>]* name="([^"]+)"', page.text) if form.method == "post" else []
            form.inputs |= set(areas)
            typed = frozenset(form.inputs - set(OWN))
            about = (re.sub(r"[0-9a-f-]{30,}", "*", form.action), form.method, typed)
            if typed and about not in seen and not form.action.startswith(SKIPPED):
                seen.add(about)
                yield path, form


def faults_of(answer: httpx.Response, typed: dict[str, str], hostile: str) -> Iterator[str]:
    """Yield what is wrong with the answer to a form."""
    if answer.is_redirect:
        return
    if answer.status_code >= 500:
        yield f"{answer.status_code}"
    if "text/html" not in answer.headers["content-type"]:
        yield f"no page, {answer.status_code}"
    if "<script>alert" in answer.text or "<img src=x" in answer.text:
        yield "markup of others"
    if answer.status_code >= 400 and not re.search(r'role="alert"|class="fault"|<h1>', answer.text):
        yield "says nothing"
    if any(words in answer.text for words in OF_OTHERS):
        yield "speaks of an application that nobody came from"
    is_kept = hostile.strip() in unescape(answer.text) or not typed.keys() - NEVER_SHOWN
    # No browser sends a zero.
    if answer.status_code == 400 and not is_kept and "\x00" not in hostile:
        yield f"what was typed is gone: {sorted(typed)}"


def test_no_form_breaks_whatever_is_typed(house: House, resident: Resident) -> None:
    """In each field of its own, and in all at once; also in the addresses of filters."""
    faults = []
    with house.browser(resident.person, language="en") as browser:
        for path, form in list(forms_to_fill(browser, resident)):
            for name, hostile in HOSTILE.items():
                wrong = list(sent_with(browser, form, hostile))
                faults += [f"{path} {form.method} {form.action} {name}: {fault}" for fault in wrong]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "faults-stranger.txt").write_text("\n".join(faults))
    assert not faults, "\n".join(faults)


def sent_with(browser: Browser, form: Form, hostile: str) -> Iterator[str]:
    """Yield what is wrong with the answer to a form that says this everywhere."""
    # An address has an end.
    hostile = hostile if form.method == "post" else hostile[:300]
    typed = dict.fromkeys(form.inputs - set(OWN), hostile)
    button = {name: value for name, value in form.buttons[:1] if name}
    sent = form.filled(**typed, **button)
    if form.method == "post":
        yield from faults_of(browser.post(form.action, sent, SAME_SITE), typed, hostile)
    else:
        yield from faults_of(browser.get(form.action, sent), typed, hostile)
