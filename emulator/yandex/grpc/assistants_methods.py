"""The gRPC methods of files and search indexes."""

from typing import Final

from emulator.yandex.grpc.method import Method
from emulator.yandex.protos import operation_pb2
from emulator.yandex.protos.assistants import files_pb2, search_index_pb2

_FILES: Final = "yandex.cloud.ai.files.v1.FileService"
_INDEXES: Final = "yandex.cloud.ai.assistants.v1.searchindex.SearchIndexService"
_INDEX_FILES: Final = "yandex.cloud.ai.assistants.v1.searchindex.SearchIndexFileService"
_F: Final = "/files/v1/files"
_I: Final = "/assistants/v1/searchIndex"

METHODS: Final = (
    Method(_FILES, "Create", files_pb2.CreateFileRequest, files_pb2.File, "POST", _F),
    Method(_FILES, "Get", files_pb2.GetFileRequest, files_pb2.File, "GET", _F + "/{fileId}"),
    Method(_FILES, "GetUrl", files_pb2.GetFileUrlRequest, files_pb2.GetFileUrlResponse, "GET", _F + ":getUrl"),
    Method(_FILES, "Update", files_pb2.UpdateFileRequest, files_pb2.File, "PATCH", _F + "/{fileId}"),
    Method(_FILES, "Delete", files_pb2.DeleteFileRequest, files_pb2.DeleteFileResponse, "DELETE", _F + "/{fileId}"),
    Method(_FILES, "List", files_pb2.ListFilesRequest, files_pb2.ListFilesResponse, "GET", _F),
    Method(_INDEXES, "Create", search_index_pb2.CreateSearchIndexRequest, operation_pb2.Operation, "POST", _I),
    Method(
        _INDEXES, "Get", search_index_pb2.GetSearchIndexRequest, search_index_pb2.SearchIndex,
        "GET", _I + "/{searchIndexId}",
    ),
    Method(
        _INDEXES, "Update", search_index_pb2.UpdateSearchIndexRequest, search_index_pb2.SearchIndex,
        "PATCH", _I + "/{searchIndexId}",
    ),
    Method(
        _INDEXES, "Delete", search_index_pb2.DeleteSearchIndexRequest, search_index_pb2.DeleteSearchIndexResponse,
        "DELETE", _I + "/{searchIndexId}",
    ),
    Method(
        _INDEXES, "List", search_index_pb2.ListSearchIndicesRequest, search_index_pb2.ListSearchIndicesResponse,
        "GET", _I,
    ),
    Method(
        _INDEX_FILES, "BatchCreate", search_index_pb2.BatchCreateSearchIndexFileRequest, operation_pb2.Operation,
        "POST", _I + "File:batchCreate",
    ),
    Method(
        _INDEX_FILES, "Get", search_index_pb2.GetSearchIndexFileRequest, search_index_pb2.SearchIndexFile,
        "GET", _I + "File/{searchIndexId}/{fileId}",
    ),
    Method(
        _INDEX_FILES, "List", search_index_pb2.ListSearchIndexFilesRequest,
        search_index_pb2.ListSearchIndexFilesResponse, "GET", _I + "File/{searchIndexId}",
    ),
)  # fmt: skip
