"""A small account service behind real gRPC, that does what a test tells it."""

from __future__ import annotations

from typing import Any

from razvilka.auth.v1 import account_pb2, account_pb2_grpc, auth_pb2

from servicekit.errors import (
    ErrorReason,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    ServiceError,
    Unauthenticated,
)
from services.gateway.tests.identity_backends import EMAIL, PASSWORD, PENDING, SESSION
from services.gateway.tests.personal_data_backend import FakeAuthData


class FakeAccounts(account_pb2_grpc.AccountServiceServicer):
    """Knows one person; with `totp` they need the code 123456."""

    def __init__(self) -> None:
        self.personal_data = FakeAuthData()
        self.account_json = '{"user":{"id":"user-1"}}'
        self.totp = False
        self.profile = account_pb2.Profile(
            user_id="user-1",
            email=EMAIL,
            email_verified=True,
            name="Мари́я <b>",
            language="ru",
            time_zone="Europe/Moscow",
            tier=auth_pb2.TIER_PRO,
            has_password=True,
        )
        self.providers: list[account_pb2.ExternalProvider] = []
        self.live = {SESSION}
        self.requests: list[Any] = []
        self.is_administrator = True
        self.fresh = True
        self.failure: ServiceError | None = None
        self.too_many = False
        self.mails: list[account_pb2.Mail] = []
        self.scopes = ["models:read", "completions:write", "usage:read", "keys:read", "profile:read", "profile:write"]

    def session(self) -> account_pb2.Session:
        return account_pb2.Session(id="sid-1", ip="127.0.0.1", user_agent="<script>alert(1)</script>", current=True)

    async def Register(self, request: Any, context: Any) -> account_pb2.RegisterResponse:
        self.requests.append(request)
        if len(request.password) < 8:
            lengths = {"problem": "password_length", "min_length": "14", "max_length": "200"}
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "Too short.", param="password", details=lengths)
        return account_pb2.RegisterResponse()

    async def VerifyEmail(self, request: Any, context: Any) -> account_pb2.VerifyEmailResponse:
        self.requests.append(request)
        if request.token != "good":
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The link is not valid.")
        return account_pb2.VerifyEmailResponse(user_id="user-1")

    async def Login(self, request: Any, context: Any) -> account_pb2.LoginResponse:
        self.requests.append(request)
        if self.too_many:
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, "Too many attempts.", retry_after_s=17)
        if (request.email, request.password) != (EMAIL, PASSWORD):
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong e-mail or password.")
        if self.totp and not request.totp_code:
            raise Unauthenticated(ErrorReason.SECOND_FACTOR_REQUIRED, "A code is needed.")
        if self.totp and request.totp_code != "123456":
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong code.")
        self.live.add(SESSION)
        return account_pb2.LoginResponse(session_id=SESSION, session=self.session(), profile=self.profile)

    async def Logout(self, request: Any, context: Any) -> account_pb2.LogoutResponse:
        self.live.discard(request.session_id)
        return account_pb2.LogoutResponse()

    async def GetSession(self, request: Any, context: Any) -> account_pb2.GetSessionResponse:
        if self.failure is not None:
            raise self.failure
        if request.session_id not in self.live:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "There is no such session.")
        person = auth_pb2.Caller(
            user_id=self.profile.user_id,
            tier=auth_pb2.TIER_PRO,
            scopes=self.scopes,
            user_limits=auth_pb2.Limits(requests_per_minute=1000, tokens_per_minute=10**9, concurrent_requests=100),
            time_zone="Europe/Moscow",
        )
        return account_pb2.GetSessionResponse(
            session=self.session(), profile=self.profile, caller=person, fresh=self.fresh
        )

    async def ListSessions(self, request: Any, context: Any) -> account_pb2.ListSessionsResponse:
        return account_pb2.ListSessionsResponse(sessions=[self.session()])

    async def RevokeSession(self, request: Any, context: Any) -> account_pb2.RevokeSessionResponse:
        if request.id != "sid-1":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such session.", param="id")
        return account_pb2.RevokeSessionResponse()

    async def RequestPasswordReset(self, request: Any, context: Any) -> account_pb2.RequestPasswordResetResponse:
        self.requests.append(request)
        return account_pb2.RequestPasswordResetResponse()

    async def ResetPassword(self, request: Any, context: Any) -> account_pb2.ResetPasswordResponse:
        if request.token != "good":
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The link is not valid.")
        return account_pb2.ResetPasswordResponse()

    async def ChangePassword(self, request: Any, context: Any) -> account_pb2.ChangePasswordResponse:
        self.requests.append(request)
        if request.current_password != PASSWORD:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong password.")
        return account_pb2.ChangePasswordResponse()

    async def Reauthenticate(self, request: Any, context: Any) -> account_pb2.ReauthenticateResponse:
        if request.password != PASSWORD:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong password.")
        return account_pb2.ReauthenticateResponse()

    async def EnrollTotp(self, request: Any, context: Any) -> account_pb2.EnrollTotpResponse:
        return account_pb2.EnrollTotpResponse(secret="JBSWY3DP", otpauth_uri="otpauth://totp/x", qr_svg="<svg/>")

    async def ConfirmTotp(self, request: Any, context: Any) -> account_pb2.ConfirmTotpResponse:
        if request.code != "123456":
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "Wrong code.", param="code")
        return account_pb2.ConfirmTotpResponse(recovery_codes=["aaaa-bbbb", "cccc-dddd"])

    async def DisableTotp(self, request: Any, context: Any) -> account_pb2.DisableTotpResponse:
        return account_pb2.DisableTotpResponse()

    async def GetProfile(self, request: Any, context: Any) -> account_pb2.GetProfileResponse:
        return account_pb2.GetProfileResponse(profile=self.profile)

    async def UpdateProfile(self, request: Any, context: Any) -> account_pb2.UpdateProfileResponse:
        self.requests.append(request)
        if request.HasField("email") and request.current_password != PASSWORD:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong password.")
        for field in ("name", "language", "time_zone"):
            if request.HasField(field):
                setattr(self.profile, field, getattr(request, field))
        return account_pb2.UpdateProfileResponse(profile=self.profile)

    async def ExportAccount(self, request: Any, context: Any) -> account_pb2.ExportAccountResponse:
        return account_pb2.ExportAccountResponse(account_json=self.account_json)

    async def DeleteAccount(self, request: Any, context: Any) -> account_pb2.DeleteAccountResponse:
        if self.too_many:
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, "Too many attempts.", retry_after_s=17)
        if request.password != PASSWORD:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Wrong password.")
        return account_pb2.DeleteAccountResponse()

    async def SetUserDisabled(self, request: Any, context: Any) -> account_pb2.SetUserDisabledResponse:
        self.requests.append(request)
        return account_pb2.SetUserDisabledResponse()

    async def SetCredentialDisabled(self, request: Any, context: Any) -> account_pb2.SetCredentialDisabledResponse:
        self.requests.append(request)
        return account_pb2.SetCredentialDisabledResponse()

    async def NoteOrder(self, request: Any, context: Any) -> account_pb2.NoteOrderResponse:
        self.requests.append(request)
        if self.is_administrator:
            return account_pb2.NoteOrderResponse()
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "Only an administrator may do this.")

    async def StartExternalLogin(self, request: Any, context: Any) -> account_pb2.StartExternalLoginResponse:
        self.requests.append(request)
        return account_pb2.StartExternalLoginResponse(
            redirect_url='https://id.example.com/authorize?a=1&b="2"', state_cookie="state-1"
        )

    async def FinishExternalLogin(self, request: Any, context: Any) -> account_pb2.FinishExternalLoginResponse:
        self.requests.append(request)
        if request.state_cookie != "state-1":
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "This login was begun elsewhere.")
        return account_pb2.FinishExternalLoginResponse(
            session_id=SESSION, session=self.session(), profile=self.profile, return_to=f"pending:{PENDING}"
        )

    async def ListExternalProviders(self, request: Any, context: Any) -> account_pb2.ListExternalProvidersResponse:
        return account_pb2.ListExternalProvidersResponse(providers=self.providers)

    async def ListOutbox(self, request: Any, context: Any) -> account_pb2.ListOutboxResponse:
        return account_pb2.ListOutboxResponse(mails=self.mails)
