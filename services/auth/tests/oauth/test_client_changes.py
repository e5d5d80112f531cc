"""Applications that are changed by their owners, and their secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.tests.oauth.flow import REDIRECT_URI, App, Flow, to_params

OTHER = "https://other.example.ru/callback"


async def own_app(flow: Flow, **fields: Any) -> App:
    """Register an application of whoever is logged in."""
    return await flow.app(owner_user_id=flow.user_id, **fields)


async def change(flow: Flow, app: App, *, user_id: str = "", session: str = "", **fields: Any) -> pb.Client:
    """Change an application as its owner in their session."""
    answer = await flow.call(
        pb.ChangeClientRequest(
            owner_user_id=user_id or flow.user_id,
            client_id=app.client_id,
            changed=list(fields),
            session_id=session or flow.session,
            **fields,
        )
    )
    found: pb.Client = answer.client
    return found


async def rotate(flow: Flow, app: App, overlap_s: int, **who: Any) -> str:
    """Give an application a fresh secret; return it."""
    asked = {"owner_user_id": flow.user_id, "session_id": flow.session} | who
    answer = await flow.call(pb.RotateClientSecretRequest(client_id=app.client_id, overlap_s=overlap_s, **asked))
    return str(answer.client_secret)


async def is_known(flow: Flow, app: App, secret: str) -> bool:
    """Tell whether the token endpoint knows the application by this secret."""
    params = {"token": "x", "client_id": app.client_id, "client_secret": secret}
    answer = await flow.call(pb.IntrospectRequest(params=to_params(list(params.items()))))
    return not answer.HasField("error")


async def test_an_owner_changes_what_an_application_is(flow: Flow) -> None:
    """Name, addresses, scopes and proofs; what is left out stays, and the new address is good at once."""
    app = await own_app(flow)

    changed = await change(
        flow, app, name="Заметки", redirect_uris=[OTHER], scopes=["models:read"], requires_pushed=False, dpop_bound=True
    )

    assert (changed.name, list(changed.redirect_uris), list(changed.scopes)) == ("Заметки", [OTHER], ["models:read"])
    assert (changed.dpop_bound_access_tokens, changed.require_pushed_authorization_requests) == (True, False)
    renamed = await change(flow, app, name="Другое")
    assert (renamed.name, list(renamed.redirect_uris)) == ("Другое", [OTHER])
    listed = await flow.call(pb.ListClientsRequest(owner_user_id=flow.user_id))
    assert [client.name for client in listed.clients] == ["Другое"]


async def test_a_change_that_could_not_be_registered_is_refused_by_name(flow: Flow) -> None:
    """Also: somebody else's, an unknown one, without a fresh session, for an administrator's scope."""
    app = await own_app(flow)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "name"), ({"redirect_uris": []}, "redirect_uris"), ({"scopes": []}, "scopes"),
        ({"redirect_uris": ["http://app.example.ru/"]}, "redirect_uris"), ({}, "changed"),
    ]  # fmt: skip
    for fields, param in bad:
        with pytest.raises(InvalidRequest) as refused:
            await change(flow, app, **fields)
        assert refused.value.param == param, fields
    with pytest.raises(PermissionDenied):
        await change(flow, app, scopes=["admin"])
    with pytest.raises(NotFound):
        await change(flow, App("rz_app_unknown"), name="x")
    with pytest.raises(Unauthenticated):
        await change(flow, app, name="x", session="nobody")
    mine, session = flow.user_id, flow.session
    await flow.log_in("boris@example.ru")
    with pytest.raises(NotFound):
        await change(flow, app, name="x")
    assert (await change(flow, app, user_id=mine, session=session, name="x")).name == "x"


async def test_the_secret_before_works_until_the_overlap_is_over(flow: Flow, clock: FakeClock) -> None:
    """Programs have time to change over; 0 ends it now, and of three only the last two count."""
    app = await own_app(flow, confidential=True)

    second = await rotate(flow, app, 60)
    assert [await is_known(flow, app, secret) for secret in (app.secret, second)] == [True, True]
    third = await rotate(flow, app, 60)
    assert [await is_known(flow, app, secret) for secret in (app.secret, second, third)] == [False, True, True]
    clock.advance(60)
    assert [await is_known(flow, app, secret) for secret in (second, third, "")] == [False, True, False]
    fourth = await rotate(flow, app, 0)
    assert [await is_known(flow, app, secret) for secret in (third, fourth)] == [False, True]


async def test_a_secret_is_only_for_who_may_have_such_an_application(flow: Flow, clock: FakeClock) -> None:
    """Not for public ones, not for too long, not for a session that is not fresh, not by a narrower credential."""
    app, public = await own_app(flow, confidential=True), await own_app(flow)

    with pytest.raises(InvalidRequest) as none:
        await rotate(flow, public, 60)
    with pytest.raises(InvalidRequest) as long:
        await rotate(flow, app, 31 * 86_400)
    clock.advance(timedelta(minutes=11).total_seconds())
    with pytest.raises(Unauthenticated):
        await rotate(flow, app, 60)
    unknown = auth_pb2.Authority(scopes=["clients:write"], subject="key:absent")
    with pytest.raises(Unauthenticated):
        await rotate(flow, app, 60, session_id="", maker=unknown)

    assert (none.value.param, long.value.param) == ("client_id", "overlap_s")
    assert public.redirect_uri == REDIRECT_URI
    assert await is_known(flow, app, app.secret)
