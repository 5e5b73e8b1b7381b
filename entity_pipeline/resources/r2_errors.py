"""What an object store's refusal concerns: every object, one object, or only this moment. Pure; no client here.

A missing bucket or one that refuses the key concerns every object; a type, size or name that it does not take concerns
one object.
"""

from typing import Any
from urllib.parse import urlsplit

from entity_pipeline.core.failures import (
    ConfigurationFailure,
    ObjectRefused,
    PipelineFailure,
    TransientFailure,
)

_REFUSED_KEY = frozenset(
    (
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "Unauthorized",
    )
)
_NO_BUCKET = frozenset(("InvalidBucketName", "NoSuchBucket"))
_THIS_OBJECT = frozenset(
    (
        "BadDigest",
        "EntityTooLarge",
        "EntityTooSmall",
        "IncompleteBody",
        "InvalidDigest",
        "InvalidObjectName",
        "KeyTooLong",
        "KeyTooLongError",
        "MetadataTooLarge",
    )
)
_PASSING = frozenset(("RequestTimeout",))  # HTTP 400: the body arrived too slowly


class NoSuchObject(ObjectRefused):
    """No object has this key."""


def failure_of(error: Any, endpoint_url: str, bucket: str) -> PipelineFailure:
    """Our failure for an exception of botocore or urllib3. It names only the host: an address may hold credentials."""
    host = urlsplit(endpoint_url).hostname or "R2_ENDPOINT_URL"
    response = getattr(error, "response", None)
    if response is None:
        return TransientFailure(
            f"The object store at {host} did not answer ({type(error).__name__}); try again later."
        )
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchKey":
        return NoSuchObject(f"The object store at {host} has no such object in bucket {bucket!r}.")
    if code in _NO_BUCKET:
        return ConfigurationFailure(
            f"The object store at {host} has no bucket {bucket!r}: create it, or correct R2_BUCKET."
        )
    if code in _REFUSED_KEY or status in (401, 403):
        return ConfigurationFailure(
            f"The object store at {host} refused the key ({code}): check R2_ACCESS_KEY_ID, "
            f"R2_SECRET_ACCESS_KEY and that they may read and write bucket {bucket!r}."
        )
    if code in _PASSING or is_passing(status):
        return TransientFailure(
            f"The object store at {host} is busy or broken (HTTP {status}, {code}); try again later."
        )
    if code in _THIS_OBJECT or status == 413:
        return ObjectRefused(f"The object store at {host} does not take this object (HTTP {status}, {code}).")
    return ConfigurationFailure(
        f"The object store at {host} refused the request (HTTP {status}, {code}): check R2_ENDPOINT_URL."
    )


def is_passing(status: int) -> bool:
    """Whether a request that got this HTTP status may succeed a moment later."""
    return status == 429 or status >= 500
