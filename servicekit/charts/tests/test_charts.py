"""What a chart promises whoever draws, reads or embeds it."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.charts.chart import Band, Chart, Series, Shape
from servicekit.charts.svg import draw
from servicekit.charts.ticks import ticks, with_room

VALUES = st.one_of(st.none(), st.floats(0, 1e12))


def roubles(value: float) -> str:
    """Return an amount."""
    return f"{value:g} ₽"


@given(st.lists(st.tuples(VALUES, VALUES), max_size=40), st.sampled_from(Shape), st.text(max_size=20))
def test_every_chart_is_xml_that_nobodys_name_breaks(
    rows: list[tuple[float | None, float | None]], shape: Shape, name: str
) -> None:
    """Whatever series are called, whatever they hold: no markup but the chart's own, and nothing outside its frame."""
    shown = "".join(character for character in name if character.isprintable()) + "<b>&\"'"
    series = [Series(shown, [row[0] for row in rows]), Series("b", [row[1] for row in rows])]
    band = Band([0.0] * len(rows), [row[0] for row in rows])
    drawn = draw(Chart(shown, [shown] * len(rows), series, roubles, shape, band))

    tree = ElementTree.fromstring(drawn)
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {
        "svg", "title", "line", "text", "rect", "polyline", "polygon", "circle",
    }  # fmt: skip
    for rect in tree.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.attrib["y"]) >= 0
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= 240
    assert not re.search(r"style=|<script|\son[a-z]+=", drawn)


def test_bars_stand_on_each_other_and_their_heights_are_their_values() -> None:
    """Two series of a column add up: the second begins where the first ends, twice as high for twice the value."""
    tree = ElementTree.fromstring(draw(Chart("t", ["mon"], [Series("a", [10]), Series("b", [20])], roubles)))
    first, second = [rect.attrib for rect in tree.iter("{http://www.w3.org/2000/svg}rect")]

    assert float(second["y"]) + float(second["height"]) == pytest.approx(float(first["y"]), abs=0.2)
    assert float(second["height"]) == pytest.approx(2 * float(first["height"]), abs=0.3)
    assert "mon · b · 20 ₽" in draw(Chart("t", ["mon"], [Series("a", [10]), Series("b", [20])], roubles))


def test_a_gap_is_no_zero() -> None:
    """A line stops before a value that is not there and goes on behind it."""
    chart = Chart("t", list("abcde"), [Series("s", [1, 2, None, 3, 4])], roubles, Shape.LINES)

    assert draw(chart).count("<polyline") == 2
    assert draw(chart).count("<circle") == 4


@given(st.floats(1e-9, 1e15))
def test_an_axis_has_few_round_marks_and_reaches_the_highest_value(highest: float) -> None:
    """Between two and seven marks from zero, evenly apart."""
    marks = ticks(highest)

    assert marks[0] == 0
    assert marks[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(marks) <= 7


def test_labels_are_left_out_evenly_where_there_is_no_room() -> None:
    """Ninety days on an axis with room for ten."""
    assert with_room(["d"] * 90, 10) == list(range(0, 90, 9))
    assert with_room([], 10) == []


def test_labels_of_hours_do_not_lie_on_each_other() -> None:
    """Two days of hours: each label has the room that its letters take."""
    labels = [f"{day}.11 {hour:02d}:00" for day in (27, 28) for hour in range(24)]
    tree = ElementTree.fromstring(draw(Chart("t", labels, [Series("s", [1.0] * 48)], roubles)))
    texts = tree.iter("{http://www.w3.org/2000/svg}text")
    places = [float(text.attrib["x"]) for text in texts if text.attrib["text-anchor"] == "middle"]

    # Twelve figures high, a figure is 6.7 wide in the widest of our fonts.
    assert min(after - before for before, after in pairwise(places)) > 6.7 * len(labels[0])


def test_series_of_another_length_are_refused() -> None:
    """A value without a label, or a label without a value, would move all that follow."""
    with pytest.raises(ValueError, match="one value for each label"):
        Chart("t", ["a"], [Series("s", [1, 2])], roubles)


def test_a_billion_has_room_beside_its_axis() -> None:
    """The axis moves aside for what its marks are called: no label begins left of the picture."""
    chart = Chart("", ["a"], [Series("b", [999_999_999.9])], lambda value: f"{value:,.0f} ₽".replace(",", " "))

    marks = [each for each in ElementTree.fromstring(draw(chart)).iter() if each.get("text-anchor") == "end"]

    assert max(len(mark.text or "") for mark in marks) == len("1 000 000 000 ₽")
    # Figures of a font of twelve pixels are seven wide, as a rule.
    assert all(float(mark.attrib["x"]) - 7 * len(mark.text or "") >= 0 for mark in marks)


@pytest.mark.parametrize("most", [5.0, 999_999_999.9], ids=["narrow marks", "wide marks"])
def test_columns_are_where_scripts_are_told_that_they_are(most: float) -> None:
    """Also where the axis has moved aside: what is under the pointer is what is read out."""
    days = list("abcdefg")
    chart = Chart("", days, [Series("b", [most] * 7)], lambda value: f"{value:,.0f} ₽")

    tree = ElementTree.fromstring(draw(chart))
    left, step = float(tree.attrib["data-left"]), float(tree.attrib["data-step"])
    bars = [rect.attrib for rect in tree.iter("{http://www.w3.org/2000/svg}rect")]
    middles = [float(bar["x"]) + float(bar["width"]) / 2 for bar in bars]

    assert middles == pytest.approx([left + step * (column + 0.5) for column in range(7)], abs=0.2)
