"""`OwnApi`: routes of a domain with an access of their own, beside the API of the pages.

A domain has them where other programs call it under addresses and with a key that were agreed elsewhere. They are
served by the pages' server, and may be served alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from entity_pipeline.admin.installation import Installation


@dataclass(frozen=True, slots=True)
class OwnApi:
    """`router` holds whole paths; `largest_bodies`, in bytes by path, are those above the limit of the server."""

    router: APIRouter
    largest_bodies: Mapping[str, int] = field(default_factory=dict)


OwnApiMaker = Callable[[Installation], OwnApi]
