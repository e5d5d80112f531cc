"""Parameters as the catalogue lists them, and as clients send them."""

from __future__ import annotations

import msgspec
import pytest

from servicekit.errors import InvalidRequest
from services.gateway.inference.schemas import ChatRequest, EmbeddingRequest
from services.gateway.inference.texts import texts_of
from services.router.catalog.document import ProviderDocument
from services.router.catalog.files import CatalogFiles

BODIES: dict[str, type[msgspec.Struct]] = {"chat": ChatRequest, "embedding": EmbeddingRequest}


@pytest.mark.parametrize("document", CatalogFiles(None, None).read().documents, ids=lambda document: document.provider)
def test_every_parameter_that_a_model_lists_is_decoded(document: ProviderDocument) -> None:
    """One that is not decoded would never reach the adapter that maps it."""
    known = {kind: {field.encode_name for field in msgspec.structs.fields(body)} for kind, body in BODIES.items()}

    missing = {
        (model.id, name)
        for model in document.models
        for name in model.supported_parameters or document.supported_parameters
        if name not in known[model.kind]
    }

    assert missing == set()


@pytest.mark.parametrize("tokens", [b"9906", b"[9906, 1917]"])
def test_arrays_of_tokens_are_refused_with_the_setting_that_helps(tokens: bytes) -> None:
    """LangChain's default sends them; they are of a tokenizer that no model here has."""
    with pytest.raises(InvalidRequest, match="check_embedding_ctx_length=False") as refused:
        texts_of([msgspec.Raw(tokens)], "input")

    assert refused.value.param == "input[0]"
