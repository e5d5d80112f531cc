"""gRPC servicer of API keys: decode, call, encode; no rules."""

from __future__ import annotations

from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1 import auth_pb2_grpc as pb_grpc

from servicekit.timestamps import timestamp_from_proto, timestamp_to_proto
from services.auth.keys.changing import KeyChange, KeyChanges
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_order import KeyOrder
from services.auth.keys.management import ApiKeys
from services.auth.keys.naming import ModelNaming
from services.auth.keys.verification import KeyVerifier
from services.auth.shared.domain.budget import key_budget
from services.auth.shared.rpc_values import PERIOD_TO_PROTO, Context, asker_of, caller_to_proto, period_from_proto


class KeyServicer(pb_grpc.AuthServiceServicer):
    """Implements the key service."""

    def __init__(self, keys: ApiKeys, changes: KeyChanges, verifier: KeyVerifier, naming: ModelNaming) -> None:
        self._keys = keys
        self._changes = changes
        self._verifier = verifier
        self._naming = naming

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        """Issue a key and show it once."""
        issued = await self._keys.create(order_from_proto(request), asker_of(request, context))
        return pb.CreateApiKeyResponse(key=key_to_proto(issued.key), secret=issued.secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        """List a user's keys, newest first."""
        page = await self._keys.list_page(request.user_id, size=request.page_size, page_token=request.page_token)
        return pb.ListApiKeysResponse(
            keys=[key_to_proto(key) for key in page.keys], next_page_token=page.next_page_token
        )

    async def GetApiKey(self, request: pb.GetApiKeyRequest, context: Context) -> pb.GetApiKeyResponse:
        """Return one key."""
        return pb.GetApiKeyResponse(key=key_to_proto(await self._changes.get(request.user_id, request.key_id)))

    async def ChangeApiKey(self, request: pb.ChangeApiKeyRequest, context: Context) -> pb.ChangeApiKeyResponse:
        """Change what a key may do."""
        key = await self._changes.change(change_from_proto(request), asker_of(request, context))
        return pb.ChangeApiKeyResponse(key=key_to_proto(key))

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: Context) -> pb.RotateApiKeyResponse:
        """Issue a key in place of another, which goes on for a while."""
        issued = await self._keys.rotate(request.user_id, request.key_id, request.overlap_s, asker_of(request, context))
        return pb.RotateApiKeyResponse(key=key_to_proto(issued.key), secret=issued.secret)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        """End a key on every gateway."""
        revoked_at = await self._keys.revoke(request.user_id, request.key_id)
        return pb.RevokeApiKeyResponse(revoked_at=timestamp_to_proto(revoked_at))

    async def VerifyApiKey(self, request: pb.VerifyApiKeyRequest, context: Context) -> pb.VerifyApiKeyResponse:
        """Answer who holds a key."""
        return pb.VerifyApiKeyResponse(caller=caller_to_proto(await self._verifier.verify(request.secret)))

    async def GetKeyHolder(self, request: pb.GetKeyHolderRequest, context: Context) -> pb.GetKeyHolderResponse:
        """Answer who holds a key, by its id."""
        holder = await self._verifier.holder(request.user_id, request.key_id)
        return pb.GetKeyHolderResponse(caller=caller_to_proto(holder))

    async def GetModelNames(self, request: pb.GetModelNamesRequest, context: Context) -> pb.GetModelNamesResponse:
        """Answer which model is meant by which name."""
        return pb.GetModelNamesResponse(names=await self._naming.get(request.user_id, request.key_id))

    async def SetModelNames(self, request: pb.SetModelNamesRequest, context: Context) -> pb.SetModelNamesResponse:
        """Replace the names."""
        names = await self._naming.set(request.user_id, request.key_id, dict(request.names))
        return pb.SetModelNamesResponse(names=names)


def order_from_proto(request: pb.CreateApiKeyRequest) -> KeyOrder:
    """Return what is asked for."""
    return KeyOrder(
        user_id=request.user_id,
        name=request.name,
        scopes=frozenset(request.scopes),
        models=tuple(request.models),
        ip_allow_list=tuple(request.ip_allow_list),
        budget=key_budget(request.budget_micro_rub, period_from_proto(request.budget_period)),
        expires_at=timestamp_from_proto(request.expires_at, "expires_at") if request.HasField("expires_at") else None,
        cache_ttl_s=request.cache_ttl_s if request.HasField("cache_ttl_s") else None,
    )


def change_from_proto(request: pb.ChangeApiKeyRequest) -> KeyChange:
    """Return what is to be different; a name that is no field is refused by the use case."""
    said = {
        "name": request.name,
        "scopes": frozenset(request.scopes),
        "models": tuple(request.models),
        "ip_allow_list": tuple(request.ip_allow_list),
        "expires_at": timestamp_from_proto(request.expires_at, "expires_at")
        if request.HasField("expires_at")
        else None,
        "cache_ttl_s": request.cache_ttl_s if request.HasField("cache_ttl_s") else None,
    }
    return KeyChange(request.user_id, request.key_id, {name: said.get(name) for name in request.changed})


def key_to_proto(key: ApiKey) -> pb.ApiKey:
    """Return the key as lists show it."""
    return pb.ApiKey(
        id=key.id,
        user_id=key.user_id,
        name=key.name,
        prefix=key.prefix,
        last_four=key.last_four,
        scopes=sorted(key.scopes),
        models=key.models,
        ip_allow_list=key.ip_allow_list,
        created_at=timestamp_to_proto(key.created_at),
        expires_at=timestamp_to_proto(key.expires_at),
        last_used_at=timestamp_to_proto(key.last_used_at),
        revoked_at=timestamp_to_proto(key.revoked_at),
        disabled=key.is_disabled,
        cache_ttl_s=key.cache_ttl_s,
        lineage_id=key.lineage_id,
        budget_micro_rub=key.budget.limit_micro_rub if key.budget else 0,
        budget_period=PERIOD_TO_PROTO[key.budget.period] if key.budget else pb.BUDGET_PERIOD_UNSPECIFIED,
    )
