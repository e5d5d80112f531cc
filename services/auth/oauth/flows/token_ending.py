"""Revokes grants and tokens within a unit of work: on a client's request, or because a secret was used twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.store.codes import grant_of_used_code
from services.auth.oauth.store.grant_rows import end_grants
from services.auth.oauth.store.grants import is_token_ended
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class UsedBefore:
    """A code or refresh token was reused: what was revoked for that."""

    ended: list[Revocation]


async def end_replayed(unit: UnitOfWork, code_hash: bytes, client: Client) -> UsedBefore | None:
    """End what came of a code that is presented again; None: this client never had it."""
    # Only for the client that had the code: otherwise a leaked code could be used to log its owner out.
    grant_id = await grant_of_used_code(unit.connection, code_hash, client.id)
    if grant_id is None:
        return None
    unit.record(_client_event(AuditAction.CODE_REPLAYED, unit, client, f"grant:{grant_id}"))
    return UsedBefore(await end_grants(unit, [grant_id]))


async def end_reused(unit: UnitOfWork, grant: Grant, client: Client) -> UsedBefore:
    """End the grant of a refresh token that is presented again."""
    unit.record(_client_event(AuditAction.REFRESH_REUSED, unit, client, f"grant:{grant.id}"))
    return UsedBefore(await end_grants(unit, [grant.id]))


async def end_grant(grant: Grant, client: Client, unit: UnitOfWork) -> list[Revocation]:
    """End a grant at its client's wish; nothing when it is over already."""
    ended = await end_grants(unit, [grant.id])
    if ended:
        unit.record(_client_event(AuditAction.GRANT_REVOKED, unit, client, f"grant:{grant.id}"))
    return ended


async def end_access_token(jti: str, expires_at: datetime, client: Client, unit: UnitOfWork) -> list[Revocation]:
    """End one access token; nothing when it is ended already."""
    if await is_token_ended(unit.connection, jti, unit.at):
        return []
    unit.record(_client_event(AuditAction.TOKEN_REVOKED, unit, client, f"token:{jti}"))
    until = max(expires_at, unit.at) + timedelta(minutes=1)
    return [await unit.revoke(RevokedKind.TOKEN, jti, until=until)]


def _client_event(action: AuditAction, unit: UnitOfWork, client: Client, subject: str) -> AuditEvent:
    return audit_event(action, unit.at, actor=f"client:{client.id}", subject=subject)
