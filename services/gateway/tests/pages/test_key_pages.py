"""/console/keys: the API's keys for people, in forms that say at which field something is wrong."""

from __future__ import annotations

import re

import pytest
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, Unauthenticated
from services.gateway.settings import IdempotencySettings
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import PASSWORD, SESSION
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit


@pytest.fixture(autouse=True)
def manager(backends: Backends) -> None:
    """Let the person manage keys, in English."""
    backends.accounts.scopes += ["keys:write"]
    backends.accounts.profile.language = "en"


async def test_a_fresh_key_is_shown_once_on_a_page_of_its_own(edge: Edge, backends: Backends) -> None:
    """All that the API takes reaches it in the person's session; loading the page again makes and shows nothing."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console/keys/new"), "/console/keys/new")
        made = await submit(
            client, form, name="CI", scopes=["models:read", "usage:read"], models=["yandexgpt:latest"],
            budget="1 500,5", period="day", expires_at="2030-02-28", ip_allow_list="10.0.0.0/8\n 203.0.113.7",
            cache="on", cache_ttl="60",
        )  # fmt: skip
        shown = await client.get(made.headers["location"])
        again = await client.get(made.headers["location"])

    asked = backends.auth.ordered
    assert (made.status_code, made.headers["location"]) == (303, "/console/keys/made")
    assert ("rz_live_fresh" in shown.text, "rz_live_fresh" in again.text) == (True, False)
    assert "rz_live_fresh" not in str(made.headers)
    assert "script-src 'self'" in shown.headers["content-security-policy"]
    assert (asked.name, list(asked.scopes), list(asked.models)) == (
        "CI", ["models:read", "usage:read"], ["yandexgpt:latest"],
    )  # fmt: skip
    assert (asked.budget_micro_rub, list(asked.ip_allow_list)) == (1_500_500_000, ["10.0.0.0/8", "203.0.113.7"])
    assert (asked.expires_at.ToJsonString(), asked.cache_ttl_s) == ("2030-02-28T21:00:00Z", 60)
    assert (asked.session_id, asked.HasField("maker")) == (SESSION, False)


async def test_a_secret_kept_for_the_next_page_is_no_password_of_a_login(edge: Edge, backends: Backends) -> None:
    """Both are sealed for the same browser; one does not open as the other."""
    async with browser(edge) as client:
        await log_in(client)
        made = await submit(client, form_of(await client.get("/console/keys/new"), "/console/keys/new"), name="CI")
        [kept] = [cookie for cookie in made.headers.get_list("set-cookie") if "_once=" in cookie]
        sealed = kept.partition("=")[2].partition(";")[0]
        backends.accounts.totp = True
        await client.get("/login")
        code_page = form_of(await log_in(client), "/login/code")
        answer = await submit(client, code_page, sealed=sealed, code="123456")

    assert answer.status_code == 400
    assert "session" not in answer.headers.get("set-cookie", "")


async def test_a_browser_knows_what_it_has_seen_as_long_as_the_api_answers_again(start_gateway: StartGateway) -> None:
    """As operators have set it: a form that is sent once more after a day shows no secret a second time."""
    edge = await start_gateway(idempotency=IdempotencySettings(kept_s=7 * 86_400))
    async with browser(edge) as client:
        await log_in(client)
        made = await submit(client, form_of(await client.get("/console/keys/new"), "/console/keys/new"), name="CI")
        shown = await client.get(made.headers["location"])

    [seen] = [cookie for cookie in shown.headers.get_list("set-cookie") if "_shown=" in cookie]
    assert "Max-Age=604800" in seen.split("; ")


@pytest.mark.parametrize(
    ("field", "value"),
    [("budget", "-1"), ("budget", "1e3"), ("scopes", None), ("expires_at", "31.12"), ("expires_at", "9999-12-31"),
     ("cache_ttl", "x"), ("name", ""), ("models", "no-such-model")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    edge: Edge, backends: Backends, field: str, value: str | None
) -> None:
    """Whether the page sees it or the API; nothing is made."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console/keys/new"), "/console/keys/new")
        typed = {"name": 'a "<b>', "scopes": "models:read", "cache": "on", field: value}
        refused = await submit(client, form, **typed)

    at = {"cache_ttl": "cache"}.get(field, field)
    assert refused.status_code == 400
    assert f'id="fault-{at}"' in refused.text
    assert f'<a href="#{at}">' in refused.text
    assert backends.auth.ordered is None
    if field != "name":
        assert 'value="a &#34;&lt;b&gt;"' in refused.text


async def test_an_old_session_is_asked_for_the_password_where_it_is_needed(edge: Edge, backends: Backends) -> None:
    """Only then is there a field for it; a wrong one is said there, a right one does what was asked."""
    backends.auth.refusal = Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Log in again.", param="session_id")
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console/keys/new")
        asked = await submit(client, form_of(page, "/console/keys/new"), name="CI", scopes="models:read")
        form = form_of(asked, "/console/keys/new")
        wrong = await submit(client, form, scopes="models:read", password="no")
        backends.auth.refusal = None
        made = await submit(client, form, scopes="models:read", password=PASSWORD)

    assert "password" not in form_of(page, "/console/keys/new").fields
    assert (asked.status_code, wrong.status_code, made.status_code) == (403, 400, 303)
    assert 'id="fault-password"' in asked.text
    assert "more than ten minutes" in asked.text
    assert (form.fields["name"], form.fields["password"]) == ("CI", "")
    assert 'id="fault-password"' in wrong.text
    assert PASSWORD not in wrong.text


async def test_only_what_was_touched_is_changed(edge: Edge, backends: Backends) -> None:
    """The expiry keeps its time of day, the addresses their order; a form that says the same asks for nothing."""
    key = backends.auth.key(models=["yandexgpt:latest"], ip_allow_list=["10.0.0.0/8", "192.0.2.0/24"])
    key.expires_at.FromJsonString("2030-02-28T12:34:56Z")
    backends.auth.keys = [key]
    typed = {"scopes": list(key.scopes), "models": list(key.models), "ip_allow_list": "10.0.0.0/8\r\n192.0.2.0/24"}
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console/keys/key-1"), "/console/keys/key-1")
        same = await submit(client, form, **typed)
        nothing = backends.auth.ordered
        renamed = await submit(client, form, **typed, name="сервер")
        shown = await client.get(renamed.headers["location"])

    assert (same.status_code, nothing, form.fields["expires_at"]) == (303, None, "2030-02-28")
    assert list(backends.auth.ordered.changed) == ["name"]
    assert 'role="status"' in shown.text


async def test_a_right_that_only_the_api_gives_stays_with_a_key_that_is_renamed(edge: Edge, backends: Backends) -> None:
    """Administration is offered for no new key; of one that has it, the form says so, and it can be taken away."""
    backends.auth.keys = [backends.auth.key(scopes=["models:read", "admin"])]
    async with browser(edge) as client:
        await log_in(client)
        fresh = await client.get("/console/keys/new")
        page = await client.get("/console/keys/key-1")
        form = form_of(page, "/console/keys/key-1")
        ticked = re.findall(r'name="scopes" value="([^"]+)" checked', page.text)
        renamed = await submit(client, form, scopes=ticked, models=None, name="ops")
        named = list(backends.auth.ordered.changed)
        refused = await submit(client, form, scopes=["models:read"], name="")

    assert ('value="admin"' in fresh.text, ticked) == (False, ["models:read", "admin"])
    assert (renamed.status_code, named) == (303, ["name"])
    assert (refused.status_code, 'value="admin"' in refused.text) == (400, True)


async def test_a_key_that_ends_with_the_calendar_is_shown_and_changed(edge: Edge, backends: Backends) -> None:
    """Programs write "never" so: in the zone of the page that second lies in the year 10000."""
    key = backends.auth.key()
    key.expires_at.FromJsonString("9999-12-31T23:59:59Z")
    backends.auth.keys = [key]
    async with browser(edge) as client:
        await log_in(client)
        listed = await client.get("/console/keys")
        form = form_of(await client.get("/console/keys/key-1"), "/console/keys/key-1")

    assert (listed.status_code, "9999" in listed.text) == (200, True)
    assert form.fields["expires_at"] == "9999-12-31"


async def test_a_key_is_replaced_named_and_ended_each_after_a_question(edge: Edge, backends: Backends) -> None:
    """Of a page that says its name; the successor is shown once."""
    async with browser(edge) as client:
        await log_in(client)
        pages = {name: f"/console/keys/key-1/{name}" for name in ("rotate", "revoke", "names")}
        questions = {name: await client.get(path) for name, path in pages.items()}
        rotated = await submit(client, form_of(questions["rotate"], pages["rotate"]), overlap_s="3600")
        successor = await client.get(rotated.headers["location"])
        named = await submit(
            client, form_of(questions["names"], pages["names"]), name=["gpt-4o", ""], model=["yandexgpt", ""]
        )
        half = await submit(client, form_of(questions["names"], pages["names"]), name=["x"], model=[""])
        revoked = await submit(client, form_of(questions["revoke"], pages["revoke"]))
        absent = [await client.get(f"/console/keys/none{rest}") for rest in ("", "/rotate", "/revoke", "/names")]

    assert all("laptop" in page.text for page in questions.values())
    assert (backends.auth.ordered.overlap_s, "rz_live_rotated" in successor.text) == (3600, True)
    assert backends.auth.names == {("user-1", "key-1"): {"gpt-4o": "yandexgpt:latest"}}
    assert (named.status_code, half.status_code, revoked.headers["location"]) == (
        303,
        400,
        "/console/keys?done=revoked",
    )
    assert {page.status_code for page in absent} == {404}


async def test_the_list_tells_states_and_caps(edge: Edge, backends: Backends) -> None:
    """Ended keys stand apart, what caps a key stands at it, names are text; an empty list says how to begin."""
    expired = backends.auth.key(id="key-3", name="old")
    expired.expires_at.FromJsonString("2020-01-01T00:00:00Z")
    long = "Ж" * 100
    backends.auth.keys = [
        backends.auth.key(name="<b>"), backends.auth.key(id="key-2", name=long, disabled=True), expired,
    ]  # fmt: skip
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/keys")).text
        backends.auth.keys = []
        backends.auth.no_keys = True
        empty = (await client.get("/console/keys")).text

    assert page.index(long) < page.index("<details>") < page.index("old")
    assert "<b>" not in page
    assert "disabled by an administrator" in page
    assert "of ₽7.00" in page
    assert re.search(r'<meter class="bar ok"[^>]*max="7000000"', page)
    assert "No keys yet" in empty


async def test_a_person_without_the_scope_is_refused_on_a_page(edge: Edge, backends: Backends) -> None:
    """The form stays with what was typed."""
    backends.accounts.scopes.remove("keys:write")
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console/keys/new"), "/console/keys/new")
        refused = await submit(client, form, name="CI", scopes="models:read")

    assert refused.status_code == 403
    assert "Your account may not do this" in refused.text
    assert form_of(refused, "/console/keys/new").fields["name"] == "CI"


async def test_the_secret_of_another_kind_or_browser_is_not_shown(edge: Edge, backends: Backends) -> None:
    """What is kept for the page of keys is sealed for this browser and this page."""
    async with browser(edge) as client, browser(edge) as stranger:
        await log_in(client)
        form = form_of(await client.get("/console/keys/new"), "/console/keys/new")
        await submit(client, form, name="CI", scopes="models:read")
        await log_in(stranger)
        stranger.cookies.set("razvilka_once", client.cookies["razvilka_once"])
        shown = await stranger.get("/console/keys/made")

    assert "rz_live_fresh" not in shown.text
    assert isinstance(backends.auth.ordered, auth_pb2.CreateApiKeyRequest)
