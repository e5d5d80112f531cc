"""What the catalogue lists as a parameter is one at the gateway."""

from __future__ import annotations

import msgspec
import pytest

from services.gateway.schemas.inference import ChatRequest, EmbeddingRequest
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
