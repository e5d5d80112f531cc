"""What operations are called: ids that a program may be made of, and a line for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

Whole = dict[str, Any]
Operation = dict[str, Any]
LONGEST_SUMMARY: Final = 120
METHODS: Final = ("get", "put", "post", "delete", "patch")
# Routes whose function has a name that says little outside its module, or that another one has, too.
NAMES: Final = {
    "POST /v1/chat/completions": "create_chat_completion",
    "POST /v1/completions": "create_completion",
    "POST /v1/embeddings": "create_embeddings",
    "POST /v1/messages": "create_message",
    "POST /v1/messages/count_tokens": "count_message_tokens",
    "POST /v1/responses": "create_response",
    "POST /v1/responses/input_tokens": "count_response_tokens",
    "POST /v1/tokenize": "count_tokens",
    "GET /v1/responses/{response_id}/input_items": "list_response_input_items",
    "GET /v1/auth/key": "get_own_key",
    "GET /v1/providers/status": "get_providers_status",
    "GET /health/providers": "get_providers_health",
    "GET /v1/files/{file_id}/content": "get_file_content",
    "GET /v1/reports/{report_id}/content": "get_report_content",
    "GET /v1/reports/{report_id}/download": "download_report",
    "GET /v1/users/me/model-names": "get_model_names",
    "PUT /v1/users/me/model-names": "set_model_names",
    "GET /v1/keys/{key_id}/model-names": "get_model_names_of_key",
    "PUT /v1/keys/{key_id}/model-names": "set_model_names_of_key",
    "GET /unsubscribe": "show_unsubscribe_button",
    "GET /v1/admin/abuse": "list_refusals",
    "GET /v1/admin/models/expiring": "list_expiring_models",
    "GET /v1/admin/providers/history": "list_provider_history",
    "POST /v1/admin/providers/{provider}/drain": "drain_provider",
    "POST /v1/admin/providers/{provider}/undrain": "undrain_provider",
    "POST /v1/admin/providers/{provider}/reset": "reset_provider",
    "POST /v1/webhooks/{channel_id}/rotate": "rotate_webhook_secret",
    "POST /v1/webhooks/{channel_id}/test": "test_webhook",
    "GET /v1/webhooks/{channel_id}/deliveries": "list_webhook_deliveries",
    "POST /v1/webhooks/{channel_id}/deliveries/{delivery_id}/redeliver": "redeliver_to_webhook",
    "GET /v1/usage/summary": "get_usage_summary",
    "GET /v1/usage/timeseries": "get_usage_timeseries",
    "GET /v1/usage/compare": "compare_usage",
    "GET /v1/usage/export": "export_usage",
    "GET /v1/usage/forecast": "get_usage_forecast",
    "GET /v1/usage/ledger/check": "check_ledger",
    "POST /v1/usage/anomalies/{anomaly_id}/feedback": "give_anomaly_feedback",
    "POST /v1/usage/recommendations/{recommendation_id}": "decide_recommendation",
    "GET /v1/organization/usage/completions": "get_organization_completions",
    "GET /v1/organization/costs": "get_organization_costs",
}


def operations_of(whole: Whole) -> Iterator[tuple[str, str, Operation]]:
    """Return every operation with its method, in capitals, and its path."""
    for path, item in whole["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def name_operations(whole: Whole) -> None:
    """Give every operation a short id of its own and a line that says what it does."""
    for method, path, operation in operations_of(whole):
        operation["operationId"] = NAMES.get(f"{method} {path}") or _function_name(method, path, operation)
        said = operation.get("description") or operation["summary"]
        operation["summary"] = first_sentence(said)
        operation["description"] = said


def _function_name(method: str, path: str, operation: Operation) -> str:
    # FastAPI adds path and method to the name of the function.
    return str(operation["operationId"]).removesuffix(re.sub(r"\W", "_", path) + f"_{method.lower()}")


def first_sentence(text: str) -> str:
    """Return the first sentence without its full stop, cut at a clause when it is long for a list."""
    sentence = re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".")
    if len(sentence) > LONGEST_SUMMARY:
        sentence = re.split(r"[;:]\s|,\s(?=and|or|when|by|with)", sentence, maxsplit=1)[0]
    return sentence[:LONGEST_SUMMARY]
