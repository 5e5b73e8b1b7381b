"""The list's filters as a form: the chosen values, which of them are usable, and addresses of the same list."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import ValidationError

from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.domains.entities.page.queue_values import QueueQuery, QueueSort

_FILTERS = ("state", "type", "role", "region", "reason", "cohort", "search")
_FIELDS = (*_FILTERS, "sort", "cursor")


@dataclass(frozen=True, slots=True)
class QueueForm:
    """The filters. `given` has the chosen values by field; `refused` are fields that were ignored as unusable."""

    query: QueueQuery
    given: Mapping[str, str]
    refused: frozenset[str]

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        return any(name in self.given for name in _FILTERS)

    def value(self, name: str) -> str:
        """The chosen value of a field, '' for none."""
        return self.given.get(name, "")

    def url(self, path: str = PAGE_PATH, **changes: str | None) -> str:
        """The address with some fields changed; None removes one. Any change but the cursor leads to the first page."""
        wanted: dict[str, str | None] = {
            **self.given,
            **({} if "cursor" in changes else {"cursor": None}),
            **changes,
        }
        kept = {name: value for name, value in wanted.items() if value and name not in self.refused}
        return f"{path}?{urlencode(kept)}" if kept else path


def read_queue_form(parameters: Mapping[str, str]) -> QueueForm:
    """The form in an address. Never raises, because a bookmark may come from an older page."""
    given = {name: parameters[name].strip() for name in _FIELDS if parameters.get(name, "").strip()}
    if "region" in given:
        region = given["region"]
        given["region"] = region.lower() if region.lower() == "none" else region.upper()
    if given.get("sort") == QueueSort.MOST_TAGGED:
        del given["sort"]
    refused: set[str] = set()
    while True:
        try:
            query = QueueQuery.model_validate({k: v for k, v in given.items() if k not in refused})
        except ValidationError as error:
            refused |= {str(problem["loc"][0]) for problem in error.errors()}
        else:
            return QueueForm(query, given, frozenset(refused))
