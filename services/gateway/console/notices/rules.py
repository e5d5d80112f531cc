"""/console/alerts: the rules, which say of what somebody is told; and the list of mails and chats."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.budgets.owners import Owners, owners_among, owners_of
from services.gateway.console.credentials import credentials_of
from services.gateway.console.forms.confirming import confirm
from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.faults import Fault, FormRefused, fault_of
from services.gateway.console.forms.shown import done_of, form_page, one_of
from services.gateway.console.forms.values import count_in
from services.gateway.console.makers import with_makers_among
from services.gateway.console.notices.channels import ALERTS, CHANNELS, HOOKS
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

API: Final = "/v1/alerts"
RULE: Final = f"{ALERTS}/rules/{{rule_id}}"
EVENTS: Final = (
    "budget.threshold", "budget.forecast", "anomaly.detected", "model.sunset", "key.expiring", "report.ready",
    "usage.daily_summary",
)  # fmt: skip
FIELDS: Final = ("kind", "channels", "subject", "thresholds", "cooldown_s")
DONE: Final = ("made", "changed", "deleted")


@dataclass(frozen=True, slots=True)
class RulePages:
    """Rules: the list, a new one, changed, switched, deleted."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = (
            (ALERTS, self.show, None),
            (f"{ALERTS}/new", self.ask, self.create),
            (RULE, self.ask_change, self.change),
            (f"{RULE}/switch", None, self.switch),
            (f"{RULE}/delete", self.ask_end, self.end),
        )
        return member_pages(self.shared, pages)

    async def show(self, page: PageContext) -> PageAnswer:
        """List rules and channels."""
        rules, channels, credentials = await asyncio.gather(
            self.api.get(page, API), self._channels(page), credentials_of(page, self.api)
        )
        owners = owners_among(credentials)
        about = [{**rule, "about": _about(rule["subject"] or "", owners)} for rule in rules["data"]]
        ways = [channel for channel in channels if channel["kind"] != "webhook"]
        values = {
            "rules": with_makers_among(credentials, about),
            "names": {channel["id"]: channel for channel in channels},
            "channels": with_makers_among(credentials, ways),
            "done": done_of(page, "alerts", DONE),
        }
        return TemplatePage("alerts/list.html", values)

    async def _channels(self, page: PageContext) -> list[Any]:
        mails, hooks = await asyncio.gather(self.api.get(page, CHANNELS.api), self.api.get(page, HOOKS.api))
        bare = {"url": "", "chat_id": None}
        mine = [*mails["data"], *({**hook, "kind": "webhook"} for hook in hooks["data"])]
        return [{**bare, **channel} for channel in mine]

    async def ask(self, page: PageContext) -> PageAnswer:
        """Show the form for a new rule."""
        channels = [channel["id"] for channel in await self._channels(page) if channel["enabled"]]
        return await self._form(page, draft_of(kind=EVENTS[0], channels=channels, thresholds="50, 80, 90, 100"))

    async def _form(
        self, page: PageContext, draft: Draft, fault: Fault | None = None, rule: Any = None
    ) -> TemplatePage:
        channels, owners = await asyncio.gather(self._channels(page), owners_of(page, self.api))
        own = {f"user:{page.known_user.profile.user_id}": ""}
        subjects = {**own, **_named("key", owners.keys), **_named("grant", owners.apps)}
        subject = (rule or {}).get("subject")
        if subject and subject not in subjects:
            # Of a key that is gone, or an organization: a form without it would widen the rule to everything.
            subjects[subject] = subject.partition(":")[2]
        values = {
            "draft": draft,
            "rule": rule,
            "channels": channels,
            "subjects": subjects,
            "looked_through": owners.looked_through,
            "events": EVENTS,
        }
        return form_page("alerts/form.html", values, fault)

    async def create(self, page: PageContext) -> PageAnswer:
        """Make a rule."""
        draft = Draft(page.form)
        try:
            await self.api.send(page, "POST", API, {"kind": draft.one("kind"), **_said(draft)})
        except (ApiRefused, FormRefused) as exc:
            return await self._form(page, draft, fault_of(exc, "alerts", FIELDS))
        return Redirect(f"{ALERTS}?done=made")

    async def ask_change(self, page: PageContext) -> PageAnswer:
        """Show what a rule says now, to change it."""
        rule = await self._rule(page)
        thresholds = ", ".join(map(str, rule["thresholds"]))
        draft = draft_of(
            kind=rule["kind"],
            channels=rule["channels"],
            subject=rule["subject"] or "",
            thresholds=thresholds,
            cooldown_s=str(rule["cooldown_s"] or ""),
        )
        return await self._form(page, draft, rule=rule)

    async def change(self, page: PageContext) -> PageAnswer:
        """Change a rule; its kind stays."""
        draft, rule = Draft(page.form), await self._rule(page)
        try:
            await self.api.send(page, "PATCH", _api(page), _said(draft))
        except (ApiRefused, FormRefused) as exc:
            return await self._form(page, draft, fault_of(exc, "alerts", FIELDS), rule)
        return Redirect(f"{ALERTS}?done=changed")

    async def switch(self, page: PageContext) -> PageAnswer:
        """Switch a rule on or off."""
        await self.api.send(page, "PATCH", _api(page), {"enabled": first(page.form, "enabled") == "on"})
        return Redirect(f"{ALERTS}?done=changed")

    async def ask_end(self, page: PageContext) -> PageAnswer:
        """Ask whether a rule is to go."""
        await self._rule(page)
        return confirm(page, "alerts.delete", "", ALERTS)

    async def end(self, page: PageContext) -> PageAnswer:
        """Forget a rule."""
        await self.api.send(page, "DELETE", _api(page))
        return Redirect(f"{ALERTS}?done=deleted")

    async def _rule(self, page: PageContext) -> Any:
        return one_of((await self.api.get(page, API))["data"], page.path_value("rule_id"), "rule")


def _said(draft: Draft) -> dict[str, Any]:
    channels = draft.every("channels")
    if not channels:
        raise FormRefused("channels", "alerts.no_channel")
    of_budget = draft.one("kind") == "budget.threshold"
    thresholds = [count_in(text.rstrip("% "), "thresholds") for text in draft.lines("thresholds")]
    return {
        "channels": channels,
        "subject": draft.one("subject"),
        "thresholds": thresholds if of_budget else [],
        "cooldown_s": count_in(draft.one("cooldown_s"), "cooldown_s"),
    }


def _about(subject: str, owners: Owners) -> str:
    kind, _, owner_id = subject.partition(":")
    return owners.name("app" if kind == "grant" else kind, owner_id) or subject


def _named(kind: str, owners: dict[str, str]) -> dict[str, str]:
    return {f"{kind}:{owner_id}": name for owner_id, name in owners.items()}


def _api(page: PageContext) -> str:
    """Return where the API has the rule that the page is about."""
    return f"{API}/{page.path_part('rule_id')}"
