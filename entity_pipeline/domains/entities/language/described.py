"""What a supported sentence says an account is: a fashion brand, a person, a group, or of another field. Pure.

There are two strengths. `Described.defined` is what the sentence calls it ("X is a fashion and lifestyle
*magazine*", "X는 아이웨어 *브랜드*다"); `Described.mentions` is what it speaks of anywhere. No list of words gets every
sentence right, so what is read here may hold a review for a person and never changes its type.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from entity_pipeline.core.text.json_block import without_citations
from entity_pipeline.domains.entities.language.same_name import plain_letters

_LONGEST_TEXT = 2_000


class Subject(StrEnum):
    """What an account can be described as."""

    FASHION = "fashion"
    PERSON = "person"
    GROUP = "group"
    BEAUTY = "beauty"
    MEDIA = "media"
    TECHNOLOGY = "technology"
    CHARACTER = "character"
    FOOD = "food"
    CARS = "cars"
    HOSPITALITY = "hospitality"
    ENTERTAINMENT = "entertainment"
    SPORTS = "sports"
    HOME = "home"
    FANS = "fans"


@dataclass(frozen=True, slots=True)
class Described:
    """What a sentence calls the account, if it does, and what it speaks of."""

    defined: Subject | None
    mentions: frozenset[Subject]


_WORDS: Mapping[Subject, str] = {
    Subject.FASHION: (
        "fashion clothing clothes apparel garment garments footwear shoe shoes sneaker sneakers boots "
        "sportswear activewear streetwear menswear womenswear swimwear outerwear knitwear workwear kidswear "
        "childrenswear loungewear athleisure eyewear sunglasses glasses underwear lingerie hosiery denim "
        "jeans jewellery jewelry jeweller jeweler watch watches watchmaker handbag handbags bag bags luggage "
        "hat hats headwear couture haute tailoring tailor wear dress dresses t-shirts shirt shirts hoodies "
        "leggings suits ready-to-wear womens-wear athleticwear golfwear hanbok"
    ),
    Subject.PERSON: (
        "singer singers songwriter rapper actor actress model musician soloist dancer idol member vocalist "
        "artist performer entertainer comedian designer stylist photographer influencer youtuber leader "
        "maknae host director producer dj supermodel choreographer person celebrity"
    ),
    Subject.GROUP: "popgroup band duo trio quartet quintet boyband girlband sextet supergroup",
    Subject.BEAUTY: (
        "beauty cosmetic cosmetics skincare haircare bodycare makeup perfume perfumes perfumery fragrance "
        "fragrances parfum nail nails salon salons dermatology toiletries"
    ),
    Subject.MEDIA: (
        "magazine magazines newspaper newspapers newsletter broadcaster broadcasting publisher publication "
        "publications webzine television radio journalism journalist news media periodical channel podcast"
    ),
    Subject.TECHNOLOGY: (
        "technology tech software electronics smartphone smartphones semiconductor semiconductors telecom "
        "camera cameras telecommunications computer computers laptop laptops appliance appliances saas "
        "fintech phone phones gadget gadgets app platform-company audio headphones"
    ),
    Subject.CHARACTER: (
        "character characters mascot mascots cartoon cartoons animation anime emoticon emoticons webtoon toy "
        "toys"
    ),
    Subject.FOOD: (
        "food foods restaurant restaurants cafe cafes coffee bakery dessert desserts beverage beverages "
        "confectionery snack snacks tea wine beer chocolate franchise-restaurant patisserie bistro"
    ),
    Subject.CARS: (
        "car cars automotive automobile automobiles automaker carmaker vehicle vehicles motorcycle "
        "motorcycles motor"
    ),
    Subject.HOSPITALITY: ("hotel hotels resort resorts hospitality airline airlines tourism guesthouse"),
    Subject.ENTERTAINMENT: (
        "entertainment recordlabel agency agencies studio-film film festival event events museum gallery"
    ),
    Subject.SPORTS: "team football baseball basketball soccer league club sports-team",
    Subject.HOME: "furniture homeware interior interiors lifestyle tableware bedding stationery",
    Subject.FANS: "fansite fanpage fandom fanbase fan-run",
}
_KOREAN: Mapping[Subject, str] = {
    Subject.FASHION: (
        "패션 의류 의상 신발 스니커즈 운동화 구두 가방 핸드백 주얼리 쥬얼리 시계 안경 아이웨어 선글라스 "
        "스트리트웨어 스트릿 속옷 모자 잡화 편집숍 편집샵 여성복 남성복 캐주얼 스포츠웨어 데님 컨템포러리"
    ),
    Subject.PERSON: (
        "가수 배우 래퍼 모델 멤버 아이돌 디자이너 아티스트 뮤지션 솔로 싱어송라이터 방송인 코미디언 댄서 "
        "안무가 연예인"
    ),
    Subject.GROUP: "걸그룹 보이그룹 아이돌그룹 그룹 밴드 듀오 트리오",
    Subject.BEAUTY: "화장품 뷰티 스킨케어 메이크업 코스메틱 향수 헤어케어 네일",
    Subject.MEDIA: "잡지 매거진 신문사 신문 언론 방송사 방송국 출판 미디어 웹진",
    Subject.TECHNOLOGY: (
        "전자제품 전자기기 스마트폰 소프트웨어 반도체 이동통신 테크 컴퓨터 가전 카메라 핸드폰 휴대폰"
    ),
    Subject.CHARACTER: "캐릭터 마스코트 애니메이션 이모티콘 웹툰 완구",
    Subject.FOOD: "식당 레스토랑 카페 커피 베이커리 디저트 음료 식품 제과",
    Subject.CARS: "자동차 완성차 오토바이",
    Subject.HOSPITALITY: "호텔 리조트 항공 여행",
    Subject.ENTERTAINMENT: "기획사 소속사 엔터테인먼트 음반사 축제 미술관 박물관",
    Subject.SPORTS: "구단 축구단 야구단",
    Subject.HOME: "가구 인테리어 라이프스타일 문구 침구",
    Subject.FANS: "팬계정 팬페이지 팬카페",
}
_SUBJECTS = {word: subject for subject, words in _WORDS.items() for word in words.split()}
_PREFIXES = sorted(
    ((word, subject) for subject, words in _KOREAN.items() for word in words.split()),
    key=lambda pair: -len(pair[0]),
)
_NOT_SO = ("전자상거래", "통신판매", "그룹사", "모델명")
# Said beside another field they are its accessories, its lifestyle, its motor.
_WEAK = {
    "accessories": Subject.FASHION,
    "accessory": Subject.FASHION,
    "leather": Subject.FASHION,
    "luxury": Subject.FASHION,
    "label": Subject.FASHION,
    "lifestyle": Subject.HOME,
    "편집숍": Subject.FASHION,
    "편집샵": Subject.FASHION,
    "캐주얼": Subject.FASHION,
    "라이프스타일": Subject.HOME,
}

_PHRASES = (
    (re.compile(r"\bsocial[ -]media\b"), ""),
    (re.compile(r"\bskin[ -]?care\b"), "skincare"),
    (re.compile(r"\b(?:hair|body)[ -]care\b"), "haircare"),
    (re.compile(r"\bskin and body care\b|\bhair, skin and body care\b"), "skincare"),
    (re.compile(r"\bmake[ -]up\b"), "makeup"),
    (re.compile(r"\bs\.? ?p\.? ?a\.?(?= |$|,)"), ""),
    (re.compile(r"\bready[ -]to[ -]wear\b"), "ready-to-wear"),
    (re.compile(r"\bfan[ -](?:run|made|site|page|base|account)\b"), "fanpage"),
    (re.compile(r"\b(?:record|music) (?:label|company)\b"), "recordlabel"),
    (re.compile(r"\b(?:mobile phones?|phone cases?|phone accessories)\b"), "smartphone"),
    (
        re.compile(
            r"\b(?:girl|boy|idol|music|musical|vocal|pop|k-?pop|hip[ -]hop|dance|rock|co-ed|project|performing)"
            r"[ -](?:group|unit|act)\b"
        ),
        "popgroup",
    ),
    (re.compile(r"\bgroup (?=that debuted|formed by|under|consisting|of (?:\w+ )?members)"), "popgroup "),
)
_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[,;:.()]")
_ARTICLE = r"(?:an?|the|one of(?: the)?)"
_DEFINES = re.compile(
    rf"(?:\b(?:is|was|are|were|as|became|remains)\s+(?:(?:also|now|currently|still|primarily|mainly|widely|officially)\s+)*"
    rf"(?:known\s+as\s+)?{_ARTICLE}\s+)|(?:\btype\W{{1,6}})"
)
_APPOSES = re.compile(rf"(?:,|\(|–|—)\s*{_ARTICLE}\s+")
_STOPS = re.compile(
    r"\b(?:of|by|for|from|in|at|on|with|that|which|who|whose|where|when|founded|based|known|launched|owned|licensed|"
    r"published|established|created|run|operated|headquartered|formed|speciali[sz]\w+|focus\w+|offering|selling|making|"
    r"producing|featuring|under|since|dedicated|belonging|popular|famous|best|and\s+(?:is|was|has|sells|makes|offers))\b"
    r"|[;:.(–—]|,(?!\s*(?:[\w'-]+[\s,]+){0,3}(?:and|&|or)\s)"
)
_FOLLOWS = re.compile(
    r"\b(?:edition|version|branch|destination|publisher|maker|manufacturer|producer|seller|platform|home|source|provider|"
    r"chain|purveyor|collection)s?\s*$"
)
_MAKES = re.compile(
    r"\b(?:makes?|sells?|designs?|produces?|manufactures?|publishes|develops|speciali[sz](?:es|ing) in|"
    r"focus(?:es|ing) on|selling|making|producing|offering)\s+"
)
_KOREAN_HEADS = "브랜드|기업|회사|업체|하우스|레이블|플랫폼|쇼핑몰|메이커|제조사|체인|그룹|멤버|숍|샵"
_KOREAN_HEAD = re.compile(
    rf"({_KOREAN_HEADS}|[가-힣]{{2,8}}?)"
    r"(이다|다|입니다|이며|며|으로|로|로서|으로서|이자|였다|이었다)(?=[\s.,]|$)"
)
_NOT_A_PERSON = frozenset("retailer brand label house store company chain maker".split())


def described(sentence: str) -> Described:
    """What one sentence about an account says it is."""
    text = without_citations(plain_letters(sentence[:_LONGEST_TEXT])).replace("*", "")
    if len(re.findall("[가-힣]", text)) > len(re.findall("[A-Za-z]", text)) / 2:
        defined = _korean(text) or _english(text.lower())
    else:
        defined = _english(text.lower()) or _korean(text)
    return Described(defined, frozenset(_mentioned(text.lower())))


def _english(text: str) -> Subject | None:
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    start = _DEFINES.search(text) or _APPOSES.search(text)
    if start is None:
        return _what_it_makes(text)
    stop = _STOPS.search(text, start.end())
    noun = text[start.end() : stop.start() if stop else len(text)]
    found = _last(noun)
    if found is None and stop is not None:
        follows = stop[0] == "for" or (stop[0] == "of" and _FOLLOWS.search(noun) is not None)
        if follows:
            end = _STOPS.search(text, stop.end())
            found = _last(text[stop.end() : end.start() if end else len(text)])
    return found or _what_it_makes(text[start.end() :]) or _weak(noun)


def _last(noun: str) -> Subject | None:
    """The field of a noun phrase is that of its last word that has one; "designer and retailer" is a firm."""
    words = [word for token in _TOKEN.findall(noun) for word in (token, *token.split("-"))]
    is_firm = bool(words) and words[-1] in _NOT_A_PERSON
    found = (subject for word in reversed(words) if (subject := _SUBJECTS.get(word)))
    return next((subject for subject in found if not (is_firm and subject is Subject.PERSON)), None)


def _weak(noun: str) -> Subject | None:
    return next((found for token in reversed(_TOKEN.findall(noun)) if (found := _WEAK.get(token))), None)


def _what_it_makes(text: str) -> Subject | None:
    """The field of the first product that it is said to make or sell."""
    for verb in _MAKES.finditer(text):
        stop = _STOPS.search(text, verb.end())
        noun = text[verb.end() : stop.start() if stop else len(text)]
        for token in _TOKEN.findall(noun):
            if found := _SUBJECTS.get(token):
                return found
        if found := _weak(noun):
            return found
    return None


def _korean(text: str) -> Subject | None:
    """The field of the last noun with which the sentence says what it is, or of the words right before it."""
    heads = sorted(
        _KOREAN_HEAD.finditer(text),
        key=lambda head: (head[2] in ("로", "으로", "로서", "으로서"), -head.start()),
    )
    for head in heads:
        own = _korean_subject(head[1])
        if own is None and head[1] not in _KOREAN_HEADS.split("|"):
            continue
        before = text[: head.start()].split()[-3:]
        near = next((found for word in reversed(before) if (found := _korean_subject(word))), None)
        if own is not None and head[1] not in _WEAK and own is not Subject.GROUP:
            return own
        if near is not None:
            return near
        if own is not None:
            return own
    return None


def _korean_subject(word: str) -> Subject | None:
    if word.startswith(_NOT_SO):
        return None
    return next(
        (subject for prefix, subject in _PREFIXES if word.startswith(prefix) or word.endswith(prefix)), None
    )


def _mentioned(text: str) -> Iterable[Subject]:
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    tokens = _TOKEN.findall(text)
    for at, token in enumerate(tokens):
        found = (
            _SUBJECTS.get(token) or _WEAK.get(token) or (None if token.isascii() else _korean_subject(token))
        )
        following = _SUBJECTS.get(tokens[at + 1]) if at + 1 < len(tokens) else None
        # "fashion magazine", "fashion model": the noun that follows is what is spoken of.
        if found is not None and not (found is Subject.FASHION and following not in (None, Subject.FASHION)):
            yield found
