"""The gRPC methods of datasets, tuning and batches; those that REST does not have keep their own paths."""

from typing import Final

from google.protobuf.message import Message

from emulator.yandex.grpc.method import Method
from emulator.yandex.protos import operation_pb2
from emulator.yandex.protos.learning import batch_completion_pb2, batch_inference_pb2, dataset_pb2, tuning_pb2


def _of(service: str, name: str, request: type[Message], response: type[Message]) -> Method:
    return Method(service, name, request, response, "POST", f"/{service}/{name}")


_DATASETS: Final = "yandex.cloud.ai.dataset.v1.DatasetService"
_TUNING: Final = "yandex.cloud.ai.tuning.v1.TuningService"
_BATCHES: Final = "yandex.cloud.ai.batch_inference.v1.BatchInferenceService"
_D: Final = dataset_pb2
_T: Final = tuning_pb2
_B: Final = batch_inference_pb2

METHODS: Final = (
    _of(_DATASETS, "Create", _D.CreateDatasetRequest, _D.CreateDatasetResponse),
    _of(_DATASETS, "Describe", _D.DescribeDatasetRequest, _D.DescribeDatasetResponse),
    _of(_DATASETS, "List", _D.ListDatasetsRequest, _D.ListDatasetsResponse),
    _of(_DATASETS, "Update", _D.UpdateDatasetRequest, _D.UpdateDatasetResponse),
    _of(_DATASETS, "Delete", _D.DeleteDatasetRequest, _D.DeleteDatasetResponse),
    _of(_DATASETS, "Validate", _D.ValidateDatasetRequest, operation_pb2.Operation),
    _of(_DATASETS, "GetDownloadUrls", _D.GetDownloadUrlsRequest, _D.GetDownloadUrlsResponse),
    _of(_DATASETS, "ListUploadFormats", _D.ListUploadFormatsRequest, _D.ListUploadFormatsResponse),
    _of(_DATASETS, "ListUploadSchemas", _D.ListUploadSchemasRequest, _D.ListUploadSchemasResponse),
    _of(_DATASETS, "GetUploadDraftUrl", _D.GetUploadDraftUrlRequest, _D.GetUploadDraftUrlResponse),
    _of(
        _DATASETS, "StartMultipartUploadDraft", _D.StartMultipartUploadDraftRequest,
        _D.StartMultipartUploadDraftResponse,
    ),
    _of(
        _DATASETS, "FinishMultipartUploadDraft", _D.FinishMultipartUploadDraftRequest,
        _D.FinishMultipartUploadDraftResponse,
    ),
    _of(_TUNING, "Tune", _T.TuningRequest, operation_pb2.Operation),
    _of(_TUNING, "List", _T.ListTuningsRequest, _T.ListTuningsResponse),
    _of(_TUNING, "Describe", _T.DescribeTuningRequest, _T.DescribeTuningResponse),
    _of(_TUNING, "Cancel", _T.CancelTuningRequest, _T.CancelTuningResponse),
    _of(_TUNING, "GetOptions", _T.GetOptionsRequest, _T.GetOptionsResponse),
    _of(_TUNING, "GetMetricsUrl", _T.GetMetricsUrlRequest, _T.GetMetricsUrlResponse),
    _of(_BATCHES, "Describe", _B.DescribeBatchInferenceRequest, _B.DescribeBatchInferenceResponse),
    _of(_BATCHES, "List", _B.ListBatchInferencesRequest, _B.ListBatchInferencesResponse),
    _of(_BATCHES, "Cancel", _B.CancelBatchInferenceRequest, _B.CancelBatchInferenceResponse),
    _of(_BATCHES, "Delete", _B.DeleteBatchInferenceRequest, _B.DeleteBatchInferenceResponse),
    Method(
        "yandex.cloud.ai.foundation_models.v1.TextGenerationBatchService", "Completion",
        batch_completion_pb2.BatchCompletionRequest, operation_pb2.Operation,
        "POST", "/foundationModels/v1/completionBatch",
    ),
)  # fmt: skip
