"""Which models there are, how large their windows are, and how a model URI is read."""

import re
from dataclasses import dataclass
from typing import Final

_URI: Final = re.compile(r"(gpt|emb|cls|art)://([^/\s]+)/([^/@\s]+)(?:/(latest|rc|deprecated))?(?:@\S+)?")


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue."""

    window: int
    native: bool
    dialect: str  # of the OpenAI-compatible surface: yandexgpt | vllm | alice
    owner: str = "Yandex"
    branches: tuple[str, ...] = ()  # a name with a generation has none

    def tails(self, name: str) -> list[str]:
        """Return how the model is listed: by name, or by its branches."""
        return [f"{name}/{branch}" for branch in self.branches] or [name]


MODELS: Final[dict[str, Model]] = {
    "yandexgpt": Model(32_768, True, "yandexgpt", branches=("latest", "rc")),
    "yandexgpt-lite": Model(32_768, True, "yandexgpt", branches=("latest",)),
    "yandexgpt-32k": Model(32_768, True, "yandexgpt", branches=("latest",)),
    "yandexgpt-5.1": Model(32_768, True, "yandexgpt"),
    "yandexgpt-5-pro": Model(32_768, True, "yandexgpt"),
    "yandexgpt-5-lite": Model(32_768, True, "yandexgpt"),
    "aliceai-llm": Model(131_072, True, "alice"),
    "aliceai-llm-flash": Model(65_536, False, "alice"),
    "deepseek-v4-flash": Model(1_048_576, False, "vllm", "DeepSeek"),
    "deepseek-v4.1-flash": Model(1_048_576, False, "vllm", "DeepSeek"),
    "qwen3.6-35b-a3b": Model(262_144, False, "vllm", "Alibaba"),
}
EMBEDDERS: Final = {
    "text-search-doc": 256,
    "text-search-query": 256,
    "text-embeddings-v2-doc": 256,
    "text-embeddings-v2-query": 256,
}
PAINTERS: Final = frozenset({"yandex-art", "yandex-art-2.5"})
CLASSIFIERS: Final = frozenset({"yandexgpt", "yandexgpt-lite"})


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A model URI taken apart."""

    scheme: str
    folder: str
    name: str
    branch: str | None


def parse_uri(uri: object) -> ModelUri | None:
    """Return the parts of `gpt://folder/name[/branch][@tuning]`, None when it is none."""
    match = _URI.fullmatch(uri) if isinstance(uri, str) else None
    return None if match is None else ModelUri(*match.groups())
