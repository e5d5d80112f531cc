"""What a rate needs, from the figures that were measured."""

import pytest

from tools.capacity import MEASURED, PAGE, costs_of, main, needs, page, table

ROW = "| {case} | 971 | 64.4 | 101.0 | 0 | **1.53** | 1.000 | 0.600 | 0.010 | 0.100 | 0.200 | 0.050 |\n"
TEXT = ROW.format(case="plain, minimal upstream") + ROW.format(case="stream of 20, minimal upstream")


def test_the_page_has_the_tables_of_what_was_measured_last():
    """Else: make capacity ARGS=--write."""
    assert page(PAGE.read_text(), MEASURED.read_text()) == PAGE.read_text()


def test_processes_are_never_more_than_six_tenths_full_and_never_alone():
    """A gateway at 1 CPU-ms a request and 1,000 a second fills a core: that is two; auth is hardly asked."""
    found = {need.program: need for need in needs(1000, 0, TEXT)}

    assert (found["gateway"].cores, found["gateway"].processes) == (1.0, 2)
    assert found["auth"].processes == 2
    assert {need.program: need.processes for need in needs(6000, 0, TEXT)}["gateway"] == 10
    assert found["redis"].processes == 0


def test_one_redis_is_said_to_be_too_little():
    """It has one core for scripts: nobody should order a larger machine for it."""
    assert "| redis | 0.58 | one server, 1 core |" in table(2900, 0, TEXT)
    assert "| redis | 0.80 | more than one Redis carries |" in table(4000, 100, TEXT)


def test_a_page_without_the_figures_is_refused_by_the_row():
    """Nothing is made up."""
    with pytest.raises(ValueError, match="stream of 20"):
        costs_of(TEXT.splitlines()[0])


@pytest.mark.parametrize("given", [["--rate", "x"], ["--rate", "-1"], ["--rate", "nan"], ["--streams", "101"]])
def test_what_is_no_rate_is_refused_by_name(given, capsys):
    """With status 2, as of every command."""
    with pytest.raises(SystemExit) as ended:
        main(given)

    assert ended.value.code == 2
    assert given[0] in capsys.readouterr().err
