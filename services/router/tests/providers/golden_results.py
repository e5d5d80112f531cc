"""What the adapters make of each recorded payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicekit.errors import ErrorReason
from services.router.domain.completion import FinishReason, Usage

STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
CALLS, FILTER = FinishReason.TOOL_CALLS, FinishReason.CONTENT_FILTER
CAMP = ("camp_distance", {"camp": "северная"})
SOUTH = ("camp_distance", {"camp": "южная"})
DIALECT_PROVIDER = {"native": "yandexgpt", "v1": "yandexgpt", "gigachat": "gigachat"}


@dataclass(frozen=True)
class Result:
    """What the adapter makes of a payload."""

    dialect: str
    pieces: list[str]
    finish: FinishReason
    usage: Usage | None
    calls: tuple[Any, ...] = ()
    fingerprint: str = ""


NATIVE, MAX, ULTRA = "12.08.2026", "2.0.30.01", "32.3.7.3"
WHOLE = {
    "yandex/chat_response": Result(
        "native",
        ["На карте три стоянки; ближе всех к реке — северная, до неё 400 м."],
        STOP,
        Usage(41, 24),
        fingerprint=NATIVE,
    ),
    "yandex/chat_response_truncated": Result(
        "native", ["На карте три стоянки; ближе"], LENGTH, Usage(41, 8), fingerprint=NATIVE
    ),
    "yandex/chat_response_content_filter": Result(
        "native",
        ["Об этом я говорить не стану. Спросите о чём-нибудь другом."],
        FILTER,
        Usage(29, 13),
        fingerprint=NATIVE,
    ),
    "yandex/chat_response_tool_calls": Result("native", [], CALLS, Usage(88, 12), (CAMP,), NATIVE),
    "yandex/chat_response_json_schema": Result(
        "native", ['{"camp": "северная", "metres": 400}'], STOP, Usage(52, 15), fingerprint=NATIVE
    ),
    "yandex/openai_chat_response": Result("v1", ["На карте три стоянки."], STOP, Usage(25, 9)),
    "yandex/openai_chat_response_tool_calls": Result("v1", [], CALLS, Usage(96, 24), (CAMP, SOUTH)),
    "gigachat/chat_response": Result(
        "gigachat", ["На карте три стоянки; ближе всех к реке — северная."], STOP, Usage(40, 22), fingerprint=MAX
    ),
    "gigachat/chat_response_length": Result("gigachat", ["На карте три"], LENGTH, Usage(40, 4), fingerprint=MAX),
    "gigachat/chat_response_blacklist": Result(
        "gigachat", ["Не хочу об этом говорить. Давайте сменим тему."], FILTER, Usage(24, 12), fingerprint=MAX
    ),
    "gigachat/chat_response_function_call": Result("gigachat", [], CALLS, Usage(96, 21), (CAMP,), MAX),
    "gigachat/chat_response_json_schema": Result(
        "gigachat",
        ['{\n    "camp": "северная",\n    "metres": 400\n}'],
        STOP,
        Usage(24, 21),
        fingerprint=ULTRA,
    ),
}

STREAMS = {
    "yandex/stream_native_text": Result(
        "native", ["Северная", " стоянка ближе", " всех к реке: 400 м."], STOP, Usage(41, 15), fingerprint=NATIVE
    ),
    "yandex/stream_native_truncated": Result(
        "native", ["Всего", " на карте", " три"], LENGTH, Usage(20, 4), fingerprint=NATIVE
    ),
    "yandex/stream_native_tool_calls": Result("native", [], CALLS, Usage(88, 12), (CAMP,), NATIVE),
    # What was shown cannot be recalled: the text in its place is not added to it, as on /v1.
    "yandex/stream_native_content_filter": Result("native", ["Я могу"], FILTER, Usage(29, 7), fingerprint=NATIVE),
    "yandex/openai_stream_yandexgpt": Result("v1", ["Северная", " стоянка ближе всех к реке."], STOP, None),
    "yandex/openai_stream_tool_call": Result("v1", [], CALLS, None, (CAMP,)),
    "yandex/openai_stream_vllm_models": Result("v1", ["Три", " стоянки."], STOP, Usage(20, 5)),
    # Cached tokens are counted in, as OpenAI does.
    "gigachat/stream_text": Result(
        "gigachat",
        ["Северная", " стоянка ближе", " всех к реке."],
        STOP,
        Usage(40, 14, cached_tokens=2),
        fingerprint=MAX,
    ),
    "gigachat/stream_function_call": Result("gigachat", [], CALLS, Usage(96, 21), (CAMP,), MAX),
    "gigachat/stream_blacklist": Result(
        "gigachat", ["Не хочу об этом", " говорить."], FILTER, Usage(24, 8), fingerprint=MAX
    ),
}

# Streams that break off: what was heard before, and the usage that was known.
CUTS: dict[str, tuple[str, list[str], Usage | None]] = {
    "yandex/stream_native_cut": ("native", ["Северная"], Usage(41, 2)),
    "yandex/openai_stream_error_event": ("v1", ["Три"], None),
    "gigachat/stream_cut": ("gigachat", ["Северная", " стоянка"], None),
}


@dataclass(frozen=True)
class Failure:
    """How the adapter names an error; `retry`: the same call may work again."""

    dialect: str
    reason: ErrorReason
    retry: bool = False


R = ErrorReason
ERRORS = {
    "yandex/error_400_folder": Failure("native", R.INVALID_PARAMETERS),
    "yandex/error_400_model_uri": Failure("native", R.INVALID_PARAMETERS),
    "yandex/error_400_context": Failure("native", R.CONTEXT_LENGTH_EXCEEDED),
    "yandex/error_400_openai_bare_name": Failure("v1", R.INVALID_PARAMETERS),
    "yandex/error_401_unknown_key": Failure("native", R.PROVIDER_CREDENTIALS),
    "yandex/error_401_token": Failure("native", R.PROVIDER_CREDENTIALS),
    "yandex/error_403_role": Failure("native", R.PROVIDER_CREDENTIALS),
    "yandex/error_404_operation": Failure("native", R.MODEL_NOT_FOUND),
    "yandex/error_404_path": Failure("v1", R.PROVIDER_ERROR),
    "yandex/error_429_sessions": Failure("native", R.PROVIDER_RATE_LIMITED, retry=True),
    "yandex/error_500": Failure("native", R.PROVIDER_ERROR, retry=True),
    "yandex/error_501": Failure("native", R.PROVIDER_ERROR),
    "yandex/error_503": Failure("native", R.PROVIDER_ERROR, retry=True),
    "yandex/error_504": Failure("native", R.PROVIDER_TIMEOUT),
    "yandex/openai_responses_embedded_error": Failure("v1", R.CONTEXT_LENGTH_EXCEEDED),
    "gigachat/error_400_json": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_402": Failure("gigachat", R.PROVIDER_QUOTA_EXHAUSTED),
    "gigachat/error_403": Failure("gigachat", R.PROVIDER_CREDENTIALS),
    "gigachat/error_404_model": Failure("gigachat", R.MODEL_NOT_FOUND),
    "gigachat/error_422_function_result": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_422_functions": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_422_repetition_penalty": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_422_schema": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_422_system_first": Failure("gigachat", R.INVALID_PARAMETERS),
    "gigachat/error_429": Failure("gigachat", R.PROVIDER_RATE_LIMITED, retry=True),
    "gigachat/error_500": Failure("gigachat", R.PROVIDER_ERROR, retry=True),
    "gigachat/error_503": Failure("gigachat", R.PROVIDER_ERROR, retry=True),
}

# Refused tokens: renewed once, replayed once, then our credentials' failure.
EXPIRED = ("gigachat/error_401", "gigachat/error_401_expired")
OAUTH_ERRORS = (
    "gigachat/error_oauth_400_authorization",
    "gigachat/error_oauth_400_scope_empty",
    "gigachat/error_oauth_400_scope_mismatch",
    "gigachat/error_oauth_401",
)
TOKENS = ("gigachat/oauth_response", "yandex/iam_token_response")
VECTORS = {
    "yandex/text_embedding": ([[0.0123, -0.0456, 0.0789, 0.0012]], 4),
    "gigachat/embeddings": ([[0.1, -0.2, 0.3, 0.4], [-0.5, 0.6, 0.7, 0.8]], 10),
}
# Answers of paths that the router does not call: as an answer to a chat they are the provider's failure.
STRAYS = {
    "yandex/async_operation_done": "native",
    "yandex/async_operation_pending": "native",
    "yandex/tokenize": "native",
    "yandex/tokenize_completion": "native",
    "yandex/openai_models_response": "v1",
    "yandex/openai_embeddings_response": "v1",
    "gigachat/balance_response": "gigachat",
    "gigachat/batch_create": "gigachat",
    "gigachat/models_response": "gigachat",
    "gigachat/tokens_count": "gigachat",
    "gigachat/v2_chat_response": "gigachat",
    "gigachat/v2_chat_response_tools": "gigachat",
    "gigachat/v2_stream_text": "gigachat",
    "gigachat/file_upload_response": "gigachat",
}
STRAY_TOKENS = ("gigachat/token_response_alt", "yandex/iam_metadata_response")
