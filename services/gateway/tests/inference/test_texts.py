"""Fields that take texts, as clients send them."""

from __future__ import annotations

import msgspec
import pytest

from servicekit.errors import InvalidRequest
from services.gateway.inference.texts import texts_of


@pytest.mark.parametrize("tokens", [b"9906", b"[9906, 1917]"])
def test_arrays_of_tokens_are_refused_with_the_setting_that_helps(tokens: bytes) -> None:
    """LangChain's default sends them; they are of a tokenizer that no model here has."""
    with pytest.raises(InvalidRequest, match="check_embedding_ctx_length=False") as refused:
        texts_of([msgspec.Raw(tokens)], "input")

    assert refused.value.param == "input[0]"
