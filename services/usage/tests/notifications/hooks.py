"""A webhook of a user that hears of anomalies, for the tests of webhooks."""

from __future__ import annotations

from services.usage.tests.notifications.conftest import USER, House

ANOMALY = {"summary_ru": "Расход вырос втрое.", "summary_en": "Spending has tripled.", "incident": "i-1"}


DAY_S = 86_400


async def hooked(house: House, url: str, user_id: str = USER) -> tuple[str, str]:
    """Return the id and secret of a webhook that is told of anomalies."""
    made = await house.webhook(url, user_id)
    await house.rule("anomaly.detected", [made.channel.id], user_id)
    return made.channel.id, made.secret
