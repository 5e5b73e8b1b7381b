"""The influencers' metrics: the queue's figures, without any name."""

from typing import Any

from prometheus_client import parser
from starlette.testclient import TestClient

from entity_pipeline_tests.domains.influencers.page.page_data import fill_page


def samples(api: TestClient) -> dict[tuple[str, ...], float]:
    text = api.get("/metrics").text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("entity_pipeline_influencers_")
    }


def test_an_empty_queue_has_every_series_but_no_age(api: TestClient) -> None:
    found = samples(api)
    assert len([name for name in found if name[0].endswith("_tasks")]) == 12
    assert set(found.values()) == {0.0}
    assert not [name for name in found if name[0].endswith("_timestamp_seconds")]


def test_the_figures_are_those_of_the_queue(api: TestClient, assets: Any) -> None:
    fill_page(assets)
    found = samples(api)
    prefix = "entity_pipeline_influencers_"
    assert found[f"{prefix}tasks", "pending", "full_scrape"] == 6
    assert found[f"{prefix}tasks", "running", "ai_analysis"] == 1
    assert found[f"{prefix}tasks", "failed", "ai_analysis"] == 1
    assert found[f"{prefix}blogs", "active"] == 2
    assert found[f"{prefix}batches_open",] == 1
    assert f"{prefix}batch_oldest_timestamp_seconds" in {name[0] for name in found}
    oldest = assets.execute(
        "select extract(epoch from min(due_at)) from scrape_tasks where status = 'pending'"
    )
    assert (
        abs(found[f"{prefix}oldest_due_timestamp_seconds", "full_scrape"] - float(oldest.fetchone()[0])) < 1
    )
    text = api.get("/metrics").text
    assert "mira.makes" not in text
    assert "ceramics" not in text
