"""Which service may call which RPC of auth, and in whose name. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

from servicekit.trust.user_context import UserRow

GATEWAY: Final = ("gateway",)
# A person with a certificate of the name `operator`: the tools of this repository.
OPERATOR: Final = ("operator",)
BOTH: Final = (*GATEWAY, *OPERATOR)

KEYS: Final = {
    "CreateApiKey": BOTH,
    "ListApiKeys": GATEWAY,
    "GetApiKey": GATEWAY,
    "ChangeApiKey": BOTH,
    "RevokeApiKey": BOTH,
    "RotateApiKey": BOTH,
    "VerifyApiKey": BOTH,
    "GetKeyHolder": GATEWAY,
    "GetModelNames": GATEWAY,
    "SetModelNames": GATEWAY,
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
    "ChangeClient": GATEWAY,
    "RotateClientSecret": GATEWAY,
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
BUDGETS: Final = {
    "ListBudgets": GATEWAY,
    "PutBudget": GATEWAY,
    "DeleteBudget": GATEWAY,
    "AdministerListBudgets": GATEWAY,
    "AdministerPutBudget": GATEWAY,
    "AdministerDeleteBudget": GATEWAY,
    "ListOrganizations": GATEWAY,
    "CreateOrganization": GATEWAY,
    "DeleteOrganization": GATEWAY,
    "SetMember": GATEWAY,
    # For what an organization spent, when its counter is rebuilt: nobody is there who could show anything.
    "ListMemberships": GATEWAY,
}
ADMINISTRATION: Final = {
    "ListUsers": GATEWAY,
    "SetTier": GATEWAY,
    "ListAuditEvents": GATEWAY,
    "CheckAuditLog": GATEWAY,
}
# Asked in nobody's name: by the gateway that tells usage, again and again, of those who have channels.
OWNERS: Final = {"GetOwners": GATEWAY}
PERSONAL_DATA: Final = {"ListPersonalData": GATEWAY}
USER_CONTEXTS: Final = {"SignUserContext": GATEWAY}
# Calls in a user's name: the field of the request that names who asks, and the scope that it takes. The call shows a
# credential of theirs that has it.
IN_THEIR_NAME: Final = {
    **dict.fromkeys(("ListApiKeys", "GetApiKey"), UserRow("user_id", "keys:read")),
    **dict.fromkeys(("CreateApiKey", "ChangeApiKey", "RevokeApiKey", "RotateApiKey"), UserRow("user_id", "keys:write")),
    "GetModelNames": UserRow("user_id", "keys:read"),
    "SetModelNames": UserRow("user_id", "keys:write"),
    "ListBudgets": UserRow("user_id", "usage:read"),
    **dict.fromkeys(("PutBudget", "DeleteBudget"), UserRow("user_id", "keys:write")),
    **dict.fromkeys(
        (
            "AdministerListBudgets",
            "AdministerPutBudget",
            "AdministerDeleteBudget",
            "ListOrganizations",
            "CreateOrganization",
            "DeleteOrganization",
            "SetMember",
            *ADMINISTRATION,
        ),
        UserRow("admin_user_id", "admin"),
    ),
    "ListGrants": UserRow("user_id", "profile:read"),
    "RevokeGrant": UserRow("user_id", "profile:write"),
    **dict.fromkeys(
        ("CreateClient", "ListClients", "ChangeClient", "RotateClientSecret", "DeleteClient"),
        UserRow("owner_user_id", "clients:write"),
    ),
    **dict.fromkeys(
        ("GetProfile", "ExportAccount", "ListPersonalData", "ListSessions"), UserRow("user_id", "profile:read")
    ),
    **dict.fromkeys(("UpdateProfile", "DeleteAccount", "RevokeSession"), UserRow("user_id", "profile:write")),
    **dict.fromkeys(("ChangePassword", "EnrollTotp"), UserRow("user_id", "profile:write")),
    **dict.fromkeys(("ConfirmTotp", "DisableTotp"), UserRow("user_id", "profile:write")),
    **dict.fromkeys(("SetUserDisabled", "SetCredentialDisabled", "NoteOrder"), UserRow("admin_user_id", "admin")),
}
CALLERS: Final = {
    f"/razvilka.auth.v1.{service}/{method}": callers
    for service, rows in (
        ("AuthService", KEYS),
        ("OAuthService", OAUTH),
        ("AccountService", ACCOUNTS),
        ("BudgetService", BUDGETS),
        ("AdministrationService", ADMINISTRATION),
        ("UserContextService", USER_CONTEXTS),
        ("OwnerService", OWNERS),
        ("PersonalDataService", PERSONAL_DATA),
    )
    for method, callers in rows.items()
}
