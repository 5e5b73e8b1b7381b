"""What the documents say is true of the code: paths, commands, settings, tables, prices, reasons, tests."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import click
import pytest

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.cli.main import build
from entity_pipeline.core.gemini.models import MODELS, PRICES_READ_ON
from entity_pipeline.core.gemini.settings import GeminiSettings
from entity_pipeline.core.instagram.settings import InstagramSettings
from entity_pipeline.core.notifications import NotifySettings
from entity_pipeline.core.settings import SettingsModel
from entity_pipeline.definitions import build_definitions
from entity_pipeline.domains.entities.automation import schedules, sensors
from entity_pipeline.domains.entities.jobs import jobs
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.domains.entities.partitions import FIRST_DAY
from entity_pipeline.domains.entities.reviews.question import STEP
from entity_pipeline.domains.entities.settings import EntitySettings
from entity_pipeline.domains.influencers.settings import InfluencerSettings
from entity_pipeline.shared.alerts import sources
from entity_pipeline_tests.needs import TABLES

ROOT = Path(__file__).parent.parent
TESTS = Path(__file__).parent
PACKAGE = ROOT / "entity_pipeline"
DOMAIN = PACKAGE / "domains" / "entities"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

REQUIREMENTS = [
    *(f"000-S{number:02}" for number in range(1, 26)),
    *(f"000-N{number:02}" for number in range(1, 8)),
    *(f"000-A{number:02}" for number in range(1, 34)),
    *(f"000-I{number:02}" for number in range(1, 13)),
    *(f"004-S{number:02}" for number in range(1, 8)),
    *(f"004-C{number:02}" for number in range(1, 10)),
    *(f"004-R{number:02}" for number in range(1, 22)),
    *(f"004-L{number:02}" for number in range(1, 6)),
    *(f"004-F{number:02}" for number in range(1, 16)),
    *(f"004-T{number:02}" for number in range(1, 7)),
    *(f"004-K{number:02}" for number in range(1, 6)),
    *(f"004-E{number:02}" for number in range(1, 7)),
    *(f"004-T{number:02}" for number in range(7, 21)),
    *(f"004-F{number:02}" for number in range(16, 29)),
    *(f"004-O{number:02}" for number in range(1, 11)),
    *(f"Z{number:02}" for number in (*range(1, 11), *range(28, 37))),
]

_FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4,}.*(?:\n|$))+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|sql|toml|yaml|csv|svg|txt|example))")
# A folder that a command makes, and the beginning of an object's key.
_NO_FILES = frozenset({".sandbox/", "instagram/profile/"})
_FOLDERS = ("entity_pipeline/", "entity_pipeline_tests/", "docs/", ".ci/")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _code(page: Path) -> Iterator[str]:
    """Every piece of code of a page, blocks and spans."""
    text = _text(page)
    yield from _FENCED.findall(text)
    text = _FENCED.sub("", text)
    for match in _INDENTED.finditer(text):
        yield match[0]
    yield from _SPAN.findall(_INDENTED.sub("", text))


def _rows(text: str) -> list[list[str]]:
    """The cells of every table row, headings and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def _section(page: Path, heading: str) -> str:
    """The text of a page from one heading to the next of the same or a higher level."""
    level = heading.split(maxsplit=1)[0]
    after = _text(page).split(f"\n{heading}", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", after, maxsplit=1)[0]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_text(page)):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        if anchor:
            assert anchor in _anchors(found), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_is_named_exists(page: Path) -> None:
    for span in _SPAN.findall(_text(page)):
        if not _PATH.fullmatch(span) or span in _NO_FILES:
            continue
        if span.startswith(_FOLDERS):
            assert (ROOT / span).exists(), span
        elif "/" in span or span.endswith((".py", ".md", ".toml", ".yaml")):
            places = (ROOT, PACKAGE, TESTS, page.parent)
            assert any((place / span).exists() for place in places) or next(PACKAGE.rglob(span), None), span


def test_the_architecture_names_every_folder() -> None:
    named = set(_SPAN.findall(_section(ROOT / "docs" / "architecture.md", "## The idea of the layout")))
    tops = [
        PACKAGE,
        PACKAGE / "core",
        PACKAGE / "resources",
        PACKAGE / "shared",
        *(PACKAGE / "domains").iterdir(),
    ]
    folders = {
        folder.relative_to(ROOT).as_posix() + "/"
        for top in tops
        if top.is_dir()
        for folder in top.iterdir()
        if (folder / "__init__.py").exists()
    }
    assert folders - {"entity_pipeline/domains/"} <= named


def test_the_page_shows_the_files_of_the_largest_domain() -> None:
    shown = _INDENTED.search(_text(ROOT / "docs" / "adding-a-domain.md"))
    assert shown is not None
    names = re.findall(r"^ {6}(\S+)", shown[0], re.MULTILINE)
    found = {
        path.name + ("/" if path.is_dir() else "") for path in DOMAIN.iterdir() if path.name != "__pycache__"
    }
    assert sorted(names) == sorted(found)


def _commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        yield f"{name} {word}".strip(), command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {word}".strip())


COMMANDS = dict(_commands(build(DOMAINS, build_definitions)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    for code in _code(page):
        for line in re.findall(r"(?:^|[\s/`])entity-pipeline ([a-z][^\n#`]*)", code):
            words = line.split()
            name = next((name for name in _longest_first(words) if name in COMMANDS), line)
            assert name in COMMANDS, line
            assert not isinstance(COMMANDS[name], click.Group), f"{line}: a subcommand is missing"
            if COMMANDS[name].context_settings.get("ignore_unknown_options"):
                continue  # the rest of the line is another program's
            known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", line)) <= known | {"--help"}, line
        for target in re.findall(r"^\s*make ([a-z]+)", code, re.MULTILINE):
            assert re.search(rf"^{target}:", _text(ROOT / "Makefile"), re.MULTILINE), target


def _longest_first(words: list[str]) -> Iterator[str]:
    """What the command may be called: a verb, a verb of a group, a verb of a group in a group."""
    return (" ".join(words[:length]) for length in (3, 2, 1))


def test_the_readme_has_every_command_and_no_other() -> None:
    spans = _SPAN.findall(_section(README, "## The command"))
    named = {re.sub(r" (--.*|[A-Z].*)$", "", span.removeprefix("entity-pipeline ")) for span in spans}
    leaves = {name for name, command in COMMANDS.items() if not isinstance(command, click.Group)}
    groups = {domain.key for domain in DOMAINS}
    assert {name for name in leaves if name.split()[0] not in groups} <= named
    assert {name for name in named if re.fullmatch(r"[a-z]+(-[a-z]+)?( [a-z]+){0,2}", name)} <= leaves


def test_the_readme_configures_every_variable() -> None:
    variables = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", _text(ROOT / ".env.example"), re.MULTILINE))
    configured = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", _section(README, "## Configuration")))
    assert configured == variables


@pytest.mark.parametrize("model", [EntitySettings, InfluencerSettings, GeminiSettings, InstagramSettings])
def test_the_settings_tables_have_every_key_with_its_default(model: type[SettingsModel]) -> None:
    _, _, its_own = _section(README, "### Settings").partition(f"**`{model.name}`**")
    table = its_own.strip().split("\n\n")[1]
    shown = {row[0].strip("`"): row[1].strip("`") for row in _rows(table)[1:]}
    assert {name: json.loads(value) for name, value in shown.items()} == model().model_dump(mode="json")


def test_the_alerts_page_has_every_alert_with_what_to_do_and_every_setting_with_its_default() -> None:
    page = ROOT / "docs" / "alerts.md"
    rows = _rows(_section(page, "## What is sent"))[1:]
    assert {kind.strip("`"): what_to_do.replace("`", "") for kind, _, what_to_do in rows} == {
        kind: sentence.replace("`", "").replace("{schedule}", "its schedule")
        for kind, sentence in _what_to_do().items()
    }
    settings = {row[0].strip("`"): row[1:] for row in _rows(_section(page, "## Settings"))[1:]}
    defaults = {name: float(default.strip("`")) for name, (default, _) in settings.items()}
    assert defaults == NotifySettings().model_dump()
    for name, field in NotifySettings.model_fields.items():
        [most] = [bound.le for bound in field.metadata if hasattr(bound, "le")]
        assert settings[name][1].endswith(f", {most:,}"), name


def _what_to_do() -> dict[str, str]:
    """What to do about each alert, by `source/kind`; `domain` stands for any domain."""
    shared = {"gemini": sources.gemini, "instagram": sources.instagram, "notify": sources.notify}
    found = {
        f"{name}/{kind}": sentence
        for name, source in shared.items()
        for kind, sentence in source.WHAT_TO_DO.items()
    }
    found |= {f"domain/{kind}": sentence for kind, sentence in sources.runs.WHAT_TO_DO.items()}
    for domain in DOMAINS:
        if domain.alerts:
            module = sys.modules[domain.alerts().__module__]
            found |= {f"{domain.key}/{kind}": sentence for kind, sentence in module.WHAT_TO_DO.items()}
    return found


def test_the_rules_page_has_every_hold_reason_with_its_sentence() -> None:
    page = ROOT / "docs" / "enrichment-rules.md"
    rows = _rows(_section(page, "## Hold reasons"))[1:]
    assert {reason.strip("`"): sentence for reason, sentence in rows} == {
        reason.value: str(reason.reason) for reason in HoldReason
    }


def test_the_decision_table_names_no_other_reason() -> None:
    page = ROOT / "docs" / "enrichment-rules.md"
    named = {span for row in _rows(_section(page, "## The decision")) for span in _SPAN.findall(row[-1])}
    assert named - {"undone"} <= {reason.value for reason in HoldReason}


def test_the_quota_page_has_the_prices_and_pools_of_the_registry() -> None:
    text = _section(ROOT / "docs" / "quota-policy.md", "## Models, pools and prices")
    assert PRICES_READ_ON.isoformat() in text
    rows = {row[0].strip("`"): row[1:] for row in _rows(text)}
    for name, model in MODELS.items():
        shown = [re.findall(r"\d+\.\d+", cell) for cell in rows[name][:3]]
        prices = [(price.input, price.cached, price.output) for price in model.prices]
        assert shown == [[str(price[column]) for price in prices] for column in range(3)], name
        assert all(price.since.isoformat() in rows[name][0] for price in model.prices[1:])
        assert rows[name][3].strip("`") == model.pool.name
    for pool in {model.pool for model in MODELS.values()}:
        unit, free, fee, held = rows[pool.name]
        assert pool.unit in unit
        assert free == f"{pool.free_units:,} per {pool.period}"
        assert fee == f"{pool.usd_per_1000_units} USD per 1,000"
        assert re.match(r"\d+", held)[0] == str(pool.reserve_units)  # type: ignore[index]


@pytest.mark.parametrize(
    ("database", "needs"),
    TABLES.items(),
    ids=["assets", "operation"],
)
def test_the_schema_page_names_every_column_that_the_code_needs(database: str, needs: Any) -> None:
    text = _section(ROOT / "docs" / "schema.md", f"## `{database}`")
    parts = re.split(r"\n### ", text)
    for table, need in needs.items():
        (part,) = [part for part in parts if f"`{table}`" in part.splitlines()[0]]
        named = set(_SPAN.findall(part))
        assert set(need.columns) <= named, (table, set(need.columns) - named)
        added = {column for column in need.added if f"`{column}`" in part and "**added**" in part}
        assert "ours" in part.splitlines()[0] or added == set(need.added) or database == "assets"


@cache
def _sentences_of_the_code() -> str:
    """The constant parts of every string in the package and of every reason in English, one a line."""
    parts: list[str] = []
    for path in sorted(PACKAGE.rglob("texts/en.json")):
        for sentence in json.loads(_text(path)).get("reasons", {}).values():
            parts += (literal for literal, *_ in Formatter().parse(sentence))
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = ast.walk(ast.parse(_text(path)))
        parts += (
            node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    return "\n".join(parts)


def test_the_runbook_quotes_the_code() -> None:
    prose = _FENCED.sub("", _text(ROOT / "docs" / "runbook.md"))
    quoted = [
        part.strip(" .:'") for quote in re.findall(r'"([^"\n]+)"', prose) for part in quote.split("...")
    ]
    missing = [part for part in quoted if part and part not in _sentences_of_the_code()]
    assert not missing


def test_the_first_partition_is_the_one_of_the_code() -> None:
    assert f"from {FIRST_DAY.isoformat()} " in _text(ROOT / "docs" / "data-flow.md")


def test_every_part_of_the_graph_is_named() -> None:
    definitions = build_definitions()
    assets = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    automation = {item.name for item in [*jobs, *sensors, *schedules]}  # type: ignore[attr-defined]
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    resources = set(definitions.resources or {})
    picture, readme = _text(ROOT / "docs" / "graph.svg"), _text(README)
    architecture = _text(ROOT / "docs" / "architecture.md")
    assert {name for name in assets if f">{name}<" not in picture} == set()
    assert {name for name in assets if f"`{name}`" not in readme} == set()
    named = automation | checks | resources
    assert {name for name in named if f"`{name}`" not in architecture} == set()


def test_every_requirement_is_in_the_table_once() -> None:
    rows = _rows(_text(ROOT / "docs" / "requirements.md"))
    assert [row[0] for row in rows if row[0] != "id"] == REQUIREMENTS


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_requirement_names_code_and_a_test_that_exist(requirement: str) -> None:
    rows = {row[0]: row for row in _rows(_text(ROOT / "docs" / "requirements.md"))}
    _, _, code, test = rows[requirement]
    assert (PACKAGE / code.strip("`")).exists(), code
    file, name = test.strip("`").split("::")
    assert name in _tests_of(file), test


@cache
def _tests_of(file: str) -> frozenset[str]:
    tree = ast.parse(_text(TESTS / file))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_usage_rows_carry_the_agreed_pipeline_and_step() -> None:
    assert (STEP.pipeline, STEP.name) == ("entity_enrichment", "instagram_account_review")


_WRITES = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|truncate|alter\s+table|copy)\s+(?:public\.)?"
    r"(raw_posts|raw_post_sources|group_members)\b(?!\s*\(.*to\s+stdout)",
    re.IGNORECASE,
)


def test_no_statement_writes_what_belongs_to_others() -> None:
    writers = {
        (path.relative_to(PACKAGE).as_posix(), table.lower())
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".sql") and not {"sandbox", "sample"} & set(path.parts)
        for table in _WRITES.findall(_text(path))
    }
    by_hand = "domains/entities/tags/queries/post_import.py"  # a person's explicit request
    created = {("migrations/assets/20260101000100_collection.sql", "raw_posts")}
    created |= {("migrations/assets/20260101000100_collection.sql", "raw_post_sources")}
    created |= {("migrations/operation/20260101001000_catalog.sql", "group_members")}
    assert writers - created == {(by_hand, "raw_posts"), (by_hand, "raw_post_sources")}


def test_the_operation_database_keeps_no_table_of_ours() -> None:
    text = "".join(_text(file) for file in sorted((PACKAGE / "migrations" / "operation").glob("*.sql")))
    made = set(re.findall(r"create table (?:if not exists )?(?:public\.)?(\w+)", text))
    dropped = set(re.findall(r"drop table (?:if exists )?(?:public\.)?(\w+)", text))
    people = {"artists", "groups", "brands", "instagram_accounts", "group_members", "admin_audit_log"}
    assert made - dropped == people
