"""What the entities domain needs from both databases. What all domains share is declared in `shared/schema.py`."""

from entity_pipeline.core.schema_needs import UPSERTED, SchemaNeeds, TableNeeds, columns, our_table

_TIMES = "timestamptz: created_at updated_at"
_ENTITY = "uuid: id primary_instagram_account_id; text: name_en name_ko; jsonb: metadata; " + _TIMES
_ENTITY_UPDATED = frozenset({"name_en", "name_ko", "primary_instagram_account_id", "updated_at"})


def _entity(further: str, added: frozenset[str] = frozenset()) -> TableNeeds:
    """The needs of a catalog table. `undo` deletes its rows, and rows that refer to them are deleted with them."""
    own = columns(f"text: {further}")
    return TableNeeds(
        columns(_ENTITY) | own,
        keys=(("primary_instagram_account_id",),),
        updated=_ENTITY_UPDATED | own.keys(),
        added=added,
        deleted_with_references=True,
    )


NEEDS = SchemaNeeds(
    assets={
        "raw_posts": TableNeeds(
            columns("uuid: id; text: platform external_id caption; jsonb: platform_metadata; " + _TIMES),
            privileges=("select",),
        ),
        "tagged_usernames": our_table(
            "date: day; text: username; int: posts; timestamptz: first_seen_at last_seen_at; uuid[]: sample_posts",
            privileges=(*UPSERTED, "delete"),
            keys=(("day", "username"),),
        ),
        "tagged_days": our_table(
            "date: day; numeric: mark; text: rules; int: usernames; jsonb: counts; timestamptz: changed_at",
            keys=(("day",),),
        ),
        "enrichment_queue": our_table(
            "uuid: account_id; timestamptz: created_at changed_at seen_at; date: cohort; int: posts; text[]: reasons; "
            "bool: waits_for_picture; text: state account_type account_role region handle name_en name_ko next_attempt "
            "profile_next profile_seen",
            privileges=(*UPSERTED, "delete"),
            keys=(("account_id",),),
        ),
        "enrichment_queue_sweep": our_table(
            "timestamptz: settled_at as_of pass_began_at pass_settles_at walked_at compared_at comparison_began_at; "
            "uuid: walked_id compared_id",
            privileges=("select", "update"),
        ),
        "review_refreshes": our_table(
            "text: name scope started_by; text[]: cohorts; timestamptz: started_at finished_at",
            keys=(("name",),),
        ),
        "intake_days": our_table("date: day; timestamptz: changed_at; int: accounts", keys=(("day",),)),
    },
    operation={
        "instagram_accounts": TableNeeds(
            columns(
                "uuid: id brand_id artist_id group_id; bool: is_active; jsonb: metadata; "
                "text: username name_ko name_en display_name bio profile_image_url "
                "account_type entity_ig_role entity_region_code; " + _TIMES
            ),
            added=frozenset({"account_type", "entity_ig_role", "entity_region_code"}),
            keys=(("username",),),
            updated=frozenset(
                "name_ko name_en display_name bio profile_image_url account_type entity_ig_role entity_region_code "
                "brand_id artist_id group_id metadata".split()
            ),
        ),
        "artists": _entity("profile_image_url"),
        "groups": _entity("profile_image_url"),
        "brands": _entity("logo_image_url country_of_origin", added=frozenset({"country_of_origin"})),
        # Read by one check of the catalog, which is left out where the table can't be read.
        "group_members": TableNeeds(
            columns("uuid: group_id artist_id; bool: is_active"),
            privileges=("select",),
            holds_up_runs=False,
            optional=True,
        ),
    },
    functions={"operation": ["entity_pipeline_name_key"]},
)
