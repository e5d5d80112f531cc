"""/v1/reports/schedules: reports that come by themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as PathParam

from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.reports.bodies import DeletedReportBody, ScheduleBody, ScheduleList, ScheduleOrder
from services.gateway.reports.needs import SCHEDULE, SCHEDULES
from services.gateway.reports.parts import ReportParts
from services.gateway.reports.views import rhythm_of, schedule_body

ScheduleId = Annotated[str, PathParam(max_length=64)]
Given = Annotated[ScheduleOrder, Depends(json_of(ScheduleOrder))]


def schedules_router(parts: ReportParts) -> APIRouter:
    """Return the routes of schedules; they show a caller their own only."""
    router = APIRouter(tags=["reports"])
    _add_list(router, parts)
    _add_one(router, parts)
    return router


def _add_list(router: APIRouter, parts: ReportParts) -> None:
    @router.post(SCHEDULES, response_model=ScheduleBody, status_code=201)
    async def create_schedule(context: Context, order: Given) -> ScheduleBody:
        """Have a report made of each day, week or month. Whoever wants to be told adds a rule for `report.ready`."""
        _, wishes = await parts.understood(order, context)
        caller, rhythm = context.known_caller, rhythm_of(order)
        made = await parts.reports.create_schedule(caller.user_id, wishes, rhythm, context.call, maker=caller.subject)
        return schedule_body(made)

    @router.get(SCHEDULES, response_model=ScheduleList)
    async def list_schedules(context: Context) -> ScheduleList:
        """List the schedules, oldest first."""
        found = await parts.reports.list_schedules(context.known_caller.user_id, context.call)
        return ScheduleList(data=[schedule_body(each) for each in found])


def _add_one(router: APIRouter, parts: ReportParts) -> None:
    @router.get(SCHEDULE, response_model=ScheduleBody)
    async def get_schedule(context: Context, schedule_id: ScheduleId) -> ScheduleBody:
        """Return a schedule."""
        user_id = context.known_caller.user_id
        return schedule_body(await parts.reports.find_schedule(user_id, schedule_id, context.call))

    @router.put(SCHEDULE, response_model=ScheduleBody)
    async def replace_schedule(context: Context, schedule_id: ScheduleId, order: Given) -> ScheduleBody:
        """Replace all of a schedule."""
        _, wishes = await parts.understood(order, context)
        user_id, rhythm = context.known_caller.user_id, rhythm_of(order)
        changed = await parts.reports.replace_schedule(user_id, schedule_id, wishes, rhythm, context.call)
        return schedule_body(changed)

    @router.delete(SCHEDULE, response_model=DeletedReportBody)
    async def delete_schedule(context: Context, schedule_id: ScheduleId) -> DeletedReportBody:
        """Delete a schedule; reports that it made stay."""
        await parts.reports.delete_schedule(context.known_caller.user_id, schedule_id, context.call)
        return DeletedReportBody(id=schedule_id, object="report_schedule")
