"""The board that compares providers, and the one of YandexGPT's versions."""

from __future__ import annotations

from typing import Final

from tools.dashboards.board import Board, Limit, Row, graph, listing, quantiles, rate_by

AFTER_FALLBACK: Final = "a model failed and another one answered in its place"
_ANSWERS: Final = Row(
    "Answers",
    (
        graph(
            "Calls",
            "How much does each provider answer?",
            rate_by("razvilka_router_attempts_total", "provider"),
            unit="reqps",
        ),
        graph(
            "Failed share",
            "Which provider fails, and how much of it?",
            (
                'sum by (provider) (rate(razvilka_router_attempts_total{outcome=~"PROVIDER_.+"}[$__rate_interval]))'
                " / sum by (provider) (rate(razvilka_router_attempts_total[$__rate_interval]))",
                "{{provider}}",
            ),
            unit="percentunit",
            only_after="a provider failed",
            limit=Limit(0.5),
        ),
        graph(
            "Outcomes",
            "What do its calls end with?",
            rate_by("razvilka_router_attempts_total", "provider", "outcome"),
            unit="reqps",
        ),
    ),
)
_SPEED: Final = Row(
    "Speed and price",
    (
        graph(
            "First content",
            "Who begins to speak first?",
            *quantiles("razvilka_router_first_content_seconds", "provider"),
            unit="s",
        ),
        graph(
            "Tokens a second",
            "How much is said?",
            rate_by("razvilka_router_tokens_total", "provider", "direction"),
        ),
        graph(
            "Roubles an hour",
            "What does it cost?",
            (
                "sum by (provider) (rate(razvilka_gateway_cost_micro_rub_total[$__rate_interval])) * 3600 / 1e6",
                "{{provider}}",
            ),
            unit="currencyRUB",
        ),
    ),
)
_TROUBLE: Final = Row(
    "Trouble",
    (
        graph(
            "Circuits",
            "Which models are left out? 0 asked, 1 probed, 2 left out.",
            ('max by (provider, model) (razvilka_router_circuit_state{model!=""})', "{{provider}} {{model}}"),
            limit=Limit(2),
        ),
        graph(
            "Openings",
            "What are they left out for?",
            (
                "sum by (provider, cause) (increase(razvilka_router_circuit_openings_total[1h]))",
                "{{provider}} {{cause}}",
            ),
        ),
        graph(
            "Fallbacks",
            "For whom did another model answer, and why?",
            rate_by("razvilka_router_fallbacks_total", "provider", "reason"),
            only_after=AFTER_FALLBACK,
        ),
        graph(
            "Requests without a provider",
            "Who could not be answered by anybody?",
            ("sum by (model) (increase(razvilka_router_no_healthy_provider_total[1h]))", "{{model}}"),
        ),
    ),
)
_QUOTAS: Final = Row(
    "Quotas and credentials",
    (
        graph(
            "Slots in use",
            "How much of the quota is used?",
            ("sum by (line) (razvilka_router_slots_in_use)", "{{line}}"),
        ),
        graph("Waiting for a slot", "Is the line long?", ("sum by (line) (razvilka_router_queue_waiting)", "{{line}}")),
        graph(
            "Wait for a slot",
            "How long do calls wait?",
            *quantiles("razvilka_router_queue_wait_seconds", "line", of=(0.95,)),
            unit="s",
            limit=Limit(10),
        ),
        graph(
            "Access tokens of providers",
            "Are tokens got when they are needed?",
            rate_by("razvilka_router_token_refreshes_total", "provider", "source"),
            (
                "sum by (provider) (rate(razvilka_router_token_refresh_failures_total[$__rate_interval]))",
                "failed {{provider}}",
            ),
        ),
    ),
)
COMPARISON: Final = Board(
    "razvilka-providers",
    "Razvilka: providers compared",
    "Errors, speed, price, circuits and quotas of each provider.",
    (_ANSWERS, _SPEED, _TROUBLE, _QUOTAS),
)

_YANDEX: Final = '{provider="yandexgpt"}'
_VERSIONS: Final = Row(
    "Versions",
    (
        listing(
            "What channels stand for",
            "Which model of Yandex answers to a name now?",
            f"max by (model, resolved) (razvilka_router_model_resolved_info{_YANDEX})",
        ),
        listing(
            "Last days",
            "Which versions end, and in how many days?",
            f"(max by (model) (razvilka_router_model_shutdown_timestamp_seconds{_YANDEX}) - time()) / 86400",
            unit="d",
            only_after="a model of the catalogue has a shutdown date",
        ),
        graph(
            "Requests",
            "Which versions are used?",
            rate_by(f"razvilka_router_attempts_total{_YANDEX}", "model"),
            unit="reqps",
        ),
    ),
)
_QUALITY: Final = Row(
    "How each version does",
    (
        graph(
            "Errors by class",
            "What do its failures end with?",
            (
                'sum by (model, outcome) (rate(razvilka_router_attempts_total{provider="yandexgpt",outcome!="OK"}'
                "[$__rate_interval])) > 0",
                "{{model}} {{outcome}}",
            ),
            only_after="YandexGPT failed",
        ),
        graph(
            "First content",
            "Is a version slower than another?",
            (
                "histogram_quantile(0.95, sum by (model, le) (rate("
                f"razvilka_router_first_content_seconds_bucket{_YANDEX}[$__rate_interval])))",
                "{{model}}",
            ),
            unit="s",
        ),
        graph(
            "Tokens of answers a second",
            "How fast does it speak, all answers together?",
            (
                'sum by (model) (rate(razvilka_router_tokens_total{provider="yandexgpt",direction="output"}'
                "[$__rate_interval]))",
                "{{model}}",
            ),
        ),
        graph(
            "Tokens an answer",
            "Are a version's answers longer?",
            (
                'sum by (model) (rate(razvilka_router_tokens_total{provider="yandexgpt",direction="output"}'
                "[$__rate_interval])) / sum by (model) (rate(razvilka_router_attempts_total"
                '{provider="yandexgpt",outcome="OK"}[$__rate_interval]))',
                "{{model}}",
            ),
        ),
    ),
)
_YANDEX_QUEUE: Final = Row(
    "Quota of the folder",
    (
        graph(
            "Slots",
            "How much of the folder's quota is in use, and how much is there?",
            ('sum by (line) (razvilka_router_slots_in_use{line=~"yandexgpt.*"})', "in use: {{line}}"),
            ('max by (line) (razvilka_router_slots_quota{line=~"yandexgpt.*"})', "quota: {{line}}"),
        ),
        graph(
            "Queue",
            "How many wait for a slot?",
            ('sum by (line) (razvilka_router_queue_waiting{line=~"yandexgpt.*"})', "{{line}}"),
        ),
        graph(
            "Fallbacks",
            "How often does another model answer for a version?",
            rate_by(f"razvilka_router_fallbacks_total{_YANDEX}", "model", "reason"),
            only_after=AFTER_FALLBACK,
        ),
        graph(
            "Canaries",
            "Does the version that is being tried fail more often?",
            rate_by("razvilka_router_canary_answers_total", "channel", "side", "outcome"),
            only_after="a canary was set up",
        ),
    ),
)
YANDEX: Final = Board(
    "razvilka-yandexgpt",
    "Razvilka: versions of YandexGPT",
    "Channels, versions, their errors, speed and last days.",
    (_VERSIONS, _QUALITY, _YANDEX_QUEUE),
)
