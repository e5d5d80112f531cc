"""GigaChat's models: build suffixes that answers carry, windows, kinds."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue."""

    kind: str = "chat"  # chat | embedder | filter | aicheck
    build: str = "2.0.30.01"
    window: int = 131_072
    answer_object: str = "chat.completion"
    has_functions: bool = True
    listed: bool = True
    vector_size: int = 1024


MODELS: Final[dict[str, Model]] = {
    "GigaChat": Model(),
    "GigaChat-2": Model(),
    "GigaChat-2-Pro": Model(),
    "GigaChat-2-Max": Model(),
    "GigaChat-Pro": Model(),
    "GigaChat-Max": Model(),
    "GigaChat-Plus": Model(window=32_768, has_functions=False, listed=False),
    "GigaChat-3-Pro": Model(build="32.3.18.5", answer_object="chat.completions", listed=False),
    "GigaChat-3-Ultra": Model(build="32.3.18.5", answer_object="chat.completions"),
    "Embeddings": Model("embedder", window=512),
    "Embeddings-2": Model("embedder", window=512),
    "EmbeddingsGigaR": Model("embedder", window=4096, vector_size=2560),
    "GigaFilter": Model("filter"),
    "GigaCheckClassification": Model("aicheck"),
    "GigaCheckDetection": Model("aicheck"),
}


def find_model(name: str, kind: str) -> Model | None:
    """Return the model when it exists and is of this kind; early builds carry `-preview`."""
    model = MODELS.get(name.split("~")[0].removesuffix("-preview"))
    return model if model is not None and model.kind == kind else None
