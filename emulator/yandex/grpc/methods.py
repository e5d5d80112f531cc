"""Which gRPC methods there are, and which REST route answers each."""

from typing import Final

from emulator.yandex.grpc import assistants_methods, learning_methods, search_methods, speech_methods
from emulator.yandex.grpc.method import Method
from emulator.yandex.protos import endpoint_pb2, foundation_models_pb2, iam_pb2, operation_pb2, text_classification_pb2

_MODELS: Final = "yandex.cloud.ai.foundation_models.v1"
_CLASSIFICATION: Final = f"{_MODELS}.text_classification.TextClassificationService"
_OPERATIONS: Final = "yandex.cloud.operation.OperationService"
_ENDPOINTS: Final = "yandex.cloud.endpoint.ApiEndpointService"
_NATIVE: Final = "/foundationModels/v1"


METHODS: Final = (
    Method(
        f"{_MODELS}.TextGenerationService", "Completion", foundation_models_pb2.CompletionRequest,
        foundation_models_pb2.CompletionResponse, "POST", f"{_NATIVE}/completion", streams=True,
    ),
    Method(
        f"{_MODELS}.TextGenerationAsyncService", "Completion", foundation_models_pb2.CompletionRequest,
        operation_pb2.Operation, "POST", f"{_NATIVE}/completionAsync",
    ),
    Method(
        f"{_MODELS}.TokenizerService", "Tokenize", foundation_models_pb2.TokenizeRequest,
        foundation_models_pb2.TokenizeResponse, "POST", f"{_NATIVE}/tokenize",
    ),
    Method(
        f"{_MODELS}.TokenizerService", "TokenizeCompletion", foundation_models_pb2.CompletionRequest,
        foundation_models_pb2.TokenizeResponse, "POST", f"{_NATIVE}/tokenizeCompletion",
    ),
    Method(
        f"{_MODELS}.EmbeddingsService", "TextEmbedding", foundation_models_pb2.TextEmbeddingRequest,
        foundation_models_pb2.TextEmbeddingResponse, "POST", f"{_NATIVE}/textEmbedding",
    ),
    Method(
        _CLASSIFICATION, "Classify", text_classification_pb2.TextClassificationRequest,
        text_classification_pb2.TextClassificationResponse, "POST", f"{_NATIVE}/textClassification",
    ),
    Method(
        _CLASSIFICATION, "FewShotClassify", text_classification_pb2.FewShotTextClassificationRequest,
        text_classification_pb2.FewShotTextClassificationResponse, "POST", f"{_NATIVE}/fewShotTextClassification",
    ),
    Method(
        _OPERATIONS, "Get", operation_pb2.GetOperationRequest,
        operation_pb2.Operation, "GET", "/operations/{operationId}",
    ),
    Method(
        _OPERATIONS, "Cancel", operation_pb2.CancelOperationRequest,
        operation_pb2.Operation, "GET", "/operations/{operationId}:cancel",
    ),
    Method(
        "yandex.cloud.iam.v1.IamTokenService", "Create", iam_pb2.CreateIamTokenRequest,
        iam_pb2.CreateIamTokenResponse, "POST", "/iam/v1/tokens",
    ),
    Method(
        _ENDPOINTS, "Get", endpoint_pb2.GetApiEndpointRequest,
        endpoint_pb2.ApiEndpoint, "GET", "/endpoints/{apiEndpointId}",
    ),
    Method(
        _ENDPOINTS, "List", endpoint_pb2.ListApiEndpointsRequest,
        endpoint_pb2.ListApiEndpointsResponse, "GET", "/endpoints",
    ),
    *assistants_methods.METHODS,
    *learning_methods.METHODS,
    *search_methods.METHODS,
    *speech_methods.METHODS,
)  # fmt: skip
