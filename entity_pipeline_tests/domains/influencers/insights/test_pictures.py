"""No stored picture is left without a row that leads to it."""

from typing import Any

import pytest

from entity_pipeline.core.failures import TransientFailure
from entity_pipeline.core.ports import Database
from entity_pipeline_tests.databases import ClonedDatabase
from entity_pipeline_tests.domains.influencers.insights.insight_cases import (
    World,
    add_blog,
    found,
    jpeg,
    with_fake,
)
from entity_pipeline_tests.fakes.gemini_batches import FakeGeminiBatches
from entity_pipeline_tests.fakes.object_store import FakeObjectStore

AVATAR = "https://a.cdninstagram.com/{}.jpg?sig=1"


@pytest.fixture
def made(assets_db: ClonedDatabase) -> World:
    return with_fake(assets_db, FakeGeminiBatches())


def keep(made: World) -> Any:
    run = made.submission()
    run._keep_pictures()
    return run.pictures


def test_a_replaced_avatar_is_removed_unless_another_blog_shows_it(made: World) -> None:
    add_blog(made.database, "anna", posts=0)
    add_blog(made.database, "boris", posts=0)
    made.pictures = {AVATAR.format("anna"): found(jpeg("red")), AVATAR.format("boris"): found(jpeg("red"))}
    keep(made)
    assert len(made.store.objects) == 1
    made.run_sql("update blogs set avatar_url = replace(avatar_url, '.jpg', '2.jpg')")
    made.pictures = {AVATAR.format("anna2"): found(jpeg("blue"))}
    keep(made)
    assert len(made.store.objects) == 2, "boris has the red one"
    made.pictures = {AVATAR.format("boris2"): found(jpeg("blue"))}
    made.run_sql("update blogs set insights_meta = '{}' where username = 'boris'")
    keep(made)
    assert set(made.store.objects) == {row[0] for row in made.rows("select avatar_key from blogs")}
    assert len(made.store.objects) == 1


class ErasingStore(FakeObjectStore):
    """While a picture is stored, its blog is erased."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self.refuses_to_delete = False

    def put(self, prefix: str, data: bytes, content_type: str) -> Any:
        with self._database.connection() as connection:
            connection.execute("delete from persons")
        return super().put(prefix, data, content_type)

    def delete(self, key: str) -> None:
        if self.refuses_to_delete:
            raise TransientFailure("The bucket can't be reached.")
        super().delete(key)


@pytest.mark.parametrize("posts", [0, 1])
def test_a_picture_of_a_blog_that_was_erased_meanwhile_is_removed(made: World, posts: int) -> None:
    add_blog(made.database, "anna", posts=posts, **({"avatar_url": None} if posts else {}))
    made.store = ErasingStore(made.database)
    made.pictures = {
        AVATAR.format("anna"): found(jpeg("red")),
        "https://p.cdninstagram.com/anna/0.jpg?sig=1": found(jpeg("blue")),
    }
    assert keep(made).outcomes["stored"] == 1
    assert made.store.objects == {}


def test_one_that_can_not_be_removed_is_counted(made: World) -> None:
    add_blog(made.database, "anna", posts=0)
    made.store = ErasingStore(made.database)
    made.store.refuses_to_delete = True
    made.pictures = {AVATAR.format("anna"): found(jpeg("red"))}
    assert keep(made).outcomes["not_deleted:The bucket can't be reached."] == 1
