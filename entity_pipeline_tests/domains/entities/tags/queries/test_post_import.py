import json
import lzma
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.domains.entities.tags.queries.post_import import ImportCounts, import_posts
from entity_pipeline_tests.databases import ClonedDatabase

Connection = psycopg.Connection[Any]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def save_post(folder: Path, shortcode: str, *tags: str, compress: bool = False) -> Path:
    node = {
        "shortcode": shortcode,
        "edge_media_to_tagged_user": {"edges": [{"node": {"user": {"username": tag}}} for tag in tags]},
    }
    text = json.dumps({"node": node, "instaloader": {"node_type": "Post", "version": "4.16"}})
    file = folder / f"{shortcode}.json"
    if compress:
        file = file.with_suffix(".json.xz")
        file.write_bytes(lzma.compress(text.encode(), check=lzma.CHECK_NONE))
    else:
        file.write_text(text, "utf-8")
    return file


def save_csv(folder: Path, *rows: str) -> Path:
    file = folder / "posts.csv"
    file.write_text("\n".join(["external_id,tagged_usernames,created_at", *rows]), "utf-8")
    return file


def posts(connection: Connection) -> list[Any]:
    query = (
        "select external_id, platform_metadata, created_at, updated_at, id, xmin from raw_posts order by 1"
    )
    return connection.execute(query).fetchall()


def test_an_instaloader_folder_is_imported_from_an_inactive_source(
    assets: Connection, tmp_path: Path
) -> None:
    (tmp_path / "street").mkdir()
    save_post(tmp_path / "street", "Cx1", "nike", "puma")
    save_post(tmp_path, "Cx2", compress=True)
    (tmp_path / "nike_comments.json").write_text("[]")
    (tmp_path / "2026.txt").write_text("a caption")

    assert import_posts(assets, tmp_path) == ImportCounts(2, 2, 0, 0, 0, 1)
    assert [row[:2] for row in posts(assets)] == [
        ("Cx1", {"shortcode": "Cx1", "tagged_usernames": ["nike", "puma"]}),
        ("Cx2", {"shortcode": "Cx2", "tagged_usernames": []}),
    ]
    source = assets.execute(
        "select source.platform, source_type, source_identifier, is_active, count(post.id) "
        "from raw_post_sources as source join raw_posts as post on post.source_id = source.id group by source.id"
    ).fetchall()
    assert source == [("instagram", "import", tmp_path.name, False, 2)]


def test_importing_again_writes_nothing(assets: Connection, tmp_path: Path) -> None:
    save_post(tmp_path, "Cx1", "nike")
    save_csv(tmp_path, "Cx2,puma,2026-11-01")
    import_posts(assets, tmp_path, now=NOW)
    before = posts(assets)

    assert import_posts(assets, tmp_path, now=NOW) == ImportCounts(2, 0, 0, 2, 0, 0)
    assert posts(assets) == before
    assert assets.execute("select count(*) from raw_post_sources").fetchone() == (1,)


def test_a_post_that_changed_keeps_its_id_its_day_and_what_only_the_collector_knew(
    assets: Connection, tmp_path: Path
) -> None:
    day = NOW - timedelta(days=9)
    assets.execute(
        "insert into raw_posts (platform, external_id, created_at, updated_at, platform_metadata, caption) "
        "values ('instagram', 'Cx1', %(day)s, %(day)s, '{\"likes\": 7, \"tagged_usernames\": [\"old\"]}', 'kept')",
        {"day": day},
    )
    (before,) = posts(assets)
    save_csv(tmp_path, "Cx1,nike,2026-11-19")

    assert import_posts(assets, tmp_path, now=NOW) == ImportCounts(1, 0, 1, 0, 0, 0)
    (after,) = posts(assets)
    assert after[1] == {"likes": 7, "tagged_usernames": ["nike"]}
    assert (after[2], after[4]) == (day, before[4])
    assert after[3] > before[3]


@pytest.mark.parametrize("metadata", [None, "null", "[1]", '"text"'])
def test_metadata_that_is_not_an_object_is_replaced(
    assets: Connection, tmp_path: Path, metadata: str | None
) -> None:
    assets.execute(
        "insert into raw_posts (platform, external_id, platform_metadata) values ('instagram', 'Cx1', %s)",
        (metadata,),
    )
    assert import_posts(assets, save_csv(tmp_path, "Cx1,nike,"), now=NOW).updated == 1
    assert posts(assets)[0][1] == {"tagged_usernames": ["nike"]}


def test_of_two_copies_in_one_import_the_last_wins(assets: Connection, tmp_path: Path) -> None:
    save_csv(tmp_path, "Cx1,nike,", "Cx2,fila,", "Cx1,puma,")
    assert import_posts(assets, tmp_path, now=NOW) == ImportCounts(3, 2, 0, 0, 1, 0)
    assert posts(assets)[0][1] == {"tagged_usernames": ["puma"]}


def _not_xz(folder: Path) -> None:
    (folder / "bad.json.xz").write_bytes(b"not xz")


def _cut_xz(folder: Path) -> None:
    file = save_post(folder, "bad", "nike", compress=True)
    file.write_bytes(file.read_bytes()[:-9])


def _bomb(folder: Path) -> None:
    (folder / "bad.json.xz").write_bytes(lzma.compress(b" " * 65_000_000))


def _folder_named_json(folder: Path) -> None:
    (folder / "bad.json").mkdir()


@pytest.mark.parametrize("damage", [_not_xz, _cut_xz, _bomb, _folder_named_json])
def test_a_damaged_file_is_reported_and_the_others_are_imported(
    assets: Connection, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    save_post(tmp_path, "good", "nike")
    damage(tmp_path)

    done = import_posts(assets, tmp_path)
    assert (done.inserted, [row.file.partition(".")[0] for row in done.bad_rows]) == (1, ["bad"])
    assert [row[0] for row in posts(assets)] == ["good"]


def test_bad_csv_rows_are_reported_with_file_and_line(assets: Connection, tmp_path: Path) -> None:
    save_csv(tmp_path, "Cx1,nike,", ",nike,", "Cx3,puma,never")
    done = import_posts(assets, tmp_path, now=NOW)
    assert done.inserted == 1
    assert [str(row) for row in done.bad_rows] == [
        "posts.csv:3: external_id is empty or too long",
        "posts.csv:4: created_at is not an ISO 8601 time: 'never'",
    ]


def test_text_that_postgresql_refuses_is_stored_without_it(assets: Connection, tmp_path: Path) -> None:
    save_csv(tmp_path, 'C\0x1,"[""ni\\u0000ke"", ""\\ud800""]",')
    assert import_posts(assets, tmp_path, now=NOW).inserted == 1
    assert posts(assets)[0][:2] == ("Cx1", {"tagged_usernames": ["ni\ufffdke", "\ufffd"]})


def test_progress_is_reported_post_by_post(assets: Connection, tmp_path: Path) -> None:
    seen: list[int] = []
    import_posts(assets, save_csv(tmp_path, "Cx1,nike,", "Cx2,nike,"), now=NOW, progress=seen.append)
    assert seen == [1, 2]


@pytest.mark.parametrize("name", ["missing", "empty", "photo.jpg"])
def test_a_path_without_posts_is_refused_in_a_sentence(assets: Connection, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputRejected, match=r"does not exist\.|contains no \.csv"):
        import_posts(assets, tmp_path / name)
    assert posts(assets) == []


def test_two_imports_at_once_store_each_post_once(assets_db: ClonedDatabase, tmp_path: Path) -> None:
    save_csv(tmp_path, *(f"Cx{number},nike," for number in range(500)))

    def run(_: int) -> ImportCounts:
        with assets_db.connection() as connection:
            return import_posts(connection, tmp_path, now=NOW)

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(run, range(3)))
    assert sum(one.inserted for one in done) == 500
    assert sum(one.unchanged for one in done) == 1_000


def save_sidecar(folder: Path, *tags: str, slides: list[list[str]] | None = None) -> None:
    def tagged(names: Any) -> dict[str, Any]:
        return {
            "edge_media_to_tagged_user": {"edges": [{"node": {"user": {"username": name}}} for name in names]}
        }

    node: dict[str, Any] = {"shortcode": "Cx1", "__typename": "GraphSidecar", **tagged(tags)}
    if slides is not None:
        node["edge_sidecar_to_children"] = {"edges": [{"node": tagged(names)} for names in slides]}
    text = json.dumps({"node": node, "instaloader": {"node_type": "Post", "version": "4.16"}})
    (folder / "Cx1.json").write_text(text, "utf-8")


def test_a_post_with_unknown_slides_adds_to_the_known_tags_and_takes_none_away(
    assets: Connection, tmp_path: Path
) -> None:
    def tags() -> Any:
        return posts(assets)[0][1]["tagged_usernames"]

    save_sidecar(tmp_path, "a", slides=[["a"], ["b"]])
    import_posts(assets, tmp_path)
    assert tags() == ["a", "b"]
    for own, known in (([], ["a", "b"]), (["b"], ["a", "b"]), (["c", "a"], ["a", "b", "c"])):
        save_sidecar(tmp_path, *own)
        import_posts(assets, tmp_path)
        assert tags() == known
        assert import_posts(assets, tmp_path).unchanged == 1
    save_sidecar(tmp_path, slides=[[], ["b"]])
    import_posts(assets, tmp_path)
    assert tags() == ["b"]


KOREAN = "서울숲 나들이 ㅋㅋ ☆"
KOREAN_CSV = (
    f"external_id,tagged_usernames,caption,author_name\nk1,nike,{KOREAN},김민지\nk2,puma,plain,plain\n"
)


def read_back(connection: Connection) -> dict[str, str | None]:
    return dict(connection.execute("select external_id, caption from raw_posts order by 1").fetchall())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "euc_kr", "utf-16"])
def test_a_csv_file_of_korean_excel_is_read_as_it_was_written(
    assets: Connection, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "posts.csv"
    file.write_bytes(KOREAN_CSV.encode(encoding))
    assert import_posts(assets, file).bad_rows == []
    assert read_back(assets) == {"k1": KOREAN, "k2": "plain"}
    author = assets.execute("select author_name from raw_posts where external_id = 'k1'").fetchone()
    assert author == ("김민지",)


OTHER_ENCODINGS = {
    "latin_1": "café où déjà",
    "cp1252": "“smart quotes” and naïve",
    "shift_jis": "東京でおしゃれなカフェ",
    "euc_jp": "東京でおしゃれなカフェ",
    "gb18030": "我们在首尔的咖啡店",
    "big5": "我們在首爾的咖啡店",
}


@pytest.mark.parametrize("encoding", OTHER_ENCODINGS)
def test_rows_in_another_encoding_are_refused_and_the_others_kept(
    assets: Connection, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "posts.csv"
    file.write_bytes(
        KOREAN_CSV.replace("서울숲 나들이 ㅋㅋ ☆,김민지", f"{OTHER_ENCODINGS[encoding]},x").encode(encoding)
    )
    counts = import_posts(assets, file)
    (bad,) = counts.bad_rows
    assert (bad.line, "CSV UTF-8" in bad.reason) == (2, True)
    assert read_back(assets) == {"k2": "plain"}


def test_one_broken_byte_in_a_utf8_file_costs_one_row(assets: Connection, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_bytes(KOREAN_CSV.encode() + b"k3,nike,broken \xff,x\n" + "k4,nike,좋아요,x\n".encode())
    counts = import_posts(assets, file)
    assert [bad.line for bad in counts.bad_rows] == [4]
    assert read_back(assets).keys() == {"k1", "k2", "k4"}
