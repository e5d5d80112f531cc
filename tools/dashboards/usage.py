"""The board of usage: what is used, what it costs, what is refused, and whether the books are whole."""

from __future__ import annotations

from typing import Final

from tools.dashboards.board import Board, Limit, Row, graph, number, quantiles, rate_by

_USED: Final = Row(
    "Used",
    (
        graph(
            "Tokens",
            "How much is asked and said, by model?",
            rate_by("razvilka_gateway_tokens_total", "model", "direction"),
        ),
        graph(
            "Roubles an hour",
            "What does it cost, by model?",
            (
                "sum by (model) (rate(razvilka_gateway_cost_micro_rub_total[$__rate_interval])) * 3600 / 1e6",
                "{{model}}",
            ),
            unit="currencyRUB",
        ),
        graph(
            "How requests end",
            "Completed, interrupted, failed?",
            rate_by("razvilka_gateway_completions_total", "outcome"),
            unit="reqps",
        ),
        graph(
            "Answers from the cache",
            "Does the cache spare anything?",
            rate_by("razvilka_gateway_cached_answers_total", "outcome"),
            only_after="a request asked for the cache",
        ),
    ),
)
_LIMITED: Final = Row(
    "Limits and budgets",
    (
        graph("Refused by limit", "Which limits refuse?", rate_by("razvilka_gateway_limits_hit_total", "dimension")),
        graph(
            "Would have been refused",
            "What would limits refuse that only watch?",
            rate_by("razvilka_gateway_limits_shadowed_total", "dimension"),
        ),
        graph(
            "Budgets told of",
            "How often were people told that a budget is at 80 % or spent, and of what else?",
            rate_by("razvilka_usage_notification_events_total", "kind"),
            only_after="a rule of somebody's told of something",
        ),
        graph(
            "Budgets that let pass or wait",
            "How many pass a budget that only warns, and how many wait for room?",
            ("sum(rate(razvilka_gateway_soft_budgets_exceeded_total[$__rate_interval]))", "passed a soft budget"),
            ("sum by (outcome) (rate(razvilka_gateway_budget_waits_total[$__rate_interval]))", "waited: {{outcome}}"),
        ),
    ),
)
_BOOKED: Final = Row(
    "From the journal to the books",
    (
        graph(
            "Records in the journal",
            "How many are served and not yet booked?",
            ("sum by (instance) (razvilka_gateway_journal_unacked_records)", "{{instance}}"),
        ),
        graph(
            "Oldest of them",
            "How far do the books lag behind?",
            ("max by (instance) (razvilka_gateway_journal_oldest_unacked_seconds)", "{{instance}}"),
            unit="s",
            limit=Limit(300),
        ),
        graph("Records stored", "What becomes of records?", rate_by("razvilka_usage_records_total", "outcome")),
        graph(
            "A batch becomes durable", "Is the database slow?", *quantiles("razvilka_usage_record_seconds"), unit="s"
        ),
    ),
)
_WHOLE: Final = Row(
    "Are the books whole?",
    (
        number(
            "Invariants broken",
            "Do rows and sums agree? 0 is right.",
            "sum(razvilka_usage_invariants_broken)",
            limit=Limit(1),
        ),
        number(
            "Last compared",
            "How long ago were they compared?",
            "time() - max(razvilka_usage_invariants_checked_timestamp_seconds)",
            unit="s",
            limit=Limit(1800),
        ),
        number(
            "Dead letters",
            "Which answers have no row? 0 is right.",
            "sum(razvilka_gateway_dead_letters)",
            limit=Limit(1),
        ),
        graph(
            "Unusual bills",
            "Which bills does somebody have to look at?",
            ("sum by (flag) (increase(razvilka_gateway_unusual_bills_total[1h]))", "{{flag}}"),
        ),
    ),
)
_DERIVED: Final = Row(
    "Made of them",
    (
        graph(
            "Notifications",
            "Does what people want to hear arrive?",
            rate_by("razvilka_usage_notifications_total", "channel", "outcome"),
            only_after="somebody had himself notified",
        ),
        graph(
            "Reports",
            "Are reports made?",
            rate_by("razvilka_usage_reports_total", "format", "outcome"),
            only_after="somebody ordered a report",
        ),
        number(
            "Forecast",
            "Were four of five days inside the band that was foretold for them? 0.8 is right.",
            "max(razvilka_usage_forecast_coverage_ratio)",
            unit="percentunit",
        ),
    ),
)
BOARD: Final = Board(
    "razvilka-usage",
    "Razvilka: usage",
    "Tokens, roubles, limits, budgets, and whether the books are whole.",
    (_USED, _LIMITED, _BOOKED, _WHOLE, _DERIVED),
)
