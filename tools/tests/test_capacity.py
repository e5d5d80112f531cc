"""What a rate needs, from the figures that were measured."""

import re

import pytest

from tools.capacity import COLUMNS, FULL, MEASURED, PAGE, costs_of, main, needs, page, table

ROW = "| {case} | 971 | 64.4 | 101.0 | 0 | **1.53** | 1.000 | 0.600 | 0.010 | 0.100 | 0.200 | 0.050 |\n"
TEXT = ROW.format(case="plain, minimal upstream") + ROW.format(case="stream of 20, minimal upstream")


def test_the_page_has_the_tables_of_what_was_measured_last():
    """Else: make capacity ARGS=--write."""
    assert page(PAGE.read_text(), MEASURED.read_text()) == PAGE.read_text()


@pytest.mark.parametrize("program", ["gateway", "router", "Redis"])
def test_the_page_says_of_a_core_what_its_requests_cost(program):
    """As many as there are of the last table's milliseconds in a second."""
    row = rf"\| core of .*{program}.* \| ([\d,]+) plain.* or ([\d,]+) .* at ([\d.]+) and ([\d.]+) CPU-ms"
    told = re.search(row, PAGE.read_text())
    assert told is not None
    *carried, plain, streams = (float(text.replace(",", "")) for text in told.groups())

    measured = [cost[COLUMNS.index(program.lower())] for cost in costs_of(MEASURED.read_text()).values()]

    assert [plain, streams] == measured
    assert carried == pytest.approx([1000 / cost for cost in measured], rel=0.01)


def test_the_page_says_on_how_many_cores_one_suite_carries_what_it_carries():
    """Six tenths of them are used, as in its tables."""
    told = re.search(r"some ([\d,]+) requests a second, .* on about\s+(\d+) cores", PAGE.read_text())
    assert told is not None
    rate, cores = (int(text.replace(",", "")) for text in told.groups())

    used = sum(need.cores for need in needs(rate, 50, MEASURED.read_text()))

    assert cores == round(used / FULL)


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
