"""`lean_schema`: the schema of an answer, in the dialect of Gemini's `responseSchema` and without bounds.

Bounds make Gemini refuse a schema now and then ("too many states"), and keys that it doesn't know always. So lengths,
ranges and patterns are left out, and the caller validates the answer with its strict model. Every field is required and
may be null only where the model says so: "unknown" is then an answer. The order of fields is kept; put evidence before
judgement.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_TYPES = ("object", "array", "string", "integer", "number", "boolean")


def lean_schema(source: type[BaseModel] | Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a pydantic model, or of a JSON schema with the keywords that such a model yields.

    Raises:
        ValueError: it holds what `responseSchema` can't say: a recursion, a mapping with free keys, a tuple, a union of
            several types, or an enum of anything but texts.
    """
    schema = source if isinstance(source, Mapping) else source.model_json_schema()
    return _lean(schema, schema.get("$defs", {}), ())


def _lean(node: Mapping[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if "$ref" in node:
        name = str(node["$ref"]).removeprefix("#/$defs/")
        if name in path or name not in definitions:
            raise ValueError(f"the response schema refers to {name} from within itself, or to nothing")
        return _described(_lean(definitions[name], definitions, (*path, name)), node)
    if "anyOf" in node:
        kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
        if len(kinds) != 1:
            raise ValueError("the response schema has a union of several types")
        only = _lean(kinds[0], definitions, path)
        return _described(only | {"nullable": True} if len(kinds) < len(node["anyOf"]) else only, node)
    values = node.get("enum", [node["const"]] if "const" in node else None)
    if values is not None:
        if not all(isinstance(value, str) for value in values):
            raise ValueError("the response schema has an enum of something other than texts")
        return _described({"type": "STRING", "enum": list(values)}, node)
    kind = node.get("type")
    if kind not in _TYPES:
        raise ValueError(f"the response schema has a value of the type {kind!r}")
    lean: dict[str, Any] = {"type": str(kind).upper()}
    if kind == "array":
        if "prefixItems" in node or not isinstance(node.get("items"), Mapping):
            raise ValueError("the response schema has an array whose items differ or are not described")
        lean["items"] = _lean(node["items"], definitions, path)
    if kind == "object":
        fields = node.get("properties")
        if not fields:
            raise ValueError("the response schema has an object with free keys")
        lean["properties"] = {name: _lean(value, definitions, path) for name, value in fields.items()}
        lean["required"] = lean["propertyOrdering"] = list(fields)
    return _described(lean, node)


def _described(lean: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    return lean | {"description": node["description"]} if isinstance(node.get("description"), str) else lean
