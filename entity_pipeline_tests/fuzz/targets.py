"""The fuzzed parsers, each with a check and the valid inputs that mutations start from.

A check takes any value at all and raises `AssertionError` when a promise is broken; whatever else it raises is a
broken promise too. Both hypothesis (`reliability/test_hostile_parsers.py`) and atheris (`python -m
entity_pipeline_tests.fuzz`) run these.
"""

import csv
import io
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from PIL import Image

from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.gemini.models import MODELS
from entity_pipeline.core.gemini.reply_body import read_body
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.gemini.usage import count_search_queries, read_usage, token_cost_usd
from entity_pipeline.core.instagram.outcomes import Finding, SeatOutcome
from entity_pipeline.core.instagram.profile import InstagramProfile
from entity_pipeline.core.instagram.results import Result
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.jsonb import jsonb_text, read_json, read_stored
from entity_pipeline.core.reasons import sentence
from entity_pipeline.core.settings import Closed, Open, SettingsModel, SettingsRow, gate, parse
from entity_pipeline.core.shared_settings import SHARED_ROWS
from entity_pipeline.core.text.handles import Rejection, normalise_username
from entity_pipeline.domains.entities.language.same_name import normalise_name
from entity_pipeline.domains.entities.links.logic.decide import decide
from entity_pipeline.domains.entities.links.logic.decisions import Candidates, Create, Hold
from entity_pipeline.domains.entities.models import Verdict
from entity_pipeline.domains.entities.profiles.logic.column_values import (
    fields_to_write,
    is_reassigned,
    visible_text,
)
from entity_pipeline.domains.entities.profiles.logic.profile_record import merge_attempt
from entity_pipeline.domains.entities.reviews.logic.calibration import calibrate
from entity_pipeline.domains.entities.reviews.logic.confidence import read_confidence
from entity_pipeline.domains.entities.reviews.logic.countries import read_country
from entity_pipeline.domains.entities.reviews.logic.grounding import assess_grounding
from entity_pipeline.domains.entities.reviews.logic.record import (
    ReviewRecord,
    attempts,
    consumed_event_id,
    reviewed_record,
)
from entity_pipeline.domains.entities.reviews.logic.reply import ParsedReply, Unparseable, parse_reply
from entity_pipeline.domains.entities.reviews.logic.review_call import ReviewCall, ReviewInputs
from entity_pipeline.domains.entities.reviews.prompts import account_json
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.entities.tags.logic.post_files import (
    BadRow,
    ImportedPost,
    OtherFile,
    parse_csv,
    parse_instaloader,
)
from entity_pipeline.domains.entities.tags.logic.tally import DayTally, TaggedPost, seen_in
from entity_pipeline.resources.gemini.errors import ErrorKind, classify_error
from entity_pipeline.resources.instagram.answers import Answer, Ending
from entity_pipeline.resources.instagram.judging import DataCall, judge
from entity_pipeline.resources.instagram.operations.picture import _Refused, fetch_picture, verified_type
from entity_pipeline.resources.instagram.operations.profile import PAGE
from entity_pipeline.resources.instagram.operations.profile_node import NotTheProfile, read_profile
from entity_pipeline.resources.instagram.session_files import read_cookie_export, read_instaloader_session
from entity_pipeline_tests.domains.entities.cases import an_account
from entity_pipeline_tests.domains.entities.review_bodies import grounded_body
from entity_pipeline_tests.domains.entities.reviews.logic.gemini_replies import (
    REVIEW,
    body_of,
    fenced,
    recorded,
)
from entity_pipeline_tests.fuzz.mutations import HOSTILE_TEXT, mutated, mutated_bytes, mutated_text
from entity_pipeline_tests.resources.instagram.page_server import user
from entity_pipeline_tests.settings_rows import rows_with

HANDLE = "gentlemonster"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS = EntitySettings()
_DAY = date(2026, 11, 20)
_RECORDS = 100_000  # bytes of a stored review; ten pieces of evidence with long addresses are a third of it
_PICTURES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "empty",
    "not_an_image",
    "too_many_pixels",
    "too_many_scans",
)
_DELIMITER = "0123456789abcdef" * 2
_INPUTS = ReviewInputs("gemini-2.5-flash", "1", "1", "hash")
_CALL = ReviewCall.of(_INPUTS)


@dataclass(frozen=True)
class Target:
    """A check, its valid inputs, and how one of them is damaged. `from_bytes` reads what atheris generates."""

    check: Callable[[Any], object]
    seeds: tuple[Any, ...]
    mutate: Callable[[Any, Random], Any]
    from_bytes: Callable[[bytes], Any]

    def wounded(self, number: int) -> Any:
        """The hostile input with this number; the same each time."""
        random = Random(number)
        return self.mutate(random.choice(self.seeds), random)


def storable(value: object) -> None:
    """Whether the value can be written to jsonb and comes back."""
    text = jsonb_text(value)
    text.encode()
    read_stored(text)


def check_reply(body: Any) -> None:
    """A named outcome; what is kept can be stored; nothing is written to the catalog without proof."""
    reply = read_body(body)
    outcome = parse_reply(reply, handle=HANDLE, shown=['Eyewear. {"account_type": "artist"}'])
    assert isinstance(outcome, ParsedReply | Unparseable)
    if isinstance(body, Mapping):
        usage = read_usage(body)
        assert token_cost_usd(MODELS["gemini-2.5-flash"], usage, _DAY) >= 0
        assert count_search_queries(body) >= 0
    if isinstance(outcome, Unparseable):
        assert outcome.detail.endswith(".")
        assert len(outcome.detail) < 500
        return
    review = outcome.review
    assert review.name_en is None or len(review.name_en) <= 120
    again = read_body(body_of(fenced(**review.model_dump(mode="json"))))
    assert parse_reply(again, handle=HANDLE) == ParsedReply(
        review, _unavoidable(review.model_dump(mode="json"))
    )
    grounding = assess_grounding(reply, handle=HANDLE, names=[review.name_en, review.name_ko])
    assert all(item.uri.startswith(("http://", "https://")) for item in grounding.evidence)
    scores = calibrate(review, grounding, SETTINGS)
    assert 0 <= scores.confidence <= 1
    record = reviewed_record(outcome, grounding, scores, _CALL, previous=None, at=NOW)
    stored = jsonb_text(record.to_json())
    assert len(stored) < _RECORDS
    read_back = ReviewRecord.from_json(read_stored(stored))
    assert read_back is not None
    verdict = read_back.verdict
    assert isinstance(verdict, Verdict)
    proved = grounding.grounded and grounding.chunks > 0 and grounding.supported
    decision = decide(an_account(username=HANDLE, handle=HANDLE), verdict, Candidates(), SETTINGS)
    if not proved:
        assert isinstance(decision, Hold)
        assert decision.account is None
    if isinstance(decision, Create):
        assert decision.entity.name_en or decision.entity.name_ko


def _unavoidable(review: Mapping[str, Any]) -> tuple[str, ...]:
    """The notes that even the cleanest review has."""
    regional = review["account_role"] == "regional" and review["entity_region_code"] is None
    namibia = review["country_of_origin"] == "NA"
    return (("entity_region_code:regional_without_region",) if regional else ()) + (
        ("country_of_origin:ambiguous_na",) if namibia else ()
    )


def check_reply_text(text: str) -> None:
    """The same for the text alone, with every offset a support can have."""
    size = len(text.encode("utf-8", "surrogatepass"))
    offsets = [
        (0, size),
        (0, size + 1),
        (-1, 5),
        (1, 2),
        (size, size),
        (5, 1),
        (size // 2, size),
        (2**70, 2**71),
    ]
    supports = [
        {
            "segment": {"startIndex": low, "endIndex": high, "text": text[:50]},
            "groundingChunkIndices": [0, 7, -1],
        }
        for low, high in offsets
    ]
    chunks = [{"web": {"uri": "https://source.example/"}}, {"web": {"uri": "javascript:alert(1)"}}]
    metadata = {"webSearchQueries": ["q"], "groundingChunks": chunks, "groundingSupports": supports}
    check_reply(body_of(text, metadata=metadata))


def check_stored_review(record: Any) -> None:
    """What a person or an older version left under `gemini_review` is read or counts as absent."""
    previous = ReviewRecord.from_json(record)
    assert attempts(previous) >= 0
    consumed_event_id(previous)
    verdict = None
    if previous is not None:
        previous.stale_reasons(_INPUTS)
        storable(previous.to_json())
        verdict = previous.verdict
    account = an_account(
        enrichment={"gemini_review": record, "profile_backfill": record, "catalog_link": record}
    )
    decision = decide(account, verdict, Candidates(), SETTINGS)
    assert not isinstance(decision, Create) or (
        verdict is not None and verdict.grounded and verdict.supported
    )


def check_profile(node: Any) -> None:
    """A profile or `NotTheProfile`; what it fills can be stored and is what a reader sees."""
    if not isinstance(node, Mapping):
        return
    try:
        profile = read_profile(node, "gentlemonster")
    except NotTheProfile:
        return
    assert profile.username == "gentlemonster"
    assert profile.picture_url is None or profile.picture_url.startswith("https://")
    columns = fields_to_write(an_account(), profile, None, profile.picture_url)
    for value in columns.values():
        value.encode()
        assert "\x00" not in value
        assert visible_text(value, 10_000) == value
    facts = {"username": HANDLE, "bio": profile.bio, "display_name": profile.display_name}
    shown = account_json(facts, _DELIMITER)
    assert "\n" not in shown
    assert shown.count("{") == shown.count("}") == 1
    assert json.loads(shown)["username"] == HANDLE


def check_backfill(previous: Any) -> None:
    """Whatever is stored under `profile_backfill`, the next attempt is recorded completely."""
    profile = read_profile(user("gentlemonster"), "gentlemonster")
    results: list[Result[InstagramProfile]] = [
        Result(Finding.NOT_FOUND, canary=True),
        Result(Finding.UNANSWERED, seat=SeatOutcome.WALL),
        Result(Finding.FOUND, profile),
    ]
    for result in results:
        merged = merge_attempt(previous, result, NOW, 5)
        assert merged["status"] in ("found", "not_found", "deferred", "failed")
        storable(merged)
        assert merge_attempt(merged, result, NOW, 5)
        is_reassigned(previous, profile)


def check_answer(answer: Any) -> None:
    """An outcome for every answer of Instagram."""
    text = answer if isinstance(answer, str) else json.dumps(answer, default=str)
    for status in (200, 302, 401, 404, 429, 500, 999):
        seen = Answer(status, path=text[:40], location=text, content_type=text[:9], body=text)
        for call in (PAGE, DataCall()):
            assert judge(call, seen, Ending.UNREADABLE).finding is not Finding.FOUND


def check_settings(raw: Any) -> None:
    """Open within the limits, or closed with a reason that fits on a screen."""
    models: tuple[type[SettingsModel], ...] = (EntitySettings, *SHARED_ROWS)
    for model in models:
        row = SettingsRow(True, raw)
        found = gate(model, rows_with(row) if model is EntitySettings else {model.row: row})
        if isinstance(found, Closed):
            for language in ("en", "ko"):
                said = sentence(found.reason, language)
                assert said
                assert len(said) < 3_000
            continue
        assert isinstance(found, Open)
        kept = found.settings.model_dump(mode="json")
        assert parse(model, kept) == found.settings
        if isinstance(found.settings, GeminiSettings):
            assert 0 <= found.settings.daily_grounding_cap <= 1_000_000
            assert 0 <= found.settings.daily_spend_usd <= 1_000_000
        assert not isinstance(found.settings, InstagramSettings) or found.settings.terms_acknowledged


def check_username(raw: Any) -> None:
    """A username in plain ASCII that stands for itself, or a reason."""
    found = normalise_username(raw)
    if isinstance(found, Rejection):
        return
    assert found.isascii()
    assert found == found.lower()
    assert 1 <= len(found) <= 30
    assert not set(found) - set("abcdefghijklmnopqrstuvwxyz0123456789_.")
    assert normalise_username(found) == found


def check_tags(tags: Any) -> None:
    """Every item is counted once: as a tag, as a repetition, or by the reason why it is refused."""
    text = tags if isinstance(tags, bytes | str) else json.dumps(tags)
    tally = DayTally(_DAY)
    tally.add(TaggedPost(seen_in(NOW, UUID(int=1)), text))
    counts = tally.counts
    assert counts.posts == 1
    assert counts.tags == len(tally) == len(list(tally.rows()))
    assert all(len(examples) <= 3 for examples in counts.examples.values())
    assert all(
        len(example) <= 80 and example.isascii() for found in counts.examples.values() for example in found
    )
    if not counts.bad_arrays and isinstance(tags, list):
        assert counts.tags + counts.repeated_in_post + sum(counts.bad_items.values()) == len(tags)


def check_post_file(data: bytes) -> None:
    """A post that the database takes, or a file with its reason."""
    found = parse_instaloader(data, "a.json")
    assert isinstance(found, ImportedPost | BadRow | OtherFile)
    if isinstance(found, ImportedPost):
        _check_post(found)
    str(found)


def check_csv(text: str) -> None:
    """Posts and bad rows; one bad row does not end the file."""
    for found in parse_csv(io.StringIO(text, newline=""), "a.csv", NOW):
        assert isinstance(found, ImportedPost | BadRow)
        if isinstance(found, ImportedPost):
            _check_post(found)


def _check_post(post: ImportedPost) -> None:
    storable(post.platform_metadata)
    for text in (post.external_id, post.external_url, post.image_url, post.caption, post.author_name):
        assert text is None or ("\x00" not in text and text.encode())
    assert post.external_id.strip()
    assert post.created_at is None or post.created_at <= NOW


def check_cookies(data: bytes) -> None:
    """Cookies that can stand in a header, or `InputRejected`."""
    _check_session(read_cookie_export, data, NOW.timestamp())


def check_session(data: bytes) -> None:
    """The same of a pickle, without running it."""
    _check_session(read_instaloader_session, data)


def _check_session(read: Callable[..., dict[str, str]], *arguments: Any) -> None:
    try:
        cookies = read(*arguments)
    except InputRejected:
        return
    for name, value in cookies.items():
        assert f"{name}={value}".isascii()
        assert not set(name + value) & set("\r\n;\x00")


def check_picture(data: bytes) -> None:
    """A media type that pictures have, or a refusal."""
    try:
        found = verified_type(data)
    except _Refused as refusal:
        found = str(refusal)
    assert found in _PICTURES


def check_picture_url(url: Any) -> None:
    """An address of any other host never leads to a connection."""
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    fetch_picture(url, resolve=resolve, timeout_s=0.1)
    assert all(host.endswith((".cdninstagram.com", ".fbcdn.net")) for host in asked)


def check_words(text: Any) -> None:
    """Countries, names and confidences from anything."""
    code, _ = read_country(text)
    assert code is None or (len(code) == 2 and code.isupper() and read_country(code)[0] == code)
    share, _ = read_confidence(text)
    assert share is None or 0 <= share <= 1
    if isinstance(text, str):
        form = normalise_name(text)
        assert normalise_name(form) == form
        assert not any(letter.isspace() for letter in form)


def check_gemini_error(body: Any) -> None:
    """A kind for every error body; a wait that ends."""
    for code in (400, 403, 404, 429, 500):
        for grounded in (True, False):
            error = classify_error(code, body, grounded)
            assert isinstance(error.kind, ErrorKind)
            assert error.wait_s is None or 0 <= error.wait_s <= 600
            storable(error.as_record())


def check_stored_json(text: str) -> None:
    """`read_json` reads or refuses with `ValueError`; what it read can be looked at from anywhere."""
    try:
        value = read_json(text)
    except ValueError:
        return
    storable(value)
    repr(value)


def _json_or_text(data: bytes) -> Any:
    try:
        return read_json(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _saved_post() -> bytes:
    node = {
        "shortcode": "Cx1",
        "id": "3141",
        "taken_at_timestamp": 1_780_000_000,
        "display_url": "https://pictures.example/1.jpg",
        "owner": {"username": "street_shots"},
        "edge_media_to_caption": {"edges": [{"node": {"text": "새 컬렉션 #ootd"}}]},
        "edge_media_to_tagged_user": {"edges": [{"node": {"user": {"username": "nike"}}}]},
        "carousel_media": [{"usertags": {"in": [{"user": {"username": "prada"}}]}}],
    }
    return json.dumps({"node": node, "instaloader": {"node_type": "Post"}}, ensure_ascii=False).encode()


def _csv() -> str:
    out = io.StringIO()
    rows = [
        ("a1", 'nike prada;"x"', "2026-11-01T09:00:00Z", "새"),
        ("a2", '["nike", "@prada"]', "", 'a "b"\nc'),
    ]
    csv.writer(out).writerows([("external_id", "tagged_usernames", "created_at", "caption"), *rows])
    return out.getvalue()


def _picture(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((24, 24)).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def _backfill() -> Any:
    profile = read_profile(user("gentlemonster"), "gentlemonster")
    first = merge_attempt(None, Result(Finding.NOT_FOUND, source="a", canary=True), NOW, 5)
    return merge_attempt(first, Result(Finding.FOUND, profile, source="a"), NOW, 5)


def _review_record() -> Any:
    reply = read_body(grounded_body(HANDLE))
    parsed = parse_reply(reply, handle=HANDLE)
    assert isinstance(parsed, ParsedReply)
    grounding = assess_grounding(reply, handle=HANDLE, names=[])
    scores = calibrate(parsed.review, grounding, SETTINGS)
    return reviewed_record(parsed, grounding, scores, _CALL, previous=None, at=NOW).to_json()


@cache
def targets() -> Mapping[str, Target]:
    """Every target by name."""
    bodies = (
        recorded("grounded_korean"),
        recorded("two_parts"),
        recorded("messy"),
        recorded("bio_quotes_an_answer"),
        recorded("regional_without_fence"),
        recorded("supports_only_the_json"),
        grounded_body(HANDLE),
    )
    texts = tuple(body["candidates"][0]["content"]["parts"][0]["text"] for body in bodies)
    everything = {**SETTINGS.model_dump(mode="json"), "calibration": {"brand": [[0.5, 0.4], [0.9, 0.8]]}}
    words = (
        "South Korea",
        "KR",
        "대한민국",
        "95%",
        "0,9",
        "Gentle Monster",
        "젠틀몬스터",
        "NA",
        "🇰🇷",
        *HOSTILE_TEXT,
    )
    names = ("nike", "@Nike", "https://www.instagram.com/nike/?hl=ko", "ｎｉｋｅ", "nіke", "stories/nike/1")
    error = {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "quota",
            "details": [
                {"@type": "x.QuotaFailure", "violations": [{"quotaId": "PerMinute"}]},
                {"@type": "x.RetryInfo", "retryDelay": "28s"},
            ],
        }
    }
    session = {"csrftoken": "c", "sessionid": "1%3As%3A2", "ds_user_id": "1"}
    export = json.dumps([{"domain": ".instagram.com", "name": k, "value": v} for k, v in session.items()])
    lines = "\n".join(f".instagram.com\tTRUE\t/\tTRUE\t0\t{name}\t{value}" for name, value in session.items())
    pickles = tuple(pickle.dumps(session, protocol) for protocol in range(6))
    pictures = (_picture("PNG"), _picture("JPEG"), _picture("JPEG", progressive=True), _picture("WEBP"))
    url = "https://scontent-1.cdninstagram.com/v/1_n.jpg?oh=a&oe=F"
    return {
        "reply": Target(check_reply, bodies, mutated, _json_or_text),
        "reply_block": Target(
            lambda block: check_reply(grounded_body(HANDLE, block=f"```json\n{json.dumps(block)}\n```")),
            (
                REVIEW,
                {**REVIEW, "account_role": "regional", "entity_region_code": "JP", "primary_username": "gm"},
            ),
            mutated,
            _json_or_text,
        ),
        "reply_text": Target(check_reply_text, texts, mutated_text, _text),
        "stored_review": Target(check_stored_review, (_review_record(),), mutated, _json_or_text),
        "profile": Target(check_profile, (user("gentlemonster"),), mutated, _json_or_text),
        "backfill": Target(check_backfill, (_backfill(),), mutated, _json_or_text),
        "answer": Target(
            check_answer, (HOSTILE_TEXT[10], "<html>login_required</html>"), mutated_text, _text
        ),
        "settings": Target(check_settings, (everything,), mutated, _json_or_text),
        "username": Target(check_username, names, mutated_text, _text),
        "tags": Target(check_tags, (["nike", "@Nike", "prada", None, 3, ["x"]],), mutated, lambda data: data),
        "post_file": Target(check_post_file, (_saved_post(),), mutated_bytes, lambda data: data),
        "csv": Target(check_csv, (_csv(), _csv().replace(",", ";")), mutated_text, _text),
        "cookies": Target(check_cookies, (export.encode(), lines.encode()), mutated_bytes, lambda data: data),
        "session": Target(check_session, pickles, mutated_bytes, lambda data: data),
        "picture": Target(check_picture, pictures, mutated_bytes, lambda data: data),
        "picture_url": Target(check_picture_url, (url,), mutated_text, _text),
        "words": Target(check_words, words, mutated_text, _text),
        "gemini_error": Target(check_gemini_error, (error,), mutated, _json_or_text),
        "stored_json": Target(check_stored_json, (jsonb_text(bodies[0]),), mutated_text, _text),
    }
