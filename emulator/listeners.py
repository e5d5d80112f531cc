"""Who is played and on which ports: a further provider is added here."""

from pydantic import Field

from emulator.control import Providers
from emulator.core import Core, Surface
from emulator.gigachat.batches import BatchRoutes
from emulator.gigachat.checks import CheckRoutes
from emulator.gigachat.files import FileRoutes
from emulator.gigachat.more import MoreRoutes
from emulator.gigachat.oauth import GigaChatAuthSurface
from emulator.gigachat.surface import GigaChatSurface, PasswordSurface
from emulator.gigachat.threads.assistants import AssistantRoutes
from emulator.gigachat.threads.messages import ThreadRoutes
from emulator.gigachat.threads.runs import RunRoutes
from emulator.gigachat.threads.state import Conversations
from emulator.settings import CoreSettings
from emulator.yandex.assistants.files import FileService
from emulator.yandex.assistants.search_indexes import SearchIndexService
from emulator.yandex.classification import ClassificationSurface
from emulator.yandex.endpoints import EndpointsSurface
from emulator.yandex.iam_surface import IamSurface
from emulator.yandex.image_generation import ImageGenerationService
from emulator.yandex.learning.batches import BatchService
from emulator.yandex.learning.datasets import DatasetService
from emulator.yandex.learning.tuning import TuningService
from emulator.yandex.learning.uploads import UploadService
from emulator.yandex.openai_surface import YandexOpenAISurface
from emulator.yandex.operations import OperationsSurface
from emulator.yandex.resources.storage import Storage
from emulator.yandex.search.generative import GenerativeSearchService
from emulator.yandex.search.images import ImageSearchService
from emulator.yandex.search.web import WebSearchService
from emulator.yandex.search.wordstat import WordstatService
from emulator.yandex.speech.recognition import RecognitionService
from emulator.yandex.speech.synthesis import SynthesisService
from emulator.yandex.speech.text_recognition import TextRecognitionService
from emulator.yandex.surface import YandexSurface


class EmulatorSettings(CoreSettings):
    """All settings of `python -m emulator`; environment names start with `EMULATOR_`."""

    control_port: int = Field(18080, description="control API; 0 takes any free port")
    yandex_port: int = Field(18081, description="Yandex: native, /v1, IAM, operations, metadata")
    gigachat_port: int = Field(18082, description="GigaChat API v1 and v2 (OAuth answers here as well)")
    gigachat_auth_port: int = Field(18083, description="GigaChat OAuth")
    openai_port: int = Field(18084, description="generic OpenAI-compatible upstream")
    yandex_grpc_port: int = Field(18085, description="Yandex over gRPC")

    yandex_tls_port: int = Field(18481, description="https twin of yandex_port")
    gigachat_tls_port: int = Field(18482, description="https twin of gigachat_port")
    gigachat_auth_tls_port: int = Field(18483, description="https twin of gigachat_auth_port")
    openai_tls_port: int = Field(18484, description="https twin of openai_port")
    yandex_grpc_tls_port: int = Field(18485, description="twin of yandex_grpc_port with TLS")

    def ports(self, listener: str) -> tuple[int, int]:
        """Return the plain and the https port of a listener."""
        return getattr(self, f"{listener}_port"), getattr(self, f"{listener}_tls_port")


def surfaces(core: Core, providers: Providers, yandex: YandexSurface) -> dict[str, Surface]:
    """Return what answers on each HTTP listener; its ports are the settings of the same name."""
    return {
        "yandex": yandex,
        "gigachat": _gigachat(core, providers),
        "openai": providers.openai,
        "gigachat_auth": GigaChatAuthSurface(core, providers.gigachat),
    }


def yandex_surface(core: Core, providers: Providers) -> YandexSurface:
    """Return all that answers under Yandex's hosts, over HTTP and gRPC."""
    surface = YandexSurface(core, providers.yandex)
    IamSurface(surface)
    operations, storage = OperationsSurface(surface), Storage(surface)
    ClassificationSurface(surface)
    EndpointsSurface(surface)
    YandexOpenAISurface(surface)
    SearchIndexService(surface, FileService(surface, storage), operations)
    _add_learning(surface, storage, operations)
    _add_search(surface, operations)
    SynthesisService(surface)
    RecognitionService(surface, operations)
    TextRecognitionService(surface, operations)
    return surface


def _add_learning(surface: YandexSurface, storage: Storage, operations: OperationsSurface) -> None:
    datasets = DatasetService(surface, storage, operations)
    UploadService(surface, datasets, storage)
    TuningService(surface, datasets, operations, storage)
    BatchService(surface, datasets, operations)


def _add_search(surface: YandexSurface, operations: OperationsSurface) -> None:
    ImageGenerationService(surface, operations)
    WebSearchService(surface, operations)
    ImageSearchService(surface)
    GenerativeSearchService(surface)
    WordstatService(surface)


def _gigachat(core: Core, providers: Providers) -> Surface:
    surface = GigaChatSurface(core, providers.gigachat)
    PasswordSurface(surface)
    MoreRoutes(surface)
    files, conversations = FileRoutes(surface), Conversations(core)
    BatchRoutes(surface, files)
    CheckRoutes(surface)
    AssistantRoutes(surface, files, conversations)
    RunRoutes(surface, ThreadRoutes(surface, files, conversations), conversations)
    return surface
