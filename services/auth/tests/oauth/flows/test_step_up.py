"""How sure we are of who somebody is, and asking for more (RFC 9470; oauth rule 50)."""

from __future__ import annotations

import json

import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from services.auth.oauth.domain.assurance import LEVELS, ONE_PROOF, TWO_PROOFS, acr_of, amr_of, reaches
from services.auth.tests.oauth.flow import ORIGIN, Flow, claims_of, query_of

UNMET = "unmet_authentication_requirements"


@pytest.mark.parametrize(
    ("methods", "acr", "amr"),
    [
        (("pwd",), ONE_PROOF, ["pwd"]),
        (("fed",), ONE_PROOF, ["fed"]),
        (("pwd", "otp"), TWO_PROOFS, ["pwd", "otp", "mfa"]),
    ],
)
async def test_tokens_say_how_their_user_was_known(
    flow: Flow, methods: tuple[str, ...], acr: str, amr: list[str]
) -> None:
    """auth_time, acr and amr in access and ID tokens and in introspection, and still after a refresh."""
    app, server = await flow.app(), await flow.app(confidential=True)
    flow.session = flow.sessions.open(flow.user_id, flow.now(), methods=methods)
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)

    said = [claims_of(token) for token in (first.access_token, first.id_token, second.access_token)]
    said.append(await flow.introspect(server, second.access_token))

    auth_time = int(flow.now().timestamp())
    assert [(each["auth_time"], each["acr"], each["amr"]) for each in said] == [(auth_time, acr, amr)] * 4


async def test_nothing_is_said_of_nobody(flow: Flow) -> None:
    """A client in its own name has no person; a session of the version before has no methods."""
    own = await flow.app(
        confidential=True, owner_user_id=flow.user_id, grant_types=["client_credentials"], redirect_uris=[]
    )
    flow.session = flow.sessions.open(flow.user_id, flow.now(), methods=())

    itself = claims_of((await flow.token(own, grant_type="client_credentials")).access_token)
    old = claims_of((await flow.tokens(await flow.app())).access_token)

    assert not {"auth_time", "acr", "amr"} & itself.keys()
    assert "auth_time" in old
    assert not {"acr", "amr"} & old.keys()


async def test_a_level_that_is_not_reached_asks_for_a_login(flow: Flow, clock: FakeClock) -> None:
    """And the new login, with two proofs, satisfies it; with one it is told that it cannot be."""
    app = await flow.app()
    clock.advance(1.0)
    asked = await flow.authorize(app, acr_values=TWO_PROOFS)
    silent = await flow.authorize(app, acr_values=TWO_PROOFS, prompt="none")
    weak = flow.sessions.open(flow.user_id, clock.now())
    strong = flow.sessions.open(flow.user_id, clock.now(), methods=("pwd", "otp"))

    refused = await flow.call(pb.AuthorizeRequest(pending_id=asked.login.pending_id, session_id=weak, origin=ORIGIN))
    again = await flow.authorize(app, acr_values=TWO_PROOFS, session=flow.session)
    flow.session = strong
    met = await flow.call(pb.AuthorizeRequest(pending_id=again.login.pending_id, session_id=strong, origin=ORIGIN))

    assert asked.WhichOneof("next") == again.WhichOneof("next") == "login"
    assert query_of(silent.redirect_url)["error"] == "login_required"
    assert query_of(refused.redirect_url)["error"] == UNMET
    assert met.WhichOneof("next") == "consent"


async def test_a_level_that_is_reached_asks_for_nothing(flow: Flow) -> None:
    """More than is wanted is enough; of several the weakest counts; unknown ones beside known are left out."""
    app = await flow.app()
    one, two = flow.session, flow.sessions.open(flow.user_id, flow.now(), methods=("pwd", "otp"))

    steps = [
        await flow.authorize(app, one, acr_values=ONE_PROOF),
        await flow.authorize(app, two, acr_values=ONE_PROOF),
        await flow.authorize(app, two, acr_values=TWO_PROOFS),
        await flow.authorize(app, one, acr_values=f"{TWO_PROOFS} {ONE_PROOF} urn:other"),
    ]
    unknown = await flow.authorize(app, one, acr_values="urn:other")

    assert [step.WhichOneof("next") for step in steps] == ["consent"] * 4
    assert query_of(unknown.redirect_url)["error"] == UNMET


async def test_the_levels_are_announced(flow: Flow) -> None:
    """RFC 9470 7: acr_values_supported."""
    metadata = json.loads((await flow.call(pb.GetKeysRequest())).metadata_json)

    assert metadata["acr_values_supported"] == list(LEVELS)
    assert {"acr", "amr", "auth_time"} <= set(metadata["claims_supported"])


def test_two_of_the_same_kind_are_not_two() -> None:
    """A code alone is one proof; a password and another provider's word is one of each, but no second factor."""
    assert acr_of(("otp",)) == acr_of(("pwd", "fed")) == acr_of(()) == ONE_PROOF
    assert amr_of(()) == []
    assert reaches((), ())
    assert not reaches(("pwd",), (TWO_PROOFS,))
