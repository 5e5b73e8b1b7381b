"""`show`: what is stored about one person."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import click
from psycopg import Connection
from psycopg.rows import dict_row
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from entity_pipeline.cli.services import database
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.text.handles import handle_or_none
from entity_pipeline.core.text.plain_text import one_line
from entity_pipeline.domains.influencers.api.tasks import shown
from entity_pipeline.domains.influencers.commands.tasks import note
from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes
from entity_pipeline.domains.influencers.erasure.queries.tombstones import are_out
from entity_pipeline.domains.influencers.models import PLATFORM
from entity_pipeline.domains.influencers.queue.queries.subjects import newest_tasks
from entity_pipeline.domains.influencers.queue.store import STORE

_BLOG = """
select b.id, b.username, b.platform_id::text, b.full_name, b.biography, b.external_url, b.follower_count,
  b.following_count, b.media_count, b.is_verified, b.is_business, b.business_category, b.er, b.er_reels, b.er_trend,
  b.posts_per_week,
  b.scrape_status, b.scraped_at, b.source, b.created_at, b.ai_confidence, b.ai_analyzed_at, b.ai_insights,
  array(select c.name from blog_categories bc join categories c on c.id = bc.category_id where bc.blog_id = b.id
        order by bc.is_primary desc, c.name) as categories,
  (select count(*) from blog_posts p where p.blog_id = b.id) as stored_posts,
  (select count(*) from blog_highlights h where h.blog_id = b.id) as stored_highlights
from blogs b where b.platform = %(platform)s and b.username = %(username)s
"""
_POSTS = """
select taken_at, code, media_type, like_count, likes_hidden, comment_count, play_count, caption_text
from blog_posts where blog_id = %s order by taken_at desc, platform_id desc limit 10
"""
# Everything, for a person who asks what is stored.
_ALL = """
select to_jsonb(b) || jsonb_build_object(
  'person', (select to_jsonb(p) from persons p where p.id = b.person_id),
  'categories', (select jsonb_agg(to_jsonb(bc) || jsonb_build_object('name', c.name) order by c.name)
                 from blog_categories bc join categories c on c.id = bc.category_id where bc.blog_id = b.id),
  'posts', (select jsonb_agg(to_jsonb(p) order by p.taken_at desc) from blog_posts p where p.blog_id = b.id),
  'highlights', (select jsonb_agg(to_jsonb(h) order by h.platform_id) from blog_highlights h where h.blog_id = b.id),
  'tasks', (select jsonb_agg(to_jsonb(t) order by t.id) from scrape_tasks t where t.blog_id = b.id))
from blogs b where b.id = %s
"""
_APART = ("id", "ai_insights")
_LONGEST = 300
_MOST_TASKS = 5


def show(name: str, *, as_json: bool) -> None:
    """Print the blog, its newest posts and its last tasks; or all rows about it as JSON.

    Raises:
        InputRejected: the name is not a username, or nothing is stored about it.
    """
    username = handle_or_none(name)
    if username is None:
        raise InputRejected(f"'{one_line(name, 60)}' is not an Instagram username.")
    with database("assets") as assets_db, assets_db.connection() as connection:
        blog = _one(connection, _BLOG, {"platform": PLATFORM, "username": username})
        if blog is None:
            is_out = are_out(connection, hashes(None, username))
            raise InputRejected(
                f"{username} was erased, and nothing is stored."
                if is_out
                else f"Nothing is stored about {username}: `entity-pipeline influencers scrape {username}`."
            )
        if as_json:
            [everything] = connection.execute(_ALL, [blog["id"]]).fetchone()
            click.echo(json.dumps(everything, indent=2))
            return
        posts = connection.cursor(row_factory=dict_row).execute(_POSTS, [blog["id"]]).fetchall()
        tasks = shown(connection, STORE.find(connection, newest_tasks(connection, blog["id"], _MOST_TASKS)))
    console = Console(soft_wrap=True)
    table = Table("what", "value", title=username, title_justify="left")
    for column, value in blog.items():
        if column not in _APART and value not in (None, [], ""):
            table.add_row(column, escape(_text(value)))
    console.print(table)
    _print_posts(console, posts)
    for task in tasks:
        said = one_line(note(task), _LONGEST)
        console.print(f"Task {task.id}: {task.task_type}, {task.status}. {escape(said)}".rstrip())
    if blog["ai_insights"] is not None:
        insights = json.dumps(blog["ai_insights"], ensure_ascii=False, indent=1)
        console.print("Insights:", escape("".join(c for c in insights if c.isprintable() or c == "\n")))


def _one(connection: Connection[Any], statement: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    return connection.cursor(row_factory=dict_row).execute(statement.encode(), values).fetchone()


def _print_posts(console: Console, posts: Sequence[Mapping[str, Any]]) -> None:
    if not posts:
        return
    table = Table("taken", "code", "kind", "likes", "comments", "plays", "caption", title="Newest posts")
    for post in posts:
        likes = "hidden" if post["likes_hidden"] else _text(post["like_count"])
        table.add_row(
            _text(post["taken_at"]),
            escape(post["code"]),
            _text(post["media_type"]),
            likes,
            _text(post["comment_count"]),
            _text(post["play_count"]),
            escape(one_line(post["caption_text"] or "", 60)),
        )
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime | date):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return (
        f"{value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else one_line(str(value), _LONGEST)
    )
