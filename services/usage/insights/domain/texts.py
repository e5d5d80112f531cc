"""Texts of findings in Russian and English; braces name values. A test keeps both languages in step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.usage.insights.domain.values import Locale

TEXTS: Final[Mapping[str, Mapping[Locale, str]]] = {
    "peak_hours": {
        "ru": "На {hours} ({zone}) приходится {share} запросов.",
        "en": "{share} of the requests come at {hours} ({zone}).",
    },
    "weekday_profile": {
        "ru": "По {weekday} расход на {above} выше среднего, по {least} он наименьший.",
        "en": "On {weekday} spending is {above} above the mean, on {least} it is lowest.",
    },
    "burstiness": {
        "ru": "Нагрузка импульсная: пик против среднего {times} : 1; вероятны ответы 429.",
        "en": "The load comes in bursts: the peak is {times} times the mean; expect answers 429.",
    },
    "mix_shift": {
        "ru": "Доля {model} изменилась с {before} до {after} ({change} за неделю).",
        "en": "The share of {model} went from {before} to {after} ({change} a week).",
    },
    "driver_split": {
        "ru": "{change} за {days}: объём {volume}, состав моделей {mix}, цены {price}.",
        "en": "{change} in {days}: volume {volume}, mix of models {mix}, prices {price}.",
    },
    "io_ratio": {
        "ru": "{model}: токены запроса к токенам ответа {ratio} : 1; сократите контекст.",
        "en": "{model}: {ratio} tokens of input for 1 of output; send less context.",
    },
    "io_ratio_low": {
        "ru": "{model}: токены запроса к токенам ответа {ratio} : 1; ограничьте длину ответов.",
        "en": "{model}: {ratio} tokens of input for 1 of output; bound the length of answers.",
    },
    "error_hotspot": {
        "ru": "Ошибка {code} у ключа {key} на {model}: {share} запросов.",
        "en": "Error {code} of the key {key} at {model}: {share} of its requests.",
    },
    "cacheable": {
        "ru": "{share} запросов повторяются дословно. Кэш сэкономил бы до {saving} в месяц.",
        "en": "{share} of the requests are exact repetitions. A cache would save up to {saving} a month.",
    },
    "cheaper_model": {
        "ru": "{share} вызовов {model} короткие. {other}: до {saving} в месяц. Проверьте качество на 50 запросах.",
        "en": "{share} of the calls of {model} are short. {other}: up to {saving} a month. "
        "Check quality on 50 requests.",
    },
    "deprecated": {
        "ru": "Модель {model} отключат {day}; {requests} за 14 дней. Замена: {successor}.",
        "en": "The model {model} ends on {day}; {requests} in 14 days. Go over to {successor}.",
    },
    "deprecated_alone": {
        "ru": "Модель {model} отключат {day}; {requests} за 14 дней. Выберите замену.",
        "en": "The model {model} ends on {day}; {requests} in 14 days. Choose another one.",
    },
    "oversize_ctx": {
        "ru": "{model}: {share} запросов занимают больше 80{nbsp}% окна: риск обрезки.",
        "en": "{model}: {share} of the requests fill more than 80% of the window: they may be cut.",
    },
    "oversize_ctx_short_answers": {
        "ru": "{model}: в {share} запросов больше 8 тысяч токенов, а ответ короче 200; сократите контекст.",
        "en": "{model}: {share} of the requests have over 8,000 tokens and an answer below 200; send less context.",
    },
    "max_tokens_waste": {
        "ru": "{model}: {share} ответов обрезаны по max_tokens.",
        "en": "{model}: {share} of the answers were cut by max_tokens.",
    },
    "idle_key": {
        "ru": "Ключ {key} не используется {days}: отзовите его.",
        "en": "The key {key} has not been used for {days}: revoke it.",
    },
    "retry_storm": {
        "ru": "{series} повторов без пауз за {days}: включите экспоненциальную задержку.",
        "en": "{series} of retries without a pause in {days}: turn exponential backoff on.",
    },
    "limit_eta": {
        "ru": "Лимит {limit} ({name}) будет исчерпан {day} (вероятно, {early}–{late}).",
        "en": "The limit of {limit} ({name}) will be reached on {day} (likely {early} to {late}).",
    },
    "limit_reached": {
        "ru": "Лимит {limit} ({name}) исчерпан.",
        "en": "The limit of {limit} ({name}) is reached.",
    },
    "provider_gap": {
        "ru": "До первого токена (p95): {slow} {slow_time}, {fast} {fast_time}.",
        "en": "Time to first token (p95): {slow} {slow_time}, {fast} {fast_time}.",
    },
    "provider_gap_errors": {
        "ru": "Ошибки: {slow} {slow_share}, {fast} {fast_share}.",
        "en": "Errors: {slow} {slow_share}, {fast} {fast_share}.",
    },
    "anomaly": {
        "ru": "{day} расход {actual} при ожидаемых {expected}. Главная причина: {cause} ({excess}).",
        "en": "On {day} spending was {actual}, expected was {expected}. Main cause: {cause} ({excess}).",
    },
    "anomaly_days": {
        "ru": "С {day} по {last_day} расход {actual} при ожидаемых {expected}. Главная причина: {cause} ({excess}).",
        "en": "From {day} to {last_day} spending was {actual}, expected was {expected}. "
        "Main cause: {cause} ({excess}).",
    },
    "anomaly_hour": {
        "ru": "{day} за час {time} ({zone}) расход {actual} при ожидаемых {expected}. "
        "Главная причина: {cause} ({excess}).",
        "en": "On {day} spending in the hour {time} ({zone}) was {actual}, expected was {expected}. "
        "Main cause: {cause} ({excess}).",
    },
}
