"""Accounts of any cohort whose decision has been overtaken by something beside their own review.

A person may have brought it about, or a run that was killed before it reached the account, so they are searched for
in every run. Each search ends once its accounts are decided; otherwise a sensor would launch runs for ever.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog_rows import handle_of
from entity_pipeline.domains.entities.models import AccountRole, AccountType

_RENAMED_TO = "metadata #>> '{entity_enrichment,profile_backfill,renamed_to,username}'"
_REASSIGNED_TO = "metadata #>> '{entity_enrichment,profile_backfill,reassigned_to}'"
_RENAMED_TO_ID = "metadata #>> '{entity_enrichment,profile_backfill,renamed_to,account_id}'"
_REASONS = "metadata #> '{entity_enrichment,catalog_link,reasons}'"
_STATUS = "metadata #>> '{entity_enrichment,catalog_link,status}'"


def _is_moved(row: str) -> str:
    # Must equal the condition of the index entity_pipeline_accounts_moved.
    return f"({row}.{_RENAMED_TO} is not null or {row}.{_REASSIGNED_TO} is not null)"


def _is_linked(row: str) -> str:
    return f"""(num_nonnulls({row}.artist_id, {row}.brand_id, {row}.group_id) > 0
        or exists (select from artists where primary_instagram_account_id = {row}.id)
        or exists (select from brands where primary_instagram_account_id = {row}.id)
        or exists (select from groups where primary_instagram_account_id = {row}.id))"""


# Held because the primary account was not linked yet. It is now, maybe under another handle.
_ATTACHABLE = f"""
select distinct f.id from instagram_accounts f
join instagram_accounts p on {handle_of("p.username")}
    = f.metadata #>> '{{entity_enrichment,gemini_review,review,primary_username}}'
where f.metadata #>> '{{entity_enrichment,catalog_link,status}}' = 'held'
  and f.metadata #> '{{entity_enrichment,catalog_link,reasons}}' ? '{HoldReason.PRIMARY_NOT_LINKED}'
  and ({_is_linked("p")} or exists (
    select from instagram_accounts n
    where {handle_of("n.username")} = {handle_of(f"p.{_RENAMED_TO}")} and {_is_linked("n")}))
order by f.id
"""
# Held because it names no primary account, and the catalog has a brand of its name now. Only with a name that the last
# review gives and the row still has, so that the decision finds the brand too and has another reason to hold.
_NAMED = f"""
select a.id from instagram_accounts a
cross join lateral (values
  (a.name_en, a.metadata #>> '{{entity_enrichment,gemini_review,review,name_en}}'),
  (a.name_ko, a.metadata #>> '{{entity_enrichment,gemini_review,review,name_ko}}')) names (name, reviewed)
join brands b on entity_pipeline_name_key(b.name_en) = entity_pipeline_name_key(names.name)
  or entity_pipeline_name_key(b.name_ko) = entity_pipeline_name_key(names.name)
where a.{_STATUS} = 'held' and a.{_REASONS} ? '{HoldReason.PRIMARY_UNKNOWN}'
  and a.account_type::text = '{AccountType.BRAND}' and a.entity_ig_role::text = '{AccountRole.REGIONAL}'
  and names.name = names.reviewed and entity_pipeline_name_key(names.name) <> ''
group by a.id
order by a.id
"""
# Linked under a former handle: the links should follow, or the account is held because they can't. Held for that, and
# the former row has no link any more: its own review decides.
_FOLLOWING = f"""
select n.id from instagram_accounts o
join instagram_accounts n on {handle_of("n.username")} = {handle_of(f"o.{_RENAMED_TO}")}
  and n.id::text = o.{_RENAMED_TO_ID}
cross join lateral (
  select {_is_linked("o")} as is_linked,
    coalesce(n.{_STATUS} = 'held' and n.{_REASONS} ? '{HoldReason.FORMER_LINKS}', false) as is_held,
    coalesce(n.metadata #>> '{{entity_enrichment,gemini_review,status}}' = 'reviewed', false) as is_reviewed
) found
where {_is_moved("o")} and o.{_RENAMED_TO} is not null
  and n.is_active and not {_is_moved("n")} and n.{_STATUS} is distinct from 'undone'
group by n.id
having bool_or(is_linked) <> bool_and(is_held) and (bool_or(is_linked) or bool_and(is_reviewed))
order by n.id
"""
# Linked, but the handle has become another account's, or the account another handle's.
_MISPLACED = f"""
select a.id from instagram_accounts a
where {_is_moved("a")} and a.{_STATUS} in ('linked', 'created', 'attached', 'excluded')
  and a.metadata #>> '{{entity_enrichment,gemini_review,status}}' = 'reviewed'
order by a.id
"""


def overtaken(connection: psycopg.Connection[Any]) -> Sequence[UUID]:
    """Accounts to decide again, in the order in which it should be done: links follow before former rows are held."""
    found: dict[UUID, None] = {}
    for query in (_ATTACHABLE, _NAMED, _FOLLOWING, _MISPLACED):
        found |= dict.fromkeys(row[0] for row in connection.execute(query.encode()))
    return list(found)
