"""Why a sensor requested no run: in English on Dagster's tick, and as a value in the tick's cursor.

Dagster keeps a tick's reason as a text in one language. The value beside it lets the administration page show it in
another. What a sensor decides, and what else its cursor holds, belongs to the sensor.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from entity_pipeline.core.reasons import Reason

_SKIPPED = "skipped"


def skipped(
    reason: Reason, cursor: str | None, events: Sequence[dg.AssetObservation] = ()
) -> dg.SensorResult:
    """The result of a sensor that requests no run; `cursor` is the JSON object that its next evaluation reads."""
    noted = cursor_object(cursor) | {_SKIPPED: _plain(reason)}
    return dg.SensorResult(
        skip_reason=str(reason), cursor=json.dumps(noted, default=str), asset_events=list(events)
    )


def skip_reason(cursor: str | None, said: str | None) -> Reason | None:
    """The reason behind the text `said` of a tick, from its cursor; None for a tick with another text."""
    reason = _reason(cursor_object(cursor).get(_SKIPPED))
    try:
        return reason if reason is not None and str(reason) == said else None
    except (KeyError, ValueError, OSError, ImportError):  # a cursor from a release with other texts
        return None


def cursor_object(text: str | None) -> dict[str, Any]:
    """The JSON object in a cursor; empty for any other text."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, Reason):
        values = {name: _plain(one) for name, one in value.values.items()}
        return {"package": value.package, "key": value.key, "values": values}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _reason(plain: Any) -> Reason | None:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("values"), Mapping):
        return None
    values = {name: _value(one) for name, one in plain["values"].items()}
    return Reason(str(plain.get("package")), str(plain.get("key")), values)


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(one) for one in plain)
    return _reason(plain) or plain
