"""Query and form parameters, parsed as strictly as RFC 6749 3.1 and 3.2 require."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from services.auth.oauth.domain.refusal import invalid_request

# Far above any honest request; the edge has its own limit of 56 KiB.
MAX_TOTAL_LENGTH: Final = 65_536
MAX_COUNT: Final = 100


class Params:
    """The parameters of one request. An empty one counts as absent; repeated ones are noted."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        given = list(pairs)
        counts = Counter(name for name, _ in given)
        self.repeated: frozenset[str] = frozenset(name for name, count in counts.items() if count > 1)
        self._oversized = len(given) > MAX_COUNT or sum(len(n) + len(v) for n, v in given) > MAX_TOTAL_LENGTH
        self._values = {name: value for name, value in given if value}

    def get(self, name: str) -> str | None:
        """Return the value; None when it is absent, empty or ambiguous."""
        return None if name in self.repeated else self._values.get(name)

    def given(self) -> list[tuple[str, str]]:
        """Return what is not empty, as far as it is unambiguous."""
        return [(name, value) for name, value in self._values.items() if name not in self.repeated]

    def changed(self, left_out: Collection[str], added: Mapping[str, str]) -> Params:
        """Return these parameters without some and with others."""
        kept = [(name, value) for name, value in self.given() if name not in left_out]
        return Params([*kept, *added.items()])

    def require(self, name: str) -> str:
        """Return the value.

        Raises:
            OAuthRefusal: invalid_request, it is missing.
        """
        value = self.get(name)
        if value is None:
            raise invalid_request(f"The parameter {name} is missing.")
        return value

    def check_unambiguous(self) -> None:
        """Refuse repeated parameters, and more of them than any client sends.

        Raises:
            OAuthRefusal: invalid_request.
        """
        if self._oversized:
            raise invalid_request("The request is too large.")
        if self.repeated:
            raise invalid_request("A parameter must not be repeated.")
