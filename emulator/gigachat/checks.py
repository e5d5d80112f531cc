"""GigaChat's checks: of a text (made by a model? forbidden?) and of a function's description."""

import re
import zlib
from typing import Any, Final

import yaml

from emulator.core import Call
from emulator.gigachat.models import find_model
from emulator.gigachat.openapi_functions import functions_of
from emulator.gigachat.schema_rules import BrokenRuleError, check_functions
from emulator.gigachat.surface import GigaChatSurface
from emulator.toy_model import tokenizer
from emulator.wire.replies import Reply

FEWEST_WORDS: Final = 20
RULES_VERSION: Final = "1.0.5"
# A text that holds one of these words is forbidden here.
FORBIDDEN: Final = re.compile(r"\b(?:запрещено|forbidden)\b", re.IGNORECASE)
_CATEGORIES: Final = ("ai", "human", "mixed")


class CheckRoutes:
    """Adds `/ai/check`, `/filter/check`, `/functions/validate` and `/functions/convert` to the API listener."""

    def __init__(self, surface: GigaChatSurface) -> None:
        """Register the routes."""
        self._surface = surface
        for version in ("/v1", "/v2"):
            surface.add("POST", f"{version}/ai/check", "check", self.ai_check)
            surface.add("POST", f"{version}/filter/check", "check", self.filter_check)
            surface.add("POST", f"{version}/functions/validate", "check", self.validate)
            surface.add("POST", f"{version}/functions/convert", "check", self.convert)

    async def ai_check(self, call: Call) -> Reply:
        """`/ai/check`: for firms that pay as they go; the verdict is a checksum's."""
        token = self._surface.authenticate(call)
        body = call.received.json()
        name = call.entry.model = str(body.get("model"))
        self._surface.choose_fault(call, model=name)
        if token.scope != "GIGACHAT_API_CORP":
            raise self._surface.refuse(call, 403)
        if find_model(name, "aicheck") is None:
            raise self._surface.refuse(call, 404)
        text = str(body.get("input", ""))
        if len(text.split()) < FEWEST_WORDS:
            raise self._surface.refuse(call, 422, f"Invalid params: input must have at least {FEWEST_WORDS} words")
        kinds = 3 if name == "GigaCheckDetection" else 2
        category = _CATEGORIES[zlib.crc32(text.encode()) % kinds]
        intervals = [[0, len(text) // 2]] if category == "mixed" else []
        counts = {"characters": len(text), "tokens": tokenizer.count(text)}
        return self._surface.reply(call, {"category": category, **counts, "ai_intervals": intervals})

    async def filter_check(self, call: Call) -> Reply:
        """`/filter/check`: whether the provider's filter would stop the text."""
        self._surface.authenticate(call)
        body = call.received.json()
        name = call.entry.model = str(body.get("model", "GigaFilter"))
        self._surface.choose_fault(call, model=name)
        if find_model(name, "filter") is None:
            raise self._surface.refuse(call, 404)
        text = body.get("input")
        if not isinstance(text, str) or not text:
            raise self._surface.refuse(call, 422, "Invalid params: input must be a string")
        counts = {"characters": len(text), "tokens": tokenizer.count(text)}
        return self._surface.reply(call, {"is_blocked": FORBIDDEN.search(text) is not None, **counts})

    async def validate(self, call: Call) -> Reply:
        """`/functions/validate`: a wrong function is no error of the call."""
        self._surface.authenticate(call)
        self._surface.choose_fault(call)
        return self._surface.reply(call, _judged(call.received.json()))

    async def convert(self, call: Call) -> Reply:
        """`/functions/convert`: functions for the operations of an OpenAPI document."""
        self._surface.authenticate(call)
        self._surface.choose_fault(call)
        try:
            document = yaml.safe_load(call.received.body)
            functions = functions_of(document)
        except (yaml.YAMLError, AttributeError, TypeError, KeyError):
            raise self._surface.refuse(call, 400, "Incorrect OpenAPI document") from None
        return self._surface.reply(call, {"functions": functions})


def _judged(function: Any) -> dict[str, Any]:
    """Return the verdict; warnings are told only when there is no error."""
    errors = _errors(function)
    verdict = {"status": 200, "json_ai_rules_version": RULES_VERSION}
    if errors:
        return {**verdict, "message": "Incorrect function syntax", "errors": errors}
    wanted = ("description", "few_shot_examples", "return_parameters")
    missing = [_remark(f"{name} is missing") for name in wanted if not function.get(name)]
    return {**verdict, "message": "Function is valid", **({"warnings": missing} if missing else {})}


def _errors(function: Any) -> list[dict[str, str]]:
    if not isinstance(function, dict):
        return [_remark("function must be an object")]
    missing = [_remark(f"{name} is required") for name in ("name", "parameters") if not function.get(name)]
    if missing:
        return missing
    try:
        check_functions([function])
    except BrokenRuleError as rule:
        return [_remark(str(rule))]
    return []


def _remark(text: str) -> dict[str, str]:
    return {"description": text, "schema_location": "(root)"}
