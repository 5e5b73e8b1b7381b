"""`entity-pipeline import-posts`: the one place that writes `raw_posts`, on a person's explicit request.

An existing post keeps its id and its time of collection; only `platform_metadata` is merged, and `updated_at` changes
only if that changed a value. The source is inactive, so that the collector does not fetch it.
"""

import lzma
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import jsonb_text
from entity_pipeline.core.text.csv_encoding import ERRORS, encoding_of
from entity_pipeline.domains.entities.tags.logic.post_files import (
    BadRow,
    ImportedPost,
    OtherFile,
    parse_csv,
    parse_instaloader,
)

_LARGEST_FILE_BYTES = 64_000_000

_SOURCE = """
    insert into raw_post_sources (platform, source_type, source_identifier, label, is_active)
    values ('instagram', 'import', %(name)s, %(label)s, false)
    on conflict (platform, source_type, source_identifier) do nothing
"""
_STAGE = """
    create temp table incoming_posts (
        position bigint generated always as identity, external_id text, external_url text, image_url text,
        caption text, author_name text, created_at timestamptz, platform_metadata jsonb
    ) on commit drop
"""
_COPY = """
    copy incoming_posts (
        external_id, external_url, image_url, caption, author_name, created_at, platform_metadata
    ) from stdin
"""
# Tags of a post whose slides are unknown are added to those that are known.
_MERGED = """
    case when jsonb_typeof(raw_posts.platform_metadata) <> 'object' or raw_posts.platform_metadata is null
         then excluded.platform_metadata
         when excluded.platform_metadata ? 'slides_unknown'
            and jsonb_typeof(raw_posts.platform_metadata -> 'tagged_usernames') = 'array'
         then raw_posts.platform_metadata || (excluded.platform_metadata - 'slides_unknown')
            || jsonb_build_object('tagged_usernames', (raw_posts.platform_metadata -> 'tagged_usernames') || (
                select coalesce(jsonb_agg(tag order by nth), '[]')
                from jsonb_array_elements(excluded.platform_metadata -> 'tagged_usernames') with ordinality
                    as new (tag, nth)
                where not raw_posts.platform_metadata -> 'tagged_usernames' @> tag))
         else raw_posts.platform_metadata || excluded.platform_metadata end
"""
# The last copy of a post wins, as when the collector fetches it again.
_UPSERT = f"""
    with posts as (
        select distinct on (external_id) * from incoming_posts order by external_id, position desc
    ), written as (
        insert into raw_posts (source_id, platform, external_id, external_url, image_url, caption,
                               author_name, created_at, updated_at, platform_metadata)
        select source.id, 'instagram', external_id, external_url, image_url, caption, author_name,
               coalesce(posts.created_at, now()), now(), platform_metadata
        from posts cross join (
            select id from raw_post_sources
            where platform = 'instagram' and source_type = 'import' and source_identifier = %(name)s
        ) as source
        order by external_id
        on conflict (platform, external_id) do update
            set platform_metadata = {_MERGED}, updated_at = now()
            where raw_posts.platform_metadata is distinct from ({_MERGED})
        returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new), count(*) filter (where not is_new), (select count(*) from posts)
    from written
"""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """The results of an import. `read` = inserted + updated + unchanged + repeated."""

    read: int
    inserted: int
    updated: int
    unchanged: int
    repeated: int
    other_files: int
    bad_rows: list[BadRow] = field(default_factory=list)


def import_posts(
    connection: psycopg.Connection[Any],
    path: Path,
    *,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> ImportCounts:
    """Import a file or folder in one transaction: everything is stored, except rows that are reported as bad.

    Raises:
        InputRejected: `path` is missing or holds neither CSV nor JSON files.
    """
    files = find_files(path)
    bad_rows: list[BadRow] = []
    other_files = read = 0
    source = {"name": path.resolve().name, "label": f"Imported from {path.resolve().name}"}
    with connection.transaction():
        connection.execute(_SOURCE, source)
        connection.execute(_STAGE)
        with connection.cursor().copy(_COPY) as copy:
            for found in _parse_all(files, path, now or datetime.now(UTC)):
                if isinstance(found, BadRow):
                    bad_rows.append(found)
                elif isinstance(found, OtherFile):
                    other_files += 1
                else:
                    copy.write_row(_row(found))
                    read += 1
                    if progress is not None:
                        progress(read)
        counts = connection.execute(_UPSERT, source).fetchone()
        connection.execute("drop table incoming_posts")
    inserted, updated, distinct = counts or (0, 0, 0)
    return ImportCounts(
        read, inserted, updated, distinct - inserted - updated, read - distinct, other_files, bad_rows
    )


def find_files(path: Path) -> list[Path]:
    """The CSV, JSON and JSON.XZ files at or below `path`, in order of name.

    Raises:
        InputRejected: there is none.
    """
    if not path.exists():
        raise InputRejected(f"{path} does not exist.")
    candidates = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [file for file in candidates if file.name.lower().endswith((".csv", ".json", ".json.xz"))]
    if not files:
        raise InputRejected(
            f"{path} contains no .csv, .json or .json.xz file: give a CSV file or an Instaloader folder."
        )
    return files


def _parse_all(
    files: Iterable[Path], root: Path, now: datetime
) -> Iterator[ImportedPost | BadRow | OtherFile]:
    for file in files:
        name = str(file.relative_to(root)) if file != root else file.name
        try:
            if name.lower().endswith(".csv"):
                with file.open("rb") as stream:
                    encoding = encoding_of(stream)
                with file.open(encoding=encoding, errors=ERRORS, newline="") as lines:
                    yield from parse_csv(lines, name, now)
            else:
                data = _read(file)
                yield BadRow(name, None, "it is too large") if data is None else parse_instaloader(data, name)
        except (OSError, EOFError, lzma.LZMAError) as error:
            yield BadRow(name, None, f"it can't be read ({type(error).__name__})")


def _read(file: Path) -> bytes | None:
    opener = lzma.open if file.name.lower().endswith(".xz") else open
    with opener(file, "rb") as stream:
        data = bytes(stream.read(_LARGEST_FILE_BYTES + 1))
    return data if len(data) <= _LARGEST_FILE_BYTES else None


def _row(post: ImportedPost) -> tuple[Any, ...]:
    return (
        post.external_id,
        post.external_url,
        post.image_url,
        post.caption,
        post.author_name,
        post.created_at,
        jsonb_text(post.platform_metadata),
    )
