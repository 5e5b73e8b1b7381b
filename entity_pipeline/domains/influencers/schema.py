"""What the influencers domain needs from the database `assets`; it does not use `operation`."""

from entity_pipeline.core.schema_needs import UPSERTED, SchemaNeeds, our_table
from entity_pipeline.domains.influencers.queue.tasks import QUEUE
from entity_pipeline.shared.tasks.table import task_table_needs

_TIMES = "timestamptz: created_at updated_at"
_ALL = (*UPSERTED, "delete")

NEEDS = SchemaNeeds(
    assets={
        "persons": our_table(
            "uuid: id; text: full_name; timestamptz: created_at", privileges=_ALL, keys=(("id",),)
        ),
        "blogs": our_table(
            "uuid: id person_id; text: platform username full_name biography avatar_url avatar_key business_category "
            "external_url er_trend scrape_status source search_text; "
            "int: platform_id follower_count following_count media_count; bool: is_verified is_business; "
            "numeric: er er_reels posts_per_week ai_confidence; "
            "jsonb: metrics sightings ai_insights insights_meta; timestamptz: scraped_at ai_analyzed_at; "
            + _TIMES,
            privileges=_ALL,
            keys=(("id",), ("platform", "username")),
            indexes=("blogs_platform_id", "blogs_person", "blogs_listed", "blogs_due", "blogs_described"),
            made_there=frozenset({"search_text"}),
        ),
        "blog_posts": our_table(
            "uuid: blog_id; text: code caption_text media_type product_type thumbnail_url thumbnail_key location_name; "
            "text[]: hashtags mentions sponsors; int[]: coauthors; "
            "int: platform_id like_count comment_count play_count location_id; "
            "numeric: duration_s location_lat location_lng; "
            "bool: likes_hidden plays_known is_pinned is_paid_partnership; timestamptz: taken_at; " + _TIMES,
            privileges=_ALL,
            keys=(("blog_id", "platform_id"),),
        ),
        "blog_highlights": our_table(
            "uuid: blog_id; text: title cover_url; text[]: story_mentions story_locations story_links; "
            "int: platform_id media_count; timestamptz: stories_read_at; " + _TIMES,
            privileges=_ALL,
            keys=(("blog_id", "platform_id"),),
        ),
        "categories": our_table(
            "int: id; text: code name; text[]: aliases",
            privileges=("select",),
            keys=(("code",), ("name",)),
            made_there=frozenset({"id"}),
        ),
        "blog_categories": our_table(
            "uuid: blog_id; int: category_id; bool: is_primary",
            privileges=_ALL,
            keys=(("blog_id", "category_id"),),
        ),
        "erased_people": our_table(
            "text: platform subject_hash erased_by; uuid: erasure_id; timestamptz: erased_at",
            privileges=_ALL,
            keys=(("platform", "subject_hash"),),
        ),
        "hashtag_discoveries": our_table(
            "text: hashtag; timestamptz: looked_at; int: posts people known refused added",
            privileges=_ALL,
            keys=(("hashtag", "looked_at"),),
        ),
        QUEUE.table: task_table_needs(
            QUEUE.table,
            "uuid: blog_id",
            own_indexes=("blog", "open_by_day"),
            own_made_there=frozenset({"blog_id"}),
            privileges=_ALL,
        ),
    }
)
