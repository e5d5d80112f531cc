"""The pages of reports and their schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from services.gateway.analytics.grammar import PERIODS
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import Fault, fault_of
from services.gateway.console.forms.shown import done_of, form_page
from services.gateway.console.makers import with_makers
from services.gateway.console.reports import orders
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PATH: Final = f"{CONSOLE}/reports"
SCHEDULES: Final = f"{PATH}/schedules"
API: Final = "/v1/reports"
API_SCHEDULES: Final = f"{API}/schedules"
CHOICES: Final = {
    "formats": orders.FORMATS,
    "kinds": orders.KINDS,
    "periods": PERIODS,
    "rhythms": orders.RHYTHMS,
}
DONE: Final = ("ordered", "deleted", "scheduled", "switched", "unscheduled")


@dataclass(frozen=True, slots=True)
class ReportPages:
    """Reports: ordered, followed, fetched, deleted; schedules."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = (
            (PATH, self.show, self.order),
            (f"{SCHEDULES}/new", self.ask_schedule, self.schedule),
            (f"{SCHEDULES}/{{schedule_id}}/switch", None, self.switch),
            (f"{SCHEDULES}/{{schedule_id}}/delete", self.ask_schedule_end, self.end_schedule),
            (f"{PATH}/{{report_id}}/delete", self.ask_end, self.end),
        )
        return member_pages(self.shared, pages)

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the form, the reports there are, and the schedules."""
        return await self._list(page, orders.blank(page.language))

    async def _list(self, page: PageContext, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        reports, schedules = await asyncio.gather(self.api.get(page, API), self.api.get(page, API_SCHEDULES))
        values = {
            **CHOICES,
            "draft": draft,
            "reports": [{**each, "link": _link(each)} for each in reports["data"]],
            "schedules": await with_makers(page, self.api, schedules["data"]),
            "busy": any(each["status"] in ("queued", "running") for each in reports["data"]),
            "done": done_of(page, "reports", DONE),
        }
        return replace(form_page("reports/list.html", values, fault), scripted=True)

    async def order(self, page: PageContext) -> PageAnswer:
        """Order a report; the page follows it."""
        draft = Draft(page.form)
        try:
            await self.api.send(page, "POST", API, orders.new_report(draft))
        except ApiRefused as exc:
            return await self._list(page, draft, fault_of(exc, "reports", orders.FIELDS))
        return Redirect(f"{PATH}?done=ordered")

    async def ask_end(self, page: PageContext) -> PageAnswer:
        """Ask whether a report is to go."""
        report = await self.api.get(page, f"{API}/{page.path_part('report_id')}")
        return confirm(page, "reports.delete", report["file_name"], PATH)

    async def end(self, page: PageContext) -> PageAnswer:
        """Delete a report, or stop it."""
        await self.api.send(page, "DELETE", f"{API}/{page.path_part('report_id')}")
        return Redirect(f"{PATH}?done=deleted")

    async def ask_schedule(self, page: PageContext) -> PageAnswer:
        """Show the form for a new schedule."""
        return self._schedule_form(orders.blank(page.language))

    def _schedule_form(self, draft: Draft, fault: Fault | None = None) -> TemplatePage:
        return form_page("reports/schedule.html", {**CHOICES, "draft": draft}, fault)

    async def schedule(self, page: PageContext) -> PageAnswer:
        """Have reports made again and again."""
        draft = Draft(page.form)
        try:
            await self.api.send(page, "POST", API_SCHEDULES, orders.new_schedule(draft))
        except ApiRefused as exc:
            return self._schedule_form(draft, fault_of(exc, "reports", orders.FIELDS))
        return Redirect(f"{PATH}?done=scheduled")

    async def switch(self, page: PageContext) -> PageAnswer:
        """Have a schedule rest, or go on."""
        path = f"{API_SCHEDULES}/{page.path_part('schedule_id')}"
        now = await self.api.get(page, path)
        said = {name: now[name] for name in orders.SCHEDULE if now[name] is not None}
        await self.api.send(page, "PUT", path, {**said, "paused": first(page.form, "paused") == "on"})
        return Redirect(f"{PATH}?done=switched")

    async def ask_schedule_end(self, page: PageContext) -> PageAnswer:
        """Ask whether a schedule is to go."""
        await self.api.get(page, f"{API_SCHEDULES}/{page.path_part('schedule_id')}")
        return confirm(page, "reports.unschedule", "", PATH)

    async def end_schedule(self, page: PageContext) -> PageAnswer:
        """Delete a schedule; what it made stays."""
        await self.api.send(page, "DELETE", f"{API_SCHEDULES}/{page.path_part('schedule_id')}")
        return Redirect(f"{PATH}?done=unscheduled")


def _link(report: Mapping[str, Any]) -> str:
    """Return where a browser fetches a report: here, whatever address the gateway goes by elsewhere."""
    if not report["url"]:
        return ""
    parts = urlsplit(report["url"])
    return f"{parts.path}?{parts.query}"
