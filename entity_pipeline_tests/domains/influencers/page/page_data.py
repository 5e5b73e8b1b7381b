"""Blogs, posts, tasks and batches as the stages leave them, written by SQL; one blog is hostile in every text."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
SHA = "ab" * 32
AVATAR = f"instagram/blog/ab/{SHA}.jpg"
BATCH = "influencers-0123456789abcdef-aabbccddeeff"
MODEL = "gemini-3.5-flash-lite"
_NOW = datetime.now(UTC)


def insert(connection: Any, table: str, /, **values: Any) -> Any:
    """One row; returns its id where the table has one."""
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join(map(sql.Placeholder, values))
    query = sql.SQL("insert into {} ({}) values ({}) returning *").format(
        sql.Identifier(table), names, places
    )
    cursor = connection.execute(query, values)
    row = cursor.fetchone()
    columns = [column.name for column in cursor.description]
    return row[columns.index("id")] if "id" in columns else None


def blog(connection: Any, username: str, **values: Any) -> UUID:
    """A blog with its person."""
    person = insert(connection, "persons", full_name=values.get("full_name"))
    found: UUID = insert(connection, "blogs", person_id=person, username=username, **values)
    return found


def task(connection: Any, kind: str, key: object, **values: Any) -> int:
    """A task."""
    found: int = insert(
        connection,
        "scrape_tasks",
        task_type=kind,
        task_key=str(key),
        **{"priority": 5, "max_attempts": 4, **values},
    )
    return found


def category(connection: Any, blog_id: UUID, code: str, *, is_primary: bool = True) -> None:
    """Put a blog into a category."""
    connection.execute(
        "insert into blog_categories (blog_id, category_id, is_primary) select %s, id, %s from categories "
        "where code = %s",
        [blog_id, is_primary, code],
    )


def described_blog(connection: Any, username: str = "mira.makes", **values: Any) -> UUID:
    """A blog with everything: measures, posts of each kind, highlights, insights with evidence, categories, cost."""
    blog_id = blog(
        connection,
        username,
        **{
            "platform_id": abs(hash(username)) % 10**12,
            "full_name": "Mira Makes (made up)",
            "biography": "Ceramics and slow mornings.\nAlmaty",
            "avatar_key": AVATAR,
            "follower_count": 48_200,
            "following_count": 312,
            "media_count": 940,
            "is_verified": True,
            "is_business": True,
            "business_category": "Artist",
            "external_url": "https://mira.example/shop",
            "er": "3.27",
            "er_trend": "growing",
            "posts_per_week": "2.50",
            "metrics": Jsonb(
                {
                    "version": 1,
                    "at": _NOW.isoformat(),
                    "window_days": [2, 90],
                    "n": 9,
                    "n_reels": 3,
                    "pinned": 1,
                    "likes_hidden": 2,
                    "er_views": None,
                    "why": {"er_reels": "too_few_posts", "er_views": "too_few_posts"},
                }
            ),
            "scrape_status": "active",
            "scraped_at": _NOW - timedelta(hours=5),
            "ai_insights": Jsonb(
                {
                    "lifestyle": {"has_pets": True, "pet_types": ["cat"]},
                    "life_situation": {"has_children": True},
                    "content": {
                        "primary_topic": "Ceramics",
                        "secondary_topics": ["Home", "Slow living"],
                        "content_tone": "inspirational",
                    },
                    "commercial": {"has_brand_collaborations": True, "ad_frequency": "rare"},
                    "confidence": 0.72,
                    "notes": "Makes and sells ceramics.",
                }
            ),
            "ai_confidence": "0.72",
            "ai_analyzed_at": _NOW - timedelta(hours=2),
            "insights_meta": Jsonb(
                {
                    "model": MODEL,
                    "model_version": MODEL,
                    "prompt_version": "1",
                    "schema_version": "1",
                    "posts": 12,
                    "pictures": 10,
                    "evidence": {
                        "lifestyle.has_pets": ["C0deA1", "C0deA2"],
                        "lifestyle.pet_types": {"cat": ["C0deA1"]},
                        "life_situation.has_children": ["bio"],
                        "content.primary_topic": ["bio", "C0deA3"],
                        "content.secondary_topics": {"Home": ["C0deA4"], "Slow living": ["highlights"]},
                        "content.content_tone": ["C0deA5"],
                        "commercial.has_brand_collaborations": ["C0deA6"],
                        "commercial.ad_frequency": ["C0deA6"],
                        "notes": ["C0deA1"],
                    },
                    "quotes": {"life_situation.has_children": "mum of two"},
                    "dropped": [
                        {"field": "lifestyle.has_car", "value": "true", "why": "names_no_post"},
                        {"field": "life_situation.relationship_status", "why": "does_not_quote_the_person"},
                    ],
                    "unmatched_topics": ["Ceramics"],
                    "last": {"outcome": "described", "at": _NOW.isoformat()},
                }
            ),
            **values,
        },
    )
    for nth in range(12):
        is_reel = nth % 4 == 3
        insert(
            connection,
            "blog_posts",
            blog_id=blog_id,
            platform_id=nth + 1,
            code=f"C0deA{nth + 1}",
            caption_text=f"Post number {nth + 1} about bowls, glazes and the studio in the morning.",
            like_count=None if nth in (4, 7) else 900 + (nth * 733) % 2_100,
            likes_hidden=nth in (4, 7),
            comment_count=20 + nth * 3,
            play_count=41_000 + nth if is_reel else None,
            plays_known=is_reel,
            media_type="video" if is_reel else ("album" if nth % 2 else "photo"),
            product_type="clips" if is_reel else "feed",
            thumbnail_key=AVATAR if nth % 2 == 0 else None,
            is_pinned=nth == 11,
            is_paid_partnership=nth == 5,
            sponsors=["claybrand"] if nth == 5 else [],
            taken_at=_NOW - timedelta(days=3 + nth * 5),
        )
    insert(
        connection,
        "blog_highlights",
        blog_id=blog_id,
        platform_id=1,
        title="Studio",
        media_count=14,
        story_mentions=["claybrand", "potters.market"],
        story_locations=["Almaty"],
        story_links=["https://mira.example/class", "javascript:alert(1)"],
        stories_read_at=_NOW,
    )
    insert(connection, "blog_highlights", blog_id=blog_id, platform_id=2, title="Trips", media_count=3)
    category(connection, blog_id, "art")
    category(connection, blog_id, "home", is_primary=False)
    insert(
        connection,
        "gemini_usage_events",
        pipeline="influencers",
        step="insights",
        model=MODEL,
        state="settled",
        grounded=False,
        subject=str(blog_id),
        batch_name=BATCH,
        prompt_tokens=5_200,
        output_tokens=700,
        cost_usd="0.0018",
        metadata=Jsonb({"kind": "insights"}),
    )
    return blog_id


def hostile_blog(connection: Any) -> UUID:
    """A blog whose every text is markup, and whose evidence names addresses."""
    blog_id = blog(
        connection,
        "hostile.madeup",
        full_name=SCRIPT,
        biography=SCRIPT,
        external_url="javascript:window.hacked=1",
        business_category=SCRIPT,
        avatar_key="https://evil.example/x.png",
        source=f"discover:{SCRIPT[:40]}",
        scrape_status="active",
        metrics=Jsonb(
            {"why": {"er": SCRIPT, "er_reels": ["x"]}, "n": "many", "window_days": "x", "version": SCRIPT}
        ),
        ai_insights=Jsonb(
            {"content": {"primary_topic": SCRIPT, "secondary_topics": [SCRIPT, 7, None]}, "notes": SCRIPT}
        ),
        insights_meta=Jsonb(
            {
                "evidence": {
                    "content.primary_topic": ["javascript:alert(1)", "../../x", SCRIPT],
                    "content.secondary_topics": [1],
                    "notes": {"x": 1},
                },
                "quotes": [1],
                "dropped": [SCRIPT, {"field": SCRIPT, "value": SCRIPT, "why": SCRIPT}],
                "unmatched_topics": [SCRIPT],
                "last": {"outcome": SCRIPT, "at": SCRIPT},
            }
        ),
        sightings=Jsonb([{"at": "yesterday", "outcome": SCRIPT}, 3]),
    )
    insert(
        connection,
        "blog_posts",
        blog_id=blog_id,
        platform_id=1,
        code="../evil?x=<b>",
        caption_text=SCRIPT,
        sponsors=[SCRIPT],
        location_name=SCRIPT,
        thumbnail_key="../../secret.jpg",
        taken_at=_NOW,
    )
    insert(
        connection,
        "blog_highlights",
        blog_id=blog_id,
        platform_id=1,
        title=SCRIPT,
        story_mentions=[SCRIPT],
        story_links=["javascript:window.hacked=1"],
        stories_read_at=_NOW,
    )
    task(
        connection,
        "full_scrape",
        blog_id,
        status="failed",
        outcome="error",
        error_message=SCRIPT,
        attempts=4,
        completed_at=_NOW,
    )
    return blog_id


def fill_page(connection: Any) -> None:
    """Some blogs of each state, tasks of each kind, and batches of which one is overdue."""
    described_blog(connection)
    hostile_blog(connection)
    states = ("pending", "scraping", "analyzing", "private", "deleted", "failed")
    for nth, state in enumerate(states):
        blog_id = blog(
            connection,
            f"blogger_{nth}",
            scrape_status=state,
            follower_count=1_000 * nth or None,
            er=f"{nth}.50" if nth else None,
            er_trend=(None, "stable", "declining")[nth % 3],
            source=("manual", "api", "discover:ceramics")[nth % 3],
            scraped_at=_NOW - timedelta(days=nth) if nth else None,
        )
        task(connection, "full_scrape", blog_id, created_at=_NOW - timedelta(hours=nth), attempts=nth % 2)
        if state == "failed":
            task(
                connection,
                "ai_analysis",
                blog_id,
                status="failed",
                outcome="unreadable_answer",
                attempts=2,
                error_message="The answer reached the output limit before its end.",
                completed_at=_NOW,
            )
    task(connection, "discover", "ceramics", status="done", completed_at=_NOW, started_at=_NOW, attempts=1)
    analyzing = connection.execute("select id from blogs where scrape_status = 'analyzing'").fetchone()[0]
    task(
        connection,
        "ai_analysis",
        analyzing,
        status="running",
        batch_key=BATCH,
        attempts=1,
        started_at=_NOW - timedelta(hours=27),
    )
    for name, state, hours, outcome in (
        (BATCH, "submitted", 27, None),
        ("influencers-fedcba9876543210-001122334455", "ended", 50, "collected"),
        ("influencers-aaaabbbbccccdddd-001122334466", "ended", 70, "failed"),
    ):
        insert(
            connection,
            "gemini_batches",
            name=name,
            content_hash=name,
            pipeline="influencers",
            step="insights",
            model=MODEL,
            state=state,
            requests=11,
            created_at=_NOW - timedelta(hours=hours),
            lease_until=_NOW,
            ended_at=_NOW - timedelta(hours=hours - 3) if outcome else None,
            outcome=outcome,
            error=Jsonb({"message": "Gemini could not read the file."}) if outcome == "failed" else None,
        )
    for operation, outcome in (("profile", "ok"), ("newest_posts", "ok"), ("newest_posts", "rate_limited")):
        insert(
            connection,
            "instagram_request_log",
            account_key="anonymous:direct",
            route="direct",
            host="www.instagram.com",
            requested_at=_NOW,
            domain="influencers",
            operation=operation,
            target="mira.makes",
            outcome=outcome,
        )
