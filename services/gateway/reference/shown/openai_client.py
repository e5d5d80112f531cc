"""How OpenAI's Python client calls the operations that it knows."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.reference.operations import Operation

# The method of the client by operation; what it is given beside the body, as it stands in the call.
CALLS: Final[dict[str, tuple[str, str]]] = {
    "create_chat_completion": ("chat.completions.create", ""),
    "create_completion": ("completions.create", ""),
    "create_embeddings": ("embeddings.create", ""),
    "create_response": ("responses.create", ""),
    "get_response": ("responses.retrieve", 'os.environ["RESPONSE_ID"]'),
    "delete_response": ("responses.delete", 'os.environ["RESPONSE_ID"]'),
    "list_response_input_items": ("responses.input_items.list", 'os.environ["RESPONSE_ID"]'),
    "list_models": ("models.list", ""),
    "get_model": ("models.retrieve", 'os.environ["MODEL_ID"]'),
    "upload_file": ("files.create", 'file=open("requests.jsonl", "rb"), purpose="batch"'),
    "list_files": ("files.list", ""),
    "get_file": ("files.retrieve", 'os.environ["FILE_ID"]'),
    "delete_file": ("files.delete", 'os.environ["FILE_ID"]'),
    "get_file_content": ("files.content", 'os.environ["FILE_ID"]'),
    "create_batch": ("batches.create", ""),
    "list_batches": ("batches.list", ""),
    "get_batch": ("batches.retrieve", 'os.environ["BATCH_ID"]'),
    "cancel_batch": ("batches.cancel", 'os.environ["BATCH_ID"]'),
}
_JSON: Final = "application/json"


def openai_program(operation: Operation) -> str:
    """Return the program; "" where the client does not know the operation."""
    if operation["operationId"] not in CALLS:
        return ""
    method, given = CALLS[operation["operationId"]]
    call = f"print(client.{method}({given or _arguments(operation)}))"
    client = 'client = OpenAI(base_url=os.environ["RAZVILKA_URL"] + "/v1", api_key=os.environ["RAZVILKA_API_KEY"])'
    return "\n".join(["import os", "from openai import OpenAI", "", client, call])


def _arguments(operation: Operation) -> str:
    body: dict[str, Any] = operation.get("requestBody", {}).get("content", {}).get(_JSON, {}).get("example") or {}
    return ", ".join(f"{name}={value!r}" for name, value in body.items())
