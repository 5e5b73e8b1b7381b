"""The domain of a run: the key in the run's tag, or that of its job or assets where the tag is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from entity_pipeline.shared.runs.tags import DOMAIN_TAG


@dataclass(frozen=True, slots=True)
class RunOwners:
    """The domains of assets and jobs, by `of_definitions`."""

    of_asset: Mapping[dg.AssetKey, str]
    of_job: Mapping[str, str]

    def domains(self, run: dg.DagsterRun) -> frozenset[str]:
        """The domains that a run works for; several only for a run that a person assembled from their assets.

        Runs of jobs carry the tag. Dagster gives a backfill's runs no tag of ours, and runs that were queued by an
        earlier release have none either.
        """
        if DOMAIN_TAG in run.tags:
            return frozenset({run.tags[DOMAIN_TAG]})
        selected = {
            *(run.asset_selection or ()),
            *(check.asset_key for check in run.asset_check_selection or ()),
        }
        if selected:
            return frozenset(self.of_asset[key] for key in selected if key in self.of_asset)
        return frozenset({self.of_job[run.job_name]} if run.job_name in self.of_job else ())


def owners(definitions: Iterable[tuple[str, dg.Definitions]]) -> RunOwners:
    """From each domain's key and its own definitions. Assets that a domain only depends on are not its own."""
    of_asset: dict[dg.AssetKey, str] = {}
    of_job: dict[str, str] = {}
    for domain, loaded in definitions:
        for asset in loaded.assets or ():
            if isinstance(asset, dg.AssetsDefinition):
                of_asset |= dict.fromkeys(asset.keys, domain)
            elif isinstance(asset, dg.AssetSpec):
                of_asset[asset.key] = domain
        of_job |= {job.name: domain for job in loaded.jobs or ()}
    return RunOwners(of_asset, of_job)
