"""Bodies of the routes of batches, in OpenAI's words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.gateway.edge.reading.json_body import StrictModel

MetadataName = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class NewBatchBody(StrictModel):
    """A file of requests, and what each of them asks."""

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/embeddings"]
    completion_window: Literal["24h"]
    metadata: Annotated[dict[MetadataName, MetadataValue], Field(max_length=16)] | None = None


class BatchErrorBody(BaseModel):
    """What is wrong with a line of the input file, from 1; without a line: with the file."""

    code: str
    message: str
    param: str | None
    line: int | None


class BatchErrorsBody(BaseModel):
    """What is wrong with the input file."""

    object: Literal["list"] = "list"
    data: list[BatchErrorBody]


class RequestCountsBody(BaseModel):
    """Lines of a batch: all, those that were answered, those that failed."""

    total: int
    completed: int
    failed: int


class BatchBody(BaseModel):
    """A batch; moments are seconds of Unix time, null: that has not been."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchErrorsBody | None
    input_file_id: str
    completion_window: str = "24h"
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCountsBody
    metadata: dict[str, str] | None


class BatchListBody(BaseModel):
    """A page of batches, newest first."""

    object: Literal["list"] = "list"
    data: list[BatchBody]
    first_id: str | None
    last_id: str | None
    has_more: bool
