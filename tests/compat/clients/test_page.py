"""The page of client libraries keeps the rows of those that a run leaves out."""

from tests.compat.clients.page import Tried, page, renewed, rows_of

OLD = Tried("openai 3.57.0", {"chat": "", "stream": "", "tools": "TypeError: a | b"}, day="2026-11-27")
NODE = Tried("openai 6.49.0 (npm)", {"chat": ""}, day="2026-11-27")
GONE = Tried("forgotten 1.0", {"chat": ""}, day="2026-11-01")
ORDER = ["openai", "openai (npm)"]


def test_a_page_is_read_as_it_was_written() -> None:
    """Notes become problems again, and what is not tried stays so."""
    written = page([OLD, NODE])

    read = [*rows_of(written)]

    assert read == [OLD, NODE]
    assert page(read) == written


def test_a_run_renews_the_row_of_its_library_only() -> None:
    """The same package of another registry keeps its row; a library that is no longer run loses it."""
    new = Tried("openai 4.0", {"chat": "", "tools": ""}, day="2026-11-29")

    rows = [*rows_of(renewed(page([GONE, OLD, NODE]), new, ORDER))]

    assert rows == [new, NODE]


def test_a_known_failure_is_explained_by_its_reason() -> None:
    """The page gives the reason, not the library's text."""
    tried = Tried("some 1.0", {"tools": "KeyError: 'x'"}, {"tools": "it reads another form"}, "2026-11-29")

    assert "1. some 1.0: it reads another form" in page([tried])
