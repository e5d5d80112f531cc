"""Lines of the files that batches write: one line to every reader."""

from __future__ import annotations

import json

from services.router.batches.domain.result_lines import EndedLine, result_line
from services.router.batches.domain.values import LineResult, Status


def test_a_line_is_one_line_to_every_reader() -> None:
    """JSON may have Unicode's own line ends as they are; `splitlines` and `iter_lines` of clients split there."""
    said = "раз\u2028два\u2029три\u0085четыре \\\u2028"
    answer = LineResult("request", 200, json.dumps({"content": said}, ensure_ascii=False).encode())

    written = result_line("batch_1", EndedLine(1, f"имя\u2028{said}", answer), Status.COMPLETED).decode()

    (line,) = written.splitlines()
    read = json.loads(line)
    assert (read["custom_id"], read["response"]["body"]["content"]) == (f"имя\u2028{said}", said)
