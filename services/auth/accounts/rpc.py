"""gRPC servicers of accounts: decode, call, encode; no rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import account_pb2_grpc as pb_grpc
from razvilka.auth.v1 import oauth_pb2

from servicekit.errors import ErrorReason, Unauthenticated, invalid_parameter
from servicekit.timestamps import timestamp_to_proto
from services.auth.accounts.account_deletion import AccountDeletion
from services.auth.accounts.administration import Administration
from services.auth.accounts.cache.sessions import digest_of
from services.auth.accounts.credentials.reauthentication import Proof, Reauthentication
from services.auth.accounts.credentials.totp import Totp
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.login.external_login import ExternalLogin
from services.auth.accounts.login.password_login import Credentials, Login
from services.auth.accounts.passwords import Passwords
from services.auth.accounts.person_callers import PersonCallers
from services.auth.accounts.profiles import ProfileChange, Profiles
from services.auth.accounts.registration import Registration
from services.auth.accounts.rpc_messages import profile_to_proto
from services.auth.accounts.seeding import Seeding
from services.auth.accounts.sessions import LoginSessions
from services.auth.shared.domain.origin import Origin, origin_of
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.rpc_values import Context, caller_to_proto, tier_from_proto

CREDENTIAL_KINDS: Final[dict[int, RevokedKind]] = {
    pb.CREDENTIAL_KIND_KEY: RevokedKind.KEY,
    pb.CREDENTIAL_KIND_CLIENT: RevokedKind.CLIENT,
    pb.CREDENTIAL_KIND_GRANT: RevokedKind.GRANT,
}


@dataclass(frozen=True, slots=True)
class AccountCases:
    """The use cases behind the servicer."""

    registration: Registration
    login: Login
    sessions: LoginSessions
    passwords: Passwords
    totp: Totp
    profiles: Profiles
    deletion: AccountDeletion
    reauthentication: Reauthentication
    administration: Administration
    external: ExternalLogin
    seeding: Seeding
    callers: PersonCallers


class AccountServicer(pb_grpc.AccountServiceServicer):
    """Implements the account service."""

    def __init__(self, cases: AccountCases) -> None:
        self._cases = cases

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        """Begin a registration."""
        await self._cases.registration.register(
            request.email, request.password, request.name, request.language, _origin(request.origin)
        )
        return pb.RegisterResponse()

    async def VerifyEmail(self, request: pb.VerifyEmailRequest, context: Context) -> pb.VerifyEmailResponse:
        """Use a mailed link."""
        user_id = await self._cases.registration.verify_email(request.token, _origin(request.origin))
        return pb.VerifyEmailResponse(user_id=user_id)

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.LoginResponse:
        """Open a session by password."""
        opened = await self._cases.login.log_in(
            Credentials(request.email, request.password, request.totp_code),
            _origin(request.origin),
            request.previous_session_id,
        )
        return pb.LoginResponse(
            session_id=opened.secret,
            session=self._session(opened.session, current=True),
            profile=profile_to_proto(opened.account),
        )

    async def Logout(self, request: pb.LogoutRequest, context: Context) -> pb.LogoutResponse:
        """End a session."""
        await self._cases.sessions.log_out(request.session_id)
        return pb.LogoutResponse()

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:
        """Return who is logged in, and what they may ask of the API."""
        found = await self._cases.sessions.look(request.session_id)
        if found is None:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "You are not logged in.")
        session, account = found
        return pb.GetSessionResponse(
            session=self._session(session, current=True),
            profile=profile_to_proto(account),
            caller=caller_to_proto(await self._cases.callers.of(account)),
            fresh=self._cases.sessions.is_fresh(session),
        )

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        """List a user's sessions."""
        current = digest_of(request.current_session_id)
        sessions = await self._cases.sessions.list_of(request.user_id)
        return pb.ListSessionsResponse(
            sessions=[self._session(session, current=session.digest == current) for session in sessions]
        )

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Context) -> pb.RevokeSessionResponse:
        """End one of a user's sessions."""
        await self._cases.sessions.revoke(request.user_id, request.id)
        return pb.RevokeSessionResponse()

    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, context: Context
    ) -> pb.RequestPasswordResetResponse:
        """Have a link mailed."""
        await self._cases.passwords.request_reset(request.email, _origin(request.origin))
        return pb.RequestPasswordResetResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: Context) -> pb.ResetPasswordResponse:
        """Set a password by a mailed link."""
        await self._cases.passwords.reset(request.token, request.password, _origin(request.origin))
        return pb.ResetPasswordResponse()

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> pb.ChangePasswordResponse:
        """Set a password by the present one."""
        await self._cases.passwords.change(
            request.user_id,
            request.current_password,
            request.new_password,
            request.keep_session_id,
            _origin(request.origin),
        )
        return pb.ChangePasswordResponse()

    async def Reauthenticate(self, request: pb.ReauthenticateRequest, context: Context) -> pb.ReauthenticateResponse:
        """Have a session count as fresh again."""
        proof = Proof(request.password, request.totp_code, request.session_id)
        await self._cases.reauthentication.renew(request.session_id, proof, _origin(request.origin))
        return pb.ReauthenticateResponse()

    async def EnrollTotp(self, request: pb.EnrollTotpRequest, context: Context) -> pb.EnrollTotpResponse:
        """Return a fresh secret."""
        enrolment = await self._cases.totp.enroll(
            request.user_id,
            Proof(request.password, session_secret=request.session_id),
            _origin(request.origin),
        )
        return pb.EnrollTotpResponse(
            secret=enrolment.secret, otpauth_uri=enrolment.otpauth_uri, qr_svg=enrolment.qr_svg
        )

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, context: Context) -> pb.ConfirmTotpResponse:
        """Switch the second factor on."""
        codes = await self._cases.totp.confirm(request.user_id, request.code, _origin(request.origin))
        return pb.ConfirmTotpResponse(recovery_codes=codes)

    async def DisableTotp(self, request: pb.DisableTotpRequest, context: Context) -> pb.DisableTotpResponse:
        """Switch the second factor off."""
        await self._cases.totp.disable(request.user_id, request.password, request.code, _origin(request.origin))
        return pb.DisableTotpResponse()

    async def GetProfile(self, request: pb.GetProfileRequest, context: Context) -> pb.GetProfileResponse:
        """Return a profile."""
        return pb.GetProfileResponse(profile=profile_to_proto(await self._cases.profiles.get(request.user_id)))

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, context: Context) -> pb.UpdateProfileResponse:
        """Change a profile."""
        wanted = ProfileChange(
            name=request.name if request.HasField("name") else None,
            language=request.language if request.HasField("language") else None,
            time_zone=request.time_zone if request.HasField("time_zone") else None,
            email=request.email if request.HasField("email") else None,
            proof=Proof(request.current_password, request.totp_code, request.session_id),
        )
        account = await self._cases.profiles.update(request.user_id, wanted, _origin(request.origin))
        return pb.UpdateProfileResponse(profile=profile_to_proto(account))

    async def ExportAccount(self, request: pb.ExportAccountRequest, context: Context) -> pb.ExportAccountResponse:
        """Return everything auth knows of a user."""
        return pb.ExportAccountResponse(account_json=await self._cases.deletion.export(request.user_id))

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, context: Context) -> pb.DeleteAccountResponse:
        """End everything of a user."""
        proof = Proof(request.password, request.totp_code, request.session_id)
        await self._cases.deletion.delete(request.user_id, proof, _origin(request.origin))
        return pb.DeleteAccountResponse()

    async def SetUserDisabled(self, request: pb.SetUserDisabledRequest, context: Context) -> pb.SetUserDisabledResponse:
        """Shut an account, or open it again."""
        await self._cases.administration.set_disabled(
            request.admin_user_id, request.user_id, _origin(request.origin), disabled=request.disabled
        )
        return pb.SetUserDisabledResponse()

    async def SetCredentialDisabled(
        self, request: pb.SetCredentialDisabledRequest, context: Context
    ) -> pb.SetCredentialDisabledResponse:
        """Switch a key, client or grant off, or on again."""
        kind = _credential_kind(request.kind)
        await self._cases.administration.set_credential_disabled(
            request.admin_user_id, kind, request.id, _origin(request.origin), disabled=request.disabled
        )
        return pb.SetCredentialDisabledResponse()

    async def NoteOrder(self, request: pb.NoteOrderRequest, context: Context) -> pb.NoteOrderResponse:
        """Write an administrator's order into the audit log."""
        details = dict(request.details)
        await self._cases.administration.note_order(
            request.admin_user_id, request.order, request.subject, details, _origin(request.origin)
        )
        return pb.NoteOrderResponse()

    async def ListExternalProviders(
        self, request: pb.ListExternalProvidersRequest, context: Context
    ) -> pb.ListExternalProvidersResponse:
        """Name the providers."""
        return pb.ListExternalProvidersResponse(
            providers=[pb.ExternalProvider(id=id_, name=name) for id_, name in self._cases.external.providers()]
        )

    async def StartExternalLogin(
        self, request: pb.StartExternalLoginRequest, context: Context
    ) -> pb.StartExternalLoginResponse:
        """Send a browser to a provider."""
        start = await self._cases.external.start(request.provider_id, request.return_to, request.redirect_uri)
        return pb.StartExternalLoginResponse(redirect_url=start.redirect_url, state_cookie=start.state_cookie)

    async def FinishExternalLogin(
        self, request: pb.FinishExternalLoginRequest, context: Context
    ) -> pb.FinishExternalLoginResponse:
        """Open a session for whoever came back."""
        finished = await self._cases.external.finish(
            request.provider_id,
            [(param.name, param.value) for param in request.params],
            cookie=request.state_cookie,
            redirect_uri=request.redirect_uri,
            previous_secret=request.previous_session_id,
            origin=_origin(request.origin),
        )
        return pb.FinishExternalLoginResponse(
            session_id=finished.opened.secret,
            session=self._session(finished.opened.session, current=True),
            profile=profile_to_proto(finished.opened.account),
            return_to=finished.return_to,
        )

    async def SeedUser(self, request: pb.SeedUserRequest, context: Context) -> pb.SeedUserResponse:
        """Make a demonstration's account."""
        user_id = await self._cases.seeding.seed(
            request.email,
            request.password,
            request.name,
            tier_from_proto(request.tier),
            is_admin=request.admin,
        )
        return pb.SeedUserResponse(user_id=user_id)

    async def ListOutbox(self, request: pb.ListOutboxRequest, context: Context) -> pb.ListOutboxResponse:
        """Return the mails that went nowhere."""
        return pb.ListOutboxResponse(
            mails=[
                pb.Mail(
                    to=kept.written.email,
                    subject=kept.written.subject,
                    text=kept.written.text,
                    sent_at=timestamp_to_proto(kept.sent_at),
                )
                for kept in await self._cases.seeding.outbox()
            ]
        )

    def _session(self, session: LoginSession, *, current: bool) -> pb.Session:
        return pb.Session(
            id=session.id,
            created_at=timestamp_to_proto(session.created_at),
            last_seen_at=timestamp_to_proto(session.last_seen_at),
            expires_at=timestamp_to_proto(self._cases.sessions.terms.expires_at(session)),
            ip=session.ip,
            user_agent=session.user_agent,
            current=current,
        )


def _credential_kind(kind: int) -> RevokedKind:
    if kind not in CREDENTIAL_KINDS:
        raise invalid_parameter("kind", "Name a key, client or grant.")
    return CREDENTIAL_KINDS[kind]


def _origin(origin: oauth_pb2.Origin) -> Origin:
    return origin_of(origin.ip, origin.user_agent)
