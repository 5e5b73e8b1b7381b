"""The addresses of stored pictures. Only our bucket is shown: the content policy lets the browser load nothing else."""

import re

from entity_pipeline.admin.configuration import AdminConfiguration

_KEY = re.compile(r"(?:[a-z0-9][a-z0-9_-]*/)+[0-9a-f]{2}/[0-9a-f]{64}\.(?:jpg|png|webp)", re.ASCII)


def picture_address(configuration: AdminConfiguration, key: object) -> str | None:
    """The public address of an object by its key (`core/objects.py`); None without a bucket or for any other text."""
    if configuration.picture_base is None or not isinstance(key, str) or not _KEY.fullmatch(key):
        return None
    return f"{configuration.picture_base}/{key}"
