"""What only a demonstration may do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason
from services.auth.settings import AuthSettings
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, StartPeople
from services.auth.tests.conftest import settings_for


async def test_it_is_off_unless_switched_on(start_people: StartPeople, auth_settings: AuthSettings) -> None:
    """Neither accounts nor mails can be had by default."""
    async with start_people(auth_settings) as people:
        seed = await people.refused(pb.SeedUserRequest(email=EMAIL, password=PASSWORD))
        outbox = await people.refused(pb.ListOutboxRequest())

    assert {seed.reason, outbox.reason} == {ErrorReason.PERMISSION_DENIED}


@pytest.mark.parametrize("switch", ["demo", "outbox"])
def test_it_cannot_be_switched_on_in_production(switch: str) -> None:
    """An issuer on the network with https is production."""
    with pytest.raises(ValidationError, match="not for production"):
        settings_for("postgresql://x", "redis://x", oauth={"issuer": "https://llm.example.ru"}, **{switch: True})


async def test_seeding_again_changes_the_account_and_ends_no_session(people: People) -> None:
    """The same id; the tier and the name follow; sessions end only when the password is another."""
    first = await people.seed(name="Anna")
    session = await people.log_in()

    second = await people.seed(name="Demo", tier=auth_pb2.TIER_PRO)
    kept = await people.is_logged_in(session.session_id)
    await people.seed(password="another good one")

    assert first == second
    assert kept
    assert not await people.is_logged_in(session.session_id)
    profile = (await people.log_in(password="another good one")).profile
    assert profile.email_verified


async def test_a_weak_password_is_not_seeded(people: People) -> None:
    """Item 29: no default password of a demonstration either."""
    refusal = await people.refused(pb.SeedUserRequest(email=EMAIL, password="admin123"))

    assert refusal.param == "password"
