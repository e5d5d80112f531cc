"""Lines that a person mended: what cannot be read is one line that names the line, the field and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.report.values import as_stored, stored_of
from migrate.retrying.edits import WrongEdit, read_edits
from migrate.rules.verdict import Stored, Text

OF_USAGE = '{"table": "usage", "rowid": 1'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "line 1 is no JSON"),
        ("[1]", "line 1 is no JSON object"),
        ('{"table": "provider_status", "rowid": 1}', "table must be one of users, api_keys, usage"),
        ('{"table": "usage", "rowid": "1"}', "rowid must be the number"),
        ('{"table": "usage", "rowid": true}', "rowid must be the number"),
        (OF_USAGE + ', "values": [1]}', "values must be an object"),
        (OF_USAGE + ', "values": {"cost": true}}', "values.cost: must be a string"),
        (OF_USAGE + ', "values": {"cost": {"class": "blob", "hex": "xyz"}}}', "values.cost: "),
        (OF_USAGE + ', "values": {"cost": {"class": "integer", "value": "1"}}}', "values.cost: must be"),
        (OF_USAGE + ', "naive_zone": "Moscow"}', "naive_zone 'Moscow' is no IANA time zone"),
        (OF_USAGE + ', "naive_zone": 3}', "naive_zone 3 is no IANA time zone"),
        (OF_USAGE + "}\n\n" + OF_USAGE + "}", "line 3: row 1 of usage is in line 1, too"),
    ],
)
def test_a_line_that_cannot_be_retried_names_the_field_and_the_fix(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mended.jsonl"
    path.write_text(text)

    with pytest.raises(WrongEdit) as wrong:
        read_edits(path)

    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\n")
    for name in ("absent", "latin", "."):
        with pytest.raises(WrongEdit, match="cannot be read"):
            read_edits(tmp_path / name)


@pytest.mark.parametrize(
    "value", [None, 0, -(2**63), 1.5, float("inf"), Text(b""), Text(b"\xff\x00"), Text("я".encode()), b"", b"\xff"]
)
def test_every_value_comes_back_from_the_report_as_it_was(value: Stored) -> None:
    back = stored_of(as_stored(value))

    assert (type(back), back) == (type(value), value)
