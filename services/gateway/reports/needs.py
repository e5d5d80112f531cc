"""What the routes of reports need."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Open, Scope

REPORTS: Final = "/v1/reports"
REPORT: Final = "/v1/reports/{report_id}"
CONTENT: Final = "/v1/reports/{report_id}/content"
DOWNLOAD: Final = "/v1/reports/{report_id}/download"
SCHEDULES: Final = "/v1/reports/schedules"
SCHEDULE: Final = "/v1/reports/schedules/{schedule_id}"

# Whoever may see what was spent may have it as a file, also regularly: nothing is spent or shown that was not before.
# The link of a download shows by itself what it opens.
NEEDS: Final[Needs] = {
    **dict.fromkeys((REPORTS, REPORT, CONTENT, SCHEDULES, SCHEDULE), Scope.USAGE_READ),
    DOWNLOAD: Open.EVERYONE,
}
