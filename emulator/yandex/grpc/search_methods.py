"""The gRPC methods of the search, and of pictures."""

from typing import Final

from emulator.yandex.grpc.method import Method
from emulator.yandex.protos import image_generation_pb2, operation_pb2
from emulator.yandex.protos.search import generative_pb2, image_pb2, web_pb2, wordstat_pb2

_SEARCH: Final = "yandex.cloud.searchapi.v2"
_WORDSTAT: Final = f"{_SEARCH}.WordstatService"
_W: Final = wordstat_pb2

METHODS: Final = (
    Method(
        "yandex.cloud.ai.foundation_models.v1.image_generation.ImageGenerationAsyncService", "Generate",
        image_generation_pb2.ImageGenerationRequest, operation_pb2.Operation,
        "POST", "/foundationModels/v1/imageGenerationAsync",
    ),
    Method(
        f"{_SEARCH}.WebSearchService", "Search", web_pb2.WebSearchRequest, web_pb2.WebSearchResponse,
        "POST", "/v2/web/search",
    ),
    Method(
        f"{_SEARCH}.WebSearchAsyncService", "Search", web_pb2.WebSearchRequest, operation_pb2.Operation,
        "POST", "/v2/web/searchAsync",
    ),
    Method(
        f"{_SEARCH}.ImageSearchService", "Search", image_pb2.ImageSearchRequest, image_pb2.ImageSearchResponse,
        "POST", "/v2/image/search",
    ),
    Method(
        f"{_SEARCH}.ImageSearchService", "SearchByImage", image_pb2.ImageSearchByImageRequest,
        image_pb2.ImageSearchByImageResponse, "POST", "/v2/image/search_by_image",
    ),
    Method(
        f"{_SEARCH}.GenSearchService", "Search", generative_pb2.GenSearchRequest, generative_pb2.GenSearchResponse,
        "POST", "/v2/gen/search", streams=True,
    ),
    Method(_WORDSTAT, "GetTop", _W.GetTopRequest, _W.GetTopResponse, "POST", "/v2/wordstat/topRequests"),
    Method(_WORDSTAT, "GetDynamics", _W.GetDynamicsRequest, _W.GetDynamicsResponse, "POST", "/v2/wordstat/dynamics"),
    Method(
        _WORDSTAT, "GetRegionsDistribution", _W.GetRegionsDistributionRequest, _W.GetRegionsDistributionResponse,
        "POST", "/v2/wordstat/regions",
    ),
    Method(
        _WORDSTAT, "GetRegionsTree", _W.GetRegionsTreeRequest, _W.GetRegionsTreeResponse,
        "POST", "/v2/wordstat/getRegionsTree",
    ),
)  # fmt: skip
