"""/v1/alerts and /v1/webhooks over HTTP: who may, what is told back, and what never is."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import owners_pb2
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.notifications.routes import NEEDS
from services.gateway.tests.backends import SCOPES, Backends, caller
from services.gateway.tests.conftest import Edge


@pytest.fixture
async def writer(edge: Edge, backends: Backends) -> Edge:
    """Return a gateway whose key may choose who is notified."""
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=[*SCOPES, "notifications:write"]))
    return edge


async def test_a_webhooks_secret_is_shown_when_it_is_made_and_never_again(writer: Edge) -> None:
    """Neither in lists nor after a change."""
    made = await writer.client.post("/v1/webhooks", json={"url": "https://hook.example/", "name": "hook"})
    listed = await writer.client.get("/v1/webhooks")
    changed = await writer.client.patch("/v1/webhooks/channel-1", json={"enabled": False})
    fresh = await writer.client.post("/v1/webhooks/channel-1/rotate", json={"overlap_s": 60})

    assert (made.status_code, made.json()["secret"], made.json()["id"]) == (201, "whsec_c2VjcmV0", "channel-1")
    assert listed.json()["data"] == [{name: value for name, value in made.json().items() if name != "secret"}]
    assert "secret" not in changed.json()
    assert fresh.json()["secret"] == "whsec_ZnJlc2g="


async def test_webhooks_and_other_channels_have_lists_of_their_own(writer: Edge) -> None:
    """Rules name both by their ids."""
    await writer.client.post("/v1/webhooks", json={"url": "https://hook.example/"})
    await writer.client.post("/v1/alerts/channels", json={"kind": "email"})
    made = await writer.client.post("/v1/alerts/channels", json={"kind": "telegram", "chat_id": "42"})

    hook = await writer.client.patch("/v1/alerts/channels/channel-1", json={"name": "on call"})
    confirmed = await writer.client.post("/v1/alerts/channels/channel-3/confirm", json={"code": "12345678"})
    webhooks = (await writer.client.get("/v1/webhooks")).json()["data"]
    channels = (await writer.client.get("/v1/alerts/channels")).json()["data"]
    assert [each["url"] for each in webhooks] == ["https://hook.example/"]
    assert [(each["kind"], each["chat_id"]) for each in channels] == [("email", None), ("telegram", "42")]
    assert (hook.json()["kind"], hook.json()["chat_id"]) == ("webhook", None)
    assert (made.json()["enabled"], confirmed.json()["id"]) == (True, "channel-3")


async def test_a_rule_is_made_changed_and_forgotten(writer: Edge, backends: Backends) -> None:
    """Only what a change names goes out."""
    order = {"kind": "budget.threshold", "channels": ["channel-1"], "thresholds": [50, 100], "subject": "key:key-1"}
    made = await writer.client.post("/v1/alerts", json=order)
    changed = await writer.client.patch("/v1/alerts/rule-1", json={"thresholds": [80], "enabled": False})
    listed = await writer.client.get("/v1/alerts")
    gone = await writer.client.delete("/v1/alerts/rule-1")

    asked = backends.notifications.asked[0]
    assert (made.status_code, changed.status_code, gone.json()) == (201, 200, {"id": "rule-1", "deleted": True})
    assert {name: made.json()[name] for name in order} == order
    assert sorted(asked.fields) == ["enabled", "thresholds"]
    assert (list(asked.rule.thresholds), asked.rule.enabled) == ([80], False)
    assert [rule["id"] for rule in listed.json()["data"]] == ["rule-1"]


async def test_the_history_tells_every_attempt(writer: Edge, backends: Backends) -> None:
    """When, what came back, why it failed, and when the next one is."""
    attempt = pb.NotificationAttempt(number=1, at=Timestamp(seconds=60), problem="timeout", duration_ms=10_000)
    backends.notifications.deliveries = [
        pb.NotificationDelivery(
            id="d-1",
            event_id="evt_1",
            kind="key.expiring",
            facts_json='{"days_left":3}',
            state="pending",
            next_attempt_at=Timestamp(seconds=120),
            attempts=[attempt],
        )
    ]

    answer = await writer.client.get("/v1/webhooks/channel-1/deliveries", params={"limit": 5, "page": "p"})
    again = await writer.client.post("/v1/webhooks/channel-1/deliveries/d-1/redeliver")

    (delivery,) = answer.json()["data"]
    asked, redelivered = backends.notifications.asked
    assert (delivery["event_id"], delivery["type"], delivery["data"]) == ("evt_1", "key.expiring", {"days_left": 3})
    assert delivery["attempts"] == [
        {"at": "1970-01-01T00:01:00Z", "status": None, "problem": "timeout", "duration_ms": 10_000}
    ]
    assert (delivery["next_attempt_at"], answer.json()["next_page"]) == ("1970-01-01T00:02:00Z", "more")
    assert (asked.limit, asked.page) == (5, "p")
    assert (again.status_code, redelivered.id, redelivered.channel_id) == (202, "d-1", "channel-1")


async def test_a_new_channel_is_told_who_its_owner_is_and_works_when_auth_is_away(
    writer: Edge, backends: Backends
) -> None:
    """So that a test arrives at once; else the next round tells."""
    backends.owners.owners["user-1"] = owners_pb2.Owner(user_id="user-1", email="vera@example.ru")
    await writer.client.post("/v1/alerts/channels", json={"kind": "email"})
    told = backends.notifications.told.get_nowait()
    backends.notifications.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Later.")

    made = await writer.client.post("/v1/alerts/channels", json={"kind": "email"})
    tested = await writer.client.post("/v1/alerts/channels/channel-2/test")
    missing = await writer.client.post("/v1/alerts/channels/channel-9/test")

    assert [(person.user_id, person.email) for person in told.people] == [("user-1", "vera@example.ru")]
    assert (made.status_code, tested.status_code, missing.status_code) == (201, 202, 404)


async def test_reading_takes_one_scope_and_changing_another(edge: Edge) -> None:
    """A key of release 1.0 sees what was sent, and decides nothing."""
    for row in NEEDS:
        method, _, path = row.partition(" ")
        if not path:
            continue
        path = path.format(channel_id="channel-1", rule_id="rule-1", delivery_id="d-1")
        answer = await edge.client.request(method, path, json={})
        assert (answer.status_code == 200) == (method == "GET"), row
        if method != "GET":
            assert answer.json()["error"]["details"]["required_scope"] == "notifications:write", row


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/alerts", {"kind": "budget.threshold", "channels": []}, "channels"),
        ("/v1/alerts", {"kind": "budget.threshold", "channels": ["c"], "cooldown_s": -1}, "cooldown_s"),
        ("/v1/alerts", {"kind": "budget.threshold", "channels": ["c"], "limits": []}, "limits"),
        ("/v1/alerts", {"kind": "budget.threshold", "channels": ["c"], "thresholds": [0]}, "thresholds[0]"),
        ("/v1/alerts", {"kind": "budget.threshold", "channels": ["c"], "thresholds": [50, 2**31]}, "thresholds[1]"),
        ("/v1/alerts", {"kind": "budget.threshold", "channels": ["c"], "thresholds": [2**63]}, "thresholds[0]"),
        ("/v1/webhooks", {}, "url"),
        ("/v1/alerts/channels", {"kind": "fax"}, "kind"),
    ],
)
async def test_a_bad_body_names_its_field(writer: Edge, path: str, body: dict[str, object], field: str) -> None:
    """And nothing was made."""
    answer = await writer.client.post(path, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(field)


async def test_a_link_in_a_mail_ends_mails_by_its_button_not_by_being_looked_at(edge: Edge, backends: Backends) -> None:
    """RFC 8058: scanners of mail follow links; mail programs post, without any credential."""
    edge.client.headers.pop("Authorization")
    looked = await edge.client.get("/unsubscribe", params={"token": 'good"><script>'})
    asked_before = len(backends.notifications.asked)
    posted = await edge.client.post("/unsubscribe", params={"token": "good"}, data={"List-Unsubscribe": "One-Click"})
    wrong = await edge.client.post("/unsubscribe", params={"token": "bad"})

    assert (looked.status_code, posted.status_code, wrong.status_code) == (200, 200, 400)
    assert "<script>" not in looked.text
    assert "default-src 'none'" in looked.headers["content-security-policy"]
    assert (asked_before, len(backends.notifications.asked)) == (0, 1)


@pytest.mark.parametrize(
    ("language", "asks", "done", "refused"),
    [
        ("ru", "Отключить письма?", "Письма отключены", "Ссылка неверна"),
        ("en", "Switch the mails off?", "Mails are switched off", "This link is not valid"),
    ],
)
async def test_whoever_ends_mails_reads_a_page_of_their_language(
    edge: Edge, backends: Backends, language: str, asks: str, done: str, refused: str
) -> None:
    """With a heading, fit for a phone, and also where the link is wrong or usage is away: nobody reads JSON there."""
    edge.client.headers.pop("Authorization")
    edge.client.headers.update({"accept": "text/html,*/*;q=0.8", "accept-language": f"{language},de;q=0.5"})
    asked = await edge.client.get("/unsubscribe", params={"token": "good"})
    ended = await edge.client.post("/unsubscribe", params={"token": "good"})
    wrong = await edge.client.post("/unsubscribe", params={"token": "bad"})
    backends.notifications.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")
    away = await edge.client.post("/unsubscribe", params={"token": "good"})

    pages = (asked, ended, wrong, away)
    assert [page.status_code for page in pages] == [200, 200, 400, 503]
    assert all(f'<html lang="{language}">' in page.text and 'name="viewport"' in page.text for page in pages)
    assert [f"<h1>{asks}</h1>" in asked.text, f"<h1>{done}</h1>" in ended.text, refused in wrong.text] == [True] * 3
    assert ["<form" in page.text for page in pages] == [True, False, False, True]


async def test_what_a_key_made_says_so_and_usage_is_told_who_changes_what(writer: Edge, backends: Backends) -> None:
    """It ends with the key, by the name that auth knows it by."""
    hook = await writer.client.post("/v1/webhooks", json={"url": "https://hook.example/"})
    mail = await writer.client.post("/v1/alerts/channels", json={"kind": "email"})
    rule = await writer.client.post("/v1/alerts", json={"kind": "report.ready", "channels": ["channel-1"]})
    schedule = await writer.client.post("/v1/reports/schedules", json={"every": "week", "format": "csv"})
    await writer.client.patch("/v1/webhooks/channel-1", json={"url": "https://hook.example/b"})
    await writer.client.patch("/v1/alerts/channels/channel-2", json={"name": "me"})
    backends.notifications.channels["channel-1"].maker = ""

    listed = (await writer.client.get("/v1/webhooks")).json()["data"]

    made = [answer.json()["made_by"] for answer in (hook, mail, rule, schedule)]
    assert made == ["key:key-1"] * 4
    assert [asked.maker for asked in backends.notifications.asked] == ["key:key-1"] * 2
    assert [each["made_by"] for each in listed] == [None]
