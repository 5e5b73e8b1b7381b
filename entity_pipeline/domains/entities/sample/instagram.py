"""The Instagram profiles of the sample's accounts. Nothing is invented for a real one: its bio is the evidence."""

from collections.abc import Iterator

from entity_pipeline.domains.entities.sample.truth import load_truth
from entity_pipeline.sandbox.instagram_profiles import SimulatedAccount


def simulated_accounts() -> Iterator[SimulatedAccount]:
    """Every account of the sample, in the order of its files."""
    for account in load_truth().values():
        yield SimulatedAccount(
            account.username,
            account.name_en,
            f"Simulated profile: {account.evidence.strip()}",
            website=f"https://{account.username}.example/" if account.made_up else None,
            is_business=account.type == "brand",
            behaviour=account.instagram,
        )
