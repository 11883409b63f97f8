"""Answer types as strict JSON schemas, and what a model sends in them back as plain data.

Strict structured output knows no free maps, no defaults and no recursion into "any JSON". So a map travels as a list of
key and value, any JSON value as JSON text, and every field is required.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

JSON_REF = "#/$defs/Json"
JSON_TEXT = {"type": "string", "description": 'Any JSON value, written as JSON text: "\\"20418\\"", "[1, 2]", "null".'}
DROPPED = frozenset({"title", "default"})


@cache
def strict_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The schema of an answer type in the form that strict structured output takes; made once, not to be changed."""
    schema = _schema(answer)
    definitions = {name: part for name, part in schema.get("$defs", {}).items() if name != "Json"}
    strict: dict[str, Any] = _strict({key: value for key, value in schema.items() if key != "$defs"})
    if definitions:
        strict["$defs"] = {name: _strict(part) for name, part in definitions.items()}
    return strict


@cache
def _schema(answer: type[BaseModel]) -> dict[str, Any]:
    return answer.model_json_schema()


def strict_parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool's arguments in the same form; what may be left out may be null instead."""
    required = frozenset(schema.get("required", ()))
    properties = {
        name: part if name in required or _takes_null(part) else {"anyOf": [part, {"type": "null"}]}
        for name, part in schema.get("properties", {}).items()
    }
    definitions = {name: _strict(part) for name, part in schema.get("$defs", {}).items()}
    strict = _strict({"type": "object", **{k: v for k, v in schema.items() if k != "$defs"}, "properties": properties})
    return {**strict, "$defs": definitions} if definitions else strict


def _takes_null(part: Mapping[str, Any]) -> bool:
    return any(option.get("type") == "null" for option in part.get("anyOf", ()))


def to_wire(answer: type[BaseModel], value: BaseModel) -> Any:
    """An answer in the strict schema's form, as a model would send it: the other direction of `from_wire`."""
    schema = _schema(answer)
    return _sent(value.model_dump(mode="json"), schema, schema.get("$defs", {}))


def _sent(data: Any, part: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in part:
        if part["$ref"] == JSON_REF:
            return json.dumps(data, ensure_ascii=False)
        part = definitions[part["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in part:
        options = [option for option in part["anyOf"] if option.get("type") != "null"]
        return data if data is None or len(options) != 1 else _sent(data, options[0], definitions)
    if _is_map(part) and isinstance(data, dict):
        values = part["additionalProperties"]
        return [{"key": key, "value": _sent(value, values, definitions)} for key, value in data.items()]
    if "properties" in part and isinstance(data, dict):
        return {name: _sent(value, part["properties"][name], definitions) for name, value in data.items()}
    if "items" in part and isinstance(data, list):
        return [_sent(value, part["items"], definitions) for value in data]
    return data


def _strict(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("$ref") == JSON_REF:
        return dict(JSON_TEXT)
    kept = {key: value for key, value in part.items() if key not in DROPPED}
    if _is_map(part):
        entry = {
            "type": "object",
            "properties": {"key": {"type": "string"}, "value": _strict(part["additionalProperties"])},
            "required": ["key", "value"],
            "additionalProperties": False,
        }
        described = {"description": kept["description"]} if "description" in kept else {}
        return {"type": "array", "items": entry, **described}
    if "properties" in part:
        kept["properties"] = {name: _strict(field) for name, field in part["properties"].items()}
        kept["required"] = list(part["properties"])
        kept["additionalProperties"] = False
    if "items" in part:
        kept["items"] = _strict(part["items"])
    if "anyOf" in part:
        kept["anyOf"] = [_strict(option) for option in part["anyOf"]]
    return kept


def from_wire(answer: type[BaseModel], data: Any) -> Any:
    """What came in the strict schema's form, as plain data for the answer type. Leaves alone what has another form."""
    schema = _schema(answer)
    return _plain(data, schema, schema.get("$defs", {}))


def _plain(data: Any, part: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in part:
        if part["$ref"] == JSON_REF:
            return _json_value(data)
        part = definitions[part["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in part:
        if data is None:
            return None
        options = [option for option in part["anyOf"] if option.get("type") != "null"]
        return _plain(data, options[0], definitions) if len(options) == 1 else data
    if _is_map(part) and isinstance(data, list):
        values = part["additionalProperties"]
        pairs = [pair for pair in data if isinstance(pair, dict) and "key" in pair]
        return {str(pair["key"]): _plain(pair.get("value"), values, definitions) for pair in pairs}
    if "properties" in part and isinstance(data, dict):
        fields = part["properties"]
        return {name: _plain(value, fields.get(name, {}), definitions) for name, value in data.items()}
    if "items" in part and isinstance(data, list):
        return [_plain(value, part["items"], definitions) for value in data]
    return data


def _json_value(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except ValueError:
        return data


def _is_map(part: dict[str, Any]) -> bool:
    return part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict)
