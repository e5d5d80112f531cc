"""What the pages count."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

FORMS_REFUSED: Final = Counter(
    "razvilka_gateway_forms_refused_total", "Form posts that did not come from our own page.", ["why"]
)
POLICY_REPORTS: Final = Counter(
    "razvilka_gateway_policy_reports_total", "Violations of a page's policy that browsers reported.", ["directive"]
)
