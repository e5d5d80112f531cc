"""Which service may call which RPC of usage, and in whose name. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

from servicekit.trust.user_context import UserRow

METHODS: Final = {
    "Record": ("gateway",),
    "GetSpend": ("gateway",),
    "GetRequest": ("gateway",),
    "CheckInvariants": ("operator",),
    "ListModelCallers": ("gateway",),
}
# Calls in a user's name show a context of that user, signed by auth. `Record` and `GetSpend` are the gateway's own: it
# keeps the books and rebuilds budgets from them, with nobody there who could show anything.
IN_THEIR_NAME: Final = {
    "GetRequest": UserRow("user_id", "usage:read"),
    "ListModelCallers": UserRow("admin_user_id", "admin"),
}
REPORT_METHODS: Final = (
    "OrderReport",
    "GetReport",
    "ListReports",
    "DeleteReport",
    "ReadReport",
    "CreateSchedule",
    "ReplaceSchedule",
    "GetSchedule",
    "ListSchedules",
    "DeleteSchedule",
)
# Whoever may see what was spent may have it as a file. A link shows by itself whose report it opens.
REPORTS_IN_THEIR_NAME: Final = {method: UserRow("user_id", "usage:read") for method in REPORT_METHODS}
CALLERS: Final = {f"/razvilka.usage.v1.UsageService/{method}": callers for method, callers in METHODS.items()} | {
    f"/razvilka.usage.v1.ReportService/{method}": ("gateway",) for method in (*REPORT_METHODS, "ReadLinkedReport")
}
