"""What every domain needs from the tables that all share: settings, the ledger, the Instagram pool and the audit log.

Tables of one domain do not belong here; they are in the domain's own `schema.py`.
"""

from entity_pipeline.core.domain import Domain
from entity_pipeline.core.schema_needs import SchemaNeeds, TableNeeds, columns, our_table
from entity_pipeline.core.shared_settings import SHARED_ROWS

_STATES = ("reserved", "sent", "settled", "failed", "unknown", "released")
_OPEN_STATES = ("reserved", "sent", "unknown")
_TOKENS = "prompt_tokens cached_tokens output_tokens thoughts_tokens tool_tokens"


def needs_of(domain: Domain) -> tuple[SchemaNeeds, SchemaNeeds]:
    """Everything a domain needs: its part of the shared tables, and its own."""
    return shared_needs(domain.row), domain.needs


def shared_needs(row: str) -> SchemaNeeds:
    """The needs of a domain whose settings row, ledger rows and audit rows carry the name `row`."""
    events = {state: {"pipeline": row, "state": state} for state in _STATES}
    settings = tuple({"platform": name} for name in (row, *(model.row for model in SHARED_ROWS)))
    return SchemaNeeds(
        assets={
            "pipeline_settings": our_table(
                "text: platform; text or uuid: updated_by; bool: is_enabled; jsonb: settings; timestamptz: updated_at",
                keys=(("platform",),),
                updated=frozenset({"is_enabled", "settings", "updated_at", "updated_by"}),
                rows=dict.fromkeys(("select", "insert", "update", "updated"), settings),
            ),
            "gemini_usage_events": our_table(
                "uuid, int8 or text: id; timestamptz: created_at state_changed_at blocked_until; date: quota_day; "
                "bool: grounded; "
                "text: pipeline step model model_version billed_model state subject input_hash batch_name; "
                "jsonb: request reply error metadata; "
                f"int: search_queries latency_ms attempt {_TOKENS}; numeric: cost_usd",
                indexes=(
                    "entity_pipeline_usage_batch",
                    "entity_pipeline_usage_billed",
                    "entity_pipeline_usage_claim",
                    "entity_pipeline_usage_grounded",
                    "entity_pipeline_usage_others",
                    "entity_pipeline_usage_ungrounded",
                ),
                made_there=frozenset({"id"}),
                rows={
                    "insert": (events["reserved"],),
                    "update": tuple(events[state] for state in _OPEN_STATES),
                    "updated": tuple(events.values()),
                },
            ),
            "gemini_batches": our_table(
                "text: name content_hash pipeline step model state run_id google_name outcome; int: requests; "
                "timestamptz: created_at lease_until creating_at submitted_at absent_since cancel_requested_at "
                "ended_at; jsonb: error",
                keys=(("name",),),
                indexes=("gemini_batches_open",),
            ),
            "gemini_spend_daily": our_table(
                "date: quota_day; text: pipeline step model; numeric: cost_usd; timestamptz: updated_at; "
                f"int: requests grounded_requests search_queries {_TOKENS}",
                keys=(("quota_day", "pipeline", "step", "model"),),
                holds_up_runs=False,
            ),
            "instagram_routes": our_table(
                "text: name state last_outcome; timestamptz: cooling_until", keys=(("name",),)
            ),
            "instagram_pool_accounts": our_table(
                "text: username state route lease_owner; timestamptz: cooling_until lease_expires_at; int: fence",
                keys=(("username",),),
            ),
            "instagram_request_log": our_table(
                "uuid: id; text: account_key route host domain operation target username outcome; "
                "timestamptz: requested_at",
                updated=frozenset({"outcome", "target", "username"}),
            ),
        },
        operation={"admin_audit_log": _audit_log(row)},
        functions={
            "assets": [
                "entity_pipeline_says_grounded",
                *(
                    f"entity_pipeline_ledger_{what}"
                    for what in ("id", "view_2", "reserve_2", "mark_sent_2", "settle_2")
                ),
            ]
        },
    )


def _audit_log(row: str) -> TableNeeds:
    return TableNeeds(
        columns(
            "uuid: id admin_user_id target_id; text: action target_table; "
            "jsonb: before_state after_state metadata; timestamptz: created_at"
        ),
        privileges=("select", "insert"),
        rows=dict.fromkeys(("select", "insert"), ({"metadata": f'{{"pipeline": "{row}"}}'},)),
    )
