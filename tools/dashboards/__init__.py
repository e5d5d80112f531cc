"""Grafana's dashboards as code: `deploy/observability/dashboards` is made from here and never edited by hand.

It owns which question is shown on which board; it never asks a metric that the services do not declare (a test looks).
"""
