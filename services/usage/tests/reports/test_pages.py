"""Pages of a PDF: what is on them stays in its place."""

from __future__ import annotations

import re

from services.usage.reports.domain.order import Format
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.reports.files import text_of
from services.usage.tests.reports.histories import file_of, history, order, store_history

# As long as the name of a key may be, and no place in it where a line could end.
LONG = "W" * 100
# What the cell of a name takes, and the page from its edge.
LETTERS_OF_A_CELL = 25
LETTERS_OF_A_PAGE = 160


async def test_long_names_do_not_run_over_the_figures_beside_them(generation, store):
    """Keys are called without spaces: the name lay over the whole row and beyond the page."""
    await store_history(store, history(30))
    asked = order(Format.PDF, key_names={"key-0": LONG}, filters={Dimension.KEY: ("key-0", "x" * 300)})

    text = text_of(await file_of(generation, asked))

    lines = re.findall("W+", text)
    assert "".join(lines) == LONG
    assert max(map(len, lines)) < LETTERS_OF_A_CELL
    assert max(map(len, re.findall("x+", text))) < LETTERS_OF_A_PAGE
    # Whoever copies a name gets the name.
    assert "\u200b" not in text
