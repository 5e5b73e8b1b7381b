"""Settings as typed values: one pydantic model per row of `pipeline_settings`, and the gate that every step asks first.

A missing key has the documented default. A value that is present but wrong closes the gate with a reason, so that a
typing error never silently becomes a default. The settings of a particular row belong beside its subject
(`core/gemini/settings.py`, `domains/<domain>/settings.py`), and SQL in `resources/settings_store.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from entity_pipeline.core.reasons import Reason, failure_reason
from entity_pipeline.core.setting_problems import not_an_object, problems_of

Share = Annotated[float, Field(ge=0, le=1)]
# Upper bounds are what the database's integers and intervals can hold, not advice.
Count = Annotated[int, Field(ge=1, le=1_000_000)]
UsdPerDay = Annotated[float, Field(ge=0, le=1_000_000)]

_PACKAGE = "entity_pipeline.core"


class Settings(BaseModel):
    """A group of settings: unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SettingsModel(Settings):
    """One row of `pipeline_settings`. The model is the row's key wherever settings are read or changed."""

    row: ClassVar[str]
    # The name of the row in commands.
    name: ClassVar[str]
    # Keys that earlier releases kept in this row, and the row and key that replace them (a dotted path; "" is the row).
    moved: ClassVar[Mapping[str, "tuple[type[SettingsModel], str]"]] = {}
    # What to do after a change of a key, as a sentence for the command line.
    advice: ClassVar[Mapping[str, str]] = {}
    # The switch while there is no row: off for what may cost or be blocked.
    is_on_without_row: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "name" not in cls.__dict__ and "row" in cls.__dict__:
            cls.name = cls.row

    @classmethod
    def is_on(cls, row: "SettingsRow | None") -> bool:
        """The switch of the row as it is stored."""
        return cls.is_on_without_row if row is None else bool(row.is_enabled)

    def held_because(self) -> Reason | None:
        """Why work must wait although the row is switched on and readable; None when it may begin."""
        return None


class DomainSettings(SettingsModel):
    """The row of one domain.

    `uses` are the shared rows that must be readable before the domain may work; those among them that `requires`
    names must be switched on too.
    """

    uses: ClassVar[tuple[type[SettingsModel], ...]] = ()
    requires: ClassVar[tuple[type[SettingsModel], ...]] = ()

    def refused_beside(self, shared: "Shared") -> Reason | None:
        """Why these settings must not be stored while the shared rows are as they are; None when they may."""
        del shared
        return None

    def works_with(self, shared: "type[SettingsModel]") -> bool:
        """Whether the domain, with these settings, uses what the shared row controls."""
        return shared in type(self).uses


class Shared(Protocol):
    """Reads a shared row."""

    def __call__(self, model: type["S"], /) -> "S":
        """Its settings as `readable` gives them."""


S = TypeVar("S", bound=SettingsModel)
Version = datetime


@dataclass(frozen=True, slots=True)
class SettingsRow:
    """One row of `pipeline_settings` as it is stored; `settings` is whatever the jsonb holds."""

    is_enabled: bool | None
    settings: Any
    updated_at: datetime | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Open(Generic[S]):
    """Work may begin, within these settings."""

    settings: S


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing may begin. `reason.key` is for code; `str(reason)` or `reasons.sentence` for people."""

    reason: Reason

    @classmethod
    def because(cls, sentence: str) -> "Closed":
        """Closed because of a failure, for example because the row can't be read at all."""
        return cls(failure_reason(sentence))


Gate = Open[S] | Closed

Rows = Mapping[str, SettingsRow]
"""Stored rows by `SettingsModel.row`; one that is missing is not among them."""


def gate(model: type[S], rows: Rows) -> Gate[S]:
    """Open only when the row, and every row it uses, is there, switched on and readable to the last key.

    A row that the domain uses but does not require may be switched off: then only the steps that ask for that row's
    own gate wait.
    """
    settings = _opened(model, rows, needs_switch=True)
    if isinstance(settings, Closed):
        return settings
    if issubclass(model, DomainSettings):
        for shared in model.uses:
            found = _opened(shared, rows, needs_switch=shared in model.requires)
            if isinstance(found, Closed):
                return found
    held_because = settings.held_because()
    return Closed(held_because) if held_because is not None else Open(settings)


def row_names(model: type[SettingsModel]) -> list[str]:
    """The rows that `gate` looks at."""
    return (
        [model.row, *(shared.row for shared in model.uses)]
        if issubclass(model, DomainSettings)
        else [model.row]
    )


def parse(model: type[S], raw: Any) -> S:
    """Validate the jsonb value.

    Raises:
        SettingsRefused: with a reason for each invalid key: its value and what is expected.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise SettingsRefused([not_an_object(raw)])
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        raise SettingsRefused(problems_of(error.errors(), _new_places(model))) from None


def usable(model: type[S], raw: Any) -> tuple[S, list[str]]:
    """The settings, and in order the keys that can't be used and therefore have their defaults."""
    if not isinstance(raw, Mapping):
        return model(), []
    try:
        return model.model_validate(dict(raw)), []
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        return model.model_validate({key: value for key, value in raw.items() if key not in bad}), sorted(bad)


def readable(model: type[S], row: SettingsRow | None) -> S:
    """The stored settings; a key that can't be read, which also closes the gate, has its default."""
    return usable(model, row.settings if row is not None else None)[0]


class SettingsRefused(ValueError):
    """Settings that can't be used. The text is English; `problems` are the same as values."""

    def __init__(self, problems: list[Reason]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def _opened(model: type[S], rows: Rows, *, needs_switch: bool) -> S | Closed:
    row = rows.get(model.row)
    names = {"row": model.row, "name": model.name}
    shared = "" if issubclass(model, DomainSettings) else "shared_"
    if row is None:
        return Closed(Reason(_PACKAGE, f"no_{shared}settings_row", names))
    if needs_switch and row.is_enabled is None:
        return Closed(Reason(_PACKAGE, "switch_is_empty", names))
    if needs_switch and not row.is_enabled:
        return Closed(Reason(_PACKAGE, f"{shared}switched_off", names))
    try:
        return parse(model, row.settings)
    except SettingsRefused as refused:
        return Closed(Reason(_PACKAGE, "unreadable_settings", {**names, "problems": refused.problems}))


def _new_places(model: type[SettingsModel]) -> Mapping[str, str]:
    """Where each moved key is now, in words: ``{"daily_spend_usd": "gemini daily_spend_usd"}``."""
    return {old: f"{shared.name} {key}".rstrip() for old, (shared, key) in model.moved.items()}


class SettingsAccess(Protocol):
    """Where settings are read; implemented by `resources/settings_store.py`. A model names its row."""

    def gate(self, model: type[S]) -> Gate[S]:
        """Whether work may begin now. Raises `DatabaseUnavailable` when the rows can't be read."""

    def readable(self, model: type[S]) -> S:
        """The stored settings, also while the gate is closed: see `core.settings.readable`."""

    def row(self, model: type[SettingsModel]) -> SettingsRow | None:
        """The row as it is stored, or None."""
