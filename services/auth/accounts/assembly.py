"""Composition root of accounts."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from servicekit.clock import Clock
from servicekit.mail.settings import SmtpSettings
from servicekit.mail.smtp import SmtpSender
from servicekit.trust.sealing import Sealer
from services.auth.accounts.account_deletion import AccountDeletion
from services.auth.accounts.administration import Administration
from services.auth.accounts.cache.guess_counters import GuessRules, LocalGuesses, RedisGuesses
from services.auth.accounts.cache.pending_logins import PendingLogins
from services.auth.accounts.cache.sessions import SessionCache
from services.auth.accounts.credentials.common_passwords import common_passwords
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.credentials.reauthentication import Reauthentication, SecondFactor
from services.auth.accounts.credentials.totp import Totp
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.grants_of_user import GrantsOfUser
from services.auth.accounts.login.external_login import ExternalLogin
from services.auth.accounts.login.login_completion import LoginCompletion
from services.auth.accounts.login.password_login import Login
from services.auth.accounts.mail.delivery import Housekeeping, MailDelivery
from services.auth.accounts.mail.templates import TemplateWriter
from services.auth.accounts.mail.transport import LocalOutbox, MailTransport, SmtpTransport
from services.auth.accounts.passwords import Passwords
from services.auth.accounts.person_callers import PersonCallers
from services.auth.accounts.profiles import Profiles
from services.auth.accounts.registration import Registration
from services.auth.accounts.rpc import AccountCases, AccountServicer
from services.auth.accounts.seeding import Seeding
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.settings import AccountOptions, GuessSettings, PasswordSettings
from services.auth.accounts.store.login_attempts import LoginAttemptStore
from services.auth.accounts.store.mailed_tokens import MailedTokenStore
from services.auth.accounts.store.mails import MailStore
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore

if TYPE_CHECKING:
    from services.auth.accounts.login.openid_provider import OpenIdProvider

# Mails are sent when they are committed; this finds those whose turn came again.
DELIVER_MAILS_EVERY_S: Final = 5.0
COUNT_SESSIONS_EVERY_S: Final = 15.0
DAY_S: Final = 86_400
# Separates this use of the secrets from any other.
SEALING_PURPOSE: Final = b"razvilka.auth.accounts"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The servicer, the sessions that OAuth asks for, and the jobs that run beside it: name -> (job, seconds)."""

    servicer: AccountServicer
    sessions: LoginSessions
    jobs: dict[str, tuple[Callable[[], Awaitable[object]], float]]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What several use cases share."""

    accounts: AccountStore
    mails: MailStore
    tokens: MailedTokenStore
    attempts: LoginAttemptStore
    delivery: MailDelivery
    units: AccountUnits
    sessions: LoginSessions
    login_limiter: GuessLimiter
    mail_limiter: GuessLimiter
    hashing: PasswordHashing
    rules: PasswordRules
    second_factor: SecondFactor
    reauthentication: Reauthentication


def assemble_accounts(
    options: AccountOptions, limits: Mapping[Tier, TierLimits], given: Dependencies, grants: GrantsOfUser
) -> Accounts:
    """Return the accounts."""
    parts = _parts(options, given, grants)
    keep = timedelta(days=options.accounts.attempts_keep_days)
    housekeeping = Housekeeping(parts.mails, parts.tokens, parts.attempts, keep_attempts=keep, clock=given.clock)
    callers = PersonCallers(ModelNameStore(given.pool), CapStore(given.pool), limits)
    return Accounts(
        AccountServicer(_cases(options, given, grants, parts, callers)),
        parts.sessions,
        {
            "mails": (parts.delivery.deliver, DELIVER_MAILS_EVERY_S),
            "count_sessions": (parts.sessions.count, COUNT_SESSIONS_EVERY_S),
            "forget_accounts": (housekeeping.run, options.forget_every_s),
        },
        parts.hashing.close,
    )


def _parts(options: AccountOptions, given: Dependencies, grants: GrantsOfUser) -> _Parts:
    pool, clock = given.pool, given.clock
    accounts, mails, tokens = AccountStore(pool), MailStore(pool), MailedTokenStore(pool)
    delivery = _delivery(options, given, mails, tokens, accounts)
    units = AccountUnits(given.units, delivery.start)
    terms = options.session.terms()
    cache = SessionCache(given.redis, terms)
    sessions = LoginSessions(cache, accounts, units, grants, terms, bounds=given.bounds, clock=clock, new_id=uuid.uuid4)
    login_limiter, second_factor = (
        _limiter("login", options.guess, given),
        SecondFactor(Sealer(options.sealing_secrets, SEALING_PURPOSE)),
    )
    hashing, rules = _hashing(options.password), _rules(options.password)
    return _Parts(
        accounts=accounts,
        mails=mails,
        tokens=tokens,
        attempts=LoginAttemptStore(pool),
        delivery=delivery,
        units=units,
        sessions=sessions,
        login_limiter=login_limiter,
        mail_limiter=_limiter("mail", options.ask, given),
        hashing=hashing,
        rules=rules,
        second_factor=second_factor,
        reauthentication=Reauthentication(login_limiter, hashing, rules, second_factor, sessions, units, clock=clock),
    )


def _openid_providers(options: AccountOptions, clock: Clock) -> list[OpenIdProvider]:
    if not options.external.providers:
        return []
    # Not at the top: its libraries take 6 MB, and most have no such provider.
    from services.auth.accounts.login.openid_provider import OpenIdProvider

    return [OpenIdProvider(provider.terms(), clock=clock) for provider in options.external.providers]


def _cases(
    options: AccountOptions, given: Dependencies, grants: GrantsOfUser, parts: _Parts, callers: PersonCallers
) -> AccountCases:
    units, completion = parts.units, LoginCompletion(parts.attempts, parts.sessions)
    providers = _openid_providers(options, given.clock)
    pending = PendingLogins(given.redis)
    return AccountCases(
        registration=Registration(units, parts.mail_limiter, parts.hashing, parts.rules, new_id=uuid.uuid4),
        login=_login(given, parts, completion),
        sessions=parts.sessions,
        passwords=_passwords(given, grants, parts),
        totp=Totp(parts.accounts, units, parts.second_factor, parts.login_limiter, parts.reauthentication),
        profiles=Profiles(parts.accounts, units, parts.mail_limiter, parts.reauthentication),
        deletion=AccountDeletion(parts.accounts, units, parts.sessions, grants, parts.reauthentication),
        reauthentication=parts.reauthentication,
        administration=Administration(parts.accounts, units, parts.sessions),
        external=ExternalLogin(
            providers, pending, units, completion, parts.sessions, clock=given.clock, new_id=uuid.uuid4
        ),
        seeding=_seeding(options, parts),
        callers=callers,
    )


def _login(given: Dependencies, parts: _Parts, completion: LoginCompletion) -> Login:
    return Login(
        parts.accounts,
        parts.units,
        completion,
        parts.login_limiter,
        parts.hashing,
        parts.rules,
        parts.second_factor,
        clock=given.clock,
    )


def _passwords(given: Dependencies, grants: GrantsOfUser, parts: _Parts) -> Passwords:
    return Passwords(
        parts.accounts,
        parts.tokens,
        parts.units,
        parts.sessions,
        grants,
        parts.hashing,
        parts.rules,
        login_limiter=parts.login_limiter,
        mail_limiter=parts.mail_limiter,
        reauthentication=parts.reauthentication,
        clock=given.clock,
    )


def _seeding(options: AccountOptions, parts: _Parts) -> Seeding:
    return Seeding(
        parts.units,
        parts.mails,
        parts.hashing,
        parts.rules,
        may_seed=options.may_seed,
        may_read_outbox=options.may_read_outbox,
        new_id=uuid.uuid4,
    )


def _limiter(name: str, pauses: GuessSettings, given: Dependencies) -> GuessLimiter:
    rules = GuessRules(name, pauses.pauses(), pauses.window_s, pauses.known_days * DAY_S)
    return GuessLimiter(RedisGuesses(given.redis, rules), LocalGuesses(rules), clock=given.clock)


def _hashing(settings: PasswordSettings) -> PasswordHashing:
    return PasswordHashing(
        memory_kib=settings.memory_kib,
        passes=settings.passes,
        lanes=settings.lanes,
        parallel=settings.parallel,
        queue=settings.queue,
    )


def _rules(settings: PasswordSettings) -> PasswordRules:
    return PasswordRules(common_passwords(), settings.min_length, settings.max_length)


def _delivery(
    options: AccountOptions, given: Dependencies, mails: MailStore, tokens: MailedTokenStore, accounts: AccountStore
) -> MailDelivery:
    return MailDelivery(
        mails,
        tokens,
        accounts,
        TemplateWriter(options.public_url),
        _transport(options.smtp, mails, given.clock),
        clock=given.clock,
        background=given.background,
    )


def _transport(settings: SmtpSettings, mails: MailStore, clock: Clock) -> MailTransport:
    if not settings.host:
        return LocalOutbox(mails, clock=clock)
    return SmtpTransport(SmtpSender(settings, clock=clock), mails)
