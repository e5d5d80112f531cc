"""Which service may call which RPC of auth, and in whose name. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

GATEWAY: Final = ("gateway",)
# A person with a certificate of the name `operator`: the tools of this repository.
OPERATOR: Final = ("operator",)
BOTH: Final = (*GATEWAY, *OPERATOR)

KEYS: Final = {
    "CreateApiKey": BOTH,
    "ListApiKeys": GATEWAY,
    "RevokeApiKey": BOTH,
    "RotateApiKey": BOTH,
    "VerifyApiKey": BOTH,
}
OAUTH: Final = {
    "Authorize": GATEWAY,
    "DecideConsent": GATEWAY,
    "PushAuthorization": GATEWAY,
    "Token": GATEWAY,
    "Revoke": GATEWAY,
    "Introspect": GATEWAY,
    "UserInfo": GATEWAY,
    "RegisterClient": GATEWAY,
    "StartDevice": GATEWAY,
    "FindDevice": GATEWAY,
    "DecideDevice": GATEWAY,
    "GetKeys": GATEWAY,
    "RotateSigningKey": OPERATOR,
    "GetGrant": GATEWAY,
    "ListGrants": GATEWAY,
    "RevokeGrant": GATEWAY,
    "CreateClient": BOTH,
    "ListClients": BOTH,
    "DeleteClient": GATEWAY,
    "ListRevocations": GATEWAY,
}
ACCOUNTS: Final = {
    "Register": GATEWAY,
    "VerifyEmail": GATEWAY,
    "Reauthenticate": GATEWAY,
    "Login": GATEWAY,
    "Logout": GATEWAY,
    "GetSession": GATEWAY,
    "ListSessions": GATEWAY,
    "RevokeSession": GATEWAY,
    "RequestPasswordReset": GATEWAY,
    "ResetPassword": GATEWAY,
    "ChangePassword": GATEWAY,
    "EnrollTotp": GATEWAY,
    "ConfirmTotp": GATEWAY,
    "DisableTotp": GATEWAY,
    "GetProfile": BOTH,
    "UpdateProfile": GATEWAY,
    "ExportAccount": GATEWAY,
    "DeleteAccount": GATEWAY,
    "StartExternalLogin": GATEWAY,
    "FinishExternalLogin": GATEWAY,
    "ListExternalProviders": GATEWAY,
    "SetUserDisabled": GATEWAY,
    "SetCredentialDisabled": GATEWAY,
    "NoteOrder": GATEWAY,
    "SeedUser": OPERATOR,
    "ListOutbox": GATEWAY,
}
USER_CONTEXTS: Final = {"SignUserContext": GATEWAY}
# Calls in a user's name, by the field of the request that names who asks; the call shows a credential of theirs.
IN_THEIR_NAME: Final = {
    **dict.fromkeys(("CreateApiKey", "ListApiKeys", "RevokeApiKey", "RotateApiKey"), "user_id"),
    **dict.fromkeys(("ListGrants", "RevokeGrant"), "user_id"),
    **dict.fromkeys(("CreateClient", "ListClients", "DeleteClient"), "owner_user_id"),
    **dict.fromkeys(("ListSessions", "RevokeSession", "ChangePassword"), "user_id"),
    **dict.fromkeys(("EnrollTotp", "ConfirmTotp", "DisableTotp"), "user_id"),
    **dict.fromkeys(("GetProfile", "UpdateProfile", "ExportAccount", "DeleteAccount"), "user_id"),
    **dict.fromkeys(("SetUserDisabled", "SetCredentialDisabled", "NoteOrder"), "admin_user_id"),
}
CALLERS: Final = {
    f"/razvilka.auth.v1.{service}/{method}": callers
    for service, rows in (
        ("AuthService", KEYS),
        ("OAuthService", OAUTH),
        ("AccountService", ACCOUNTS),
        ("UserContextService", USER_CONTEXTS),
    )
    for method, callers in rows.items()
}
