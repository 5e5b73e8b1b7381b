"""What a tick does: it reads from the database whether there is work, and says in a sentence why it waits."""

from datetime import UTC, datetime

import dagster as dg

from entity_pipeline.core.clock import minute_in_words
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.ports import Database
from entity_pipeline.core.settings import Closed, SettingsAccess
from entity_pipeline.domains.influencers import jobs
from entity_pipeline.domains.influencers.queue.held import held_until
from entity_pipeline.domains.influencers.queue.store import STORE
from entity_pipeline.domains.influencers.queue.tasks import WORKED_BY_RUNS
from entity_pipeline.domains.influencers.reasons import because
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.instagram_rest import rests_until
from entity_pipeline.shared.runs.gate import gate_of
from entity_pipeline.shared.runs.locations import own_locations
from entity_pipeline.shared.runs.skips import skipped


def due_tasks(
    context: dg.SensorEvaluationContext, assets_db: Database, settings: SettingsAccess
) -> dg.SensorResult:
    """One run when a task is due, Instagram may be asked, and no run works on the queue."""
    gate = gate_of(settings, InfluencerSettings, InstagramSettings)
    if isinstance(gate, Closed):
        return skipped(gate.reason, None)
    now = datetime.now(UTC)
    with assets_db.connection() as connection:
        due = STORE.oldest_due(connection).keys() & set(WORKED_BY_RUNS)
        rests = rests_until(connection, now)
    if not due:
        return skipped(because("tick.nothing_due"), None)
    here = own_locations(context.instance, context.code_location_origin)
    if jobs.RUNS.any_in_flight(context.instance, [*jobs.SCRAPED, *jobs.DISCOVERED], here):
        return skipped(because("tick.run_in_flight"), None)
    waits = max(filter(None, (rests, held_until(context.instance, here, now))), default=None)
    if waits is not None:
        return skipped(because("tick.instagram_rests", at=minute_in_words(waits)), None)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"queue@{now.isoformat()}")])


def lost_tasks(assets_db: Database, settings: SettingsAccess) -> dg.RunRequest | dg.SkipReason:
    """One run when a lease has lapsed."""
    gate = gate_of(settings, InfluencerSettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    with assets_db.connection() as connection:
        lapsed = STORE.lapsed(connection)
    return dg.RunRequest() if lapsed else dg.SkipReason(str(because("tick.nothing_lost")))


def weekly_discovery(settings: SettingsAccess) -> dg.RunRequest | dg.SkipReason:
    """One run unless the domain is switched off or names no hashtag."""
    gate = gate_of(settings, InfluencerSettings)
    if isinstance(gate, Closed):
        return dg.SkipReason(str(gate.reason))
    if not gate.settings.discover_hashtags:
        return dg.SkipReason(str(because("tick.no_hashtags")))
    return dg.RunRequest()
