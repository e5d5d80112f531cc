"""What an application set up for a person, in the whole suite: it ends with its access, and the person's own stay."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.integration.waiting import wait_until
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.house import House
from tools.browser.browser import Browser
from tools.browser.forms import form_with

SCOPE: Final = "usage:read notifications:write profile:read"
SCHEDULE: Final = {"every": "day", "format": "csv", "when_empty": "report"}
KINDS: Final = ("/v1/webhooks", "/v1/alerts", "/v1/reports/schedules")


class Receiver:
    """Takes webhooks in a thread, and remembers at which paths."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                paths.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def set_up(http: httpx.Client, token: str, url: str) -> dict[str, str]:
    """Make one of each; return their ids by the path of their list."""
    headers = {"authorization": f"Bearer {token}"}
    made = dict[str, str]()

    def make(path: str, order: dict[str, Any]) -> None:
        answer = http.post(path, json=order, headers=headers)
        assert answer.status_code == 201, answer.text
        made[path] = answer.json()["id"]

    make("/v1/webhooks", {"url": url})
    make("/v1/alerts", {"kind": "report.ready", "channels": [made["/v1/webhooks"]]})
    make("/v1/reports/schedules", SCHEDULE)
    return made


def listed(http: httpx.Client, token: str) -> dict[str, dict[str, str | None]]:
    """Return, by the path of each list, what made each by its id."""
    found = {path: use(http, token, path).json()["data"] for path in KINDS}
    return {path: {each["id"]: each["made_by"] for each in data} for path, data in found.items()}


def end_access(browser: Browser, name: str) -> None:
    form = form_with(browser.get("/console/applications").text, "grant_id")
    assert form is not None, name
    assert browser.send(form).status_code == 303


def test_what_an_application_made_ends_with_its_access_and_nothing_is_sent_there_any_more(
    house: House, receiver: Receiver
) -> None:
    """A webhook, a rule, a schedule: the person who shut it out keeps their own, and those of another application."""
    leaving, staying = [house.register(scope=SCOPE) for _ in range(2)]
    person = house.new_person()
    with house.browser(person) as browser:
        kept_token = _let_in(staying, browser)
        kept = set_up(house.http, kept_token, f"{receiver.url}/kept")
        token = _let_in(leaving, browser)
        gone = set_up(house.http, token, f"{receiver.url}/gone")
        own = browser.get("/console/webhooks/new").text
        form = form_with(own, "url")
        assert form is not None
        assert browser.send(form, url=f"{receiver.url}/own", name="own").status_code == 303
        before = listed(house.http, kept_token)
        sent = house.http.post(
            f"/v1/webhooks/{gone['/v1/webhooks']}/test", headers={"authorization": f"Bearer {token}"}
        )
        assert sent.status_code == 202, sent.text
        wait_until(lambda: list(receiver.paths), lambda paths: "/gone" in paths)

        # The one that was let in last is listed first.
        end_access(browser, "leaving")

    after = wait_until(
        lambda: listed(house.http, kept_token),
        lambda found: not any(gone[path] in found[path] for path in KINDS),
    )
    receiver.paths.clear()
    # Still on its way to everybody else.
    house.http.post(
        f"/v1/webhooks/{kept['/v1/webhooks']}/test", headers={"authorization": f"Bearer {kept_token}"}
    ).raise_for_status()
    wait_until(lambda: list(receiver.paths))
    [mine] = [id for id, maker in before["/v1/webhooks"].items() if maker is None]
    assert receiver.paths == ["/kept"]
    assert set(after["/v1/webhooks"]) == {kept["/v1/webhooks"], mine}
    assert all(set(after[path]) == {kept[path]} for path in KINDS[1:])
    assert all((before[path][gone[path]] or "").startswith("grant:") for path in KINDS)
    rows = house.stack.query("SELECT id FROM usage.notification_channels WHERE user_id = $1", person.user_id)
    assert {str(row["id"]) for row in rows} == {kept["/v1/webhooks"], mine}


def _let_in(application: Application, browser: Browser) -> str:
    return str(application.tokens(browser, scope=SCOPE)["access_token"])
