"""What the installed domains need of the databases, as tests look at it."""

from collections.abc import Mapping

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.core.schema_needs import DatabaseName, TableNeeds
from entity_pipeline.shared.schema import needs_of

NEEDS = tuple(need for domain in DOMAINS for need in needs_of(domain))
TABLES: Mapping[DatabaseName, Mapping[str, TableNeeds]] = {
    "assets": {name: need for needs in NEEDS for name, need in needs.assets.items()},
    "operation": {name: need for needs in NEEDS for name, need in needs.operation.items()},
}
