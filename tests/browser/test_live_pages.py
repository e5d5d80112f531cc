"""The pages that a newcomer tries first, in a real browser: the playground, what breaks and heals, the status page.

RAZVILKA_SCREENSHOTS names a folder that gets a picture of every page.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack

# A machine may stand still for longer than the five seconds that httpx waits by itself.
PATIENT: Final[Any] = {"trust_env": False, "timeout": 60}
# Longer than anybody waits who stops it.
LONG = "Где север? [[tokens:300]] [[chunks:100]] [[gap:300]]"
LANGUAGES = pytest.mark.parametrize(("language", "size"), [("ru", PHONE), ("en", DESK)], ids=["ru-phone", "en-desk"])
ON_A_PHONE = pytest.mark.parametrize(("language", "size"), [("ru", PHONE)], ids=["ru-phone"])
ON_A_DESK = pytest.mark.parametrize(("language", "size"), [("en", DESK)], ids=["en-desk"])


@pytest.fixture(scope="module")
def chromium(stack: RunningStack) -> Iterator[Chromium]:
    """Chromium as it is installed on this machine, beside a suite of this very machine."""
    assert stack.parts
    with running_chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return axe_source()


@pytest.fixture
def healed(stack: RunningStack) -> Iterator[None]:
    """GigaChat is well afterwards, whatever a test did."""
    yield
    reset_circuits(stack)
    httpx.request("DELETE", f"{stack.emulator_url}/control/faults", json={"provider": "gigachat"}, **PATIENT)


def at_the_machine(context: BrowserContext, visitor: Visitor, to: str) -> Page:
    """Enter as the demo user by one click on the front door, as whoever sits at this machine."""
    context.set_extra_http_headers({})
    visitor.open("/")
    visitor.page.locator(f"button[name=to][value={to}]").click()
    return visitor.page


def reset_circuits(stack: RunningStack) -> None:
    """Have GigaChat be asked again at once, as an administrator would."""
    headers = {"authorization": f"Bearer {stack.admin_key}"}
    url = f"{stack.url}/v1/admin/providers/gigachat/reset"
    httpx.post(url, headers=headers, json={}, **PATIENT).raise_for_status()


def request_of(stack: RunningStack, page: Page) -> dict[str, object]:
    """Return what the API tells of the request whose figures are shown."""
    request_id = str(page.locator(".why a").first.get_attribute("href")).rsplit("/", 1)[1]
    headers = {"authorization": f"Bearer {stack.api_key}"}
    url = f"{stack.url}/v1/requests/{request_id}"
    # Where the gateway had no time to keep what its settlement said, the row comes a moment later.
    answer = wait_until(lambda: httpx.get(url, headers=headers, **PATIENT), lambda answer: answer.status_code != 404)
    found: dict[str, object] = answer.raise_for_status().json()
    return found


@ON_A_PHONE
def test_the_playground_streams_and_tells_the_price(chromium: Chromium, stack: RunningStack, axe: str, language, size):
    """One click from the front door; two models side by side, each with the figures that the API has."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, stack.url, axe, language)
        page = at_the_machine(context, visitor, "playground")
        visitor.open(f"/console/playground?lang={language}")
        page.locator("#message").fill("Где север? [[tokens:12]] [[chunks:4]]")
        page.locator("#model-1").select_option(index=2)
        page.locator("form#playground button[type=submit]").first.click()
        expect(page.locator("#answers .figures")).to_have_count(2)
        visitor.check("playground", language)

        told = request_of(stack, page)
        said = page.locator(".told .said").first.inner_text()
        assert said
        assert str(told["cost_rub"]).replace(".", ",") in page.locator(".figures").first.inner_text()
        assert (told["stream"], told["tokens_output"]) == (True, 12)
        assert "12" in page.locator("#code").inner_text()


def test_a_stream_that_is_stopped_is_billed_for_what_was_seen(chromium: Chromium, stack: RunningStack):
    """The answer is there piece by piece; stopping ends it at the provider, too."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, stack.url, "", "stop")
        page = at_the_machine(context, visitor, "playground")
        page.locator("#message").fill(LONG)
        page.locator("form#playground button[type=submit]").first.click()
        expect(page.locator("#answers .said")).to_have_text(re.compile(r"\S"))
        assert page.locator("#answers").get_attribute("aria-busy") == "true"
        page.locator("#stop").press("Enter")
        expect(page.locator("#answers .figures")).to_have_count(1)
        # The button that was pressed is gone: by keyboard one goes on where one was.
        expect(page.locator("form#playground button[type=submit]").first).to_be_focused()

        told = request_of(stack, page)
        assert told["status"] == "interrupted"
        assert 0 < int(str(told["tokens_output"])) < 300
        assert visitor.troubles == []


@ON_A_DESK
def test_the_playground_asks_again_after_a_lost_connection(chromium: Chromium, stack: RunningStack, language, size):
    """The question that was lost is told as lost; the next one is answered, without loading the page again."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, stack.url, "", "lost")
        page = at_the_machine(context, visitor, "playground")
        visitor.open(f"/console/playground?lang={language}")
        ask = page.locator("form#playground button[type=submit]").first
        context.set_offline(True)
        ask.click()
        expect(page.locator("#answers [role=alert]")).to_be_visible()
        context.set_offline(False)
        expect(page.locator("#answers")).to_have_attribute("aria-busy", "false")
        ask.click()
        expect(page.locator("#answers .figures")).to_be_visible()


def chunk(*calls: dict[str, Any]) -> str:
    """Return an event of a stream that has these pieces of calls."""
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'tool_calls': calls}}]})}\n\n"


def piece(index: int, arguments: str, name: str = "") -> dict[str, Any]:
    """Return a piece of a call; the first one has its name."""
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"index": index, "function": function}


def test_the_playground_tells_the_calls_of_a_stream_apart(chromium: Chromium, stack: RunningStack):
    """Each with its own arguments, as those of a whole answer: their pieces come in turn."""
    first, second = piece(0, '{"city": ', "weather"), piece(1, "{}", "clock")
    events = chunk(first) + chunk(second) + chunk(piece(0, '"Омск"}')) + "data: [DONE]\n\n"
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, stack.url, "", "calls")
        page = at_the_machine(context, visitor, "playground")
        page.route(
            "**/console/playground/stream",
            lambda route: route.fulfill(status=200, content_type="text/event-stream", body=events),
        )
        page.locator("form#playground button[type=submit]").first.click()
        expect(page.locator("#answers .tools .code")).to_have_text(["weather", "clock"])
        expect(page.locator("#answers .tools pre")).to_have_text(['{"city": "Омск"}', "{}"])


def test_the_playground_works_without_scripts(chromium: Chromium, stack: RunningStack):
    """The whole answer comes at once, with its price and its code; what is wrong is said at the field."""
    with context_of(chromium, "en", DESK, script=False) as context:
        visitor = Visitor(context, stack.url, "", "no-script")
        page = at_the_machine(context, visitor, "playground")
        page.locator("form#playground summary").first.click()
        page.locator("#tools").fill("{")
        page.locator("form#playground button[type=submit]").first.click()
        expect(page.locator("#fault-tools")).to_have_count(1)
        page.locator("#tools").fill("")
        page.locator("#message").fill("Где север? [[tokens:12]]")
        page.locator("form#playground button[type=submit]").first.click()

        told = request_of(stack, page)
        assert str(told["cost_rub"]).replace(".", ",") in page.locator(".figures").inner_text()
        assert page.locator(".told .answer").inner_text()
        assert "curl" in page.locator("#code").inner_text()


@ON_A_DESK
@pytest.mark.usefixtures("healed")
def test_gigachat_is_broken_and_healed(chromium: Chromium, stack: RunningStack, axe: str, language, size):
    """By buttons: another model answers meanwhile; attempts, the exact bill and what operators are told are shown."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, stack.url, axe, language)
        page = at_the_machine(context, visitor, "break")
        visitor.open(f"/console/break?lang={language}")
        page.locator("button[value=failing]").click()
        expect(page.locator("#effect .note.warn")).to_be_visible()
        page.locator("form[action='/console/break/ask'] button").first.click()
        expect(page.locator("#asked .state.operational")).to_have_count(1)
        visitor.check("break", language)
        broken = request_of(stack, page)
        page.locator("button[value=spent]").click()
        reset_circuits(stack)
        page.locator("form[action='/console/break/ask'] button").first.click()
        expect(page.locator("#alarms .state.degraded")).to_have_text("pending")
        expect(page.locator("#alarms .state.down")).to_have_text("ringing")
        expect(page.locator("#alarms")).to_contain_text("docs/operations/runbooks/AccountSpent.md")
        visitor.check("break-alarms", language)
        page.locator("button[value=heal]").click()
        expect(page.locator("#effect .note.good")).to_be_visible()
        reset_circuits(stack)
        expect(page.locator("#alarms")).to_contain_text("never rang")
        page.locator("form[action='/console/break/ask'] button").first.click()
        expect(page.locator("#asked .figures")).to_be_visible()
        healed = request_of(stack, page)

        assert (broken["provider"] != "gigachat", broken["fallback"]) == (True, True)
        assert (healed["provider"], healed["fallback"]) == ("gigachat", False)
        assert str(healed["cost_rub"]) in page.locator("#asked .figures").inner_text()


@LANGUAGES
def test_the_state_of_the_service_is_there_without_a_login(
    chromium: Chromium, stack: RunningStack, axe: str, language, size
):
    """No violation of policy or of accessibility; the same as the JSON says."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, stack.url, axe, language)
        visitor.open(f"/status?span=24h&lang={language}")
        visitor.check("status", language)

        told = httpx.get(f"{stack.url}/status.json", **PATIENT).json()
        shown = visitor.page.locator(".version").count()
        assert shown == sum(
            model["status"] != "unknown" or model["spans"]["24h"]["availability"] is not None
            for provider in told["providers"]
            for model in provider["models"]
        )
