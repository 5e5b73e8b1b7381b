"""The list's filters as a form: the chosen values, which of them are usable, and addresses of the same list."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from entity_pipeline.admin.forms import usable_query
from entity_pipeline.domains.entities.page.addresses import PAGE_PATH
from entity_pipeline.domains.entities.page.queue_values import Counts, QueueQuery, QueueSort

_FILTERS = ("state", "type", "role", "region", "reason", "cohort", "search")
_FIELDS = (*_FILTERS, "sort", "cursor")
_PLACE = "from"  # the number of the first account of the page, which only the links of pages know

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueueForm:
    """The filters. `given` has the chosen values by field; `refused` are fields that were ignored as unusable."""

    query: QueueQuery
    given: Mapping[str, str]
    refused: frozenset[str]
    number: int = 1

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        return any(name in self.given for name in _FILTERS)

    @property
    def first(self) -> int:
        """The number of the first account of this page."""
        return self.number if "cursor" in self.given else 1

    def total(self, counts: Counts | None) -> int | None:
        """How many accounts the list has, where one count says so: without a filter, or with only a state."""
        filters = {
            name: self.given[name] for name in _FILTERS if name in self.given and name not in self.refused
        }
        if counts is None or filters.keys() - {"state"}:
            return None
        if not filters:
            return counts.total
        return next((count.accounts for count in counts.states if count.value == filters["state"]), None)

    def value(self, name: str) -> str:
        """The chosen value of a field, '' for none."""
        return self.given.get(name, "")

    def url(self, path: str = PAGE_PATH, **changes: str | None) -> str:
        """The address with some fields changed; None removes one. Any change but the cursor leads to the first page."""
        wanted: dict[str, str | None] = {
            **self.given,
            **({} if "cursor" in changes else {"cursor": None}),
            **{_PLACE if name == "number" else name: value for name, value in changes.items()},
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
    query, refused = usable_query(QueueQuery, given)
    number = parameters.get(_PLACE, "")
    return QueueForm(query, given, refused, int(number) if _NUMBER.fullmatch(number) else 1)
