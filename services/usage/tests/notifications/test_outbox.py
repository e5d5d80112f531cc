"""Mails of a suite without a mail server, and what they say."""

from __future__ import annotations

import pytest
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import InvalidRequest
from servicekit.testing import FakeClock
from services.usage.tests.notifications.conftest import USER, House
from services.usage.tests.notifications.test_ways import REPORT


async def test_without_a_mail_server_mails_lie_in_the_local_outbox_for_a_day(house: House, clock: FakeClock) -> None:
    """For whoever tries the suite on one machine."""
    await house.rule("report.ready", [await house.channel(pb.CHANNEL_KIND_EMAIL)])
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()
    kept = (await house.rpc(pb.ListMailsRequest(limit=10))).mails
    clock.advance(86_400)

    await house.forget()

    assert [(mail.email, mail.subject) for mail in kept] == [("vera@example.ru", "Отчёт готов")]
    assert not (await house.rpc(pb.ListMailsRequest(limit=10))).mails


async def test_who_would_hear_that_a_report_is_ready_hears_that_it_is_not(house: House) -> None:
    """By the same rule: nobody can have one that is about failures alone, and so forget it."""
    await house.rule("report.ready", [await house.channel(pb.CHANNEL_KIND_EMAIL)])
    await house.meet()
    failed = {"name": "Октябрь", "report_id": "r-1", "schedule_id": None, "error": "It has too many rows."}

    await house.events.raise_event(USER, "report.failed", "r-1", failed)
    await house.deliver()

    (mail,) = (await house.rpc(pb.ListMailsRequest(limit=10))).mails
    assert mail.subject == "Отчёт не получился"
    assert "«Октябрь»" in mail.text
    assert "It has too many rows." in mail.text
    with pytest.raises(InvalidRequest):
        await house.rule("report.failed", [await house.channel(pb.CHANNEL_KIND_WEBHOOK)])
