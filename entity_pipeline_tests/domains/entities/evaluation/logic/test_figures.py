import pytest

from entity_pipeline.domains.entities.evaluation.logic.comparison import compare
from entity_pipeline.domains.entities.evaluation.logic.figures import answer_rows, figures
from entity_pipeline.domains.entities.evaluation.logic.judging import NOT_COVERED, LabelledAnswer, judge
from entity_pipeline.domains.entities.evaluation.logic.labelled_accounts import Labelled
from entity_pipeline.domains.entities.models import AccountType
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline_tests.domains.entities.evaluated import answer, many

SETTINGS = EntitySettings()
# 10 brands: 6 right, 1 called an artist, 1 without a readable reply, 2 not asked. 4 of beauty, 1 called a brand.
ANSWERS = [
    *many(6, "brand", confidence=0.95),
    answer("mistaken", "brand", "artist", confidence=0.96),
    LabelledAnswer(Labelled("broken", AccountType.BRAND), "failed:no_json"),
    *(LabelledAnswer(Labelled(f"later.{number}", AccountType.BRAND), NOT_COVERED) for number in range(2)),
    *many(3, "other", kind="beauty", confidence=0.97),
    answer("looks.like", "other", "brand", kind="beauty", confidence=0.86),
]
JUDGED = [judge(item, SETTINGS) for item in ANSWERS]
FIGURES = figures(JUDGED, SETTINGS)


def test_precision_recall_and_coverage_have_their_own_denominators() -> None:
    brand = FIGURES["types"]["brand"]
    assert (brand["labelled"], brand["reviewed"], brand["said"], brand["right"]) == (10, 7, 7, 6)
    assert (brand["precision"], brand["recall"], brand["coverage"]) == (6 / 7, 6 / 8, 7 / 10)
    assert 0 < brand["precision_at_least"] < 6 / 7
    assert FIGURES["types"]["group"]["precision"] is None


def test_a_threshold_changes_what_is_written_and_how_much_of_it_is_right() -> None:
    rows = {row["threshold"]: row for row in FIGURES["written"]["brand"]}
    assert (rows[0.85]["written"], rows[0.85]["right"], rows[0.85]["current"]) == (7, 6, True)
    assert (rows[0.9]["written"], rows[0.9]["precision"], rows[0.9]["reach"]) == (6, 1.0, 6 / 8)
    assert (rows[0.99]["written"], rows[0.99]["precision"]) == (0, None)


def test_the_confusion_table_holds_every_account_that_was_asked() -> None:
    assert FIGURES["confusion"]["brand"] == {"brand": 6, "artist": 1, "none": 1}
    assert FIGURES["confusion"]["other"] == {"other": 3, "brand": 1}


def test_accounts_that_look_like_brands_are_counted_apart() -> None:
    assert FIGURES["hard_negatives"] == {"beauty": {"asked": 4, "said_catalog_type": 1, "written": 1}}


def test_reliability_compares_the_mean_confidence_of_a_bin_with_its_truth() -> None:
    rows = {row["from"]: row for row in FIGURES["reliability"]}
    assert (rows[0.95]["accounts"], rows[0.95]["right"]) == (10, 9)
    assert rows[0.95]["confidence"] == pytest.approx((6 * 0.95 + 0.96 + 3 * 0.97) / 10)
    assert (rows[0.85]["accounts"], rows[0.85]["right"]) == (1, 0)
    expected = (abs(6 * 0.95 + 0.96 + 3 * 0.97 - 9) + 0.86) / 11
    assert FIGURES["calibration_error"] == pytest.approx(expected)


def test_a_confidence_of_one_is_in_the_last_bin() -> None:
    rows = figures([judge(answer("prada", "brand", confidence=1.0), SETTINGS)], SETTINGS)["reliability"]
    assert [row["accounts"] for row in rows] == [0, 0, 0, 0, 0, 0, 0, 1]


def test_nothing_asked_gives_figures_without_a_division() -> None:
    empty = figures([judge(item, SETTINGS) for item in ANSWERS if item.outcome == NOT_COVERED], SETTINGS)
    assert (empty["asked"], empty["calibration_error"], empty["types"]["brand"]["recall"]) == (0, None, None)


def test_names_and_countries_are_compared_where_both_are_known() -> None:
    known = Labelled("prada", AccountType.BRAND, "", "PRADA", "구찌", "IT")
    said = answer("prada", "brand", name_en="Prada", name_ko="프라다", country_of_origin="IT")
    found = figures(
        [judge(LabelledAnswer(known, "reviewed", said.review, said.grounding), SETTINGS)], SETTINGS
    )
    assert found["fields"] == {
        "name_en": {"given": 1, "right": 1},
        "name_ko": {"given": 1, "right": 0},
        "country": {"given": 1, "right": 1},
    }


def test_two_evaluations_are_compared_over_what_both_were_asked() -> None:
    before = answer_rows(JUDGED, SETTINGS)
    better = [
        judge(item, SETTINGS) for item in [*many(6, "brand", confidence=0.5), answer("mistaken", "brand")]
    ]
    found = compare(before, answer_rows(better, SETTINGS))
    assert found.accounts == 7
    assert (found.only_first_right, found.only_second_right, found.chance) == (0, 1, 1.0)
    assert (found.first.right, found.second.right) == (6 / 7, 1.0)
    assert (found.first.written, found.second.written) == (7, 1)
    assert [row[0] for row in found.differences] == [*(f"brand.{number}" for number in range(6)), "mistaken"]


def test_an_account_whose_label_changed_is_not_compared() -> None:
    first = answer_rows([judge(answer("prada", "brand"), SETTINGS)], SETTINGS)
    second = answer_rows([judge(answer("prada", "other", "brand"), SETTINGS)], SETTINGS)
    assert compare(first, second).accounts == 0
