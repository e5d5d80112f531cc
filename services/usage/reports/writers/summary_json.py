"""The summary as one JSON object."""

from __future__ import annotations

from typing import Any, BinaryIO

from services.usage.reports.domain.head import Head
from services.usage.reports.domain.summary import Section, Summary
from services.usage.reports.writers.json_objects import figures_object
from services.usage.reports.writers.json_rows import encode


def write_json(file: BinaryIO, summary: Summary) -> None:
    """Write all of the summary."""
    head = Head(summary.order, summary.taken_at)
    before = summary.previous_period
    whole = {
        "report": head.as_json(),
        "totals": figures_object(summary.totals),
        "previous": {
            "from": head.local(before.since).isoformat(),
            "to": head.local(before.until).isoformat(),
            **figures_object(summary.previous),
        },
        "sections": {section.name: _lines(section) for section in summary.sections},
    }
    file.write(encode(whole) + b"\n")


def _lines(section: Section) -> list[dict[str, Any]]:
    return [{"name": line.name, **figures_object(line.figures)} for line in section.lines]
