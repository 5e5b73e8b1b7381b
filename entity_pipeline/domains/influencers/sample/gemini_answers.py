"""What the Gemini stand-in says of a blog: what its posts show, by the sample's truth, and some odd answers.

A blogger's row gives one of these words, or one of `sandbox/gemini_batches.py`, or ``safety``: ``ungrounded`` (a
statement that names no post), ``wrong_posts`` (posts that do not exist), ``unknown_topic`` (no category has it),
``unreadable`` (cut off, each time), ``unreadable_once``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from entity_pipeline.domains.influencers.insights.logic.ai_insights import GROUPS, SENSITIVE, is_list
from entity_pipeline.domains.influencers.insights.logic.wire import BIO, wire_answer
from entity_pipeline.domains.influencers.sample.truth import Blogger, bloggers, captions
from entity_pipeline.sandbox.gemini_answers import GeminiAnswer, GeminiSubject
from entity_pipeline.sandbox.gemini_request import texts_of

_ACCOUNT = re.compile(r"^BEGIN ACCOUNT (\w+)\n(.*)\nEND ACCOUNT \1$", re.DOTALL | re.MULTILINE)
UNKNOWN_TOPIC = "paper engineering"
# The statements that a fact of the sample supports.
FACTS: Mapping[str, Mapping[str, Any]] = {
    "school_child": {"life_situation.has_children": True, "life_situation.children_age_group": "school"},
    "baby": {
        "life_situation.has_children": True,
        "life_situation.children_age_group": "baby",
        "life_situation.is_young_parent": True,
    },
    "married": {"life_situation.relationship_status": "married"},
    "cat": {"lifestyle.has_pets": True, "lifestyle.pet_types": ["cat"]},
    "dog": {"lifestyle.has_pets": True, "lifestyle.pet_types": ["dog"]},
    "car": {"lifestyle.has_car": True, "lifestyle.car_class": "middle"},
    "travel": {"lifestyle.travels_frequently": True, "lifestyle.travel_style": "budget"},
    "flat": {"lifestyle.has_real_estate": True},
    "ads": {
        "commercial.has_brand_collaborations": True,
        "commercial.detected_brand_categories": ["cosmetics"],
        "commercial.ad_frequency": "rare",
    },
    "affiliate": {"commercial.has_affiliate_links": True},
    "seoul": {"audience_inference.geo_mentions": ["Seoul"]},
    "almaty": {
        "audience_inference.geo_mentions": ["Almaty"],
        "audience_inference.estimated_audience_geo": "kz",
    },
}


class InfluencerAnswers:
    """The answers about the sample's bloggers, a `sandbox.gemini_answers.GeminiAnswers`."""

    def subject(self, request: Mapping[str, Any]) -> GeminiSubject | None:
        """The blogger of a request, by the account in the prompt."""
        account = _account(request)
        if account is None:
            return None
        username = str(account.get("username", ""))
        blogger = bloggers().get(username)
        return GeminiSubject(username, blogger.gemini if blogger else "", is_known=blogger is not None)

    def answer(self, subject: str, behaviour: str, request: Mapping[str, Any]) -> GeminiAnswer:
        """The insights, with the posts in which the account shows what they say."""
        account, blogger = _account(request), bloggers().get(subject)
        if account is None or blogger is None:
            return GeminiAnswer(
                "Simulated answer of the local stand-in: the sample does not have this account."
            )
        text = json.dumps(_insights(blogger, account, behaviour), ensure_ascii=False)
        if behaviour.startswith("unreadable"):
            text = text[: len(text) // 2]
        return GeminiAnswer(text)


def said(blogger: Blogger) -> dict[str, Any]:
    """Every statement about a blogger that its posts support, by path; the expected insights too."""
    tone = "educational" if blogger.topic in ("education", "business", "tech") else "positive"
    found: dict[str, Any] = {
        "content.primary_topic": UNKNOWN_TOPIC if blogger.gemini == "unknown_topic" else blogger.topic,
        "content.secondary_topics": list(blogger.also),
        "content.content_language": [blogger.language],
        "content.content_tone": tone,
        "content.posts_in_russian": True if blogger.language == "ru" else None,
        "content.posts_in_kazakh": True if blogger.language == "kk" else None,
        "audience_inference.estimated_audience_age": "25-34",
    }
    for fact in blogger.facts:
        found |= FACTS[fact]
    return {path: value for path, value in found.items() if value not in (None, [])}


@cache
def unsupported(behaviour: str) -> Mapping[str, Any]:
    """What the stand-in says without any support; none of it may be stored."""
    odd: Mapping[str, Mapping[str, Any]] = {
        "ungrounded": {
            "lifestyle.lifestyle_level": "luxury",
            "audience_inference.estimated_audience_gender": "mixed",
        },
        "wrong_posts": {"lifestyle.has_car": True, "lifestyle.car_class": "luxury"},
    }
    return odd.get(behaviour, {})


def _insights(blogger: Blogger, account: Mapping[str, Any], behaviour: str) -> dict[str, Any]:
    shown = [post for post in account.get("posts", []) if isinstance(post, Mapping)]
    codes = [str(post.get("code")) for post in shown]
    sentences = captions()["facts"][blogger.language]
    values = {**said(blogger), **unsupported(behaviour)}
    posts: dict[str, Any] = {path: codes[:3] or [BIO] for path in said(blogger)}
    quotes: dict[str, str] = {}
    for fact in blogger.facts:
        named = [str(post.get("code")) for post in shown if sentences[fact] in str(post.get("caption", ""))]
        for path in FACTS[fact]:
            posts[path] = named
            if path.partition(".")[0] in SENSITIVE:
                quotes[path] = sentences[fact]
    for path in unsupported(behaviour):
        posts[path] = ["NoSuchPost0"] if behaviour == "wrong_posts" else []
    return wire_answer(str(account.get("key")), _nested(values, blogger), _by_member(posts, values), quotes)


def _nested(values: Mapping[str, Any], blogger: Blogger) -> dict[str, Any]:
    nested: dict[str, Any] = {group: {} for group in GROUPS}
    for path, value in values.items():
        group, _, name = path.partition(".")
        nested[group][name] = value
    return nested | {"confidence": confidence(blogger), "notes": None}


def confidence(blogger: Blogger) -> float:
    """Higher with more to go by."""
    return round(min(0.9, 0.3 + 0.02 * blogger.posts + 0.05 * len(blogger.facts)), 2)


def _by_member(posts: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> dict[str, Any]:
    """For a list, the posts of each of its members."""
    return {
        path: [named] * len(values[path]) if is_list(*path.split(".")) else named
        for path, named in posts.items()
    }


def _account(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = _ACCOUNT.search("\n".join(texts_of(request.get("contents"))))
    try:
        account = json.loads(found[2]) if found else None
    except ValueError:
        return None
    return account if isinstance(account, Mapping) else None
