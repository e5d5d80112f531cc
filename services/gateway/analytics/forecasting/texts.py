"""What a forecast says in words, in Russian and English."""

from __future__ import annotations

from typing import Final

from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.usage_forecasts.values import Forecast, LimitDates
from services.gateway.pages.numbers import numbers_of

# The least history, and the widest band that is still told, are those of the usage service.
REFUSALS: Final = {
    "ru": {
        "short_history": "Недостаточно данных: нужно 3 полных дня с первого расхода, есть {days}.",
        "irregular": "Расход нерегулярен: надёжного прогноза нет.",
    },
    "en": {
        "short_history": "Not enough data: 3 full days since the first spending are needed, there are {days}.",
        "irregular": "Spending is irregular: there is no reliable forecast.",
    },
}
PRELIMINARY: Final = {
    "ru": "Предварительно: история короче недели, смотрите только на границы.",
    "en": "Preliminary: the history is shorter than a week, read the range only.",
}
LIMITS: Final = {
    "ru": {
        "reached": "Лимит {amount} исчерпан.",
        "dated": "Лимит {amount} будет исчерпан {on} (вероятно, {earliest}–{latest}).",
        "open": "Лимит {amount} будет исчерпан {on}, не раньше {earliest}.",
        "early": "Лимит {amount} может быть исчерпан уже {earliest}, но, скорее всего, его хватит.",
        "enough": "Лимита {amount} хватит.",
        "early_endless": "Лимит {amount} может быть исчерпан уже {earliest}, но, скорее всего, не за 35 дней.",
        "enough_endless": "Лимита {amount} хватит не менее чем на 35 дней.",
        "unknown": "Когда будет исчерпан лимит {amount}, предсказать нельзя.",
    },
    "en": {
        "reached": "The limit of {amount} is reached.",
        "dated": "The limit of {amount} will be reached on {on} (probably {earliest} – {latest}).",
        "open": "The limit of {amount} will be reached on {on}, not before {earliest}.",
        "early": "The limit of {amount} may be reached as early as {earliest}, but will most likely be enough.",
        "enough": "The limit of {amount} is enough.",
        "early_endless": "The limit of {amount} may be reached as early as {earliest}, but most likely not in 35 days.",
        "enough_endless": "The limit of {amount} is enough for 35 days at least.",
        "unknown": "When the limit of {amount} will be reached cannot be told.",
    },
}
_KOPECK: Final = 10_000


def refusal_text(forecast: Forecast, language: str) -> str:
    """Return why there is no forecast."""
    return REFUSALS[language][forecast.refusal].format(days=forecast.history_days)


def limit_text(forecast: Forecast, limit: LimitDates, period: str, language: str) -> str:
    """Return when a limit of a period is reached; of one that never ends only what is foretold is known."""
    dates = {"on": limit.on, "earliest": limit.earliest, "latest": limit.latest}
    written = {name: _date(day, language) for name, day in dates.items()}
    kind = _kind(forecast, limit)
    if period == BudgetPeriod.TOTAL.label and f"{kind}_endless" in LIMITS[language]:
        kind = f"{kind}_endless"
    return LIMITS[language][kind].format(amount=_amount(limit.amount, language), **written)


def _kind(forecast: Forecast, limit: LimitDates) -> str:
    if limit.spent >= limit.amount:
        return "reached"
    if forecast.refusal:
        return "unknown"
    if limit.on:
        return "dated" if limit.latest else "open"
    return "early" if limit.earliest else "enough"


def _amount(micro_rub: int, language: str) -> str:
    """Return roubles, with kopecks where there are any, as the language writes them."""
    roubles, kopecks = divmod(micro_rub // _KOPECK, 100)
    comma, blank = (",", "\N{NO-BREAK SPACE}") if language == "ru" else (".", ",")
    fraction = f"{comma}{kopecks:02d}" if kopecks else ""
    amount = f"{roubles:,}".replace(",", blank) + fraction
    return f"{amount}\N{NO-BREAK SPACE}₽" if language == "ru" else f"₽{amount}"


def _date(text: str, language: str) -> str:
    return numbers_of(language).day(text) if text else ""
