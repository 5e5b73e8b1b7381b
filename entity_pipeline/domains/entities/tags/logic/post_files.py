"""Posts in files from a person: Instaloader's own files, and CSV.

Tags are stored as written; like those of the collector, they are normalised when they are counted. A file without
the key for tags does not get an empty list, which would erase known tags.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from entity_pipeline.core.jsonb import json_items, json_object, read_json
from entity_pipeline.core.text.csv_encoding import is_undecoded
from entity_pipeline.core.text.csv_rows import read_csv

_SEPARATORS = re.compile(r"[\s,;]+")
_NEEDED_COLUMNS = ("external_id", "tagged_usernames")
_OTHER_ENCODING = "it is in neither UTF-8 nor CP949 (Korean Excel): save the file as CSV UTF-8"
_LONGEST_ID = 200
_LONGEST_FIELD = 10_000_000
_WITH_SLIDES = ("GraphSidecar", "XDTGraphSidecar", "carousel_container")
_ALBUM = 8


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """One post to store. `created_at` is the time of collection (None: now), not of publication."""

    external_id: str
    external_url: str | None = None
    image_url: str | None = None
    caption: str | None = None
    author_name: str | None = None
    created_at: datetime | None = None
    platform_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row or file that was not imported. `line` counts from 1 and is None for a whole file."""

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


@dataclass(frozen=True, slots=True)
class OtherFile:
    """Another file of Instaloader that holds no post; `kind` says what it is."""

    file: str
    kind: str


def parse_instaloader(data: bytes, file: str) -> ImportedPost | BadRow | OtherFile:
    """One decompressed JSON file of an Instaloader download folder (4.x, node type Post)."""
    try:
        content = read_json(data)
    except ValueError:
        return BadRow(file, None, "it is not JSON")
    if isinstance(content, list):
        return OtherFile(file, "comments")
    if (
        not isinstance(content, dict)
        or "node" not in content
        or not isinstance(content.get("instaloader"), dict)
    ):
        return BadRow(
            file, None, "it was not saved by Instaloader: the keys `node` and `instaloader` are missing"
        )
    kind = content["instaloader"].get("node_type")
    if kind != "Post":
        return OtherFile(file, str(kind))
    node = content["node"]
    if not isinstance(node, dict):
        return BadRow(file, None, "its `node` is not an object")
    shortcode = _text(node.get("shortcode")) or _text(node.get("code"))
    if shortcode is None or len(shortcode) > _LONGEST_ID:
        return BadRow(file, None, "its `node` has no usable shortcode")
    phone = json_object(node.get("iphone_struct"))
    metadata: dict[str, Any] = {"shortcode": shortcode}
    metadata |= _tags_of([node, phone])
    if coauthors := _usernames(
        json_items(node.get("coauthor_producers")) + json_items(phone.get("coauthor_producers"))
    ):
        metadata["coauthors"] = coauthors
    if media_id := _text(str(node.get("id") or node.get("pk") or "")):
        metadata["media_id"] = media_id
    if isinstance(taken_at := node.get("taken_at_timestamp") or node.get("date"), int):
        metadata["taken_at_timestamp"] = taken_at
    owner = json_object(node.get("owner")) or json_object(node.get("user")) or json_object(phone.get("user"))
    return ImportedPost(
        external_id=shortcode,
        external_url=f"https://www.instagram.com/p/{shortcode}/",
        image_url=_text(node.get("display_url")),
        caption=_caption_of(node),
        author_name=_text(owner.get("username")),
        platform_metadata=metadata,
    )


def parse_csv(lines: Iterable[str], file: str, now: datetime) -> Iterator[ImportedPost | BadRow]:
    """Rows of a CSV file with a header line, separated by commas, semicolons or tabs.

    Columns: external_id, tagged_usernames (separated by white space, commas or semicolons, or a JSON array),
    and optionally caption, author_name, created_at (ISO 8601, UTC unless it names a zone), url.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        names, rows = read_csv(lines)
    except csv.Error as error:
        yield BadRow(file, 1, f"the header can't be read ({error})")
        return
    if missing := [name for name in _NEEDED_COLUMNS if name not in names]:
        yield BadRow(file, 1, f"the header has no column {' or '.join(missing)}")
        return
    for line, values in rows:
        if isinstance(values, csv.Error):
            yield BadRow(file, line, f"the row can't be read ({values})")
            continue
        if len(values) != len(names):
            yield BadRow(file, line, f"it has {len(values)} columns instead of {len(names)}")
            continue
        if any(map(is_undecoded, values)):
            yield BadRow(file, line, _OTHER_ENCODING)
            continue
        try:
            yield _post_of_row(dict(zip(names, values, strict=True)), now)
        except ValueError as error:
            yield BadRow(file, line, str(error))


def _post_of_row(row: Mapping[str, str], now: datetime) -> ImportedPost:
    external_id = _text(row["external_id"])
    if external_id is None or len(external_id) > _LONGEST_ID:
        raise ValueError("external_id is empty or too long")
    return ImportedPost(
        external_id=external_id,
        external_url=_text(row.get("url")),
        caption=_text(row.get("caption")),
        author_name=_text(row.get("author_name")),
        created_at=_collection_time(row.get("created_at", ""), now),
        platform_metadata={"tagged_usernames": _tags_of_cell(row["tagged_usernames"])},
    )


def _tags_of_cell(cell: str) -> list[Any]:
    cell = cell.strip()
    if not cell.startswith("["):
        return [tag for tag in _SEPARATORS.split(cell) if tag]
    try:
        return list(read_json(cell))
    except ValueError:
        raise ValueError("tagged_usernames starts with [ but is not a JSON array") from None


def _collection_time(cell: str, now: datetime) -> datetime | None:
    if not cell.strip():
        return None
    try:
        moment = datetime.fromisoformat(cell.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"created_at is not an ISO 8601 time: {cell.strip()[:40]!r}") from None
    if moment > now:
        raise ValueError(f"created_at is in the future: {cell.strip()[:40]!r}")
    return moment


def _tags_of(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All accounts tagged in the post or its slides, in either of Instagram's forms; nothing without such a key.

    A post with slides of which the file knows nothing says only whom it does tag: without tags it is nothing, with some
    it is marked `slides_unknown`, so that the known tags of the other slides stay.
    """
    parts = [part for node in nodes for part in (node, *_slides(node))]
    if not any("edge_media_to_tagged_user" in part or "usertags" in part for part in parts):
        return {}
    users: list[Any] = []
    for part in parts:
        edges = json_items(json_object(part.get("edge_media_to_tagged_user")).get("edges"))
        users += [json_object(json_object(edge).get("node")).get("user") for edge in edges]
        users += [
            json_object(tag).get("user") for tag in json_items(json_object(part.get("usertags")).get("in"))
        ]
    tags = _usernames(users)
    if not any(map(_has_slides, nodes)) or _knows_slides(nodes):
        return {"tagged_usernames": tags}
    return {"tagged_usernames": tags, "slides_unknown": True} if tags else {}


def _slides(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    edges = json_items(json_object(node.get("edge_sidecar_to_children")).get("edges"))
    slides = [json_object(edge).get("node") for edge in edges]
    return [json_object(slide) for slide in (*slides, *json_items(node.get("carousel_media")))]


def _has_slides(node: Mapping[str, Any]) -> bool:
    kind = node.get("__typename") or node.get("typename") or node.get("product_type")
    return kind in _WITH_SLIDES or node.get("media_type") == _ALBUM or bool(_slides(node))


def _knows_slides(nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the forms lists the slides with their tags; the newer one leaves the key out where none is."""
    for node in nodes:
        edges = json_items(json_object(node.get("edge_sidecar_to_children")).get("edges"))
        slides = [json_object(json_object(edge).get("node")) for edge in edges]
        if json_items(node.get("carousel_media")):
            return True
        if slides and all("edge_media_to_tagged_user" in slide or "usertags" in slide for slide in slides):
            return True
    return False


def _usernames(users: Iterable[Any]) -> list[str]:
    names = (_text(json_object(user).get("username")) for user in users)
    return list(dict.fromkeys(name for name in names if name))


def _caption_of(node: Mapping[str, Any]) -> str | None:
    edges = json_items(json_object(node.get("edge_media_to_caption")).get("edges"))
    if edges:
        return _text(json_object(json_object(edges[0]).get("node")).get("text"))
    caption = node.get("caption")
    return _text(caption.get("text") if isinstance(caption, dict) else caption)


def _text(value: Any) -> str | None:
    """Text that PostgreSQL accepts (no NUL, no lone surrogate), or None when nothing is left."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode().strip() or None
