"""Accounts to protobuf messages."""

from __future__ import annotations

from razvilka.auth.v1 import account_pb2 as pb

from servicekit.timestamps import timestamp_to_proto
from services.auth.shared.domain.account import Account
from services.auth.shared.rpc_values import TIER_TO_PROTO


def profile_to_proto(account: Account) -> pb.Profile:
    """Return what people see of themselves."""
    return pb.Profile(
        user_id=account.id,
        email=account.email,
        email_verified=account.email_verified_at is not None,
        name=account.name,
        language=account.language,
        time_zone=account.time_zone,
        totp_enabled=account.has_totp,
        tier=TIER_TO_PROTO[account.tier],
        created_at=timestamp_to_proto(account.created_at),
        has_password=account.password_hash is not None,
    )
