import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.tags.logic.post_files import (
    BadRow,
    ImportedPost,
    OtherFile,
    parse_csv,
    parse_instaloader,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
INSTALOADER = {"node_type": "Post", "version": "4.16"}


def saved(node: Any, **instaloader: Any) -> bytes:
    return json.dumps({"node": node, "instaloader": INSTALOADER | instaloader}).encode()


def user(name: Any) -> dict[str, Any]:
    return {"user": {"username": name}}


def edges(*names: Any) -> dict[str, Any]:
    return {"edges": [{"node": user(name)} for name in names]}


def tags_in(node: dict[str, Any]) -> Any:
    found = parse_instaloader(saved({"shortcode": "Cx1", **node}), "a.json")
    assert isinstance(found, ImportedPost)
    return found.platform_metadata.get("tagged_usernames", "not said")


def csv_rows(text: str) -> list[ImportedPost | BadRow]:
    return list(parse_csv(text.splitlines(keepends=True), "posts.csv", NOW))


def test_a_post_saved_by_instaloader_is_read_whole() -> None:
    node = {
        "shortcode": "Cx1",
        "id": "3141",
        "taken_at_timestamp": 1_780_000_000,
        "display_url": "https://pictures.example/1.jpg",
        "owner": {"id": "1", "username": "street_shots"},
        "edge_media_to_caption": {"edges": [{"node": {"text": "새 컬렉션 #ootd"}}]},
        "edge_media_to_tagged_user": edges("nike", "gentlemonster"),
        "coauthor_producers": [{"username": "nikekorea"}],
    }
    assert parse_instaloader(saved(node), "a.json") == ImportedPost(
        external_id="Cx1",
        external_url="https://www.instagram.com/p/Cx1/",
        image_url="https://pictures.example/1.jpg",
        caption="새 컬렉션 #ootd",
        author_name="street_shots",
        platform_metadata={
            "shortcode": "Cx1",
            "tagged_usernames": ["nike", "gentlemonster"],
            "coauthors": ["nikekorea"],
            "media_id": "3141",
            "taken_at_timestamp": 1_780_000_000,
        },
    )


@pytest.mark.parametrize(
    ("node", "tags"),
    [
        ({"edge_media_to_tagged_user": edges("nike")}, ["nike"]),
        ({"iphone_struct": {"usertags": {"in": [user("nike")]}}}, ["nike"]),
        ({"usertags": {"in": [user("Nike")]}, "edge_media_to_tagged_user": edges("nike")}, ["nike", "Nike"]),
        (
            {"carousel_media": [{"usertags": {"in": [user("a")]}}, {"usertags": {"in": [user("b")]}}]},
            ["a", "b"],
        ),
        (
            {"edge_sidecar_to_children": {"edges": [{"node": {"edge_media_to_tagged_user": edges("c")}}]}},
            ["c"],
        ),
        ({"iphone_struct": {"carousel_media": [{"usertags": {"in": [user("d"), user("d")]}}]}}, ["d"]),
        ({"edge_media_to_tagged_user": {"edges": []}}, []),
        ({"usertags": None}, []),
        ({"edge_media_to_tagged_user": edges(None, 7, "", "nike\0\ud800")}, ["nike?"]),
        ({"edge_media_to_tagged_user": {"edges": [None, {"node": []}, 3]}, "usertags": {"in": "x"}}, []),
        ({}, "not said"),
    ],
)
def test_tags_are_found_in_every_place_instagram_puts_them(node: dict[str, Any], tags: Any) -> None:
    assert tags_in(node) == tags


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"7", "not saved by Instaloader"),
        (b"{}", "not saved by Instaloader"),
        (b'{"node": {}, "instaloader": 3}', "not saved by Instaloader"),
        (saved([]), "not an object"),
        (saved({}), "no usable shortcode"),
        (saved({"shortcode": 7}), "no usable shortcode"),
        (saved({"shortcode": "x" * 300}), "no usable shortcode"),
    ],
)
def test_a_file_that_is_not_a_post_is_reported_with_the_reason(data: bytes, reason: str) -> None:
    found = parse_instaloader(data, "a.json")
    assert isinstance(found, BadRow)
    assert reason in str(found)
    assert str(found).startswith("a.json: ")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved({"username": "nike"}, node_type="Profile"), "Profile"),
        (saved({}, node_type="StoryItem"), "StoryItem"),
        (b'[{"text": "nice"}]', "comments"),
    ],
)
def test_other_files_of_instaloader_are_not_reported(data: bytes, kind: str) -> None:
    assert parse_instaloader(data, "a.json") == OtherFile("a.json", kind)


@pytest.mark.parametrize("caption", ["text", {"text": "text"}])
def test_a_caption_is_read_in_its_older_forms(caption: Any) -> None:
    found = parse_instaloader(saved({"code": "Cx1", "caption": caption, "user": {"username": "a"}}), "a.json")
    assert isinstance(found, ImportedPost)
    assert (found.caption, found.author_name) == ("text", "a")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=8,
)
_NODES = st.dictionaries(
    st.sampled_from(
        "shortcode code usertags edge_media_to_tagged_user carousel_media edge_sidecar_to_children iphone_struct "
        "owner user caption edge_media_to_caption coauthor_producers id taken_at_timestamp display_url".split()
    ),
    _JSON,
)


@given(node=_NODES)
def test_no_content_of_a_node_raises(node: dict[str, Any]) -> None:
    assert isinstance(parse_instaloader(saved(node), "a.json"), ImportedPost | BadRow)


def test_a_csv_row_is_read_whole() -> None:
    text = (
        "external_id,tagged_usernames,caption,author_name,created_at,url\r\n"
        'Cx1,"nike, @Puma;fila  kappa","two\r\nlines",me,2026-11-01T09:00:00+09:00,https://example.com/Cx1\r\n'
    )
    assert csv_rows(text) == [
        ImportedPost(
            external_id="Cx1",
            external_url="https://example.com/Cx1",
            caption="two\r\nlines",
            author_name="me",
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            platform_metadata={"tagged_usernames": ["nike", "@Puma", "fila", "kappa"]},
        )
    ]


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("nike", ["nike"]),
        ("", []),
        ('"[""nike"", null, 7]"', ["nike", None, 7]),
        ("[]", []),
        ("https://www.instagram.com/nike/ @puma", ["https://www.instagram.com/nike/", "@puma"]),
    ],
)
def test_tags_stay_as_they_are_written(cell: str, tags: list[Any]) -> None:
    (post,) = csv_rows(f"external_id,tagged_usernames\nCx1,{cell}\n")
    assert isinstance(post, ImportedPost)
    assert post.platform_metadata == {"tagged_usernames": tags}
    assert post.created_at is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_tells_the_delimiter_and_may_be_spelled_freely(delimiter: str) -> None:
    text = f"\ufeffTagged_Usernames {delimiter}other{delimiter} EXTERNAL_ID\nnike{delimiter}x{delimiter}Cx1\n"
    (post,) = csv_rows(text)
    assert isinstance(post, ImportedPost)
    assert (post.external_id, post.platform_metadata) == ("Cx1", {"tagged_usernames": ["nike"]})


def test_bad_rows_are_reported_with_their_line_and_the_others_are_kept() -> None:
    text = "\n".join(
        [
            "external_id,tagged_usernames,created_at",
            "good,nike,",
            ",nike,",
            "few,nike",
            'multi,"nike',
            'puma",2026-11-01',
            "many,nike,,,",
            "",
            "array,[nike,",
            "when,nike,yesterday",
            "future,nike,2031-01-01",
            f"{'x' * 300},nike,",
            "end,nike,2026-11-02 10:00",
        ]
    )
    found = csv_rows(text)
    assert [post.external_id for post in found if isinstance(post, ImportedPost)] == ["good", "multi", "end"]
    assert [(row.line, row.reason.split(" ")[0]) for row in found if isinstance(row, BadRow)] == [
        (3, "external_id"),
        (4, "it"),
        (7, "it"),
        (9, "tagged_usernames"),
        (10, "created_at"),
        (11, "created_at"),
        (12, "external_id"),
    ]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "external_id\nCx1\n"])
def test_a_file_without_the_needed_columns_is_one_fault(text: str) -> None:
    (row,) = csv_rows(text)
    assert isinstance(row, BadRow)
    assert str(row).startswith("posts.csv:1: the header has no column")


@pytest.mark.parametrize("header", ["external_id,\rtagged_usernames\n", "external_id," + "x" * 10_000_001])
def test_a_header_that_can_not_be_read_is_one_fault(header: str) -> None:
    (row,) = list(parse_csv([header, "Cx1,nike\n"], "posts.csv", NOW))
    assert isinstance(row, BadRow)
    assert str(row).startswith("posts.csv:1: the header can't be read")


@pytest.mark.parametrize("depth", [150, 900, 100_000])
def test_data_that_nests_too_deep_to_be_stored_is_a_fault_of_its_row_or_file(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    good, bad = csv_rows(f"external_id;tagged_usernames\nCx1;nike\nCx2;{deep}\n")[::1]
    assert isinstance(good, ImportedPost)
    assert str(bad) == "posts.csv:3: tagged_usernames starts with [ but is not a JSON array"
    for saved_file in ('{"node": {"shortcode": "x", "id": %s}, "instaloader": {"node_type": "Post"}}',):
        assert parse_instaloader((saved_file % deep).encode(), "a.json") == BadRow(
            "a.json", None, "it is not JSON"
        )


@given(body=st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from('",;\n[]')))
def test_no_body_of_a_csv_raises(body: str) -> None:
    found = csv_rows("external_id,tagged_usernames\n" + body)
    assert all(isinstance(row, ImportedPost | BadRow) for row in found)


SIDECAR = {"__typename": "GraphSidecar", "edge_media_to_tagged_user": edges()}


def children(*slides: Any) -> dict[str, Any]:
    return {"edge_sidecar_to_children": {"edges": [{"node": slide} for slide in slides]}}


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (SIDECAR, {}),
        ({"typename": "GraphSidecar", "usertags": {"in": []}}, {}),
        ({"media_type": 8, "usertags": None}, {}),
        ({"product_type": "carousel_container", "usertags": {"in": []}}, {}),
        ({**SIDECAR, **children({"id": "1"}, {"id": "2"})}, {}),
        (
            {**SIDECAR, "edge_media_to_tagged_user": edges("nike")},
            {"tagged_usernames": ["nike"], "slides_unknown": True},
        ),
        (
            {**SIDECAR, **children({"edge_media_to_tagged_user": edges("a")}, {"id": "2"})},
            {"tagged_usernames": ["a"], "slides_unknown": True},
        ),
        (
            {**SIDECAR, **children({"edge_media_to_tagged_user": edges("a")}, {"edge_media_to_tagged_user": edges()})},
            {"tagged_usernames": ["a"]},
        ),
        ({**SIDECAR, **children({"edge_media_to_tagged_user": edges()})}, {"tagged_usernames": []}),
        ({**SIDECAR, "carousel_media": [{"pk": "1"}, {"pk": "2"}]}, {"tagged_usernames": []}),
        (
            {**SIDECAR, "iphone_struct": {"carousel_media": [{"usertags": {"in": [user("a")]}}]}},
            {"tagged_usernames": ["a"]},
        ),
        ({"__typename": "GraphImage", "edge_media_to_tagged_user": edges()}, {"tagged_usernames": []}),
    ],
)  # fmt: skip
def test_a_file_that_does_not_know_the_slides_says_nothing_of_their_tags(node: Any, said: Any) -> None:
    found = parse_instaloader(saved({"shortcode": "Cx1", **node}), "a.json")
    assert isinstance(found, ImportedPost)
    assert found.platform_metadata == {"shortcode": "Cx1", **said}
