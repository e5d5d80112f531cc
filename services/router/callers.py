"""Which service may call which RPC of the router, and in whose name. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

from servicekit.trust.user_context import UserRow

METHODS: Final = ("Converse", "ListModels", "GetProviderStatus", "CountTokens", "GetFile", "DeleteFile")
ADMIN_METHODS: Final = (
    *("ListCircuits", "ResetCircuits", "SetDrained", "ListStatusHistory"),
    *("ListOverrides", "SetOverride", "RemoveOverride", "ListPrices", "AddPrice", "MoveChannel"),
)
OWNERS_METHODS: Final = (
    *("BeginFile", "AddFilePart", "CompleteFile", "FindFile", "ReadFilePart", "ListFiles", "RemoveFile"),
    *("CreateBatch", "FindBatch", "ListBatches", "CancelBatch"),
)
WORKERS_METHODS: Final = (
    *("ClaimBatch", "ReadInput", "AddLines", "StartBatch"),
    *("ClaimLines", "RenewLines", "AddAnswerPart", "FinishLine", "ReleaseLine"),
)
# Asked in nobody's name: by the gateway that asks auth which applications have ended.
APPLICATIONS_METHODS: Final = ("ListApplications", "EndApplications")
PERSONAL_DATA_METHODS: Final = ("ListPersonalData",)
CALLERS: Final = {
    f"/razvilka.router.v1.{service}/{method}": ("gateway",)
    for service, methods in (
        ("RouterService", METHODS),
        ("RouterAdminService", ADMIN_METHODS),
        ("BatchService", (*OWNERS_METHODS, *WORKERS_METHODS, *APPLICATIONS_METHODS)),
        ("PersonalDataService", PERSONAL_DATA_METHODS),
    )
    for method in methods
}
# Calls in a user's name show a context of that user which auth signed. The scope is the one that had the file made.
# A worker goes on for users who are not there; what it may spend, the gateway asks anew for every line.
# The export of a person's data is for whoever may see their account.
IN_THEIR_NAME: Final = {
    **dict.fromkeys(("GetFile", "DeleteFile", *OWNERS_METHODS), UserRow("owner", "completions:write")),
    **dict.fromkeys(PERSONAL_DATA_METHODS, UserRow("user_id", "profile:read")),
}
