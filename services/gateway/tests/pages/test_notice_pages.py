"""/console/alerts and /console/webhooks: rules, channels and what went by them."""

from __future__ import annotations

import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.usage.v1 import notifications_pb2 as pb
from razvilka.usage.v1 import reports_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit


@pytest.fixture(autouse=True)
def manager(backends: Backends) -> None:
    """Let the person choose of what they are told, in English."""
    backends.accounts.scopes += ["notifications:write"]
    backends.accounts.profile.language = "en"


async def test_a_webhook_is_made_tested_and_its_secret_replaced(edge: Edge, backends: Backends) -> None:
    """Each secret is shown once; what was sent is shown with its attempts, and goes again by a button."""
    delivery = pb.NotificationDelivery(id="delivery-1", event_id="event-1", kind="notification.test", state="delivered")
    delivery.facts_json = '{"budget": "<b>"}'
    delivery.attempts.add(status=200, duration_ms=12)
    backends.notifications.deliveries = [delivery]
    one = "/console/webhooks/channel-1"
    async with browser(edge) as client:
        await log_in(client)
        new = form_of(await client.get("/console/webhooks/new"), "/console/webhooks/new")
        made = await submit(client, new, url="https://hooks.example.ru/a", name="Дежурный")
        secret = await client.get(made.headers["location"])
        listed = await client.get("/console/webhooks")
        shown = await client.get(one)
        tested = await submit(client, form_of(shown, f"{one}/test"))
        again = await submit(client, form_of(shown, f"{one}/redeliver"))
        off = await submit(client, form_of(shown, f"{one}/switch"))
        rotated = await submit(client, form_of(await client.get(f"{one}/rotate"), f"{one}/rotate"), overlap_s="3600")
        fresh = await client.get(rotated.headers["location"])
        gone = await submit(client, form_of(await client.get(f"{one}/delete"), f"{one}/delete"))

    assert "whsec_c2VjcmV0" in secret.text
    assert "https://hooks.example.ru/a" in listed.text
    assert "whsec" not in listed.text + shown.text
    assert [answer.headers["location"] for answer in (tested, again, off)] == [
        f"{one}?done=tested", f"{one}?done=redelivered", f"{one}?done=switched",
    ]  # fmt: skip
    assert "event-1" in shown.text
    assert "whsec_ZnJlc2g=" in fresh.text
    assert any(isinstance(asked, pb.RedeliverRequest) for asked in backends.notifications.asked)
    assert (gone.headers["location"], backends.notifications.channels) == ("/console/webhooks?done=deleted", {})


async def test_a_rule_is_made_for_a_mail_and_changed(edge: Edge, backends: Backends) -> None:
    """Thresholds only where they mean something; a rule without a channel is refused at the field."""
    async with browser(edge) as client:
        await log_in(client)
        nothing = await client.get("/console/alerts/new")
        channel = form_of(await client.get("/console/alerts/channels/new"), "/console/alerts/channels/new")
        mail = await submit(client, channel, kind="email", name="", chat_id="")
        form = form_of(await client.get("/console/alerts/new"), "/console/alerts/new")
        made = await submit(client, form, kind="budget.threshold", subject="", thresholds="80 %, 100", cooldown_s="60")
        bare = await submit(client, form, channels=None, kind="budget.threshold")
        bad = await submit(client, form, kind="budget.threshold", thresholds="half")
        listed = await client.get("/console/alerts")
        end = await client.get("/console/alerts/channels/channel-1/delete")
        rule = form_of(await client.get("/console/alerts/rules/rule-1"), "/console/alerts/rules/rule-1")
        changed = await submit(client, rule, thresholds="90")
        off = await submit(client, form_of(listed, "/console/alerts/rules/rule-1/switch"))
        delete = "/console/alerts/rules/rule-1/delete"
        gone = await submit(client, form_of(await client.get(delete), delete))
        absent = [await client.get(f"/console/alerts/{path}") for path in ("rules/x", "channels/x", "rules/x/delete")]

    assert 'action="/console/alerts/new"' not in nothing.text
    assert mail.headers["location"] == "/console/alerts/channels/channel-1"
    assert [answer.status_code for answer in (made, changed, off, gone)] == [303] * 4
    assert ('id="fault-channels"' in bare.text, 'id="fault-thresholds"' in bad.text) == (True, True)
    assert "80%, 100%" in listed.text
    # A mail without a name of its own is called what it is, in the words of the page.
    assert 'aria-label="Open Mail"' in listed.text
    assert "“Mail” goes with its history" in end.text
    assert {page.status_code for page in absent} == {404}


async def test_a_person_without_the_scope_is_told_so_where_they_typed(edge: Edge, backends: Backends) -> None:
    """Nothing is made; the address stays in the form."""
    backends.accounts.scopes.remove("notifications:write")
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console/webhooks/new"), "/console/webhooks/new")
        refused = await submit(client, form, url="https://hooks.example.ru/a")

    assert refused.status_code == 403
    assert 'value="https://hooks.example.ru/a"' in refused.text
    assert backends.notifications.channels == {}


async def test_a_rule_about_what_the_form_cannot_name_stays_about_it(edge: Edge, backends: Backends) -> None:
    """A key that is gone, an organization: whoever changes the pause of the rule does not widen it to everything."""
    async with browser(edge) as client:
        await log_in(client)
        channel = form_of(await client.get("/console/alerts/channels/new"), "/console/alerts/channels/new")
        await submit(client, channel, kind="email", name="", chat_id="")
        form = form_of(await client.get("/console/alerts/new"), "/console/alerts/new")
        shown = {}
        for number, subject in enumerate(("organization:org-7", "key:gone"), start=1):
            await submit(client, form, kind="budget.threshold", subject=subject, thresholds="80", once=str(number))
            shown[subject] = (await client.get(f"/console/alerts/rules/rule-{number}")).text

    for subject, page in shown.items():
        assert f'<option value="{subject}" selected>' in page


async def test_a_person_reads_what_made_each_and_that_it_ends_with_it(edge: Edge, backends: Backends) -> None:
    """By the names of keys and applications where they are known; of their own nothing is said."""
    key = auth_pb2.ApiKey(id="key-7", name="cron <b>")
    backends.auth.keys = [key]
    backends.reports.schedules["user-1", "schedule-1"] = reports_pb2.Schedule(
        id="schedule-1", every="week", at="09:00", when_empty="skip", maker="grant:unknown",
        wishes=reports_pb2.ReportWishes(format="csv", kind="summary", zone="UTC", language="en", csv_separator=","),
    )  # fmt: skip
    async with browser(edge) as client:
        await log_in(client)
        new = form_of(await client.get("/console/webhooks/new"), "/console/webhooks/new")
        await submit(client, new, url="https://hooks.example.ru/a", name="own")
        mine = backends.notifications.channels["channel-1"].maker
        own = await client.get("/console/webhooks")
        backends.notifications.channels["channel-1"].maker = "key:key-7"
        backends.notifications.rules["rule-1"] = pb.NotificationRule(
            id="rule-1", kind="report.ready", channel_ids=["channel-1"], maker="key:key-7"
        )
        pages = [
            (await client.get(path)).text
            for path in ("/console/webhooks", "/console/webhooks/channel-1", "/console/alerts")
        ]
        reports = (await client.get("/console/reports")).text

    assert (mine, "Made by" in own.text) == ("", False)
    for page in pages:
        assert "Made by the API key “cron &lt;b&gt;”; it ends with the key." in page
    assert "Made by an application; it ends with its access." in reports
