"""People: the account service, as the pages and the management API need it."""

from __future__ import annotations

from typing import Any

import grpc
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import account_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.account_views import (
    ExternalProvider,
    LoggedIn,
    Mail,
    Profile,
    SessionView,
    Totp,
    logged_in_from_proto,
    profile_from_proto,
    session_from_proto,
)
from services.gateway.clients.auth import person_from_proto
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import Origin, Params, origin_to_proto, params_to_proto
from services.gateway.clients.timestamps import moment


class AccountClient:
    """Carries what people do. `deadline_s` bounds each call; passwords are hashed slowly, so it is not short."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = account_pb2_grpc.AccountServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call, in_their_name=True)

    async def register(
        self, email: str, password: str, name: str, language: str, origin: Origin, call: CallContext
    ) -> None:
        """Begin an account; the answer is the same for a known address."""
        request = pb.RegisterRequest(
            email=email, password=password, name=name, language=language, origin=origin_to_proto(origin)
        )
        await self._ask(self._stub.Register, request, call)

    async def verify_email(self, token: str, origin: Origin, call: CallContext) -> None:
        """End a registration or a change of address.

        Raises:
            Unauthenticated: the link is not valid any more.
        """
        request = pb.VerifyEmailRequest(token=token, origin=origin_to_proto(origin))
        await self._ask(self._stub.VerifyEmail, request, call)

    async def login(
        self, email: str, password: str, code: str, origin: Origin, call: CallContext, *, previous: str
    ) -> LoggedIn:
        """Open a session.

        Raises:
            Unauthenticated: wrong, or the second factor is needed.
            QuotaExceeded: too many guesses.
        """
        request = pb.LoginRequest(
            email=email,
            password=password,
            totp_code=code,
            origin=origin_to_proto(origin),
            previous_session_id=previous,
        )
        return logged_in_from_proto(await self._ask(self._stub.Login, request, call))

    async def logout(self, session: str, call: CallContext) -> None:
        """End a session; an unknown one is no error."""
        await self._ask(self._stub.Logout, pb.LogoutRequest(session_id=session), call)

    async def get_session(self, session: str, call: CallContext) -> tuple[SessionView, Profile, Caller]:
        """Return who is logged in, and whom the API sees when their pages ask it.

        Raises:
            Unauthenticated: nobody.
        """
        answer = await self._ask(self._stub.GetSession, pb.GetSessionRequest(session_id=session), call)
        return session_from_proto(answer.session), profile_from_proto(answer.profile), person_from_proto(answer)

    async def list_sessions(self, user_id: str, current: str, call: CallContext) -> list[SessionView]:
        """Return a user's sessions; `current` is the secret of the one that asks."""
        request = pb.ListSessionsRequest(user_id=user_id, current_session_id=current)
        return [session_from_proto(each) for each in (await self._ask(self._stub.ListSessions, request, call)).sessions]

    async def revoke_session(self, user_id: str, session_id: str, call: CallContext) -> None:
        """End a session by its public id.

        Raises:
            NotFound: absent, or someone else's.
        """
        await self._ask(self._stub.RevokeSession, pb.RevokeSessionRequest(user_id=user_id, id=session_id), call)

    async def request_password_reset(self, email: str, origin: Origin, call: CallContext) -> None:
        """Mail a link; the answer is the same for an unknown address."""
        request = pb.RequestPasswordResetRequest(email=email, origin=origin_to_proto(origin))
        await self._ask(self._stub.RequestPasswordReset, request, call)

    async def reset_password(self, token: str, password: str, origin: Origin, call: CallContext) -> None:
        """Set a password by a mailed token.

        Raises:
            Unauthenticated: the link is not valid any more.
            InvalidRequest: the password will not do.
        """
        request = pb.ResetPasswordRequest(token=token, password=password, origin=origin_to_proto(origin))
        await self._ask(self._stub.ResetPassword, request, call)

    async def change_password(
        self, user_id: str, current: str, new: str, origin: Origin, call: CallContext, *, keep: str
    ) -> None:
        """Change a password and end all sessions but `keep`.

        Raises:
            Unauthenticated: the present password is wrong.
            InvalidRequest: the new one will not do.
        """
        request = pb.ChangePasswordRequest(
            user_id=user_id,
            current_password=current,
            new_password=new,
            keep_session_id=keep,
            origin=origin_to_proto(origin),
        )
        await self._ask(self._stub.ChangePassword, request, call)

    async def reauthenticate(self, session: str, password: str, origin: Origin, call: CallContext) -> None:
        """Have a session count as fresh again: its holder gives the password.

        Raises:
            Unauthenticated: the password is wrong.
        """
        request = pb.ReauthenticateRequest(session_id=session, password=password, origin=origin_to_proto(origin))
        await self._ask(self._stub.Reauthenticate, request, call)

    async def enroll_totp(
        self, user_id: str, password: str, origin: Origin, call: CallContext, *, session: str
    ) -> Totp:
        """Return a fresh secret for a second factor.

        Raises:
            Unauthenticated: the password is wrong; without one: the session is not fresh.
        """
        request = pb.EnrollTotpRequest(
            user_id=user_id, password=password, session_id=session, origin=origin_to_proto(origin)
        )
        answer = await self._ask(self._stub.EnrollTotp, request, call)
        return Totp(answer.secret, answer.otpauth_uri, answer.qr_svg)

    async def confirm_totp(self, user_id: str, code: str, origin: Origin, call: CallContext) -> list[str]:
        """Switch the second factor on; return the recovery codes, shown once.

        Raises:
            ServiceError: the code is wrong.
        """
        request = pb.ConfirmTotpRequest(user_id=user_id, code=code, origin=origin_to_proto(origin))
        answer = await self._ask(self._stub.ConfirmTotp, request, call)
        return list(answer.recovery_codes)

    async def disable_totp(self, user_id: str, password: str, code: str, origin: Origin, call: CallContext) -> None:
        """Switch the second factor off.

        Raises:
            Unauthenticated: the password or the code is wrong.
        """
        request = pb.DisableTotpRequest(user_id=user_id, password=password, code=code, origin=origin_to_proto(origin))
        await self._ask(self._stub.DisableTotp, request, call)

    async def get_profile(self, user_id: str, call: CallContext) -> Profile:
        """Return a user."""
        return profile_from_proto(
            (await self._ask(self._stub.GetProfile, pb.GetProfileRequest(user_id=user_id), call)).profile
        )

    async def update_profile(
        self,
        user_id: str,
        call: CallContext,
        *,
        name: str | None = None,
        language: str | None = None,
        time_zone: str | None = None,
        email: str | None = None,
        current_password: str = "",
        totp_code: str = "",
        session: str = "",
        origin: Origin | None = None,
    ) -> Profile:
        """Change what is given; a new address needs a proof and must be verified before it counts.

        The proof is the password, or a code of the second factor; who has neither: a session that is fresh.

        Raises:
            InvalidRequest: a field is wrong; it is named.
            Unauthenticated: a new address, and the proof is not good.
        """
        request = pb.UpdateProfileRequest(
            user_id=user_id,
            name=name,
            language=language,
            time_zone=time_zone,
            email=email,
            current_password=current_password,
            totp_code=totp_code,
            session_id=session,
            origin=None if origin is None else origin_to_proto(origin),
        )
        return profile_from_proto((await self._ask(self._stub.UpdateProfile, request, call)).profile)

    async def export_account(self, user_id: str, call: CallContext) -> bytes:
        """Return everything that is known of a user, as JSON."""
        answer = await self._ask(self._stub.ExportAccount, pb.ExportAccountRequest(user_id=user_id), call)
        return str(answer.account_json).encode()

    async def delete_account(
        self,
        user_id: str,
        password: str,
        origin: Origin,
        call: CallContext,
        *,
        totp_code: str = "",
        session: str = "",
    ) -> None:
        """End everything of a user. The proof is that of `update_profile`.

        Raises:
            Unauthenticated: the proof is not good.
        """
        request = pb.DeleteAccountRequest(
            user_id=user_id,
            password=password,
            origin=origin_to_proto(origin),
            totp_code=totp_code,
            session_id=session,
        )
        await self._ask(self._stub.DeleteAccount, request, call)

    async def list_external_providers(self, call: CallContext) -> list[ExternalProvider]:
        """Return the OpenID providers that are set up."""
        answer = await self._ask(self._stub.ListExternalProviders, pb.ListExternalProvidersRequest(), call)
        return [ExternalProvider(each.id, each.name) for each in answer.providers]

    async def start_external_login(
        self, provider_id: str, return_to: str, redirect_uri: str, call: CallContext
    ) -> tuple[str, str]:
        """Return where to send the browser, and the cookie that binds it.

        Raises:
            NotFound: no such provider.
        """
        request = pb.StartExternalLoginRequest(provider_id=provider_id, return_to=return_to, redirect_uri=redirect_uri)
        answer = await self._ask(self._stub.StartExternalLogin, request, call)
        return answer.redirect_url, answer.state_cookie

    async def finish_external_login(
        self,
        provider_id: str,
        params: Params,
        cookie: str,
        redirect_uri: str,
        origin: Origin,
        call: CallContext,
        *,
        previous: str,
    ) -> LoggedIn:
        """Open a session from what a provider sent back; the browser's previous one ends.

        Raises:
            Conflict: an account has the address, and the browser is not freshly logged in to it.
            ServiceError: it is not what was asked for.
        """
        request = pb.FinishExternalLoginRequest(
            provider_id=provider_id,
            params=params_to_proto(params),
            state_cookie=cookie,
            redirect_uri=redirect_uri,
            origin=origin_to_proto(origin),
            previous_session_id=previous,
        )
        answer = await self._ask(self._stub.FinishExternalLogin, request, call)
        return logged_in_from_proto(answer, answer.return_to)

    async def list_outbox(self, call: CallContext) -> list[Mail]:
        """Return the mails that were kept because no mail server is set.

        Raises:
            ServiceError: this is a production.
        """
        answer = await self._ask(self._stub.ListOutbox, pb.ListOutboxRequest(), call)
        return [Mail(each.to, each.subject, each.text, moment(each, "sent_at")) for each in answer.mails]
