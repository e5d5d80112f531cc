"""What is measured of batches."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

LINES: Final = Counter(
    "razvilka_gateway_batch_lines_total",
    "Lines of batches by what became of them: answered, failed, later (given back), lost (another gateway has it).",
    ["outcome"],
)
RUNNING: Final = Gauge("razvilka_gateway_batch_lines_running", "Lines of batches that are being answered.")
FILES: Final = Counter(
    "razvilka_gateway_batch_files_total", "Input files of batches that were looked through: good, wrong.", ["outcome"]
)
