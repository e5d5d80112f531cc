"""The export of a person's data, as the description tells it; the services that keep the data write it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

Rows = list[dict[str, Any]]


class PersonalDataBody(BaseModel):
    """Everything that is known of a user, but what has a download of its own."""

    profile: dict[str, Any] = Field(description="The account: address, name, language, time zone, tier.")
    api_keys: Rows = Field(description="API keys, also those that ended; never what would let somebody in.")
    model_names: Rows = Field(description="Names by which their keys know models.")
    budgets: Rows = Field(description="Budgets, their own and those that an administrator set.")
    organizations: Rows = Field(description="Organizations they belong or belonged to.")
    external_identities: Rows = Field(description="Accounts elsewhere by which they log in.")
    recovery_codes: Rows = Field(description="When recovery codes were made and used; not the codes.")
    invitations: Rows = Field(description="Invitations that were mailed to them.")
    login_attempts: Rows = Field(description="Logins that were tried: when, from where, with what outcome.")
    audit_log: Rows = Field(description="What the audit log says of the account itself.")
    applications: dict[str, Rows] = Field(description="Applications they let in (`grants`) and own (`applications`).")
    sessions: Rows = Field(description="Sessions that are open.")
    notification_channels: Rows = Field(description="Where notices go, with the target; without secrets of webhooks.")
    alert_rules: Rows = Field(description="What they are told of.")
    report_schedules: Rows = Field(description="Reports that come by themselves.")
    reports: Rows = Field(description="Reports that are kept: what was ordered, size, state; the files at /v1/reports.")
    anomalies: Rows = Field(description="Days and hours that cost more than expected, and what they said of them.")
    recommendations: Rows = Field(description="Advice, and what they decided.")
    files: Rows = Field(description="Files, whichever key or application stored them; contents at /v1/files.")
    batches: Rows = Field(description="Batches, whichever key or application began them, and how far they are.")
    credential_audit_log: Rows = Field(
        description="What the audit log says of their keys, grants and applications (`subject`)."
    )
