"""As much of JSON Schema as the one for requests uses. A keyword that is not known here is an error."""

import re
from collections.abc import Callable
from typing import Any

_SAID_ELSEWHERE = {"title", "description", "default", "$defs", "$schema", "format"}

_FITS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, codes: value in codes,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "maxLength": lambda value, most: len(value) <= most,
    "minLength": lambda value, least: len(value) >= least,
    "maxItems": lambda value, most: len(value) <= most,
    "minItems": lambda value, least: len(value) >= least,
    "maximum": lambda value, most: value <= most,
    "minimum": lambda value, least: value >= least,
}


def mismatches(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """The paths at which a value does not fit, with the keyword."""
    if "$ref" in schema:
        return mismatches(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema:
        each = [mismatches(value, one, root, at) for one in schema["anyOf"]]
        return [] if [] in each else min(each, key=len)
    if not _is(value, schema["type"]):
        return [f"{at}: type"]
    return [found for keyword in schema if keyword != "type" for found in _judge(keyword, value, schema, root, at)]


def _is(value: Any, type_name: str) -> bool:
    python = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    return type(value) is python[type_name]


def _judge(keyword: str, value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    limit = schema[keyword]
    match keyword:
        case "properties":
            inner = ((name, limit[name]) for name in value if name in limit)
            return [found for name, one in inner for found in mismatches(value[name], one, root, f"{at}.{name}")]
        case "items":
            return [found for i, one in enumerate(value) for found in mismatches(one, limit, root, f"{at}[{i}]")]
        case "required":
            return [f"{at}.{name}: required" for name in limit if name not in value]
        case "additionalProperties":
            return [f"{at}: {keyword}"] if set(value) - set(schema["properties"]) else []
    return [] if keyword in _SAID_ELSEWHERE or _FITS[keyword](value, limit) else [f"{at}: {keyword}"]
