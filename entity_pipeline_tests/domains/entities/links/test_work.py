from collections import deque

from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.links.queries.catalog import Applied, LinkOutcome
from entity_pipeline.domains.entities.links.work import _LinkWork
from entity_pipeline_tests.domains.entities.cases import some_id


def test_an_account_that_waited_for_its_primary_is_counted_once_by_its_last_decision() -> None:
    work = _LinkWork(run_id="r", waiting=deque(), vocabulary={})
    follower, primary = some_id("follower"), some_id("primary")
    work.count(follower, Applied(LinkOutcome.HELD, reasons=(HoldReason.PRIMARY_NOT_LINKED,)))
    work.count(primary, Applied(LinkOutcome.CREATED))
    work.count(follower, Applied(LinkOutcome.ATTACHED))
    work.count(some_id("other"), Applied(LinkOutcome.HELD, reasons=(HoldReason.NO_SUPPORT,)))
    assert +work.outcomes == {"created": 1, "attached": 1, "held": 1}
