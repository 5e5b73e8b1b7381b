"""A made-up domain with its own page, as another team would write it; no file of `admin/` knows it."""

import json
from pathlib import Path

_PAGE = """
from fastapi import APIRouter
from entity_pipeline.admin.metrics.part import Described, MetricsPart, one
from entity_pipeline.admin.page import Backlog, Page
from entity_pipeline.admin.parts import PagePart
from entity_pipeline.admin.screen import SignedIn
from entity_pipeline.core.failures import DatabaseUnavailable

pages = APIRouter()
api = APIRouter()


@pages.get("/shop/{name}")
def shop(screen: SignedIn, name: str):
    return screen.show("made_up_shops/shop.html", name=name)


@api.get("/shops")
def shops() -> list[str]:
    return ["corner"]


def away(query):
    raise DatabaseUnavailable("The shops' database can't be reached.")


def broken(query):
    raise ZeroDivisionError("a secret of the shop")


class ShopsPage(Page):
    path = "/admin/data-pipeline/made-up-shops"
    package = "made_up_shops.page"
    fault = ""

    def __init__(self, installation):
        self.at = installation

    def parts(self):
        reads = {"read": broken, "away": away}
        return (
            PagePart(key="shelf", title="shelf", template="made_up_shops/shelf.html", read=lambda query: 3),
            PagePart(
                key="till",
                title="till",
                template=f"made_up_shops/{'no_such' if self.fault == 'template' else 'shelf'}.html",
                read=reads.get(self.fault, lambda query: 4),
                is_wide=True,
            ),
        )

    def backlog(self):
        if self.fault:
            raise ZeroDivisionError("a secret of the shop")
        return Backlog(waiting=7)

    def routes(self):
        return pages

    def api(self):
        return api

    def metrics(self):
        def read(asking):
            if self.fault:
                raise ZeroDivisionError("a secret of the shop")
            return {"made_up_shops_things": one(5)}

        described = {"made_up_shops_things": Described("Things on the shelf.")}
        return (MetricsPart(name="made_up_shops", families=described, read=read),)
"""
_DOMAIN = """
import dagster as dg
from typing import ClassVar
from entity_pipeline.core.domain import Domain
from entity_pipeline.core.settings import Count, DomainSettings


class ShopSettings(DomainSettings):
    row: ClassVar[str] = "made_up_shops"
    shelves: Count = 3


def page():
    from made_up_shops.page.page import ShopsPage

    return ShopsPage


shops = Domain(
    key="made_up_shops", summary="Sell things.", settings=ShopSettings, definitions=dg.Definitions, page=page
)
"""
_ENGLISH = {
    "title": "Shops",
    "about": "Sells things.",
    "shelf": "Shelf",
    "shelf.away": "No shelf.",
    "till": "Till",
    "till.away": "The till can't be read.",
    "things": "{n} things",
    "things.one": "{n} thing",
    "n_waiting": "{n} orders",
    "n_waiting.one": "{n} order",
    "setting.shelves": "Number of shelves",
}
_KOREAN = {
    "title": "가게",
    "about": "물건을 팝니다.",
    "shelf": "진열대",
    "shelf.away": "진열대가 없습니다.",
    "till": "계산대",
    "till.away": "계산대를 읽을 수 없습니다.",
    "things": "물건 {n}개",
    "things.one": "물건 {n}개",
    "n_waiting": "주문 {n}건",
    "n_waiting.one": "주문 {n}건",
    "setting.shelves": "진열대 수",
}
_FILES = {
    "__init__.py": "",
    "domain.py": _DOMAIN,
    "page/__init__.py": "",
    "page/page.py": _PAGE,
    "page/templates/shelf.html": '<h2 id="{{ part.key }}-title">{{ t(part.title) }}</h2>'
    '<p>{{ t.count("things", shown) }}</p>\n',
    "page/templates/shop.html": '{% extends "base.html" %}{% block main %}<h1>{{ name }}</h1>{% endblock %}\n',
    "page/texts/en.json": json.dumps(_ENGLISH),
    "page/texts/ko.json": json.dumps(_KOREAN),
}


def write_second_domain(folder: Path) -> None:
    """The package `made_up_shops`, with its `domain.shops`."""
    for name, content in _FILES.items():
        path = folder / "made_up_shops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
