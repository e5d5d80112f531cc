"""The toy tokenizer that stands behind every usage, tokenize and tokens/count answer.

A token is a run of at most six letters, digits or underscores, or one other visible character; blanks are
no tokens. So "стоянка у реки!" is стоянк|а|у|реки|! = 5. The rule has a useful property: a text cut at the
end of its i-th token has exactly i tokens, which lets a stream be checked chunk by chunk.
"""

import re
from typing import Final

PIECE: Final = re.compile(r"\w{1,6}|[^\w\s]")


def count(text: str) -> int:
    """Return how many tokens the text has."""
    return len(PIECE.findall(text))


def pieces(text: str) -> list[str]:
    """Return the tokens in order."""
    return PIECE.findall(text)


def token_ends(text: str) -> list[int]:
    """Return the character offset behind each token."""
    return [match.end() for match in PIECE.finditer(text)]


def clip(text: str, tokens: int) -> str:
    """Return the text cut behind its last allowed token; the text itself when it is short enough."""
    for number, match in enumerate(PIECE.finditer(text), start=1):
        if number == tokens:
            return text[: match.end()]
    return text if tokens > 0 else ""
