"""Values by kind of column: honest ones, each kind of dirt that real moves met, and anything of any storage class."""

from __future__ import annotations

import base64
import hashlib
import string
from typing import Any, Final

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]


class Raw(bytes):
    """The bytes of a text that need not be UTF-8."""


HASHES: Final = [hashlib.sha256(name.encode()).hexdigest() for name in ("first", "second", "third", "fourth")]
SECOND: Final = 1_000_000
# 2024-02-29 and the year behind it: a leap day, both changes of summer time, and few months of partitions.
_MOMENTS: Final = st.integers(1_709_164_800, 1_735_700_000)
ANYTHING: Final[Values] = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 2**31, 2**31 - 1, 2**53 + 1, 10_000]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=12),
    st.binary(max_size=12),
    st.binary(max_size=12).map(Raw),
    st.sampled_from(["", " ", "\0", "NULL", "now", "a\0b", "1e3", "nan", "Infinity", "١٢", "1_000", "0x1F", "é", "é"]),
)


def mostly(honest: Values, *dirty: Values) -> Values:
    """Return honest values, often; dirty ones, sometimes; anything, now and then."""
    return st.sampled_from([honest] * 6 + [*dirty] * 2 + [ANYTHING]).flatmap(lambda each: each)


@st.composite
def clocks(draw: st.DrawFn) -> str:
    """Return moments as text in the shapes that 1.0 and its operators wrote."""
    day = draw(st.sampled_from(["2024-02-29", "2024-03-31", "2024-10-27", "2024-12-31", "2025-02-29", "2024-06-31"]))
    hour = draw(st.sampled_from(["00", "02", "03", "12", "23", "24"]))
    clock = f"{hour}:{draw(st.sampled_from(['00', '30', '59', '60']))}:{draw(st.sampled_from(['00', '59', '60']))}"
    fraction = draw(st.sampled_from(["", ".5", ".123456", ".123456789", ",25", ".000000000", "."]))
    between = draw(st.sampled_from([" ", "T", " ", "_"]))
    zone = draw(
        st.sampled_from(["", "", "Z", "+03:00", "+0300", " UTC", "-11:30", "+99:99", "+03", "-00:00", " +03:00"])
    )
    return f"{day}{between}{clock}{fraction}{zone}"


STRANGE_TIMES: Final[Values] = st.sampled_from(
    [
        None, "", " ", "now", "yesterday", "infinity", "0000-00-00 00:00:00", "0001-01-01 00:00:00+03:00",
        "0001-01-01T00:00:00", "9999-12-31T23:59:59-03:00", "9999-12-31 23:59:59", "9999-12-31 24:00:00",
        "9999-12-31 23:59:59.999999", "9999-12-31",
        "1970-01-01 00:00:00", "2014-12-31 23:59:59", "2015-01-01 00:00:00", "2100-01-01 00:00:00", "2024-W10-1",
        "03/04/2025", "31.12.2024", "31.12.2024 23:59", "29.02.2025", "2024-05-05", "2024-05-05 12:30", "20240505",
        2_460_000.5, 2_460_000, 1_709_164_800.25, 0, -1, 253_402_300_799, "1709164800", "1709164800.5", "٢٠٢٤-٠٥-٠٥",
    ]
)  # fmt: skip
MOMENTS: Final[Values] = st.one_of(
    _MOMENTS, _MOMENTS.map(lambda seconds: seconds * 1_000), _MOMENTS.map(lambda seconds: seconds * SECOND + 7)
)
TIMES: Final = mostly(st.sampled_from(["2024-03-04 12:00:00", "2024-11-05 23:59:59"]), clocks(), MOMENTS, STRANGE_TIMES)
EXPIRIES: Final = mostly(st.sampled_from([None, "9999-12-31 23:59:59", "2030-01-01 00:00:00"]), clocks(), STRANGE_TIMES)

USER_IDS: Final = mostly(
    st.sampled_from(["u1", "u2", "u3", "{u}:4"]),
    st.sampled_from([b"u1", Raw(b"u1\xff"), "u\n1", "", 1, 1.0, "1", "u1 ", "U1", "x" * 128, "x" * 129, None]),
)
KEY_IDS: Final = mostly(
    st.sampled_from(["k1", "k2", "k3", "k4", "k5"]),
    st.sampled_from([b"k1", 7, "7", "k\t1", "", "y" * 200, None, "k/1", ".."]),
)
_UUID: Final = "0f8fad5b-d9cb-469f-a165-7086772895"
REQUEST_IDS: Final = mostly(
    st.integers(10, 40).map(lambda number: f"{_UUID}{number}"),
    st.integers(10, 14).map(lambda number: f"{_UUID}{number}".upper()),
    st.integers(10, 14).map(lambda number: f"{_UUID}{number}".replace("-", "")),
    st.integers(1, 9).map(lambda number: f"gen-{number}"),
    st.integers(1, 9),
    # Of that millisecond, and of another.
    st.sampled_from(["018e08c6-e400-7000-8000-000000000001", "018e9999-e400-7000-8000-000000000001"]),
    st.sampled_from(["{" + f"{_UUID}10" + "}", f"urn:uuid:{_UUID}10", "g" * 300]),
    st.text(string.printable, min_size=3_000, max_size=3_200),
)

ADDRESSES: Final = mostly(
    st.integers(1, 99).map(lambda number: f"user{number}@example.ru"),
    st.sampled_from(["A@b.ru", "a@b.ru", " a@b.ru ", "ａ@b.ru", "İ@b.ru", "i@b.ru", "i̇@b.ru", "ß@b.ru", "SS@b.ru"]),
    st.sampled_from(
        [
            None,
            "",
            "no address",
            "@",
            "a@",
            "a b@c.ru",
            "a@b.ru\n",
            "x" * 250 + "@b.ru",
            "a\0@b.ru",
            "почта@рф",
            "Ян<a@b.ru>",
            "a@b.ru;",
            "a\u200b@b.ru",
        ]
    ),
)
KEY_HASHES: Final = mostly(
    st.sampled_from(HASHES),
    st.integers(0, 99).map(lambda number: hashlib.sha256(str(number).encode()).hexdigest()),
    st.sampled_from(
        [
            HASHES[0].upper(), f" {HASHES[1]}\n", f"sha256:{HASHES[2]}", f"SHA256:{HASHES[2]}", HASHES[0][:40], None,
            bytes.fromhex(HASHES[3]), base64.b64encode(bytes.fromhex(HASHES[3])).decode(), "sk-abcdefgh", HASHES[0] * 2,
            base64.urlsafe_b64encode(bytes.fromhex(HASHES[0])).decode(), "rz_live_in_the_open_1", "$2b$12$abcdefghijkl",
            "sk-" + "a" * 40,
        ]
    ),
)  # fmt: skip
NAMES: Final = mostly(
    st.text(max_size=8),
    st.sampled_from([None, "😀", "\u202eabc", "x" * 300, "x" * 1_001, "a\0b", Raw(b"\xc3\x28"), b"name", 5, 5.5]),
)

PROVIDERS: Final = mostly(
    st.sampled_from(["gigachat", "yandexgpt"]),
    st.sampled_from([None, "", "GigaChat", " YandexGPT ", "openai", "p" * 257]),
)
MODELS: Final = mostly(
    st.sampled_from(["GigaChat", "yandexgpt:latest"]),
    st.sampled_from(
        ["gigachat/pro", "GIGACHAT-MAX", "yandexgpt/latest", " gpt-4 ", "", None, "m" * 257, "m\0", Raw(b"m\xff")]
    ),
)
TOKENS: Final = mostly(
    st.integers(0, 5_000),
    st.sampled_from(
        ["12", " 12 ", "12.0", 12.0, 12.5, "1,234", "12 tokens", "1_000", "0x1F", -1, 2**31 - 1, 2**31, "", "１２"]
    ),
)
COSTS: Final = mostly(
    st.integers(0, 10**8).map(lambda micro: micro / 1_000_000),
    st.floats(0, 10_000, allow_nan=False),
    st.sampled_from(
        [
            0.1 + 0.2, 0.0000005, 0.0000015, "0.5", " 1.5 ", "1234.000000500000000000000000000001", "12,5", "1e3",
            1e-12, -0.0,
            -1e-12, 9999.9999994, 9999.9999996, 10_000, 1e30, 1e300, float("inf"), None, "", 5, "0.0000005",
        ]
    ),
)  # fmt: skip
