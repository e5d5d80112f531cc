"""The boards of the service itself: its objectives, one request's way, and how much room is left."""

from __future__ import annotations

from typing import Final

from tools.dashboards.board import Board, Limit, Panel, Row, at_least, graph, number, quantiles, rate_by

BUDGETS: Final = {"availability": "0.001", "first_token": "0.05", "money": "0.0001"}
JOBS: Final = 'job=~"razvilka-.+"'


def _left(slo: str) -> Panel:
    return number(
        f"Allowance left: {slo}",
        "How much of what may go wrong in three days is left? Below 0 it is overspent.",
        f'1 - razvilka:slo_errors:ratio_rate3d{{slo="{slo}"}} / {BUDGETS[slo]}',
        unit="percentunit",
        limit=at_least(0),
    )


def _burning(window: str) -> Panel:
    return graph(
        f"Errors over {window}",
        "Which share of requests breaks a promise?",
        (f"razvilka:slo_errors:ratio_rate{window}", "{{slo}}"),
        unit="percentunit",
    )


OBJECTIVES: Final = Board(
    "razvilka-slo",
    "Razvilka: objectives",
    "What is promised, how much of the allowance is spent, and which alarms ring (docs/operations/slo.md).",
    (
        Row("Left", tuple(_left(slo) for slo in BUDGETS)),
        Row("Spent", tuple(_burning(window) for window in ("5m", "1h", "6h"))),
        Row(
            "Alarms",
            (
                graph(
                    "Alarms",
                    "What rings?",
                    ('count by (alertname, severity) (ALERTS{alertstate="firing"})', "{{severity}} {{alertname}}"),
                    only_after="an alarm rang",
                ),
                graph(
                    "Errors told to callers",
                    "What do they hear?",
                    (
                        # Series of errors that nobody has heard are there, too: not each needs a line.
                        "sum by (route, code) (rate(razvilka_gateway_errors_total[$__rate_interval])) > 0",
                        "{{route}} {{code}}",
                    ),
                    unit="reqps",
                ),
                graph(
                    "Processes that answer",
                    "Is everybody there?",
                    (f"sum by (job) (up{{{JOBS}}})", "{{job}}"),
                ),
            ),
        ),
    ),
)

WAY: Final = Board(
    "razvilka-way",
    "Razvilka: one request's way",
    "Where the time of a request goes, from the first byte to the row in the books.",
    (
        Row(
            "At the edge",
            (
                graph(
                    "Requests",
                    "What is asked for?",
                    rate_by("razvilka_gateway_requests_total", "route", "status"),
                    unit="reqps",
                ),
                graph(
                    "Answered in",
                    "How long does it take?",
                    *quantiles("razvilka_gateway_request_seconds", "route"),
                    unit="s",
                ),
                graph(
                    "Limits decided in",
                    "Is Redis slow?",
                    *quantiles("razvilka_gateway_admission_seconds", of=(0.5, 0.99)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Between the services",
            (
                graph(
                    "RPCs",
                    "Who is called how often, and what is answered?",
                    rate_by("razvilka_rpc_server_seconds_count", "job", "method", "outcome"),
                    unit="reqps",
                ),
                graph(
                    "RPCs take",
                    "Which are slow?",
                    *quantiles("razvilka_rpc_server_seconds", "job", "method", of=(0.95,)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "At the provider",
            (
                graph(
                    "In line for a slot",
                    "Does it wait?",
                    *quantiles("razvilka_router_queue_wait_seconds", "line", of=(0.95,)),
                    unit="s",
                    limit=Limit(10),
                ),
                graph(
                    "First content",
                    "When does the provider begin?",
                    *quantiles("razvilka_router_first_content_seconds", "model", of=(0.95,)),
                    unit="s",
                ),
                graph(
                    "First token sent",
                    "When does the caller see it?",
                    *quantiles("razvilka_gateway_first_token_seconds", "model", of=(0.95,)),
                    unit="s",
                    limit=Limit(2.5),
                ),
            ),
        ),
        Row(
            "Into the books",
            (
                graph(
                    "Shipped",
                    "Do records leave the journal?",
                    (
                        "sum by (instance) (rate(razvilka_gateway_usage_shipped_total[$__rate_interval]))",
                        "{{instance}}",
                    ),
                ),
                graph(
                    "Stored in",
                    "How long until they are durable?",
                    *quantiles("razvilka_usage_record_seconds"),
                    unit="s",
                ),
            ),
        ),
    ),
)

CAPACITY: Final = Board(
    "razvilka-capacity",
    "Razvilka: capacity",
    "What is used of CPU, memory, connections and quotas, and what will be full first.",
    (
        Row(
            "Load",
            (
                graph(
                    "Requests under way",
                    "How many are being answered?",
                    ("sum by (instance) (razvilka_gateway_in_flight)", "{{instance}}"),
                ),
                graph(
                    "Requests a second",
                    "How many come?",
                    ("sum by (instance) (rate(razvilka_gateway_requests_total[$__rate_interval]))", "{{instance}}"),
                    unit="reqps",
                ),
                graph(
                    "RPCs under way",
                    "Where do calls pile up?",
                    ("sum by (job) (razvilka_rpc_server_in_flight)", "{{job}}"),
                ),
            ),
        ),
        Row(
            "Processes",
            (
                graph(
                    "CPU",
                    "Which process uses its core up? 1 is a whole one.",
                    (
                        f"sum by (job, instance) (rate(process_cpu_seconds_total{{{JOBS}}}[$__rate_interval]))",
                        "{{job}} {{instance}}",
                    ),
                ),
                graph(
                    "Memory",
                    "Which process grows?",
                    (f"process_resident_memory_bytes{{{JOBS}}}", "{{job}} {{instance}}"),
                    unit="bytes",
                ),
                graph(
                    "Event loop late by",
                    "Who has too much to do?",
                    *quantiles("razvilka_event_loop_lag_seconds", "job", of=(0.99,)),
                    unit="s",
                    limit=Limit(0.25),
                ),
                graph(
                    "Open files",
                    "How much of what a process may open is open?",
                    (f"process_open_fds{{{JOBS}}} / process_max_fds{{{JOBS}}}", "{{job}} {{instance}}"),
                    unit="percentunit",
                ),
            ),
        ),
        Row(
            "What they share",
            (
                graph(
                    "Connections to PostgreSQL",
                    "How many of a pool are in use?",
                    (
                        'razvilka_postgres_connections{state="open"}'
                        ' - ignoring (state) razvilka_postgres_connections{state="idle"}',
                        "{{job}} {{instance}} {{pool}}",
                    ),
                ),
                graph(
                    "Slots of providers",
                    "How much of the quota is used?",
                    (
                        "sum by (line) (razvilka_router_slots_in_use)"
                        " / max by (line) (razvilka_router_slots_quota > 0)",
                        "{{line}}",
                    ),
                    unit="percentunit",
                ),
                graph(
                    "Connections refused",
                    "Are there too many clients?",
                    rate_by("razvilka_gateway_connections_refused_total", "limit"),
                    only_after="more clients connected than may",
                ),
                graph(
                    "Series",
                    "How many series does each process export?",
                    (f"sum by (job) (scrape_samples_scraped{{{JOBS}}})", "{{job}}"),
                ),
            ),
        ),
    ),
)
