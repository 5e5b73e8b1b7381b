import dagster as dg

from entity_pipeline.shared.gemini_spend.definitions import gemini_spend_definitions
from entity_pipeline.shared.runs.tags import DOMAIN_TAG, SHARED

_UNUSED = dg.Definitions(resources=dict.fromkeys(("gemini", "settings"), "unused"))


def asking(name: str, *kinds: str) -> dg.Definitions:
    @dg.asset(name=name, kinds=set(kinds))
    def made() -> None:
        """Made up."""

    return dg.Definitions(assets=[made])


def test_the_spend_stands_below_every_asset_of_every_domain_that_asks_gemini() -> None:
    domains = [asking("reviews", "gemini", "postgres"), asking("posts", "postgres"), asking("ads", "gemini")]
    merged = dg.Definitions.merge(*domains, gemini_spend_definitions(domains), _UNUSED)
    graph = merged.resolve_asset_graph()
    spend = graph.get(dg.AssetKey("gemini_spend_daily"))
    assert spend.parent_keys == {dg.AssetKey("reviews"), dg.AssetKey("ads")}
    assert graph.get(dg.AssetKey("gemini_quota")).parent_keys == {dg.AssetKey("gemini_spend_daily")}
    assert spend.group_name == "gemini"


def test_no_domain_owns_the_roll_up() -> None:
    merged = dg.Definitions.merge(gemini_spend_definitions([]), _UNUSED)
    job = merged.resolve_job_def("spend_job")
    assert job.tags[DOMAIN_TAG] == SHARED
