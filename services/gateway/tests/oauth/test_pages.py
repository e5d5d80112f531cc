"""The pages of authorizing and logging in, over real HTTP."""

from __future__ import annotations

import pytest
from razvilka.auth.v1 import account_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import EMAIL, PASSWORD, PENDING, REDIRECT, SESSION
from services.gateway.tests.pages.browser import AUTHORIZE, POLICY, browser, form_of, forms_of, log_in, submit


async def test_a_whole_authorization_ends_at_the_client(edge: Edge, backends: Backends) -> None:
    """Login, consent with a cap and a model, and a 303 to exactly what the server said (rules 11, 12 and 14)."""
    async with browser(edge) as client:
        login = await client.get(AUTHORIZE)
        consent = await submit(client, form_of(login, "/login"), email=EMAIL, password=PASSWORD)
        form = form_of(consent, "/authorize/consent")
        scopes = {name: value for name, value in form.fields.items() if not name.startswith("model ")}
        end = await client.post(
            form.action,
            data={**scopes, "decision": "approve", "budget": "500,50", "model gigachat-pro": "1"},
        )

    assert login.status_code == 200, login.text
    assert consent.status_code == 200, consent.text
    assert "Примус" in consent.text
    assert EMAIL in consent.text
    assert "app.example.com" in consent.text
    # The first is the one that Enter presses.
    assert form.buttons == [("decision", "approve"), ("decision", "deny"), ("lang", "ru")]
    assert end.status_code == 303
    assert end.headers["location"].startswith(f"{REDIRECT}?code=rz_ac_1&state=a%2Bb&iss=")
    (decision,) = backends.oauth.decisions
    assert decision.approved
    assert decision.session_id == SESSION
    assert sorted(decision.scopes) == ["completions:write", "models:read", "openid"]
    assert list(decision.models) == ["gigachat-pro"]
    assert (decision.budget_micro_rub, decision.budget_period) == (500_500_000, 2)


async def test_denying_is_told_to_the_client(edge: Edge, backends: Backends) -> None:
    """The user says no: access_denied (rule 14)."""
    async with browser(edge) as client:
        consent = await log_in(client, AUTHORIZE)
        end = await submit(client, form_of(consent, "/authorize/consent"), decision="deny")

    assert "error=access_denied" in end.headers["location"]
    assert not backends.oauth.decisions[0].approved


async def test_an_odd_decision_is_no_approval(edge: Edge, backends: Backends) -> None:
    """Only the button that says allow allows (rule 14)."""
    async with browser(edge) as client:
        consent = await log_in(client, AUTHORIZE)
        await submit(client, form_of(consent, "/authorize/consent"), decision="approve2")

    assert not backends.oauth.decisions[0].approved


@pytest.mark.parametrize("budget", ["a lot", "-5", "1e9", "5.5555555", "٥", "5,5,5"])
async def test_a_budget_that_is_no_amount_is_asked_for_again(edge: Edge, backends: Backends, budget: str) -> None:
    """A typo never becomes "no cap"."""
    async with browser(edge) as client:
        consent = await log_in(client, AUTHORIZE)
        again = await submit(client, form_of(consent, "/authorize/consent"), decision="approve", budget=budget)

    assert again.status_code == 400
    assert "amount in roubles" in again.text
    assert backends.oauth.decisions == []


async def test_params_reach_the_server_as_they_came(edge: Edge, backends: Backends) -> None:
    """Order, repetition and empty values are the server's to judge (rules 4, 5 and 8)."""
    async with browser(edge) as client:
        await client.get("/authorize?b=2&a=&client_id=app-1&state=%2B%25%26%22%D1%8F%0D%0A+x&b=3&flag")

    request = backends.oauth.requests[-1]
    params = [(param.name, param.value) for param in request.params]
    assert params == [
        ("b", "2"),
        ("a", ""),
        ("client_id", "app-1"),
        ("state", '+%&"я\r\n x'),
        ("b", "3"),
        ("flag", ""),
    ]


async def test_a_post_is_an_authorization_request_too(edge: Edge, backends: Backends) -> None:
    """OpenID Connect Core 3.1.2.1: other sites may post here; it only begins."""
    async with browser(edge, origin="https://app.example.com") as client:
        page = await client.post("/authorize", data={"client_id": "app-1", "response_type": "code"})

    assert page.status_code == 200
    assert form_of(page, "/login").fields["pending_id"] == PENDING


@pytest.mark.parametrize("query", ["", "client_id=%00", "client_id=%ff", "client_id=app-1&" + "x=1&" * 300])
async def test_a_bad_client_gets_a_page_and_no_redirect(edge: Edge, query: str) -> None:
    """400 for a person to read; no Location, no login form (rules 2 and 18)."""
    async with browser(edge) as client:
        page = await client.get(f"/authorize?{query}")

    assert page.status_code == 400
    assert "location" not in page.headers
    assert "text/html" in page.headers["content-type"]
    assert forms_of(page) == []


async def test_get_redirects_are_302_and_post_redirects_303(edge: Edge) -> None:
    """Never 307 or 308, which would repeat a password elsewhere (rule 11; RFC 9700 4.12)."""
    async with browser(edge) as client:
        protocol_error = await client.get("/authorize?client_id=app-1&state=1&state=2")
        home = await log_in(client)
        members = await browser(edge).get("/console")

    assert protocol_error.status_code == 302
    assert (home.status_code, home.headers["location"]) == (303, "/console")
    assert (members.status_code, members.headers["location"]) == (302, "/login?next=%2Fconsole")


async def test_a_wrong_password_and_an_unknown_user_look_the_same(edge: Edge) -> None:
    """The same page and status, no redirect (rule 44)."""
    answers = []
    for email, password in [(EMAIL, "wrong"), ("nobody@example.com", PASSWORD)]:
        async with browser(edge) as client:
            page = await client.get(AUTHORIZE)
            answer = await submit(client, form_of(page, "/login"), email=email, password=password)
            answers.append((answer.status_code, "Wrong e-mail or password" in answer.text))
            assert SESSION not in answer.text
            assert "location" not in answer.headers

    assert answers == [(400, True), (400, True)]


async def test_too_many_attempts_are_told_with_a_wait(edge: Edge, backends: Backends) -> None:
    """429 with Retry-After (rule 44)."""
    backends.accounts.too_many = True

    async with browser(edge) as client:
        answer = await log_in(client)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")


async def test_the_second_factor_is_a_second_page(edge: Edge, backends: Backends) -> None:
    """The password goes on sealed, readable by this browser's cookie only; a wrong code asks again."""
    backends.accounts.totp = True

    async with browser(edge) as client:
        code_page = await log_in(client, AUTHORIZE)
        form = form_of(code_page, "/login/code")
        wrong = await submit(client, form, code="000000")
        consent = await submit(client, form_of(wrong, "/login/code"), code="123 456")

    assert PASSWORD not in code_page.text
    assert wrong.status_code == 400
    assert form_of(consent, "/authorize/consent").fields["pending_id"] == PENDING


async def test_a_sealed_password_is_worthless_in_another_browser(edge: Edge, backends: Backends) -> None:
    """What one browser was given does not open in another."""
    backends.accounts.totp = True
    async with browser(edge) as client, browser(edge) as thief:
        form = form_of(await log_in(client), "/login/code")
        stolen = form.fields["sealed"]
        own = form_of(await log_in(thief), "/login/code")
        answer = await submit(thief, own, sealed=stolen, code="123456")

    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_a_login_gives_a_new_session(edge: Edge, backends: Backends) -> None:
    """A session that was there before is told to the server, which ends it (rule 13, session fixation)."""
    async with browser(edge) as client:
        client.cookies.set("razvilka_session", "planted")
        answer = await log_in(client)

    assert backends.accounts.requests[-1].previous_session_id == "planted"
    assert f"razvilka_session={SESSION}" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "next_path", ["//evil.example", "https://evil.example", "/\\evil", "/console/../x", "/authorize"]
)
async def test_a_login_leads_to_our_own_pages_only(edge: Edge, next_path: str) -> None:
    """No open redirect."""
    async with browser(edge) as client:
        page = await client.get("/login", params={"next": next_path})
        answer = await submit(client, form_of(page, "/login"), email=EMAIL, password=PASSWORD, next=next_path)

    assert answer.headers["location"] == "/console"


async def test_the_form_action_lets_the_redirect_through(edge: Edge, backends: Backends) -> None:
    """Chrome applies form-action to the redirect after a post: the client's origin is listed (rule 11)."""
    backends.oauth.client.redirect_uris[:] = [REDIRECT, "http://127.0.0.1/cb", "com.example.app:/cb", "http://[::1]/cb"]

    async with browser(edge) as client:
        login = await client.get(AUTHORIZE)
        consent = await log_in(client, AUTHORIZE)

    expected = POLICY + "'self' com.example.app: http: http://127.0.0.1:* https://app.example.com"
    assert login.headers["content-security-policy"] == expected
    assert consent.headers["content-security-policy"] == expected


async def test_a_device_is_let_in_by_its_code(edge: Edge, backends: Backends) -> None:
    """Enter, compare, decide; a code from the address is only filled in (RFC 8628 3.3, 5.4)."""
    async with browser(edge) as client:
        away = await client.get("/device?user_code=BCDF-GHJK")
        back = await submit(
            client, form_of(await client.get(away.headers["location"]), "/login"), email=EMAIL, password=PASSWORD
        )
        page = await client.get(back.headers["location"])
        unknown = await submit(client, form_of(page, "/device"), user_code="NO-SUCH")
        slow = await submit(client, form_of(page, "/device"), user_code="TOO-MANY")
        confirm = await submit(client, form_of(page, "/device"))
        done = await submit(client, form_of(confirm, "/device/decide"), decision="approve", budget="10")

    assert back.headers["location"] == "/device?user_code=BCDF-GHJK"
    assert form_of(page, "/device").fields["user_code"] == "BCDF-GHJK"
    assert "перед вами" in page.text
    assert unknown.status_code == 400
    assert (slow.status_code, slow.headers["retry-after"]) == (429, "30")
    assert "BCDF-GHJK" in confirm.text
    assert done.status_code == 200
    assert backends.oauth.decisions[0].approved
    assert backends.oauth.decisions[0].budget_micro_rub == 10_000_000


async def test_a_device_gets_what_is_left_ticked(edge: Edge, backends: Backends) -> None:
    """As at /authorize: each scope has a box, but for who somebody is; without any box nothing is allowed."""
    async with browser(edge) as client:
        await log_in(client, AUTHORIZE)
        page = await client.get("/device")
        answers = []
        for without in ({"scope completions:write"}, {"scope completions:write", "scope models:read", "scope openid"}):
            confirm = await submit(client, form_of(page, "/device"), user_code="BCDF-GHJK")
            form = form_of(confirm, "/device/decide")
            left = {name: value for name, value in form.fields.items() if name not in without}
            answers.append(await client.post("/device/decide", data={**left, "decision": "approve"}))

    first, second = backends.oauth.decisions
    assert 'name="scope completions:write"' in confirm.text
    assert (first.approved, sorted(first.scopes)) == (True, ["models:read", "openid"])
    assert second.approved is False
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_an_application_gets_nothing_when_nothing_is_ticked(edge: Edge, backends: Backends) -> None:
    """Approving an empty list is no approval of everything."""
    async with browser(edge) as client:
        form = form_of(await log_in(client, AUTHORIZE), "/authorize/consent")
        left = {name: value for name, value in form.fields.items() if not name.startswith("scope ")}
        await client.post("/authorize/consent", data={**left, "decision": "approve"})

    assert backends.oauth.decisions[0].approved is False


async def test_another_provider_logs_in_too(edge: Edge, backends: Backends) -> None:
    """By an own page, a cookie that binds the browser, and back to what waited."""
    backends.accounts.providers = [account_pb2.ExternalProvider(id="yandex", name="Яндекс ID")]

    async with browser(edge) as client:
        login = await client.get(AUTHORIZE)
        out = await submit(client, form_of(login, "/login/external/yandex"))
        back = await client.get("/login/external/yandex/callback?code=1&state=2")
        stranger = await browser(edge).get("/login/external/yandex/callback?code=1&state=2")

    assert "Яндекс ID" in login.text
    assert 'href="https://id.example.com/authorize?a=1&amp;b=&#34;2&#34;"' in out.text
    assert backends.accounts.requests[0].return_to == f"pending:{PENDING}"
    assert form_of(back, "/authorize/consent").fields["pending_id"] == PENDING
    assert stranger.status_code == 400
