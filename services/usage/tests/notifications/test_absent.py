"""What nobody has is not there, whatever its id looks like."""

from __future__ import annotations

from typing import Any, Final

import pytest
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import InvalidRequest, NotFound
from services.usage.tests.notifications.conftest import USER, StartHouse

UNKNOWN: Final = "7b5d0d0c-6c4e-4d55-9a0e-3f6b1c1d2e3f"
ABOUT: Final[list[tuple[Any, str]]] = [
    (pb.ConfirmChannelRequest, "channel"),
    (pb.ChangeChannelRequest, "channel"),
    (pb.DeleteChannelRequest, "channel"),
    (pb.RotateSecretRequest, "channel"),
    (pb.TestChannelRequest, "channel"),
    (pb.DeleteRuleRequest, "rule"),
]


@pytest.mark.parametrize("id", [UNKNOWN, "rule-1", "", "\0", "\u0663" * 32])
@pytest.mark.parametrize(("request_type", "noun"), ABOUT, ids=[each[0].__name__ for each in ABOUT])
async def test_an_id_that_nothing_has_is_not_found(
    start_house: StartHouse, request_type: Any, noun: str, id: str
) -> None:
    """One refusal for an id of another form and for somebody else's: both name the thing that was asked for."""
    house = await start_house()

    with pytest.raises(NotFound, match=f"There is no such {noun}") as refused:
        await house.rpc(request_type(user_id=USER, id=id))

    assert refused.value.param == f"{noun}_id"


@pytest.mark.parametrize("id", [UNKNOWN, "rule-1"])
async def test_a_change_of_a_rule_that_nobody_has_is_not_found(start_house: StartHouse, id: str) -> None:
    """As for channels."""
    house = await start_house()

    with pytest.raises(NotFound) as refused:
        await house.rpc(pb.ChangeRuleRequest(user_id=USER, rule=pb.NotificationRule(id=id), fields=["enabled"]))

    assert refused.value.param == "rule_id"


async def test_of_a_redelivery_a_channel_that_is_none_is_told(start_house: StartHouse) -> None:
    """The path has two ids."""
    house = await start_house()

    with pytest.raises(NotFound, match="There is no such channel") as refused:
        await house.rpc(pb.RedeliverRequest(user_id=USER, channel_id="channel-1", id=UNKNOWN))

    assert refused.value.param == "channel_id"


@pytest.mark.parametrize("id", [UNKNOWN, "delivery-1"])
async def test_of_a_redelivery_the_delivery_is_told_from_its_channel(start_house: StartHouse, id: str) -> None:
    """As soon as there is the channel."""
    house = await start_house()
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)

    with pytest.raises(NotFound) as refused:
        await house.rpc(pb.RedeliverRequest(user_id=USER, channel_id=channel_id, id=id))

    assert refused.value.param == "delivery_id"


@pytest.mark.parametrize("id", [UNKNOWN, "channel-1"])
async def test_a_rule_by_a_channel_that_nobody_has_is_refused_by_field(start_house: StartHouse, id: str) -> None:
    """What a body names is a field of it, not what was asked for."""
    house = await start_house()

    with pytest.raises(InvalidRequest, match="One of the channels does not exist") as refused:
        await house.rule("report.ready", [id])

    assert refused.value.param == "channels"
