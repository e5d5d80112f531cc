"""The auth service, as the gateway needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

import grpc
from razvilka.auth.v1 import account_pb2, auth_pb2_grpc
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.admission.caps import Budget, Quota
from services.gateway.admission.dimensions import LIMITED, CallerLimits, Limits, Scope
from services.gateway.clients.account_views import IssuedKey, KeyView, NewKey
from services.gateway.clients.caller import Caller
from services.gateway.clients.periods import DIMENSION_OF, MODES, PERIODS, TIERS, period_to_proto
from services.gateway.clients.timestamps import moment

# As `page_endpoint` shows whoever is logged in; no HTTP request of others can: its scheme is none of HTTP's.
SESSION: Final = b"Session"


class AuthClient:
    """Asks who holds a key, and manages keys for their owners."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._channel = channel
        self._stub = auth_pb2_grpc.AuthServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call, in_their_name=True)

    async def verify_api_key(self, secret: str, call: CallContext) -> Caller:
        """Return who holds the key.

        Raises:
            Unauthenticated: unknown, revoked or expired.
            Unavailable: the service cannot be asked.
        """
        answer = await rpc_client.unary(
            self._stub.VerifyApiKey, pb.VerifyApiKeyRequest(secret=secret), deadline_s=self._deadline_s, call=call
        )
        return caller_from_proto(answer.caller)

    async def key_holder(self, user_id: str, key_id: str, call: CallContext) -> Caller:
        """Return who holds a key that nobody shows now: of work that was ordered with it before.

        Raises:
            Unauthenticated: not this user's, revoked or expired.
            Unavailable: the service cannot be asked.
        """
        request = pb.GetKeyHolderRequest(user_id=user_id, key_id=key_id)
        answer = await rpc_client.unary(self._stub.GetKeyHolder, request, deadline_s=self._deadline_s, call=call)
        return caller_from_proto(answer.caller)

    async def create_key(self, user_id: str, order: NewKey, call: CallContext, *, maker: Caller) -> IssuedKey:
        """Make a key for a user. `maker`: the credential that asks, or the user in person.

        Raises:
            PermissionDenied: the maker may not make such a key.
            InvalidRequest: a field is wrong; it is named.
            Unauthenticated: nobody has proved in their session, within ten minutes, who they are.
        """
        request = pb.CreateApiKeyRequest(
            user_id=user_id,
            name=order.name,
            scopes=order.scopes,
            models=order.models,
            ip_allow_list=order.ip_allow_list,
            expires_at=timestamp_to_proto(order.expires_at),
            budget_micro_rub=order.budget_micro_rub,
            budget_period=period_to_proto(order.budget_period),
            maker=authority_to_proto(maker),
            session_id=session_of(call),
            cache_ttl_s=order.cache_ttl_s,
        )
        answer = await self._ask(self._stub.CreateApiKey, request, call)
        return IssuedKey(key_from_proto(answer.key), answer.secret)

    async def get_key(self, user_id: str, key_id: str, call: CallContext) -> KeyView:
        """Return one of a user's keys, ended or not.

        Raises:
            NotFound: absent, or someone else's.
        """
        answer = await self._ask(self._stub.GetApiKey, pb.GetApiKeyRequest(user_id=user_id, key_id=key_id), call)
        return key_from_proto(answer.key)

    async def change_key(
        self, user_id: str, key_id: str, given: Mapping[str, Any], call: CallContext, *, maker: Caller
    ) -> KeyView:
        """Change what is given of a key: some of the fields of NewKey but its budget.

        Raises:
            PermissionDenied: the maker asks for more than the key has.
            InvalidRequest: a field is wrong; it is named.
            NotFound: absent, ended, or someone else's.
        """
        end = {"expires_at": timestamp_to_proto(given["expires_at"])} if "expires_at" in given else {}
        request = pb.ChangeApiKeyRequest(
            user_id=user_id,
            key_id=key_id,
            changed=list(given),
            **{**given, **end},
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        return key_from_proto((await self._ask(self._stub.ChangeApiKey, request, call)).key)

    async def list_keys(
        self, user_id: str, call: CallContext, *, size: int = 50, page: str = ""
    ) -> tuple[list[KeyView], str]:
        """Return some of a user's keys, newest first, and where the next page begins ("": nowhere)."""
        request = pb.ListApiKeysRequest(user_id=user_id, page_size=size, page_token=page)
        answer = await self._ask(self._stub.ListApiKeys, request, call)
        return [key_from_proto(key) for key in answer.keys], answer.next_page_token

    async def rotate_key(
        self, user_id: str, key_id: str, overlap_s: int, call: CallContext, *, maker: Caller
    ) -> IssuedKey:
        """Make a key like this one, which ends after `overlap_s` seconds.

        Raises:
            PermissionDenied: the maker may not make such a key.
            NotFound: absent, ended, or someone else's.
        """
        request = pb.RotateApiKeyRequest(
            user_id=user_id,
            key_id=key_id,
            overlap_s=overlap_s,
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        answer = await self._ask(self._stub.RotateApiKey, request, call)
        return IssuedKey(key_from_proto(answer.key), answer.secret)

    async def revoke_key(self, user_id: str, key_id: str, call: CallContext) -> datetime | None:
        """End a key; return since when it is ended.

        Raises:
            NotFound: absent, or someone else's.
        """
        request = pb.RevokeApiKeyRequest(user_id=user_id, key_id=key_id)
        answer = await self._ask(self._stub.RevokeApiKey, request, call)
        return moment(answer, "revoked_at")

    async def model_names(self, user_id: str, key_id: str, call: CallContext) -> dict[str, str]:
        """Return which models are meant by which names, for one key or ("") for all that the user has.

        Raises:
            NotFound: the user has no such key.
        """
        request = pb.GetModelNamesRequest(user_id=user_id, key_id=key_id)
        return dict((await self._ask(self._stub.GetModelNames, request, call)).names)

    async def set_model_names(
        self, user_id: str, key_id: str, names: Mapping[str, str], call: CallContext
    ) -> dict[str, str]:
        """Replace them.

        Raises:
            NotFound: the user has no such key.
            InvalidRequest: a name is none.
        """
        request = pb.SetModelNamesRequest(user_id=user_id, key_id=key_id, names=names)
        return dict((await self._ask(self._stub.SetModelNames, request, call)).names)

    async def is_serving(self) -> bool:
        """Tell whether the service is ready."""
        return await rpc_client.is_serving(self._channel)


def caller_from_proto(message: pb.Caller) -> Caller:
    """Convert at the border."""
    return Caller(
        user_id=message.user_id,
        key_id=message.key_id,
        key_name=message.key_name,
        tier=TIERS.get(message.tier, "free"),
        scopes=frozenset(message.scopes),
        models=frozenset(message.models),
        networks=tuple(ip_network(block, strict=False) for block in message.ip_allow_list),
        limits=CallerLimits(
            user=_limits(message.user_limits, Scope.USER),
            key=_limits(message.key_limits, Scope.KEY),
            model=_limits(message.model_limits, Scope.MODEL),
        ),
        budgets=tuple(map(budget_from_proto, message.budgets)),
        quotas=tuple(map(quota_from_proto, message.quotas)),
        expires_at=moment(message, "expires_at"),
        grant_id=message.grant_id,
        client_id=message.client_id,
        time_zone=message.time_zone or "UTC",
        model_names=dict(message.model_names),
        cache_ttl_s=message.cache_ttl_s if message.HasField("cache_ttl_s") else None,
        from_1_0=message.from_1_0,
        lineage_id=message.lineage_id,
    )


def person_from_proto(message: account_pb2.GetSessionResponse) -> Caller:
    """Return whom the API sees when the pages of a session ask it."""
    return replace(caller_from_proto(message.caller), is_fresh=message.fresh)


def budget_from_proto(message: pb.Budget) -> Budget:
    """Convert at the border."""
    return Budget(
        message.subject,
        PERIODS[message.period],
        message.limit_micro_rub,
        MODES[message.mode],
        message.id,
        message.time_zone,
    )


def quota_from_proto(message: pb.Quota) -> Quota:
    """Convert at the border."""
    dimension = DIMENSION_OF[message.measure]
    return Quota(message.id, message.subject, message.models, dimension, message.limit, MODES[message.mode])


def session_of(call: CallContext) -> str:
    """Return the secret of the login session in which a person asks; "": a key or a token does."""
    scheme, _, secret = call.credential.partition(b" ")
    return secret.decode("latin-1") if scheme == SESSION else ""


def authority_to_proto(maker: Caller) -> pb.Authority | None:
    """Return what a credential may do, for auth to bound by it what the credential makes; None: a person asks."""
    if maker.is_person:
        return None
    return pb.Authority(
        scopes=sorted(maker.scopes),
        models=sorted(maker.models),
        ip_allow_list=[str(network) for network in maker.networks],
        budgets=[
            pb.Budget(
                subject=budget.subject,
                period=period_to_proto(budget.period),
                limit_micro_rub=budget.limit_micro_rub,
            )
            for budget in maker.budgets
        ],
        expires_at=timestamp_to_proto(maker.expires_at),
        subject=maker.subject,
    )


def key_from_proto(message: pb.ApiKey) -> KeyView:
    """Convert at the border."""
    return KeyView(
        id=message.id,
        name=message.name,
        prefix=message.prefix,
        last_four=message.last_four,
        scopes=tuple(message.scopes),
        models=tuple(message.models),
        ip_allow_list=tuple(message.ip_allow_list),
        created_at=moment(message, "created_at"),
        expires_at=moment(message, "expires_at"),
        last_used_at=moment(message, "last_used_at"),
        revoked_at=moment(message, "revoked_at"),
        budget_micro_rub=message.budget_micro_rub,
        budget_period=PERIODS.get(message.budget_period),
        disabled=message.disabled,
        cache_ttl_s=message.cache_ttl_s if message.HasField("cache_ttl_s") else None,
        lineage_id=message.lineage_id or message.id,
    )


def _limits(message: pb.Limits, scope: Scope) -> Limits:
    """Read every limit that subjects of this scope may have; the fields bear the names of the settings."""
    return Limits(**{row.setting: getattr(message, row.setting) for row in LIMITED if scope in row.scopes})
