"""Texts of notifications in Russian and English: subject and text of each kind of event.

A name in braces is a fact, or one as people write it (`wording`); what it holds never becomes part of a pattern.
"""

from __future__ import annotations

from typing import Final

from services.usage.notifications.domain.kinds import EventKind

# Between which days a forecast may come true, by language and whether the last of them is within the period.
LIKELY: Final = {
    ("ru", True): " (вероятно, с {earliest} по {latest})",
    ("ru", False): " (возможно, уже {earliest})",
    ("en", True): " (probably between {earliest} and {latest})",
    ("en", False): " (perhaps as early as {earliest})",
}
# Whose a budget is, by the kind of its subject; an account needs no name, and whoever reads knows no ids.
BUDGETS: Final = {
    ("ru", "user"): "Бюджет учётной записи",
    ("ru", "key"): "Бюджет ключа «{name}»",
    ("ru", "grant"): "Бюджет приложения «{name}»",
    ("ru", "organization"): "Бюджет организации «{name}»",
    ("en", "user"): "Budget of the account",
    ("en", "key"): "Budget of the key “{name}”",
    ("en", "grant"): "Budget of the application “{name}”",
    ("en", "organization"): "Budget of the organization “{name}”",
}
ANY_BUDGET: Final = {"ru": "Бюджет «{name}»", "en": "Budget “{name}”"}
# What a channel is called that nobody gave a name, by its kind.
CHANNELS: Final = {
    ("ru", "email"): "Почта",
    ("ru", "telegram"): "Telegram",
    ("ru", "webhook"): "Вебхук",
    ("en", "email"): "Mail",
    ("en", "telegram"): "Telegram",
    ("en", "webhook"): "Webhook",
}
TEXTS: Final[dict[tuple[EventKind, str], tuple[str, str]]] = {
    (EventKind.BUDGET_THRESHOLD, "ru"): (
        "Израсходовано {threshold}\u00a0% бюджета",
        "{budget}: израсходовано {spent} из {limit}, это не меньше {threshold}\u00a0%.\nПериод заканчивается: {ends}.",
    ),
    (EventKind.BUDGET_THRESHOLD, "en"): (
        "{threshold}% of a budget is spent",
        "{budget}: {spent} of {limit} is spent, {threshold}% or more.\nThe period ends: {ends}.",
    ),
    (EventKind.BUDGET_FORECAST, "ru"): (
        "Бюджет закончится раньше срока",
        "{budget}: израсходовано {spent} из {limit}. При нынешнем темпе он закончится {reached}{likely}.\n"
        "Период заканчивается: {ends}.",
    ),
    (EventKind.BUDGET_FORECAST, "en"): (
        "A budget will be spent early",
        "{budget}: {spent} of {limit} is spent. At the present pace it will be reached on {reached}{likely}.\n"
        "The period ends: {ends}.",
    ),
    (EventKind.BUDGET_RECOVERED, "ru"): (
        "В бюджете снова есть средства",
        "{budget}: израсходовано {spent} из {limit}. Запросы снова принимаются.",
    ),
    (EventKind.BUDGET_RECOVERED, "en"): (
        "A budget has room again",
        "{budget}: {spent} of {limit} is spent. Requests are let through again.",
    ),
    (EventKind.ANOMALY_DETECTED, "ru"): ("Необычный расход", "{summary}"),
    (EventKind.ANOMALY_DETECTED, "en"): ("Unusual spending", "{summary}"),
    (EventKind.MODEL_SUNSET, "ru"): (
        "Модель {model} скоро отключат",
        "Модель {model} работает до {shutdown}, осталось дней: {days_left}. "
        "За последние 30 дней вы отправили ей запросов: {requests}.\nЗамена: {successor}.",
    ),
    (EventKind.MODEL_SUNSET, "en"): (
        "The model {model} ends soon",
        "The model {model} works until {shutdown}, days left: {days_left}. "
        "Requests you sent it in the last 30 days: {requests}.\nSuccessor: {successor}.",
    ),
    (EventKind.KEY_EXPIRING, "ru"): (
        "Ключ «{name}» скоро перестанет работать",
        "Ключ API «{name}» работает до {expires}, осталось дней: {days_left}.\nЗамените его заранее.",
    ),
    (EventKind.KEY_EXPIRING, "en"): (
        "The key “{name}” expires soon",
        "The API key “{name}” works until {expires}, days left: {days_left}.\nReplace it in time.",
    ),
    (EventKind.REPORT_READY, "ru"): ("Отчёт готов", "Отчёт «{name}» готов.\n{url}"),
    (EventKind.REPORT_READY, "en"): ("Your report is ready", "The report “{name}” is ready.\n{url}"),
    (EventKind.REPORT_FAILED, "ru"): (
        "Отчёт не получился",
        "Отчёт «{name}» не удалось составить: закажите период короче или другой формат.\nОтвет сервиса: {error}",
    ),
    (EventKind.REPORT_FAILED, "en"): (
        "Your report failed",
        "The report “{name}” could not be made: order a shorter period or another format.\nThe service says: {error}",
    ),
    (EventKind.DAILY_SUMMARY, "ru"): (
        "Расход за {date}: {cost}",
        "За {date} израсходовано {cost}, запросов: {requests}, токенов: {tokens_input} на входе и {tokens_output} "
        "на выходе.\nДнём раньше: {cost_before}.",
    ),
    (EventKind.DAILY_SUMMARY, "en"): (
        "Spent on {date}: {cost}",
        "On {date} {cost} was spent, requests: {requests}, tokens: {tokens_input} in and {tokens_output} out.\n"
        "The day before: {cost_before}.",
    ),
    (EventKind.WEBHOOK_DISABLED, "ru"): (
        "Канал уведомлений «{channel}» отключён",
        "На канал «{channel}» ничего не доставлено с {since}, он отключён. Недоставленное можно отправить снова, "
        "когда вы его включите.",
    ),
    (EventKind.WEBHOOK_DISABLED, "en"): (
        "The notification channel “{channel}” was switched off",
        "Nothing has reached the channel “{channel}” since {since}, so it was switched off. What did not arrive can be "
        "sent again once you switch it on.",
    ),
    (EventKind.TEST, "ru"): ("Проверка уведомлений", "Это проверка: канал «{channel}» работает."),
    (EventKind.TEST, "en"): ("Notification test", "This is a test: the channel “{channel}” works."),
}
# Of a period or a model that has none.
NOTHING: Final = {"ru": "нет", "en": "none"}
