"""Delegation over the real server: what a credential makes may no more than itself, and ends with it."""

from __future__ import annotations

import contextlib
import ipaddress
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub

from servicekit import rpc_client
from servicekit.errors import ErrorReason, InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.delegation_kit import Credential, Household
from services.auth.tests.planted_user import plant_user

EVERYTHING = (
    "models:read", "completions:write", "embeddings:write", "usage:read", "keys:read", "keys:write", "profile:read",
    "profile:write", "clients:write",
)  # fmt: skip
SEQUENCES = 6
STEPS = 25


@pytest.fixture
async def house(auth_settings: AuthSettings, clock: FakeClock) -> AsyncIterator[Household]:
    """Return an account without credentials."""
    dsn = auth_settings.postgres.dsn.get_secret_value()
    user_id = await plant_user(dsn)
    async with running(auth_settings, clock) as port, ready_channel(port) as channel:
        yield Household(AuthServiceStub(channel), OAuthServiceStub(channel), user_id)


def in_s(clock: FakeClock, seconds: float) -> Timestamp:
    """Return a time from now on."""
    return Timestamp(seconds=int(clock.now().timestamp() + seconds))


async def test_a_key_that_registers_applications_makes_none_with_more_scopes(house: Household) -> None:
    """With only clients:write it used to make one with all nine scopes, whose token exported the account."""
    maker = await house.new_key(None, scopes=["clients:write"])

    with pytest.raises(PermissionDenied) as refused:
        await house.new_machine(maker, scopes=EVERYTHING)

    assert refused.value.reason is ErrorReason.INSUFFICIENT_SCOPE
    assert (await house.new_client(maker, scopes=["openid"])).client.client_id


async def test_a_key_that_ends_soon_makes_nothing_that_lasts(house: Household, clock: FakeClock) -> None:
    """Neither a key nor an application nor its token outlives the twenty seconds."""
    maker = await house.new_key(None, scopes=["keys:write", "clients:write", "models:read"], expires_at=in_s(clock, 20))
    made = [
        await house.new_key(maker, scopes=["models:read"]),
        await house.new_machine(maker, scopes=["models:read"]),
    ]
    with pytest.raises(PermissionDenied) as refused:
        await house.new_key(maker, scopes=["models:read"], expires_at=in_s(clock, 3600))
    alive = [await house.caller(each) for each in made]

    clock.advance(21)

    assert refused.value.param == "expires_at"
    assert all(alive)
    assert [await house.caller(each) for each in made] == [None, None]


async def test_what_a_key_made_ends_with_it(house: Household) -> None:
    """To the last generation: keys, applications, their tokens, and the keys which those made."""
    root = await house.new_key(None, scopes=EVERYTHING)
    key = await house.new_key(root, scopes=EVERYTHING)
    machine = await house.new_machine(key, scopes=EVERYTHING)
    last = await house.new_key(machine, scopes=["models:read"])
    other = await house.new_key(None, scopes=["models:read"])

    await house.end(root)

    assert [await house.caller(each) for each in (root, key, machine, last)] == [None] * 4
    assert await house.caller(other) is not None
    with pytest.raises(NotFound):
        await house.end(machine)


async def test_the_keys_of_an_application_end_with_it(house: Household) -> None:
    """It is deleted; what it had made is found all the same."""
    machine = await house.new_machine(None, scopes=["keys:write", "models:read"])
    made = await house.new_key(machine, scopes=["models:read"])

    await house.end(machine)

    assert await house.caller(made) is None


async def test_models_and_addresses_of_a_key_bind_what_its_applications_do(house: Household) -> None:
    """In its own name an application may use what its maker may, from where that may be used."""
    scopes = ["clients:write", "models:read", "keys:write"]
    maker = await house.new_key(None, scopes=scopes, models=["lite"], ip_allow_list=["10.0.0.0/8"])

    machine = await house.caller(await house.new_machine(maker, scopes=scopes))

    assert machine is not None
    assert (list(machine.models), list(machine.ip_allow_list)) == (["lite"], ["10.0.0.0/8"])


async def test_a_narrowed_key_narrows_its_applications_and_what_they_make(house: Household, clock: FakeClock) -> None:
    """Tokens that they have, and keys made with those; all of them end when the key now does."""
    maker = await house.new_key(None, scopes=["clients:write", "keys:write", "models:read", "usage:read"])
    machine = await house.new_machine(maker, scopes=["keys:write", "models:read", "usage:read"])
    key = await house.new_key(machine, scopes=["models:read", "usage:read"])
    lost = await house.new_key(machine, scopes=["usage:read"])
    change = pb.ChangeApiKeyRequest(
        user_id=house.user_id,
        key_id=maker.key_id,
        changed=["scopes", "models", "expires_at"],
        scopes=["clients:write", "keys:write", "models:read"],
        models=["gigachat"],
        expires_at=in_s(clock, 60),
        by_operator=True,
    )

    await rpc_client.unary(house.auth.ChangeApiKey, change, deadline_s=60.0)

    callers = [await house.caller(each) for each in (machine, key, lost)]
    assert [each and (sorted(each.scopes), list(each.models), each.expires_at) for each in callers] == [
        (["keys:write", "models:read"], ["gigachat"], in_s(clock, 60)),
        (["models:read"], ["gigachat"], in_s(clock, 60)),
        None,
    ]
    clock.advance(60)
    assert [await house.caller(each) for each in (machine, key)] == [None, None]


async def test_a_key_with_a_budget_registers_no_application(house: Household) -> None:
    """What that spent would be counted nowhere."""
    maker = await house.new_key(None, scopes=["clients:write"], budget_micro_rub=5, budget_period=1)

    with pytest.raises(PermissionDenied):
        await house.new_client(maker, scopes=["openid"])


async def test_a_key_that_ended_makes_nothing_even_where_a_gateway_still_believes_in_it(house: Household) -> None:
    """Gateways remember keys for seconds; auth looks."""
    maker = await house.new_key(None, scopes=["keys:write", "models:read"])
    remembered = await house.authority(maker)
    await house.end(maker)

    with pytest.raises(Unauthenticated):
        await rpc_client.unary(
            house.auth.CreateApiKey,
            pb.CreateApiKeyRequest(user_id=house.user_id, name="k", maker=remembered),
            deadline_s=60.0,
        )


async def test_what_a_gateway_says_of_a_key_never_adds_to_it(house: Household) -> None:
    """A claim to more than the key has is worth nothing."""
    maker = await house.new_key(None, scopes=["keys:write", "models:read"], models=["lite"])
    claimed = pb.Authority(scopes=EVERYTHING, subject=maker.subject)

    wishes: list[dict[str, Any]] = [{"scopes": ["usage:read"]}, {"scopes": ["models:read"], "models": ["pro"]}]
    for wanted in wishes:
        request = pb.CreateApiKeyRequest(user_id=house.user_id, name="k", maker=claimed, **wanted)
        with pytest.raises(PermissionDenied):
            await rpc_client.unary(house.auth.CreateApiKey, request, deadline_s=60.0)


@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_no_sequence_of_calls_yields_more_than_its_maker_has(
    house: Household, clock: FakeClock, seed: int
) -> None:
    """Whatever credentials do with each other: nobody has more than who made them, or lives on without them."""
    chance = random.Random(seed)
    await house.new_key(None, scopes=EVERYTHING)
    await house.new_key(None, scopes=EVERYTHING, models=["lite", "pro"], ip_allow_list=["10.0.0.0/8"])

    for _ in range(STEPS):
        # Not allowed, or of something that has ended: what that left behind is looked at all the same.
        with contextlib.suppress(InvalidRequest, PermissionDenied, Unauthenticated, NotFound):
            await random_step(house, clock, chance)
        await check_household(house)

    assert len(house.credentials) > STEPS // 4


async def random_step(house: Household, clock: FakeClock, chance: random.Random) -> None:
    """Do something that may or may not be allowed."""
    maker, other = chance.choice(house.credentials), chance.choice(house.credentials)
    scopes = chance.sample(EVERYTHING, chance.randint(0, len(EVERYTHING)))
    match chance.choice(("key", "key", "key", "machine", "machine", "rotate", "end", "wait")):
        case "key":
            await house.new_key(maker, scopes=scopes, **random_bounds(clock, chance))
        case "machine":
            await house.new_machine(maker, scopes=scopes)
        case "rotate" if other.key_id:
            await house.rotate(maker, other, chance.choice((0, 60)))
        case "end" if chance.random() < 0.3:
            await house.end(other)
        case "wait":
            clock.advance(chance.choice((1, 10, 100)))


def random_bounds(clock: FakeClock, chance: random.Random) -> dict[str, Any]:
    """Return restrictions of a key, or none."""
    bounds: dict[str, Any] = {
        "models": chance.choice(([], [], ["lite"], ["pro", "lite"], ["other"])),
        "ip_allow_list": chance.choice(([], [], ["10.1.0.0/16"], ["10.0.0.0/8"], ["0.0.0.0/0"], ["::1"])),
    }
    if chance.random() < 0.3:
        bounds["expires_at"] = in_s(clock, chance.choice((5, 50, 5000)))
    return bounds


async def check_household(house: Household) -> None:
    """Compare each credential with its makers."""
    callers = {each: await house.caller(each) for each in house.credentials}
    for each, caller in callers.items():
        for maker in each.makers if caller is not None else ():
            above = callers[maker]
            assert above is not None, f"{each.subject} outlives {maker.subject}"
            assert caller is not None
            assert is_within(caller, above), f"{each.subject} may more than {maker.subject}: {caller} {above}"


def is_within(caller: pb.Caller, maker: pb.Caller) -> bool:
    """Tell whether a caller may no more than another."""
    if not set(caller.scopes) <= set(maker.scopes):
        return False
    if maker.models and not (caller.models and set(caller.models) <= set(maker.models)):
        return False
    if maker.ip_allow_list and not (
        caller.ip_allow_list and all(lies_in(each, maker.ip_allow_list) for each in caller.ip_allow_list)
    ):
        return False
    if not maker.HasField("expires_at"):
        return True
    return caller.HasField("expires_at") and caller.expires_at.ToNanoseconds() <= maker.expires_at.ToNanoseconds()


def lies_in(network: str, networks: Any) -> bool:
    """Tell whether a network lies in one of these."""
    inner = ipaddress.ip_network(network)
    outers = [ipaddress.ip_network(each) for each in networks]
    return any(
        outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
        for outer in outers
    )


def test_a_credential_is_compared_with_itself() -> None:
    """The comparison of this test can fail."""
    maker = pb.Caller(scopes=["a"], models=["m"], ip_allow_list=["10.0.0.0/8"])

    assert is_within(maker, maker)
    assert not is_within(pb.Caller(scopes=["a"], ip_allow_list=["10.0.0.0/8"]), maker)
    assert not is_within(pb.Caller(scopes=["a"], models=["m"]), maker)
    assert Credential([], key_id="1").subject == "key:1"
