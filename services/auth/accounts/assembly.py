"""Puts accounts together."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from services.auth.accounts.account_deletion import Leaving
from services.auth.accounts.cache.guess_counters import GuessRules, LocalGuesses, RedisGuesses
from services.auth.accounts.cache.pending_logins import PendingLogins
from services.auth.accounts.cache.sessions import SessionCache
from services.auth.accounts.credentials.common_passwords import common_passwords
from services.auth.accounts.credentials.guess_limiter import Guard
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.credentials.reauthentication import Reproof, SecondFactor
from services.auth.accounts.credentials.sealing import Sealer
from services.auth.accounts.credentials.totp import Totp
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.grants_of_user import GrantsOfUser
from services.auth.accounts.login.external_login import ExternalLogin
from services.auth.accounts.login.login_completion import Entrance
from services.auth.accounts.login.openid_provider import OpenIdProvider
from services.auth.accounts.login.password_login import Login
from services.auth.accounts.mail.delivery import Forgetting, Post
from services.auth.accounts.mail.templates import Writer
from services.auth.accounts.mail.transport import LocalOutbox, Mailer, SmtpMailer
from services.auth.accounts.passwords import Passwords
from services.auth.accounts.people import AccountPeople
from services.auth.accounts.profiles import Profiles
from services.auth.accounts.registration import Registration
from services.auth.accounts.rpc import AccountCases, AccountServicer
from services.auth.accounts.seeding import Seeding
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.settings import GuessSettings
from services.auth.accounts.store.accounts import AccountStore
from services.auth.accounts.store.login_attempts import LoginAttemptStore
from services.auth.accounts.store.mailed_tokens import MailedTokenStore
from services.auth.accounts.store.mails import MailStore
from services.auth.accounts.store.unit_of_work import Ledger
from services.auth.settings import AuthSettings
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.transactions import Pool

# Mails are sent when they are committed; this finds those whose turn came again.
POST_EVERY_S: Final = 5.0
COUNT_SESSIONS_EVERY_S: Final = 15.0
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class AccountSurroundings:
    """What accounts are given."""

    pool: Pool
    redis: Redis
    feed: RevocationFeed
    grants: GrantsOfUser
    background: Background
    clock: Clock


@dataclass(frozen=True, slots=True)
class Accounts:
    """The servicer, what OAuth asks of people, and the jobs that must run beside it: name -> (job, seconds)."""

    servicer: AccountServicer
    sessions: LoginSessions
    people: AccountPeople
    jobs: dict[str, tuple[Callable[[], Awaitable[object]], float]]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What several use cases share."""

    accounts: AccountStore
    mails: MailStore
    tokens: MailedTokenStore
    attempts: LoginAttemptStore
    post: Post
    ledger: Ledger
    sessions: LoginSessions
    login_guard: Guard
    mail_guard: Guard
    hashing: PasswordHashing
    rules: PasswordRules
    second_factor: SecondFactor
    reproof: Reproof


def assemble_accounts(settings: AuthSettings, around: AccountSurroundings) -> Accounts:
    """Return the accounts."""
    parts = _parts(settings, around)
    keep = timedelta(days=settings.accounts.attempts_keep_days)
    forgetting = Forgetting(parts.mails, parts.tokens, parts.attempts, keep_attempts=keep, clock=around.clock)
    return Accounts(
        AccountServicer(_cases(settings, around, parts)),
        parts.sessions,
        AccountPeople(parts.accounts),
        {
            "mails": (parts.post.deliver, POST_EVERY_S),
            "count_sessions": (parts.sessions.count, COUNT_SESSIONS_EVERY_S),
            "forget_accounts": (forgetting.run, settings.upkeep.check_every_s),
        },
        parts.hashing.close,
    )


def _parts(settings: AuthSettings, around: AccountSurroundings) -> _Parts:
    pool, clock = around.pool, around.clock
    accounts, mails, tokens = AccountStore(pool), MailStore(pool), MailedTokenStore(pool)
    post = Post(
        mails,
        tokens,
        accounts,
        Writer(settings.public_url),
        _mailer(settings, mails, clock),
        clock=clock,
        background=around.background,
    )
    ledger = Ledger(pool, around.feed, post.nudge, clock=clock)
    terms = settings.session.terms()
    cache = SessionCache(around.redis, terms)
    sessions = LoginSessions(cache, accounts, ledger, around.grants, terms, clock=clock, new_id=uuid.uuid4)
    login_guard = _guard("login", settings.guess, around)
    hashing, rules = _hashing(settings), _rules(settings)
    return _Parts(
        accounts=accounts,
        mails=mails,
        tokens=tokens,
        attempts=LoginAttemptStore(pool),
        post=post,
        ledger=ledger,
        sessions=sessions,
        login_guard=login_guard,
        mail_guard=_guard("mail", settings.ask, around),
        hashing=hashing,
        rules=rules,
        second_factor=SecondFactor(Sealer(settings.account_secrets())),
        reproof=Reproof(login_guard, hashing, rules),
    )


def _cases(settings: AuthSettings, around: AccountSurroundings, parts: _Parts) -> AccountCases:
    clock, ledger = around.clock, parts.ledger
    entrance = Entrance(parts.attempts, parts.sessions)
    providers = [OpenIdProvider(provider.terms(), clock=clock) for provider in settings.external.providers]
    return AccountCases(
        registration=Registration(ledger, parts.mail_guard, parts.hashing, parts.rules, new_id=uuid.uuid4),
        login=Login(
            parts.accounts,
            ledger,
            entrance,
            parts.login_guard,
            parts.hashing,
            parts.rules,
            parts.second_factor,
            clock=clock,
        ),
        sessions=parts.sessions,
        passwords=Passwords(
            parts.accounts,
            parts.tokens,
            ledger,
            parts.sessions,
            around.grants,
            parts.hashing,
            parts.rules,
            login_guard=parts.login_guard,
            mail_guard=parts.mail_guard,
            reproof=parts.reproof,
            clock=clock,
        ),
        totp=Totp(parts.accounts, ledger, parts.second_factor, parts.login_guard, parts.reproof),
        profiles=Profiles(parts.accounts, ledger, parts.mail_guard, parts.reproof),
        leaving=Leaving(parts.accounts, ledger, parts.sessions, around.grants, parts.reproof, clock=clock),
        external=ExternalLogin(providers, PendingLogins(around.redis), ledger, entrance, new_id=uuid.uuid4),
        seeding=Seeding(
            ledger,
            parts.mails,
            parts.hashing,
            parts.rules,
            may_seed=settings.demo,
            may_read_outbox=settings.outbox,
            new_id=uuid.uuid4,
        ),
    )


def _guard(name: str, given: GuessSettings, around: AccountSurroundings) -> Guard:
    rules = GuessRules(name, given.pauses(), given.window_s, given.known_days * DAY_S)
    return Guard(RedisGuesses(around.redis, rules), LocalGuesses(rules), clock=around.clock)


def _hashing(settings: AuthSettings) -> PasswordHashing:
    given = settings.password
    return PasswordHashing(
        memory_kib=given.memory_kib,
        passes=given.passes,
        lanes=given.lanes,
        parallel=given.parallel,
        queue=given.queue,
    )


def _rules(settings: AuthSettings) -> PasswordRules:
    return PasswordRules(common_passwords(), settings.password.min_length, settings.password.max_length)


def _mailer(settings: AuthSettings, mails: MailStore, clock: Clock) -> Mailer:
    given = settings.smtp
    if not given.host:
        return LocalOutbox(mails, clock=clock)
    return SmtpMailer(
        host=given.host,
        port=given.port,
        sender=given.sender,
        user=given.user,
        password=given.password.get_secret_value(),
        tls=given.tls,
        store=mails,
        clock=clock,
    )
