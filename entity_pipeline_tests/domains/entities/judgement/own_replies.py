"""Replies as Gemini writes them, made up for the gate: what is right, and what must not be created."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from entity_pipeline.domains.entities.evaluation.logic.recorded_replies import RecordedReply

_CHUNKS = [
    {"web": {"uri": f"https://vertexaisearch.cloud.google.com/grounding-api-redirect/{host}", "title": host}}
    for host in ("wikipedia.org", "namu.wiki", "instagram.com")
]


def reply(prose: str, supported: Sequence[str], **fields: Any) -> dict[str, Any]:
    """A whole reply body; `supported` are the pieces of its text that a source supports."""
    claims = {
        "name_en": None,
        "name_ko": None,
        "account_type": "brand",
        "account_role": "primary",
        "entity_region_code": None,
        "country_of_origin": None,
        "primary_username": None,
        "confidence": 0.95,
        "field_confidence": {"account_type": 0.97, "account_role": 0.93},
        "reasoning": "",
        **fields,
    }
    text = f"{prose}\n\n```json\n{json.dumps(claims, ensure_ascii=False, indent=2)}\n```"
    supports = []
    for piece in supported:
        start = len(text[: text.index(piece)].encode())
        segment = {"startIndex": start, "endIndex": start + len(piece.encode()), "text": piece}
        supports.append({"segment": segment, "groundingChunkIndices": [0]})
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": "STOP",
                "groundingMetadata": {
                    "webSearchQueries": ["q"],
                    "groundingChunks": _CHUNKS,
                    "groundingSupports": supports,
                },
            }
        ],
        "usageMetadata": {},
        "modelVersion": "gemini-2.5-flash-lite",
    }


def _case(
    handle: str, right: str, prose: str, *supported: str, profile: Any = None, **fields: Any
) -> RecordedReply:
    made = reply(prose, supported or (prose,), **fields)
    return RecordedReply(f"{handle}: {prose[:60]}", handle, made, profile or {}, right)


def own_replies() -> Iterator[RecordedReply]:
    """Every case with its `right`."""
    yield from _brands()
    yield from _people()
    yield from _not_brands()
    yield from _not_theirs()
    yield from _no_proof()


def _brands() -> Iterator[RecordedReply]:
    yield _case(
        "diesel", "create", "Diesel S.p.A. (@diesel) is an Italian retail clothing company.", name_en="Diesel"
    )
    yield _case(
        "topten10_official",
        "create",
        "TOPTEN10 is a Korean SPA brand run by Shinsung Tongsang. It sells basic clothing.",
        name_en="TOPTEN10",
        name_ko="탑텐",
        field="clothing",
    )
    yield _case(
        "adererror",
        "create",
        "@adererror belongs to Ader Error. Ader Error is a fashion collective from Seoul.",
        "Ader Error is a fashion collective from Seoul.",
        name_en="ADERERROR",
        name_ko="아더에러",
        field="clothing",
    )
    yield _case(
        "ragandbone",
        "create",
        "Rag and Bone (@ragandbone) is a New York fashion label.",
        name_en="rag & bone",
        field="clothing",
    )
    yield _case(
        "apc_paris",
        "create",
        "A.P.C. is a French ready-to-wear brand founded by Jean Touitou.",
        "is a French ready-to-wear brand founded by Jean Touitou.",
        name_en="A.P.C.",
        field="clothing",
    )
    yield _case(
        "off____white",
        "create",
        "Off-White's official account is @off____white. Off-White, per Vogue magazine, is a luxury clothing label.",
        "Off-White, per Vogue magazine, is a luxury clothing label.",
        name_en="Off-White",
        field="clothing",
    )
    yield _case(
        "bape_japan",
        "create",
        "BAPE (@bape_japan) is a Japanese brand whose mascot is Baby Milo; it sells streetwear.",
        name_en="BAPE",
        name_ko="베이프",
        field="clothing",
    )
    yield _case(
        "mardimercredi.official",
        "create",
        "마르디메크르디는 서울의 여성복 브랜드다. 공식 계정은 @mardimercredi.official이다.",
        "마르디메크르디는 서울의 여성복 브랜드다.",
        name_en="Mardi Mercredi",
        name_ko="마르디 메크르디",
        field="clothing",
    )
    yield _case(
        "kirsh.kr",
        "create",
        "* **Name:** KIRSH (키르시)\n* **Type:** Korean casual clothing brand\n* **Owner:** Viaplain",
        "**Type:** Korean casual clothing brand",
        name_en="KIRSH",
        name_ko="키르시",
        field="clothing",
    )
    yield _case(
        "lowclassic_seoul",
        "create",
        "## Low Classic (로우클래식)\n- Seoul womenswear label, founded in 2009\n- Designer: Lee Myung-sin",
        "Seoul womenswear label, founded in 2009",
        name_en="LOW CLASSIC",
        name_ko="로우클래식",
        field="clothing",
    )
    yield _case(
        "unheardof.label",
        "create",
        "Unheard Of is a Busan knitwear label. Its Instagram is @unheardof.label.",
        "Unheard Of is a Busan knitwear label.",
        name_en="UNHEARD OF",
        field="clothing",
    )
    yield _case(
        "chromeheartsofficial",
        "create",
        "Chrome Hearts (@chromeheartsofficial) is an American luxury brand of silver accessories and eyewear.",
        name_en="Chrome Hearts",
        field="eyewear_jewellery_watches",
    )
    yield _case(
        "shop.house",
        "create",
        "Maison Lumière is a Paris clothing house.",
        name_en="Maison Lumière",
        field="clothing",
        profile={
            "external_urls": ["https://www.namu.wiki/x", "https://maison-lumiere.example/"],
            "is_verified": True,
            "display_name": "MAISON LUMIERE",
        },
    )


def _people() -> Iterator[RecordedReply]:
    artist, group = {"account_type": "artist"}, {"account_type": "group"}
    yield _case(
        "thv",
        "create",
        "V (뷔) is a South Korean singer and member of BTS. @thv is V's official account.",
        "V (뷔) is a South Korean singer and member of BTS.",
        name_en="V",
        name_ko="뷔",
        **artist,
    )
    yield _case(
        "skuukzky",
        "create",
        "Bogum Park is a South Korean actor. Park Bo-gum's official Instagram is @skuukzky.",
        "Bogum Park is a South Korean actor.",
        name_en="Park Bo-gum",
        name_ko="박보검",
        field="acting",
        **artist,
    )
    yield _case(
        "xeesoxee",
        "create",
        "@xeesoxee is the account of Han So Hee. She is a South Korean actress.",
        "She is a South Korean actress.",
        name_en="Han So-hee",
        name_ko="한소희",
        **artist,
    )
    yield _case(
        "dlwlrma",
        "create",
        "아이유(@dlwlrma)는 대한민국의 싱어송라이터이자 배우이다.",
        name_en="IU",
        name_ko="아이유",
        **artist,
    )
    yield _case(
        "i_dle_official",
        "create",
        "(G)I-DLE is a South Korean girl group. The group debuted in 2018 under Cube.",
        name_en="i-dle",
        name_ko="아이들",
        **group,
    )
    yield _case(
        "txt_bighit",
        "create",
        "TXT (@txt_bighit) is a South Korean boy band under Big Hit Music.",
        name_en="TOMORROW X TOGETHER",
        name_ko="투모로우바이투게더",
        **group,
    )
    yield _case(
        "le_sserafim",
        "create",
        "르세라핌은 쏘스뮤직 소속의 대한민국 걸그룹이다.",
        name_en="LE SSERAFIM",
        name_ko="르세라핌",
        field="music",
        **group,
    )
    yield _case(
        "bts.bighitofficial",
        "create",
        "BTS is a South Korean boy band under Big Hit Music. It debuted in 2013.",
        "It debuted in 2013.",
        "BTS is a South Korean boy band under Big Hit Music.",
        name_en="BTS",
        name_ko="방탄소년단",
        **group,
    )


def _not_brands() -> Iterator[RecordedReply]:
    for handle, name, field, sentence in (
        (
            "tamburins",
            "TAMBURINS",
            "beauty",
            "TAMBURINS (@tamburins) is a Korean fragrance brand, sister of Gentle Monster.",
        ),
        (
            "cosmopolitankorea",
            "Cosmopolitan Korea",
            "media",
            "Cosmopolitan Korea (@cosmopolitankorea) is a fashion & beauty magazine.",
        ),
        (
            "whoo_official",
            "The History of Whoo",
            "beauty",
            "The History of Whoo is a luxury Korean skincare brand.",
        ),
        ("leica_camera", "Leica", "technology", "Leica (@leica_camera) is a German camera manufacturer."),
        (
            "sanrio_korea",
            "Sanrio",
            "character",
            "Sanrio is a Japanese entertainment company known for Hello Kitty.",
        ),
        (
            "fourseasons",
            "Four Seasons",
            "hospitality",
            "Four Seasons (@fourseasons) is a luxury hotel chain.",
        ),
        ("nudake_official", "NUDAKE", "food", "Gentle Monster's sister label NUDAKE is a dessert brand."),
        ("wkorea", "W Korea", "media", "W Korea (@wkorea) is a fashion and lifestyle magazine."),
        (
            "hypebeastkr",
            "HYPEBEAST",
            "media",
            "HYPEBEAST is a leading online destination for men's fashion and streetwear news.",
        ),
        ("porsche_korea", "Porsche", "cars", "Porsche is a German luxury car brand."),
        (
            "smtown",
            "SM Entertainment",
            "entertainment",
            "SM Entertainment is a South Korean entertainment agency.",
        ),
    ):
        yield _case(handle, "other", sentence, name_en=name)
        yield _case(handle, "other", sentence, name_en=name, field=field)
        # The model contradicts its own sentence.
        yield _case(handle, "other", sentence, name_en=name, field="clothing")


def _not_theirs() -> Iterator[RecordedReply]:
    jennie = {"name_en": "Jennie", "name_ko": "제니", "account_type": "artist"}
    known = "Jennie is a South Korean singer and a member of BLACKPINK."
    yield _case("jennie_daily", "hold", known, **jennie)
    yield _case(
        "jennieupdates", "hold", f"@jennieupdates is Jennie's official account. {known}", known, **jennie
    )
    yield _case("dailyjennie_", "hold", f"{known} The account @dailyjennie_ is run by fans.", known, **jennie)
    yield _case(
        "blackpink.cafe",
        "hold",
        "BLACKPINK is a South Korean girl group.",
        name_en="BLACKPINK",
        name_ko="블랙핑크",
        account_type="group",
    )
    yield _case("somebody_else_1", "hold", known, **jennie)
    yield _case(
        "rubyjane",
        "hold",
        f"{known} @rubyjane is a fan account of Jennie.",
        f"{known} @rubyjane is a fan account of Jennie.",
        **jennie,
    )
    yield _case("jennierubyjane", "hold", known, profile={"bio": "Fan page, not the real Jennie"}, **jennie)
    yield _case(
        "제니팬.kr".encode("ascii", "ignore").decode() + "jenniefan",
        "hold",
        f"@kr은 팬 계정이다. {known}",
        known,
        **jennie,
    )


def _no_proof() -> Iterator[RecordedReply]:
    yield _case(
        "nofound.test",
        "hold",
        "No information about the Instagram account @nofound.test could be found in the search results.",
        name_en="Nofound",
        field="clothing",
    )
    yield _case(
        "nofound.kr",
        "hold",
        "@nofound.kr 계정에 대한 정보를 찾을 수 없습니다.",
        name_en="Nofound",
        field="clothing",
    )
    yield _case(
        "next_test",
        "hold",
        "The mall's new fashion wing will open next year.",
        name_en="Next",
        field="clothing",
    )
    yield _case(
        "guess_test",
        "hold",
        "We can only guess who runs the clothing shop.",
        name_en="Guess",
        field="clothing",
    )
    yield _case(
        "on_running_x", "hold", "On the other hand, the shoe shop is closed.", name_en="On", field="clothing"
    )
    yield _case(
        "mango_fan_1",
        "hold",
        "Mango desserts and clothing are popular in Seoul.",
        name_en="Mango",
        field="clothing",
    )
    yield _case(
        "somewhere.kr",
        "hold",
        "Gentle Monster is an eyewear brand. Nothing ties it to this account.",
        "Gentle Monster is an eyewear brand.",
        name_en="Gentle Monster",
        field="eyewear_jewellery_watches",
    )
    yield _case(
        "lumora",
        "hold",
        "Lumora was registered in 2015 and has 12 employees.",
        name_en="Lumora",
        field="clothing",
    )
    yield _case(
        "recto_official",
        "hold",
        "The building stands near Recto. It opens its clothing floor in May.",
        "It opens its clothing floor in May.",
        name_en="Recto",
        field="clothing",
    )
