"""What a line of a dataset must hold, by the task that it is for."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

FORMAT: Final = "jsonlines"
MOST_ROWS_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of a line: some named, or at least one of labels that have any name."""

    messages: bool = False
    texts: tuple[str, ...] = ()
    has_labels: bool = False

    def fields(self) -> tuple[str, ...]:
        """Return the names that must be there."""
        return (("request",) if self.messages else ()) + self.texts

    def text(self) -> str:
        """Return it as JSON Schema; it holds neither truth values nor nulls, as clients read it as Python."""
        message = {"type": "object", "properties": {"role": {"type": "string"}, "text": {"type": "string"}}}
        properties: dict[str, Any] = {name: {"type": "string"} for name in self.texts}
        if self.messages:
            properties["request"] = {"type": "array", "items": message}
        found = {"type": "object", "properties": properties, "required": list(self.fields())}
        labels = {"additionalProperties": {"type": "integer", "enum": [0, 1]}} if self.has_labels else {}
        return msgspec.json.encode(found | labels).decode()


SCHEMAS: Final = {
    "TextToTextGeneration": Schema(messages=True, texts=("response",)),
    "TextToTextGenerationRequest": Schema(messages=True),
    "TextClassificationMultilabel": Schema(texts=("text",), has_labels=True),
    "TextClassificationMulticlass": Schema(texts=("text",), has_labels=True),
    "TextEmbeddingsPair": Schema(texts=("anchor", "positive")),
    "TextEmbeddingsTriplet": Schema(texts=("anchor", "positive", "negative")),
}


def mistakes_in(data: bytes, schema: Schema) -> list[dict[str, Any]]:
    """Return the kinds of mistakes and the numbers of the lines that have them; none is a valid dataset."""
    rows: dict[str, list[int]] = {}
    lines = data.splitlines()
    for number, line in enumerate(lines, start=1):
        mistake = _mistake_of(line, schema)
        if mistake:
            rows.setdefault(mistake, []).append(number)
    if not lines:
        rows["dataset is empty"] = []
    return [
        {"error": "InvalidRow", "errorDescription": mistake, "rowNumbers": [str(row) for row in found[:MOST_ROWS_TOLD]]}
        for mistake, found in rows.items()
    ]


def _mistake_of(line: bytes, schema: Schema) -> str:
    """Return what is wrong with a line, nothing when it is right."""
    try:
        row = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return "row is not valid JSON"
    if not isinstance(row, dict):
        return "row is not an object"
    missing = [name for name in schema.fields() if not row.get(name)]
    if missing:
        return f"field '{missing[0]}' is required"
    if any(not isinstance(row[name], str) for name in schema.texts):
        return "field must be a string"
    if schema.messages and not _are_messages(row["request"]):
        return "request must be a list of messages with role and text"
    labels = set(row) - set(schema.fields())
    if schema.has_labels and (not labels or any(row[label] not in (0, 1) for label in labels)):
        return "labels must be 0 or 1"
    return ""


def _are_messages(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(one, dict) and isinstance(one.get("text"), str) and one.get("role") for one in found
    )
