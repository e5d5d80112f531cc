"""Which passwords are accepted: long enough and not a common one; no composition rules (NIST SP 800-63B)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest

# Own words of this product, which its guessers try first.
OWN_WORDS: Final = ("razvilka", "развилка")
MIN_WORD: Final = 4
# A password of which that little is left when the known word is taken away is that word.
MIN_REST: Final = 4
# Characters that one of the normal form can be written with, at most.
LONGEST_LETTER: Final = 4


def normal_form(given: str) -> str:
    """Return the password as it is hashed: two keyboards that write one text differently give one password."""
    return unicodedata.normalize("NFKC", given)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """Minimum and maximum length in characters, and common passwords in lower case."""

    common: frozenset[str]
    min_length: int = 8
    max_length: int = 256

    @property
    def _longest(self) -> int:
        """The most characters that an acceptable password is typed with."""
        return LONGEST_LETTER * self.max_length

    def check(self, given: str, known_words: Iterable[str] = ()) -> str:
        """Return the password in its normal form, whole: it is never cut.

        Args:
            given: as it was typed.
            known_words: what a guesser knows of this person, such as the address.

        Raises:
            InvalidRequest: too short, too long, or one that is guessed first.
        """
        # The normal form of many accents in a row takes time that grows with its square.
        password = normal_form(given) if len(given) <= self._longest else given
        if not self.min_length <= len(password) <= self.max_length:
            text = f"The password must have {self.min_length} to {self.max_length} characters."
            raise _refused(text, "length", min_length=str(self.min_length), max_length=str(self.max_length))
        if self._is_guessed_first(password.lower(), known_words):
            raise _refused("This password is among the first that are tried. Choose another.", "common")
        return password

    def is_acceptable_guess(self, given: str) -> bool:
        """Tell whether an entered password can be anybody's: what is too long is not hashed at all.

        Its length is that of the normal form, as of a new one: a keyboard may write й as two characters.
        """
        return 0 < len(given) <= self._longest and len(normal_form(given)) <= self.max_length

    def _is_guessed_first(self, password: str, known_words: Iterable[str]) -> bool:
        if password in self.common or len(set(password)) <= 2 or _is_run(password):
            return True
        words = [word.lower() for known in known_words for word in (known, *known.split("@"))]
        return any(
            len(word) >= MIN_WORD and word in password and len(password) - len(word) < MIN_REST
            for word in (*OWN_WORDS, *words)
        )


def _is_run(password: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1})


def _refused(message: str, problem: str, **more: str) -> InvalidRequest:
    details = {"problem": f"password_{problem}", **more}
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, message, param="password", details=details)
