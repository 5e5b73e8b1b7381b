"""A stored review with its proof: the model's answer, the evidence of its search, and the calibrated confidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from entity_pipeline.core.clock import read_utc, utc_text
from entity_pipeline.core.jsonb import json_items, json_text
from entity_pipeline.domains.entities.models import Evidence, HandleTie, Review


@dataclass(frozen=True, slots=True)
class FinishedReview:
    """A review with its proof. Stored values that can't be read are None, 0 or empty."""

    review: Review | None
    raw_confidence: float | None
    confidence: float | None  # calibrated and capped
    grounded: bool
    chunks: int
    evidence: tuple[Evidence, ...]
    search_queries: tuple[str, ...]
    reviewed_at: datetime | None
    notes: tuple[str, ...]
    search_entry_point: str | None = None
    handle_tie: HandleTie | None = None

    def to_json(self) -> dict[str, Any]:
        """Its keys of the record."""
        claims = [{"claim": item.claim, "chunk": item.chunk} for item in self.evidence]
        stored = {
            "review": self.review and {**self.review.model_dump(mode="json"), "evidence": claims},
            "raw_confidence": self.raw_confidence,
            "confidence": self.confidence,
            "grounded": self.grounded,
            "chunks": self.chunks,
            "evidence": [{name: getattr(item, name) for name in item.__slots__} for item in self.evidence],
            "search_queries": list(self.search_queries),
            "reviewed_at": self.reviewed_at and utc_text(self.reviewed_at),
            "notes": list(self.notes),
        }
        if self.handle_tie is not None:
            stored["handle_tie"] = self.handle_tie.value
        if self.search_entry_point is not None:
            stored["search_entry_point"] = self.search_entry_point
        return stored

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FinishedReview":
        """The review of a stored record."""
        try:
            review = Review.model_validate(value.get("review"))
        except ValidationError:
            review = None
        chunks = value.get("chunks")
        return cls(
            review=review,
            raw_confidence=_share(value.get("raw_confidence")),
            confidence=_share(value.get("confidence")),
            grounded=value.get("grounded") is True,
            chunks=chunks if type(chunks) is int and chunks > 0 else 0,
            evidence=tuple(
                _evidence(item) for item in json_items(value.get("evidence")) if isinstance(item, Mapping)
            ),
            search_queries=_texts(value.get("search_queries")),
            reviewed_at=read_utc(value.get("reviewed_at")),
            notes=_texts(value.get("notes")),
            search_entry_point=json_text(value.get("search_entry_point")),
            handle_tie=next((tie for tie in HandleTie if tie == value.get("handle_tie")), None),
        )


def _evidence(item: Mapping[str, Any]) -> Evidence:
    chunk = item.get("chunk")
    return Evidence(
        claim=str(item.get("claim", "")),
        chunk=chunk if type(chunk) is int else 0,
        uri=json_text(item.get("uri")) or "",
        title=json_text(item.get("title")),
        names_account=item.get("names_account") is True,
    )


def _share(value: object) -> float | None:
    """A number from 0 to 1."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None  # type: ignore[arg-type, operator]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in json_items(value) if isinstance(item, str))
