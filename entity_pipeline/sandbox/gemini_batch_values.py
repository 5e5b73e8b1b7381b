"""Values of the stand-in's batches: what goes wrong, as it does with the real ones, and what was billed."""

from dataclasses import dataclass, field


@dataclass
class BadDays:
    """What goes wrong, and for how long.

    `create` and `upload` are used up in order, a word per request. Of `create`, those that end in ``_made`` make the
    batch first (``overloaded_made``, ``dropped_made``, ``empty_made``, ``twice_made``), and the others don't
    (``invalid``, and those of `gemini_errors.trouble`). Of `upload`: ``mime``, ``piece``, ``no_file``, ``dropped``.
    `results` may hold ``half_missing``, ``doubled``, ``foreign``, ``broken_lines``, ``separators``, ``errors``,
    ``no_usage``, ``inline``, ``gone`` and ``cut``.
    """

    create: list[str] = field(default_factory=list)
    upload: list[str] = field(default_factory=list)
    results: set[str] = field(default_factory=set)
    looks_until_ended: int = 1
    ends_as: str = "SUCCEEDED"
    prefix: str = "BATCH_STATE_"
    page_size: int = 100


@dataclass(frozen=True, slots=True)
class Billed:
    """The tokens of one answer in a batch, by the key of its request; `output` includes thinking."""

    batch: str
    key: str
    model: str
    prompt: int
    output: int
