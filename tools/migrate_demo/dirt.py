"""One row of each kind of dirt that real moves met, by table; the kind is in the id where the id is not the dirt."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

DAY: Final = "2026-02-03"
WHEN: Final = f"{DAY} 10:00:00"
UNIX: Final = 1_770_112_800
OWNER: Final = "user-001"
# Texts whose bytes are no UTF-8: SQLite stores what it is given.
BROKEN: Final = b"caf\xe9"

TIMES: Final[dict[str, Any]] = {
    "iso-zone": f"{DAY}T10:00:00+03:00",
    "fraction": f"{DAY} 10:00:00.123456",
    "naive": f"{DAY}T10:00:00.5",
    "date-alone": DAY,
    "dotted": "03.02.2026",
    "unix-s": UNIX,
    "unix-ms": UNIX * 1_000,
    "unix-us": UNIX * 1_000_000,
    "julian": 2_461_074.75,
    "leap-second": f"{DAY} 23:59:60",
    "hour-24": f"{DAY} 24:00:00",
    "no-such-day": "2026-02-30 10:00:00",
    "now": "now",
    "year-1": "0001-01-01 00:00:00",
    "year-9999": "9999-12-31 23:59:59",
    "empty": "",
    "null": None,
}
COSTS: Final[dict[str, Any]] = {
    "noise": 0.1 + 0.2,
    "seven-decimals": 0.1234567,
    "null": None,
    "word": "free",
    "comma": "1,50",
    "text": "1.50",
    "infinity": float("inf"),
    "negative": -1.5,
    "ten-thousand": 10_000.0,
}
TOKENS: Final[dict[str, Any]] = {
    "text": "12",
    "real": 12.0,
    "fraction": 12.5,
    "comma": "1,234",
    "words": "12 tokens",
    "underscore": "1_000",
    "hex": "0x1F",
    "negative": -1,
    "null": None,
    "empty": "",
    "large": 2**31,
}
UUID: Final = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
REQUEST_IDS: Final[tuple[Any, ...]] = (
    UUID,
    UUID.upper(),
    UUID.replace("-", ""),
    "gen-1",
    "GEN-1",
    42,
    b"\x00\xff",
    None,
    "",
)
MODELS: Final[tuple[Any, ...]] = (
    "yandexgpt/latest", "GigaChat-Pro", "gpt-4", "  ", "", None, BROKEN, "a\0b", "m" * 300,
)  # fmt: skip
PROVIDERS: Final[tuple[Any, ...]] = ("GigaChat", "YANDEXGPT", "elsewhere", None, "")
METADATA: Final[tuple[Any, ...]] = ('{"team": "search"}', "{broken", '"\\u0000"', "NaN", "[" * 3_000, BROKEN)
NAMES: Final[dict[str, Any]] = {
    "null": None,
    "emoji": "ключ 🔑",
    "right-to-left": "\u202eyek",
    "control": "a\tb\x07",
    "long": "n" * 300,
    "nul": "a\0b",
    "no-utf8": BROKEN,
}
ADDRESSES: Final[dict[str, Any]] = {
    "blanks": " Blanks@Example.ru ",
    "case-1": "same@example.ru",
    "case-2": "SAME@example.ru",
    "composed": "caf\u00e9@example.ru",
    "decomposed": "cafe\u0301@example.ru",
    "null": None,
    "empty": "",
    "long": "x" * 250 + "@example.ru",
    "none": "no address",
}
USER_IDS: Final[tuple[Any, ...]] = ("{user}:1", None, "", "u" * 129, 77, "a\0b", "пользователь")


def digest(secret: str) -> str:
    """Return what 1.0 keeps of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hashes() -> dict[str, Any]:
    """Return key hashes as installations had them."""
    raw = hashlib.sha256(b"raw").digest()
    return {
        "upper": digest("upper").upper(),
        "blanks": f" {digest('blanks')} ",
        "prefix": f"sha256:{digest('prefix')}",
        "base64": base64.b64encode(hashlib.sha256(b"base64").digest()).decode(),
        "raw": raw,
        "plaintext": "rz_live_" + "plaintext" * 4,
        "bcrypt": "$2b$12$" + "a" * 53,
        "md5": hashlib.md5(b"md5", usedforsecurity=False).hexdigest(),
        "sha512": hashlib.sha512(b"sha512").hexdigest(),
        "cut": digest("cut")[:40],
        "null": None,
        "twice-1": digest("twice"),
        "twice-2": digest("twice"),
    }


def users() -> list[tuple[Any, ...]]:
    """Return dirty users: id, email, created_at, updated_at, tier."""
    rows: list[tuple[Any, ...]] = [
        (f"address-{kind}", address, WHEN, WHEN, None) for kind, address in ADDRESSES.items()
    ]
    rows += [(f"time-{kind}", f"time-{kind}@example.ru", time, WHEN, None) for kind, time in TIMES.items()]
    rows += [(id_, f"id-{number}@example.ru", WHEN, WHEN, None) for number, id_ in enumerate(USER_IDS)]
    rows += [("tier-pro", "pro@example.ru", WHEN, WHEN, "pro"), ("tier-gold", "gold@example.ru", WHEN, WHEN, "gold")]
    return rows


def keys() -> list[tuple[Any, ...]]:
    """Return dirty keys: id, user_id, key_hash, name, created_at, expires_at, last_used_at."""
    rows: list[tuple[Any, ...]] = [
        (f"hash-{kind}", OWNER, hash_, "laptop", WHEN, None, None) for kind, hash_ in hashes().items()
    ]
    rows += [(f"name-{kind}", OWNER, digest(f"name-{kind}"), name, WHEN, None, None) for kind, name in NAMES.items()]
    rows += [(f"expiry-{kind}", OWNER, digest(f"expiry-{kind}"), "", WHEN, time, time) for kind, time in TIMES.items()]
    shared = digest("of two users")
    rows += [("shared-1", OWNER, shared, "", WHEN, None, None), ("shared-2", "user-002", shared, "", WHEN, None, None)]
    rows += [("orphan", "gone", digest("orphan"), "", WHEN, None, None)]
    rows += [("of-nobody", None, digest("nobody"), "", WHEN, None, None)]
    rows += [(None, OWNER, digest("no id"), "", WHEN, None, None)]
    return rows


def usage() -> list[tuple[Any, ...]]:
    """Return dirty usage: id, user_id, provider, model, tokens_input, tokens_output, cost, created_at, metadata."""
    plain = (OWNER, "gigachat", "GigaChat", 10, 20, 0.5, WHEN, None)

    def row(id_: Any, **changes: Any) -> tuple[Any, ...]:
        names = ("user_id", "provider", "model", "tokens_input", "tokens_output", "cost", "created_at", "metadata")
        return (id_, *(changes.get(name, value) for name, value in zip(names, plain, strict=True)))

    rows = [row(id_) for id_ in REQUEST_IDS]
    rows += [row(f"time-{kind}", created_at=time) for kind, time in TIMES.items()]
    rows += [row(f"cost-{kind}", cost=cost) for kind, cost in COSTS.items()]
    rows += [row(f"tokens-{kind}", tokens_input=tokens) for kind, tokens in TOKENS.items()]
    rows += [row(f"model-{number}", model=model) for number, model in enumerate(MODELS)]
    rows += [row(f"provider-{number}", provider=provider) for number, provider in enumerate(PROVIDERS)]
    rows += [row(f"metadata-{number}", metadata=metadata) for number, metadata in enumerate(METADATA)]
    rows += [row("orphan", user_id="gone"), row("of-nobody", user_id=None), row("of-id-0", user_id="{user}:1")]
    return rows
