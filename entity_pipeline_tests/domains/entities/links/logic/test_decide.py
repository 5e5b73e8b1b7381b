from dataclasses import replace
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import (
    AccountWish,
    Attach,
    Candidates,
    Create,
    Decision,
    Exclude,
    Hold,
    Link,
    PrimaryAccount,
)
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.models import (
    FASHION_FIELDS,
    TABLE_OF_TYPE,
    Account,
    AccountRole,
    AccountType,
    EntityField,
    EntityTable,
    FieldConfidence,
    HandleTie,
    Review,
)
from entity_pipeline.domains.entities.settings import EntitySettings, Thresholds
from entity_pipeline_tests.domains.entities.cases import a_review, a_verdict, an_account, an_entity, some_id

ARTISTS, BRANDS, GROUPS = EntityTable
SETTINGS = EntitySettings()
CHUNKS = EntitySettings(evidence_level="chunks")
NOTHING = Candidates()
THEIRS, OURS = some_id("someone else"), some_id("account")


def decided(
    account: Account | None = None,
    candidates: Candidates = NOTHING,
    *,
    settings: Any = SETTINGS,
    **review: Any,
) -> Decision:
    return decide(account or an_account(), a_verdict(a_review(**review)), candidates, settings)


def reasons(decision: Decision) -> set[str]:
    assert isinstance(decision, Hold), decision
    return set(decision.reasons)


# --- the honesty gate ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("account_type", AccountType)
@pytest.mark.parametrize("role", AccountRole)
@pytest.mark.parametrize(
    ("changes", "settings", "expected"),
    [
        ({"grounded": False}, SETTINGS, {"ungrounded"}),
        ({"grounded": False}, CHUNKS, {"ungrounded"}),
        ({"chunks": 0}, SETTINGS, {"no_chunks"}),
        ({"chunks": 0}, CHUNKS, {"no_chunks"}),
        ({"supported": False}, SETTINGS, {"no_support"}),
        (
            {"grounded": False, "chunks": 0, "supported": False},
            SETTINGS,
            {"ungrounded", "no_chunks", "no_support"},
        ),
        ({"grounded": False, "chunks": 0, "supported": False}, CHUNKS, {"ungrounded", "no_chunks"}),
    ],
)
def test_a_dishonest_review_writes_nothing_at_all(
    account_type: AccountType, role: AccountRole, changes: dict[str, Any], settings: Any, expected: set[str]
) -> None:
    verdict = a_verdict(a_review(account_type=account_type, account_role=role, confidence=1.0), **changes)
    held = decide(an_account(), replace(verdict, confidence=1.0), NOTHING, settings)
    assert (reasons(held), held.account) == (expected, None)


def test_the_level_chunks_needs_no_support() -> None:
    assert isinstance(decide(an_account(), a_verdict(supported=False, chunks=1), NOTHING, CHUNKS), Create)


def test_a_brand_whose_sentences_describe_another_field_is_held_and_stays_what_the_model_says() -> None:
    verdict = replace(a_verdict(), claims=("@madeup.seoul is a cosmetics house.",))
    held = decide(an_account(), verdict, NOTHING, SETTINGS)
    assert (reasons(held), held.account) == ({HoldReason.FIELD_DIFFERS}, None)


@pytest.mark.parametrize("field", [field for field in EntityField if field not in FASHION_FIELDS])
def test_a_brand_of_a_field_that_is_not_fashion_is_other(field: EntityField) -> None:
    verdict = replace(a_verdict(a_review(field=field)), claims=("@madeup.seoul is a cosmetics house.",))
    decision = decide(an_account(), verdict, NOTHING, SETTINGS)
    if field is EntityField.UNKNOWN:
        assert reasons(decision) == {HoldReason.FIELD_DIFFERS}
    else:
        assert isinstance(decision, Exclude)
        assert decision.account.account_type is AccountType.OTHER


@pytest.mark.parametrize("field", [None, *FASHION_FIELDS])
def test_a_brand_of_a_field_of_fashion_is_written(field: EntityField | None) -> None:
    assert isinstance(decide(an_account(), a_verdict(a_review(field=field)), NOTHING, SETTINGS), Create)


def test_an_account_without_a_review_is_not_decided() -> None:
    assert decide(an_account(), None, NOTHING, SETTINGS) == Hold((HoldReason.NOT_REVIEWED,))


# --- confidence ---------------------------------------------------------------------------------------------

LIMITS = EntitySettings(thresholds=Thresholds(artist=0.9, brand=0.8, group=0.95))


@pytest.mark.parametrize(
    ("account_type", "limit"),
    [
        (AccountType.ARTIST, 0.9),
        (AccountType.BRAND, 0.8),
        (AccountType.GROUP, 0.95),
        (AccountType.OTHER, 0.95),
    ],
)
@pytest.mark.parametrize("role", [AccountRole.PRIMARY, AccountRole.SECONDARY, AccountRole.REGIONAL])
def test_the_threshold_of_the_type_counts_and_reaching_it_is_enough(
    account_type: AccountType, limit: float, role: AccountRole
) -> None:
    review = a_review(account_type=account_type, account_role=role, entity_region_code="JP")
    below = decide(an_account(), a_verdict(review, confidence=limit - 1e-9), NOTHING, LIMITS)
    at = decide(an_account(), a_verdict(review, confidence=limit), NOTHING, LIMITS)
    assert below == Hold((HoldReason.BELOW_THRESHOLD,))
    assert not isinstance(at, Hold) or at.account is not None


@pytest.mark.parametrize(("account_type", "limit"), [("artist", 0.90), ("brand", 0.85), ("group", 0.90)])
def test_the_default_thresholds(account_type: str, limit: float) -> None:
    review = a_review(account_type=AccountType(account_type))
    assert isinstance(decide(an_account(), a_verdict(review, confidence=limit), NOTHING, SETTINGS), Create)
    assert isinstance(
        decide(an_account(), a_verdict(review, confidence=limit - 0.001), NOTHING, SETTINGS), Hold
    )


def test_a_confidence_that_is_not_a_number_is_not_enough() -> None:
    assert reasons(decide(an_account(), a_verdict(confidence=nan), NOTHING, SETTINGS)) == {"below_threshold"}


def test_a_field_the_model_is_not_sure_of_is_left_out() -> None:
    unsure = {"name_ko": 0.5, "entity_region_code": 0.5, "country_of_origin": 0.5}
    created = decided(entity_region_code="JP", country_of_origin="KR", sure=unsure)
    assert isinstance(created, Create)
    assert created.account.columns() == {
        "account_type": "brand",
        "entity_ig_role": "primary",
        "name_en": "Madeup Seoul",
    }
    assert (created.entity.name_ko, created.entity.country_of_origin) == (None, None)


# --- what is not an entity -----------------------------------------------------------------------------------


def test_an_unknown_role_in_the_review_contradicts_no_person() -> None:
    account = an_account(entity_ig_role="secondary")
    decision = decided(account, account_type=AccountType.OTHER, account_role=AccountRole.UNKNOWN)
    assert isinstance(decision, Exclude)


@pytest.mark.parametrize("role", AccountRole)
def test_other_is_excluded_and_never_an_entity(role: AccountRole) -> None:
    candidates = Candidates(matches=(an_entity(),), primary=PrimaryAccount(THEIRS, (an_entity(),)))
    decision = decided(
        None, candidates, account_type=AccountType.OTHER, account_role=role, primary_username="main"
    )
    assert isinstance(decision, Exclude)
    assert decision.account.columns()["account_type"] == "other"
    assert decision.account.entity_ig_role == role


@pytest.mark.parametrize("role", AccountRole)
def test_an_unknown_type_is_written_as_such_and_nothing_else(role: AccountRole) -> None:
    assert decided(account_type=AccountType.UNKNOWN, account_role=role) == Hold(
        (HoldReason.TYPE_UNKNOWN,),
        AccountWish(account_type=AccountType.UNKNOWN, entity_ig_role=AccountRole.UNKNOWN),
    )


@pytest.mark.parametrize("account_type", TABLE_OF_TYPE)
def test_an_unknown_role_is_written_as_such_and_nothing_else(account_type: AccountType) -> None:
    held = decided(account_type=account_type, account_role=AccountRole.UNKNOWN)
    assert held == Hold((HoldReason.ROLE_UNKNOWN,), AccountWish(entity_ig_role=AccountRole.UNKNOWN))


@pytest.mark.parametrize("role", [AccountRole.PRIMARY, AccountRole.SECONDARY, AccountRole.REGIONAL])
def test_a_brand_from_namibia_is_held(role: AccountRole) -> None:
    held = decided(account_role=role, country_of_origin="NA", entity_region_code="JP")
    assert held == Hold((HoldReason.COUNTRY_IS_NAMIBIA,))


def test_namibia_matters_for_brands_only() -> None:
    assert isinstance(decided(account_type=AccountType.ARTIST, country_of_origin="NA"), Create)


# A look that found another id under the name, and one behind it that found nothing.
MOVED = {
    "outcome": "wall",
    "instagram_id": "1",
    "history": [{"instagram_id": "1"}, {"instagram_id": "2"}, {"instagram_id": None}],
}


@pytest.mark.parametrize("history", [None, [], "x", [None], [{"instagram_id": "1"}], [{"instagram_id": 1}]])
def test_a_name_that_kept_its_owner_is_not_held(history: Any) -> None:
    profile = {"outcome": "found", "instagram_id": "1", "history": history}
    assert isinstance(decided(an_account(enrichment={"profile_backfill": profile})), Create)


@pytest.mark.parametrize(
    ("account", "candidates", "reason"),
    [
        (an_account(handle=None), NOTHING, "invalid_username"),
        (an_account(is_active=False), NOTHING, "inactive"),
        (an_account(enrichment={"profile_backfill": {"outcome": "reassigned"}}), NOTHING, "reassigned"),
        (an_account(enrichment={"profile_backfill": MOVED}), NOTHING, "reassigned"),
        (an_account(), Candidates(twins=(THEIRS,)), "duplicate_username"),
        (an_account(enrichment={"catalog_link": {"status": "undone"}}), NOTHING, "undone"),
        (an_account(), Candidates(ours={"brand_id": str(THEIRS)}), "unlinked_by_person"),
    ],
)
@pytest.mark.parametrize("role", [AccountRole.PRIMARY, AccountRole.SECONDARY])
def test_a_row_in_question_is_held(
    account: Account, candidates: Candidates, reason: str, role: AccountRole
) -> None:
    held = decided(account, candidates, account_role=role, primary_username="main")
    assert held == Hold((HoldReason(reason),))


@pytest.mark.parametrize("from_account", [True, False])
def test_a_linked_row_is_not_held_for_having_a_twin(from_account: bool) -> None:
    account = an_account(links={BRANDS: some_id("entity")} if from_account else {})
    pointing = () if from_account else (an_entity(primary_account_id=OURS),)
    assert isinstance(decided(account, Candidates(twins=(THEIRS,), linked=pointing)), Link)


# --- people win ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "ours", "reason"),
    [
        ({"account_type": "artist"}, {}, "account_type_differs"),
        ({"account_type": "company"}, {}, "account_type_differs"),
        ({"account_type": "artist"}, {"account_type": "brand"}, "account_type_differs"),
        ({"account_type": "artist"}, {"account_type": "artist"}, None),
        ({"account_type": "brand"}, {}, None),
        ({"account_type": "unknown"}, {}, None),
        ({"entity_ig_role": "secondary"}, {}, "account_role_differs"),
        ({"entity_ig_role": "secondary"}, {"entity_ig_role": "primary"}, "account_role_differs"),
        ({"entity_ig_role": "secondary"}, {"entity_ig_role": "secondary"}, None),
        ({"entity_ig_role": "primary"}, {}, None),
        ({"entity_ig_role": "unknown"}, {}, None),
    ],
)
def test_a_persons_classification_that_differs_holds(
    row: dict[str, str], ours: dict[str, str], reason: str | None
) -> None:
    decision = decided(an_account(**row), Candidates(ours=ours))
    assert isinstance(decision, Create) if reason is None else reasons(decision) == {reason}


def test_a_person_who_says_brand_keeps_other_out() -> None:
    held = decided(an_account(account_type="brand"), account_type=AccountType.OTHER)
    assert held == Hold((HoldReason.ACCOUNT_TYPE_DIFFERS,))


def test_a_persons_name_is_the_one_that_is_looked_for_and_written() -> None:
    account = an_account(name_en="Other House")
    namesake = an_entity(name_en="Madeup Seoul", name_ko=None)
    created = decided(account, Candidates(matches=(namesake,)), name_ko=None)
    assert isinstance(created, Create)
    assert created.entity.name_en == "Other House"


# --- primary accounts: link before create -------------------------------------------------------------------


@pytest.mark.parametrize(("account_type", "table"), TABLE_OF_TYPE.items())
def test_a_primary_account_without_a_match_creates_its_entity(
    account_type: AccountType, table: EntityTable
) -> None:
    image = {"profile_backfill": {"image": {"url": "https://img.example/x.jpg"}}}
    created = decided(an_account(enrichment=image), account_type=account_type, country_of_origin="KR")
    assert isinstance(created, Create)
    assert created.table is table
    assert created.account == AccountWish(account_type, AccountRole.PRIMARY, None, "Madeup Seoul", "메이드업")
    assert (created.entity.name_en, created.entity.name_ko) == ("Madeup Seoul", "메이드업")
    assert created.entity.primary_account_id == OURS
    assert created.entity.image_url == "https://img.example/x.jpg"
    assert created.entity.country_of_origin == ("KR" if table is BRANDS else None)


def test_only_a_stored_picture_is_written() -> None:
    created = decided(an_account(profile_image_url="https://scontent.example/signed.jpg"))
    assert isinstance(created, Create)
    assert created.entity.image_url is None


@pytest.mark.parametrize("names", [{"name_en": None, "name_ko": None}, {"name_en": "!!!", "name_ko": " "}])
def test_without_a_comparable_name_nothing_is_created(names: dict[str, Any]) -> None:
    assert reasons(decided(**names)) == {"no_name"}


@pytest.mark.parametrize("names", [{"name_en": None}, {"name_ko": None}])
def test_one_name_is_enough(names: dict[str, Any]) -> None:
    assert isinstance(decided(**names), Create)


@pytest.mark.parametrize(
    ("entity", "review"),
    [
        ({}, {}),
        ({"name_en": "MADEUP  seoul™"}, {}),
        ({"name_ko": None}, {}),
        ({"name_en": None}, {}),
        ({}, {"name_ko": None}),
        ({"name_en": "메이드업", "name_ko": None}, {}),
        ({"name_en": "Madeup Seoul", "name_ko": "MADEUP SEOUL"}, {}),
        ({"primary_account_id": OURS}, {}),
    ],
)
def test_the_one_entity_of_that_name_is_linked(entity: dict[str, Any], review: dict[str, Any]) -> None:
    match = an_entity(**entity)
    linked = decided(None, Candidates(matches=(match,)), **review)
    assert isinstance(linked, Link)
    assert (linked.table, linked.entity_id, linked.entity.primary_account_id) == (BRANDS, match.id, OURS)


def test_a_candidate_with_a_similar_name_is_not_a_match() -> None:
    near = an_entity(name_en="Madeup Seouls", name_ko=None)
    assert isinstance(decided(None, Candidates(matches=(near,))), Create)


def test_a_field_as_sure_as_the_threshold_is_kept() -> None:
    floor = SETTINGS.thresholds.brand
    sure = {"name_en": floor, "name_ko": floor, "entity_region_code": floor, "country_of_origin": floor}
    created = decided(entity_region_code="JP", country_of_origin="KR", sure=sure)
    assert isinstance(created, Create)
    assert (created.account.name_en, created.account.entity_region_code) == ("Madeup Seoul", "JP")
    assert created.entity.country_of_origin == "KR"


def test_a_name_in_the_other_column_beside_another_name_is_not_a_conflict() -> None:
    swapped = an_entity(name_en="Other Name", name_ko="Madeup Seoul")
    assert isinstance(decided(None, Candidates(matches=(swapped,)), name_ko=None), Link)


def test_an_entity_of_another_table_is_not_a_match() -> None:
    assert isinstance(decided(None, Candidates(matches=(an_entity(ARTISTS),))), Create)


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ((an_entity(name="a"), an_entity(name="b")), {"several_matches"}),
        (
            (an_entity(name="a"), an_entity(name="b", name_ko="다른이름")),
            {"several_matches", "name_conflict"},
        ),
        ((an_entity(primary_account_id=THEIRS),), {"entity_has_other_primary"}),
        ((an_entity(name_ko="다른이름"),), {"name_conflict"}),
        ((an_entity(name_en="Other Name"),), {"name_conflict"}),
    ],
)
def test_a_doubtful_match_is_held_and_writes_nothing(matches: Any, expected: set[str]) -> None:
    held = decided(None, Candidates(matches=matches))
    assert (reasons(held), held.account) == (expected, None)


@pytest.mark.parametrize("from_account", [True, False])
def test_an_existing_link_comes_before_names(from_account: bool) -> None:
    entity = an_entity(
        name="linked", name_en="Unlike", name_ko="다름", primary_account_id=None if from_account else OURS
    )
    account = an_account(links={BRANDS: entity.id} if from_account else {})
    linked = decided(account, Candidates(linked=(entity,), matches=(an_entity(name="namesake"),)))
    assert isinstance(linked, Link)
    assert linked.entity_id == entity.id


def test_a_link_of_another_type_is_held() -> None:
    account = an_account(links={ARTISTS: some_id("artist")})
    assert reasons(decided(account)) == {"linked_to_other_type"}
    pointing = an_entity(GROUPS, primary_account_id=OURS)
    assert reasons(decided(None, Candidates(linked=(pointing,)))) == {"linked_to_other_type"}


def test_two_entities_of_one_account_are_held() -> None:
    account = an_account(links={BRANDS: some_id("a")})
    held = decided(
        account, Candidates(linked=(an_entity(name="a"), an_entity(name="b", primary_account_id=OURS)))
    )
    assert reasons(held) == {"account_has_other_entity"}


def test_a_linked_entity_with_another_primary_is_held() -> None:
    account = an_account(links={BRANDS: some_id("entity")})
    held = decided(account, Candidates(linked=(an_entity(primary_account_id=THEIRS),)))
    assert reasons(held) == {"entity_has_other_primary"}


# --- secondary and regional accounts ------------------------------------------------------------------------

HOME = an_entity(name="home", name_en="Madeup Seoul", name_ko=None, primary_account_id=THEIRS)
LINKED_PRIMARY = PrimaryAccount(THEIRS, (HOME,))


def follower(account: Account | None = None, candidates: Candidates = NOTHING, **review: Any) -> Decision:
    role = {"account_role": AccountRole.REGIONAL, "primary_username": "main", "entity_region_code": "JP"}
    return decided(account, candidates, **(role | review))


@pytest.mark.parametrize("role", [AccountRole.SECONDARY, AccountRole.REGIONAL])
@pytest.mark.parametrize(("account_type", "table"), TABLE_OF_TYPE.items())
def test_a_follower_joins_the_entity_of_its_primary(
    role: AccountRole, account_type: AccountType, table: EntityTable
) -> None:
    home = replace(HOME, table=table)
    candidates = Candidates(primary=PrimaryAccount(THEIRS, (home,)), matches=(an_entity(table),))
    attached = follower(None, candidates, account_role=role, account_type=account_type)
    wish = AccountWish(account_type, role, "JP", "Madeup Seoul", "메이드업")
    assert attached == Attach(table, home.id, wish)


@pytest.mark.parametrize("primary", [None, PrimaryAccount(THEIRS)])
@pytest.mark.parametrize("role", [AccountRole.SECONDARY, AccountRole.REGIONAL])
def test_a_follower_of_an_unlinked_primary_waits_and_is_classified(primary: Any, role: AccountRole) -> None:
    held = follower(None, Candidates(primary=primary, matches=(an_entity(),)), account_role=role)
    assert isinstance(held, Hold)
    assert held.reasons == (HoldReason.PRIMARY_NOT_LINKED,)
    assert held.account == AccountWish(AccountType.BRAND, role, "JP", "Madeup Seoul", "메이드업")


@pytest.mark.parametrize("name", [None, "madeup.seoul"])
def test_a_follower_without_another_primary_is_held_and_classified(name: str | None) -> None:
    held = follower(
        None, Candidates(primary=PrimaryAccount(OURS, (HOME,)) if name else None), primary_username=name
    )
    assert isinstance(held, Hold)
    assert held.reasons == (HoldReason.PRIMARY_UNKNOWN,)
    assert held.account is not None


@pytest.mark.parametrize("name", [None, "madeup.seoul"])
@pytest.mark.parametrize("level", ["ties", "supports", "chunks"])
@pytest.mark.parametrize("home", [HOME, an_entity(name="home", primary_account_id=None)])
def test_a_regional_account_without_a_primary_joins_the_brand_of_its_name(
    name: str | None, level: Any, home: Any
) -> None:
    attached = follower(
        None,
        Candidates(matches=(home,)),
        settings=EntitySettings(evidence_level=level),
        primary_username=name,
    )
    wish = AccountWish(AccountType.BRAND, AccountRole.REGIONAL, "JP", "Madeup Seoul", "메이드업")
    assert attached == Attach(BRANDS, home.id, wish)


@pytest.mark.parametrize("level", ["ties", "supports", "chunks"])
@pytest.mark.parametrize(
    ("claim", "tie", "reason"),
    [
        ("Madeup Seoul is a clothing brand from Seoul.", None, "account_unproven"),
        ("Madeup Seoul (@other.handle) is something.", HandleTie.SUPPORTED, "claim_unproven"),
        ("Madeup Seoul (@other.handle) is a cosmetics house.", HandleTie.SUPPORTED, "field_differs"),
        ("Madeup Seoul is a clothing brand from Seoul.", HandleTie.DISOWNED, "not_official"),
    ],
)
def test_only_with_both_ties_proven_whatever_the_level(
    level: Any, claim: str, tie: HandleTie | None, reason: str
) -> None:
    review = a_review(account_role=AccountRole.REGIONAL, entity_region_code="JP")
    verdict = replace(a_verdict(review), claims=(claim,), handle_tie=tie)
    settings = EntitySettings(evidence_level=level)
    account = an_account(username="some.handle", handle="some.handle")
    assert reasons(decide(account, verdict, Candidates(matches=(HOME,)), settings)) == {reason}


@pytest.mark.parametrize(
    ("candidates", "review", "reason"),
    [
        (Candidates(), {}, "primary_unknown"),
        (Candidates(near=(HOME,)), {}, "primary_unknown"),
        (Candidates(matches=(HOME,)), {"account_role": AccountRole.SECONDARY}, "primary_unknown"),
        (
            Candidates(matches=(replace(HOME, table=GROUPS),)),
            {"account_type": AccountType.GROUP},
            "primary_unknown",
        ),
        (
            Candidates(matches=(replace(HOME, table=ARTISTS),)),
            {"account_type": AccountType.ARTIST},
            "primary_unknown",
        ),
        (Candidates(matches=(HOME, replace(HOME, id=some_id("2")))), {}, "several_matches"),
        (Candidates(matches=(replace(HOME, name_ko="다른이름"),)), {}, "name_conflict"),
        (Candidates(matches=(HOME,)), {"sure": {"name_en": 0.2}}, "attach_unproven"),
    ],
)
def test_a_regional_account_without_a_primary_is_held_and_classified(
    candidates: Candidates, review: dict[str, Any], reason: str
) -> None:
    held = follower(None, candidates, primary_username=None, **review)
    assert isinstance(held, Hold)
    assert reasons(held) == {reason}
    assert held.account is not None


@pytest.mark.parametrize(
    ("account", "candidates", "reason"),
    [
        (
            an_account(),
            Candidates(primary=PrimaryAccount(THEIRS, (replace(HOME, table=ARTISTS),))),
            "primary_type_differs",
        ),
        (
            an_account(),
            Candidates(primary=PrimaryAccount(THEIRS, (HOME, replace(HOME, id=some_id("2"))))),
            "several_matches",
        ),
        (
            an_account(links={BRANDS: some_id("x")}),
            Candidates(primary=LINKED_PRIMARY),
            "account_has_other_entity",
        ),
        (
            an_account(links={ARTISTS: some_id("x")}),
            Candidates(primary=LINKED_PRIMARY),
            "linked_to_other_type",
        ),
        (an_account(), Candidates(linked=(an_entity(primary_account_id=OURS),)), "account_is_primary"),
    ],
)
def test_a_contradicted_follower_is_held_and_writes_nothing(
    account: Account, candidates: Candidates, reason: str
) -> None:
    assert follower(account, candidates) == Hold((HoldReason(reason),))


def test_a_follower_that_is_attached_already_stays_attached() -> None:
    account = an_account(links={BRANDS: HOME.id})
    for candidates in (Candidates(linked=(HOME,), primary=LINKED_PRIMARY), Candidates(linked=(HOME,))):
        attached = follower(account, candidates)
        assert isinstance(attached, Attach)
        assert attached.entity_id == HOME.id


def test_a_regional_account_needs_a_region() -> None:
    candidates = Candidates(primary=LINKED_PRIMARY)
    assert follower(None, candidates, entity_region_code=None) == Hold((HoldReason.REGION_MISSING,))
    assert isinstance(
        follower(an_account(entity_region_code="KR"), candidates, entity_region_code=None), Attach
    )
    secondary = follower(None, candidates, entity_region_code=None, account_role=AccountRole.SECONDARY)
    assert isinstance(secondary, Attach)


# --- for every input ----------------------------------------------------------------------------------------

SHARES = st.floats(0, 1)
IDS = st.sampled_from([OURS, THEIRS, some_id("third")])
ENTITIES = st.builds(
    an_entity,
    st.sampled_from(EntityTable),
    st.sampled_from(["a", "b", "c"]),
    name_en=st.sampled_from([None, "Madeup Seoul", "Other"]),
    name_ko=st.sampled_from([None, "메이드업", "다른이름"]),
    primary_account_id=st.none() | IDS,
)
CANDIDATES = st.builds(
    Candidates,
    linked=st.lists(ENTITIES, max_size=2).map(tuple),
    matches=st.lists(ENTITIES, max_size=2).map(tuple),
    primary=st.none() | st.builds(PrimaryAccount, IDS, st.lists(ENTITIES, max_size=2).map(tuple)),
    ours=st.dictionaries(
        st.sampled_from(["account_type", "brand_id", "name_en"]), st.sampled_from(["brand", "x"])
    ),
)
ACCOUNTS = st.builds(
    an_account,
    account_type=st.none() | st.sampled_from(AccountType),
    entity_ig_role=st.none() | st.sampled_from(AccountRole),
    links=st.dictionaries(st.sampled_from(EntityTable), IDS, max_size=2),
    is_active=st.booleans(),
)
REVIEWS = st.builds(
    Review,
    name_en=st.sampled_from([None, "", "Madeup Seoul"]),
    name_ko=st.sampled_from([None, "메이드업"]),
    account_type=st.sampled_from(AccountType),
    account_role=st.sampled_from(AccountRole),
    entity_region_code=st.sampled_from([None, "JP", "NA"]),
    country_of_origin=st.sampled_from([None, "KR", "NA"]),
    primary_username=st.sampled_from([None, "main", "madeup.seoul"]),
    confidence=SHARES,
    field_confidence=st.builds(FieldConfidence, name_en=st.none() | SHARES),
)


@given(
    account=ACCOUNTS,
    review=REVIEWS,
    candidates=CANDIDATES,
    proof=st.tuples(SHARES, st.booleans(), st.integers(0, 3), st.booleans()),
    limits=st.tuples(SHARES, SHARES, SHARES),
    level=st.sampled_from(["supports", "chunks"]),
)
def test_nothing_reaches_the_catalog_without_proof_and_confidence(
    account: Account, review: Review, candidates: Candidates, proof: Any, limits: Any, level: Any
) -> None:
    confidence, grounded, chunks, supported = proof
    verdict = a_verdict(review, confidence=confidence, grounded=grounded, chunks=chunks, supported=supported)
    artist, brand, group = limits
    settings = EntitySettings(
        thresholds=Thresholds(artist=artist, brand=brand, group=group), evidence_level=level
    )
    limit = {"artist": artist, "brand": brand, "group": group}.get(review.account_type, max(limits))
    decision = decide(account, verdict, candidates, settings)
    proved = grounded and chunks > 0 and (supported or level == "chunks") and confidence >= limit
    if isinstance(decision, Hold):
        assert decision.reasons
        written = decision.account.columns() if decision.account else {}
        assert proved or set(written.values()) <= {"unknown"}
        return
    assert proved
    assert account.is_active
    assert decision.table is TABLE_OF_TYPE[review.account_type]
    assert not account.links.keys() - {decision.table}
    if isinstance(decision, Attach):
        assert review.account_role in (AccountRole.SECONDARY, AccountRole.REGIONAL)
    else:
        assert review.account_role is AccountRole.PRIMARY
    if isinstance(decision, Create):
        assert decision.entity.name_en or decision.entity.name_ko
        assert not account.links


# --- names that the catalog has already ---


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (Candidates(near=(an_entity(name_en="The Madeup Seoul"),)), HoldReason.NEAR_NAME),
        (Candidates(elsewhere=(an_entity(EntityTable.GROUPS),)), HoldReason.NAME_IN_OTHER_TABLE),
    ],
)
def test_an_entity_that_the_catalog_may_have_is_not_created(
    candidates: Candidates, expected: HoldReason
) -> None:
    assert reasons(decide(an_account(), a_verdict(), candidates, SETTINGS)) == {expected}


@pytest.mark.parametrize(("name_ko", "is_linked"), [("메이드업", True), (None, False)])
def test_a_person_is_linked_by_both_names_only(name_ko: str | None, is_linked: bool) -> None:
    match = an_entity(EntityTable.ARTISTS, name_ko=name_ko)
    verdict = a_verdict(a_review(account_type=AccountType.ARTIST))
    decision = decide(an_account(), verdict, Candidates(matches=(match,)), SETTINGS)
    if is_linked:
        assert isinstance(decision, Link)
    else:
        assert reasons(decision) == {HoldReason.ONE_NAME_ONLY}


def test_an_account_that_people_linked_does_not_become_other() -> None:
    entity = an_entity()
    account = an_account(links={EntityTable.BRANDS: entity.id})
    verdict = a_verdict(a_review(account_type=AccountType.OTHER))
    held = decide(account, verdict, Candidates(linked=(entity,)), SETTINGS)
    assert (reasons(held), held.account) == ({HoldReason.LINKED_TO_OTHER_TYPE}, None)
