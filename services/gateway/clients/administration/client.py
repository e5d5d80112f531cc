"""What an administrator may do with other people's accounts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any

import grpc
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import account_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.oauth_views import Origin, origin_to_proto


class Credential(IntEnum):
    """What an administrator switches off and on."""

    KEY = pb.CREDENTIAL_KIND_KEY
    CLIENT = pb.CREDENTIAL_KIND_CLIENT
    GRANT = pb.CREDENTIAL_KIND_GRANT


class Order(StrEnum):
    """What an administrator orders elsewhere, as the audit log names it."""

    DRAIN = "provider.drain"
    UNDRAIN = "provider.undrain"
    RESET = "circuit.reset"
    SET_OVERRIDE = "catalog.override_set"
    REMOVE_OVERRIDE = "catalog.override_removed"
    ADD_PRICE = "catalog.price_added"
    MOVE_CHANNEL = "catalog.channel_moved"


class AdministrationClient:
    """Shuts accounts and credentials, and opens them again. `deadline_s` bounds each call."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = account_pb2_grpc.AccountServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext) -> None:
        await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call, in_their_name=True)

    async def set_disabled(
        self, admin_user_id: str, user_id: str, origin: Origin, call: CallContext, *, disabled: bool
    ) -> None:
        """Shut an account, or open it again.

        Raises:
            NotFound: there is no such user.
            PermissionDenied: who asks is no administrator.
            InvalidRequest: an administrator shuts themselves out.
        """
        request = pb.SetUserDisabledRequest(
            admin_user_id=admin_user_id, user_id=user_id, disabled=disabled, origin=origin_to_proto(origin)
        )
        await self._ask(self._stub.SetUserDisabled, request, call)

    async def set_credential_disabled(
        self,
        admin_user_id: str,
        credential: tuple[Credential, str],
        origin: Origin,
        call: CallContext,
        *,
        disabled: bool,
    ) -> None:
        """Switch a key, client or grant off, or on again, by its id.

        Raises:
            NotFound: there is none.
            Conflict: it is revoked.
            PermissionDenied: who asks is no administrator.
        """
        kind, id = credential
        request = pb.SetCredentialDisabledRequest(
            admin_user_id=admin_user_id,
            kind=pb.CredentialKind.ValueType(kind),
            id=id,
            disabled=disabled,
            origin=origin_to_proto(origin),
        )
        await self._ask(self._stub.SetCredentialDisabled, request, call)

    async def note_order(
        self,
        admin_user_id: str,
        order: Order,
        subject: str,
        details: Mapping[str, str],
        origin: Origin,
        call: CallContext,
    ) -> None:
        """Have the audit log say what an administrator orders; comes before the order is carried out.

        Raises:
            PermissionDenied: who asks is no administrator.
        """
        request = pb.NoteOrderRequest(
            admin_user_id=admin_user_id,
            order=order.value,
            subject=subject,
            details=details,
            origin=origin_to_proto(origin),
        )
        await self._ask(self._stub.NoteOrder, request, call)
