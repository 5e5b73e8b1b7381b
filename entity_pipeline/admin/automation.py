"""The domain of each run, schedule and sensor, from the domains' definitions. What they do belongs to the domains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from entity_pipeline.core.domain import Domain
from entity_pipeline.shared.runs.owners import RunOwners, owners


@dataclass(frozen=True, slots=True)
class Automation:
    """`names` has the schedules and sensors of each domain by its key; all others are shared."""

    owners: RunOwners = field(default_factory=lambda: RunOwners({}, {}))
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def jobs(self, key: str | None = None) -> list[str]:
        """The jobs of a domain, or of all domains."""
        return sorted(job for job, domain in self.owners.of_job.items() if key in (None, domain))

    def is_shared(self, name: str) -> bool:
        """Whether a schedule or sensor is shared, and so does not belong to one domain."""
        return all(name not in names for names in self.names.values())


def automation_of(domains: Sequence[Domain]) -> Automation:
    """Read the definitions of each domain once."""
    loaded = [(domain.key, domain.definitions()) for domain in domains]
    names = {
        key: frozenset(one.name for one in (*(found.sensors or ()), *(found.schedules or ())))
        for key, found in loaded
    }
    return Automation(owners(loaded), names)
