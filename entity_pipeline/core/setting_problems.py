"""What is wrong with stored settings, as reasons: pydantic's errors in plain words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from entity_pipeline.core.reasons import Reason

_PACKAGE = "entity_pipeline.core"
_MOST_PROBLEMS = 10
_EXPECTED = {
    "bool_type": "expected.bool",
    "int_type": "expected.whole",
    "int_from_float": "expected.whole",
    "float_type": "expected.number",
    "finite_number": "expected.finite",
    "greater_than": "expected.more_than",
    "greater_than_equal": "expected.at_least",
    "less_than_equal": "expected.at_most",
    "literal_error": "expected.choice",
    "string_type": "expected.text",
    "string_too_short": "expected.longer",
    "string_too_long": "expected.shorter",
    "dict_type": "expected.object",
    "model_type": "expected.object",
    "list_type": "expected.list",
    "tuple_type": "expected.pair",
    "missing": "expected.pair",  # only pairs have mandatory parts
    "too_long": "expected.pair",
    "smaller_first": "expected.smaller_first",
}


def not_an_object(value: Any) -> Reason:
    """The whole value is something other than a JSON object."""
    return Reason(_PACKAGE, "settings_not_an_object", {"value": _shown(value)})


def problems_of(errors: Sequence[Any], new_places: Mapping[str, str]) -> list[Reason]:
    """One reason for each of pydantic's errors, ten at most; `new_places` says where moved keys are now."""
    said = [_problem(error, new_places) for error in errors[:_MOST_PROBLEMS]]
    if len(errors) > len(said):
        said.append(Reason(_PACKAGE, "more_problems", {"n": len(errors) - len(said)}))
    return said


def _problem(error: Mapping[str, Any], new_places: Mapping[str, str]) -> Reason:
    kind, path = error["type"], [str(part)[:60] for part in error["loc"]]
    if kind == "extra_forbidden":
        name = ".".join(path)
        if name in new_places:
            return Reason(_PACKAGE, "moved_key", {"key": name, "place": new_places[name]})
        return Reason(_PACKAGE, "unknown_key", {"key": name})
    if kind in _EXPECTED:
        expected = Reason(_PACKAGE, _EXPECTED[kind], error.get("ctx", {}))
    else:
        expected = Reason(_PACKAGE, "failure", {"sentence": str(error["msg"])})
    if not path:
        return expected
    if path[-1] == "[key]":
        return Reason(
            _PACKAGE, "bad_key", {"key": ".".join(path[:-2]), "bad": path[-2], "expected": expected}
        )
    if kind == "missing":
        path.pop()
    shown = _shown(error["input"])
    return Reason(_PACKAGE, "bad_value", {"key": ".".join(path), "value": shown, "expected": expected})


def _shown(value: Any) -> str | Reason:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return Reason(_PACKAGE, "cannot_be_shown")
    return text if len(text) <= 60 else text[:59] + "…"
