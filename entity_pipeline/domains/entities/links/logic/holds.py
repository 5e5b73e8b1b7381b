"""Why an account is held for a person. The words are in the domain's `texts/`, under ``held.``."""

from enum import StrEnum

from entity_pipeline.core.reasons import Reason
from entity_pipeline.domains.entities.reasons import because


class HoldReason(StrEnum):
    """The stored form of a reason; `reason` gives its words."""

    UNDONE = "undone"
    NOT_REVIEWED = "not_reviewed"
    UNGROUNDED = "ungrounded"
    NO_CHUNKS = "no_chunks"
    NO_SUPPORT = "no_support"
    NOT_OFFICIAL = "not_official"
    ACCOUNT_UNPROVEN = "account_unproven"
    CLAIM_UNPROVEN = "claim_unproven"
    FIELD_DIFFERS = "field_differs"
    ATTACH_UNPROVEN = "attach_unproven"
    BELOW_THRESHOLD = "below_threshold"
    TYPE_UNKNOWN = "type_unknown"
    ROLE_UNKNOWN = "role_unknown"
    REGION_MISSING = "region_missing"
    COUNTRY_IS_NAMIBIA = "country_is_namibia"
    NO_NAME = "no_name"
    INVALID_USERNAME = "invalid_username"
    DUPLICATE_USERNAME = "duplicate_username"
    INACTIVE = "inactive"
    REASSIGNED = "reassigned"
    RENAMED = "renamed"
    FORMER_LINKS = "former_links"
    ACCOUNT_TYPE_DIFFERS = "account_type_differs"
    ACCOUNT_ROLE_DIFFERS = "account_role_differs"
    ACCOUNT_IS_PRIMARY = "account_is_primary"
    ACCOUNT_HAS_OTHER_ENTITY = "account_has_other_entity"
    LINKED_TO_OTHER_TYPE = "linked_to_other_type"
    UNLINKED_BY_PERSON = "unlinked_by_person"
    SEVERAL_MATCHES = "several_matches"
    NAME_CONFLICT = "name_conflict"
    NEAR_NAME = "near_name"
    NAME_IN_OTHER_TABLE = "name_in_other_table"
    ONE_NAME_ONLY = "one_name_only"
    ENTITY_HAS_OTHER_PRIMARY = "entity_has_other_primary"
    PRIMARY_UNKNOWN = "primary_unknown"
    PRIMARY_NOT_LINKED = "primary_not_linked"
    PRIMARY_TYPE_DIFFERS = "primary_type_differs"
    VALUE_NOT_IN_ENUM = "value_not_in_enum"
    WRITE_REFUSED = "write_refused"

    @property
    def reason(self) -> Reason:
        """The reason for people."""
        return because(f"held.{self.value}")
