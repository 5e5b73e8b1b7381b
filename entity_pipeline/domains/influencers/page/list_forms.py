"""The filters of both lists as forms: what was chosen, what of it can be used, and addresses of the same lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic
from urllib.parse import urlencode

from entity_pipeline.admin.forms import Query, usable_query
from entity_pipeline.domains.influencers.page.addresses import PAGE_PATH
from entity_pipeline.domains.influencers.page.list_values import BlogQuery, BlogSort, TaskQuery

BLOG_FIELDS = ("status", "category", "source", "search", "sort", "cursor")
TASK_FIELDS = ("task_status", "task_type", "before")
_PLACES = frozenset({"cursor", "before"})


@dataclass(frozen=True, slots=True)
class ListForm(Generic[Query]):
    """A list's form. `given` has its chosen values, `kept` those of the other list; `refused` can't be used."""

    query: Query
    given: Mapping[str, str]
    kept: Mapping[str, str]
    refused: frozenset[str]

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        return bool(self.given.keys() - _PLACES - {"sort"})

    @property
    def is_first(self) -> bool:
        """Whether this is the first page."""
        return not self.given.keys() & _PLACES

    def value(self, name: str) -> str:
        """The chosen value of a field, '' for none."""
        return self.given.get(name, "")

    def url(self, **changes: str | None) -> str:
        """The address with some fields changed; None removes one. Without a place it leads to the first page."""
        wanted: dict[str, str | None] = {**self.kept, **self.given}
        if not changes.keys() & _PLACES:
            wanted |= dict.fromkeys(_PLACES & self.given.keys())
        wanted |= changes
        usable = {name: value for name, value in wanted.items() if value and name not in self.refused}
        return f"{PAGE_PATH}?{urlencode(usable)}" if usable else PAGE_PATH


def blog_form(parameters: Mapping[str, str]) -> ListForm[BlogQuery]:
    """The form of the blogs in an address. Never raises, because a bookmark may come from an older page."""
    return _read(BlogQuery, BLOG_FIELDS, TASK_FIELDS, parameters)


def task_form(parameters: Mapping[str, str]) -> ListForm[TaskQuery]:
    """The form of the tasks in an address. Never raises."""
    return _read(TaskQuery, TASK_FIELDS, BLOG_FIELDS, parameters)


def _read(
    model: type[Query], fields: tuple[str, ...], others: tuple[str, ...], parameters: Mapping[str, str]
) -> ListForm[Query]:
    given = _chosen(fields, parameters)
    query, refused = usable_query(model, given)
    return ListForm(query, given, _chosen(others, parameters), refused)


def _chosen(fields: tuple[str, ...], parameters: Mapping[str, str]) -> dict[str, str]:
    found = {name: parameters[name].strip() for name in fields if parameters.get(name, "").strip()}
    if found.get("sort") == BlogSort.FOLLOWERS:
        del found["sort"]
    return found
