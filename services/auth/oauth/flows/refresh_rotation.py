"""Rotates a refresh token within a unit of work: a successor, the same successor again for a moment, or reuse."""

from __future__ import annotations

from dataclasses import dataclass, replace

from servicekit.failpoints import failpoint
from services.auth.oauth.audit_events import issue_event
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant, Lives, check_key, check_refreshable, key_to_bind
from services.auth.oauth.domain.token import digest, new_salt, successor_of
from services.auth.oauth.flows.token_ending import UsedBefore, end_reused
from services.auth.oauth.store.refresh_tokens import (
    NewRefresh,
    hold_grant_of_refresh,
    insert_refresh,
    is_unused,
    salt_of_used,
    touch_grant,
    use_refresh,
)
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.scope import Scope
from services.auth.shared.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Trade:
    """A refresh token presented for an access token with this id and these scopes (None: all).

    `thumbprint`: of the key that the client has proved to hold.
    """

    refresh_token: str
    client: Client
    wanted: frozenset[Scope] | None
    jti: str
    thumbprint: str | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """The grant, and its next refresh token."""

    grant: Grant
    successor: str


async def rotate(unit: UnitOfWork, trade: Trade, lives: Lives) -> Rotated | UsedBefore | None:
    """Trade the token; None: it is worth nothing.

    The first of those who present it makes the successor. The others, within the grace and until that successor is
    used, get the same one: racing requests of one client, or an answer that was lost. Later than that it is reuse.

    Raises:
        OAuthRefusal: invalid_grant, invalid_scope.
    """
    presented = digest(trade.refresh_token)
    grant = await hold_grant_of_refresh(unit.connection, presented, trade.client.id)
    if grant is None:
        return None
    # Before anything is used up or ended: a thief without the key is no reason to sign the owner out.
    check_key(grant.dpop_jkt, trade.thumbprint)
    salt = new_salt()
    expires_at = await use_refresh(unit.connection, presented, unit.at, salt)
    if expires_at is None:
        return await _again(unit, trade, grant, lives)
    if expires_at <= unit.at:
        return None
    check_refreshable(grant, trade.wanted, unit.at)
    successor = successor_of(trade.refresh_token, salt)
    bound = replace(grant, dpop_jkt=grant.dpop_jkt or key_to_bind(trade.client, trade.thumbprint))
    used = await touch_grant(unit.connection, bound, unit.at)
    await insert_refresh(unit.connection, used, NewRefresh(digest(successor), lives.refresh_idle))
    unit.record(issue_event(AuditAction.TOKEN_REFRESHED, used, unit.at, trade.jti))
    failpoint("auth.refresh_rotated_before_commit")
    return Rotated(used, successor)


async def _again(unit: UnitOfWork, trade: Trade, grant: Grant, lives: Lives) -> Rotated | UsedBefore:
    salt = await salt_of_used(unit.connection, digest(trade.refresh_token), unit.at - lives.refresh_grace)
    successor = "" if salt is None else successor_of(trade.refresh_token, salt)
    # Whoever has used the successor has had its answer: who comes now with its predecessor is somebody else.
    if not successor or not await is_unused(unit.connection, digest(successor), unit.at):
        return await end_reused(unit, grant, trade.client)
    check_refreshable(grant, trade.wanted, unit.at)
    unit.record(issue_event(AuditAction.TOKEN_REFRESHED, grant, unit.at, trade.jti))
    return Rotated(grant, successor)
