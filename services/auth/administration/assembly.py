"""Composition root of administration."""

from __future__ import annotations

from services.auth.administration.audit import AuditLog
from services.auth.administration.people import People
from services.auth.administration.rpc import AdministrationServicer
from services.auth.administration.store.audit_rows import AuditRows
from services.auth.administration.store.people import PeopleStore
from services.auth.shared.administrators import Administrators
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.audit_log import AuditStore


def assemble_administration(given: Dependencies) -> AdministrationServicer:
    """Return what serves administrators."""
    administrators = Administrators(AccountStore(given.pool))
    people = People(PeopleStore(given.pool), administrators, given.units, clock=given.clock)
    audit = AuditLog(AuditRows(given.pool), AuditStore(given.pool), administrators, clock=given.clock)
    return AdministrationServicer(people, audit)
