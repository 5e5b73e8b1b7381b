"""Why an account is held for a person, in the words a screen shows."""

from collections.abc import Mapping
from enum import StrEnum


class HoldReason(StrEnum):
    """The stored form of a reason; `sentence` is the readable one."""

    UNDONE = "undone"
    NOT_REVIEWED = "not_reviewed"
    UNGROUNDED = "ungrounded"
    NO_CHUNKS = "no_chunks"
    NO_SUPPORT = "no_support"
    BELOW_THRESHOLD = "below_threshold"
    TYPE_OTHER = "type_other"
    TYPE_UNKNOWN = "type_unknown"
    ROLE_UNKNOWN = "role_unknown"
    REGION_MISSING = "region_missing"
    COUNTRY_IS_NAMIBIA = "country_is_namibia"
    NO_NAME = "no_name"
    INVALID_USERNAME = "invalid_username"
    DUPLICATE_USERNAME = "duplicate_username"
    INACTIVE = "inactive"
    REASSIGNED = "reassigned"
    ACCOUNT_TYPE_DIFFERS = "account_type_differs"
    ACCOUNT_ROLE_DIFFERS = "account_role_differs"
    ACCOUNT_IS_PRIMARY = "account_is_primary"
    ACCOUNT_HAS_OTHER_ENTITY = "account_has_other_entity"
    LINKED_TO_OTHER_TYPE = "linked_to_other_type"
    UNLINKED_BY_PERSON = "unlinked_by_person"
    SEVERAL_MATCHES = "several_matches"
    NAME_CONFLICT = "name_conflict"
    ENTITY_HAS_OTHER_PRIMARY = "entity_has_other_primary"
    PRIMARY_UNKNOWN = "primary_unknown"
    PRIMARY_NOT_LINKED = "primary_not_linked"
    PRIMARY_TYPE_DIFFERS = "primary_type_differs"
    VALUE_NOT_IN_ENUM = "value_not_in_enum"
    WRITE_REFUSED = "write_refused"

    @property
    def sentence(self) -> str:
        """One sentence for a person who looks at the account."""
        return SENTENCES[self]


SENTENCES: Mapping[HoldReason, str] = {
    HoldReason.UNDONE: "An automatic link of this account was undone; it is not linked again automatically.",
    HoldReason.NOT_REVIEWED: "There is no finished review of this account yet.",
    HoldReason.UNGROUNDED: "The review does not rest on a web search.",
    HoldReason.NO_CHUNKS: "The web search returned no source.",
    HoldReason.NO_SUPPORT: "No returned source supports a sentence that names the account.",
    HoldReason.BELOW_THRESHOLD: "The confidence is below the threshold for this type.",
    HoldReason.TYPE_OTHER: "The account is neither an artist nor a group nor a fashion brand.",
    HoldReason.TYPE_UNKNOWN: "The review does not say what the account stands for.",
    HoldReason.ROLE_UNKNOWN: "The review does not say whether this is the primary account.",
    HoldReason.REGION_MISSING: "The account is regional and its region is not known.",
    HoldReason.COUNTRY_IS_NAMIBIA: "The brand is said to come from Namibia, whose code NA means unknown.",
    HoldReason.NO_NAME: "No name is known that could be compared with the catalog.",
    HoldReason.INVALID_USERNAME: "The username can't be an Instagram handle.",
    HoldReason.DUPLICATE_USERNAME: "Another account row has the same handle in another spelling.",
    HoldReason.INACTIVE: "The account is switched off.",
    HoldReason.REASSIGNED: "The handle now belongs to another Instagram account than before.",
    HoldReason.ACCOUNT_TYPE_DIFFERS: "A person gave the account another type than the review does.",
    HoldReason.ACCOUNT_ROLE_DIFFERS: "A person gave the account another role than the review does.",
    HoldReason.ACCOUNT_IS_PRIMARY: "The review says secondary, and an entity has the account as its primary.",
    HoldReason.ACCOUNT_HAS_OTHER_ENTITY: "The account already belongs to another entity of this type.",
    HoldReason.LINKED_TO_OTHER_TYPE: "The account is linked to an entity of another type than reviewed.",
    HoldReason.UNLINKED_BY_PERSON: "A person has removed the link that was made automatically.",
    HoldReason.SEVERAL_MATCHES: "Several entities of the catalog have this name.",
    HoldReason.NAME_CONFLICT: "An entity has the same name in one language and another in the other.",
    HoldReason.ENTITY_HAS_OTHER_PRIMARY: "The entity of this name already has another primary account.",
    HoldReason.PRIMARY_UNKNOWN: "The review does not name the primary account this one belongs to.",
    HoldReason.PRIMARY_NOT_LINKED: "The primary account is not linked yet; this one follows when it is.",
    HoldReason.PRIMARY_TYPE_DIFFERS: "The primary account belongs to an entity of another type.",
    HoldReason.VALUE_NOT_IN_ENUM: "A column of this database can't hold one of the values.",
    HoldReason.WRITE_REFUSED: "The database refused the link because it breaks one of its constraints.",
}
