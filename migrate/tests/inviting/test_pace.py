"""How fast mails go out."""

from __future__ import annotations

import pytest

from migrate.inviting.pace import Pace, pieces, read_pace
from servicekit.testing import FakeClock


@pytest.mark.parametrize(
    ("text", "per_s"), [("5/s", 5.0), ("0.5/s", 0.5), ("120/min", 2.0), ("1800/h", 0.5), ("1000/s", 1000.0)]
)
def test_a_rate_is_a_number_in_a_time(text: str, per_s: float) -> None:
    assert read_pace(text).per_s == pytest.approx(per_s)


@pytest.mark.parametrize("text", ["", "5", "0/s", "-1/s", "5/d", "1001/s", "1e3/s", "nan/s", "٥/s", "5 /s", "5/s/s"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="5/s, 100/min or 1000/h"):
        read_pace(text)


@pytest.mark.parametrize(
    ("per_s", "sizes", "slept"), [(2.0, [2, 2, 1], [1.0, 1.0]), (0.5, [1, 1, 1, 1, 1], [2.0] * 4), (9.0, [5], [])]
)
async def test_pieces_go_out_at_the_pace(per_s: float, sizes: list[int], slept: list[float]) -> None:
    clock = FakeClock(auto_advance=True)

    found = [list(piece) async for piece in pieces([str(n) for n in range(5)], Pace(per_s), clock)]

    assert [len(piece) for piece in found] == sizes
    assert [id_ for piece in found for id_ in piece] == ["0", "1", "2", "3", "4"]
    assert clock.slept_s == pytest.approx(slept)
