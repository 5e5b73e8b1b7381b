"""The command line's verbs: loaded when used, listed with what they cost."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from entity_pipeline.assembly import DOMAINS
from entity_pipeline.cli.groups import Cost, Verb, VerbGroup
from entity_pipeline.cli.main import VERBS, build
from entity_pipeline.definitions import build_definitions

HEAVY = ("dagster", "psycopg", "fastapi", "google.genai", "boto3", "instaloader", "rich.table", "pydantic_ai")


def every_verb() -> Iterator[Verb]:
    yield from VERBS
    for domain in DOMAINS:
        if domain.commands is not None:
            yield from domain.commands().verbs


@pytest.mark.parametrize("verb", list(every_verb()), ids=lambda verb: verb.name)
def test_every_verb_is_where_its_line_says(verb: Verb) -> None:
    command = verb.load()
    assert command.name == verb.name
    assert command.help


def test_the_list_of_verbs_loads_none_of_them() -> None:
    program = (
        "import sys\nfrom entity_pipeline.assembly import main\nsys.argv[1:] = ['--help']\n"
        f"main()\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


def test_what_costs_something_says_so_in_the_list_and_in_its_own_help() -> None:
    line = build(DOMAINS, build_definitions)
    context = click.Context(line)
    listed = " ".join(line.get_help(context).split())
    assert "within the limits of the settings. Pays Google for Gemini. Sends requests to Instagram." in listed
    enrich = line.get_command(context, "enrich")
    assert enrich is not None
    assert "Pays Google for Gemini." in enrich.get_help(click.Context(enrich))
    quota = line.get_command(context, "quota")
    assert quota is not None
    assert "Pays" not in quota.get_help(click.Context(quota))


def test_a_verb_of_a_domain_is_the_same_with_and_without_the_domain_before_it() -> None:
    line = build(DOMAINS, build_definitions)
    context = click.Context(line)
    group = line.get_command(context, "entities")
    assert isinstance(group, VerbGroup)
    for name in ("enrich", "evaluate", "export", "undo", "redo", "ask-again", "decide-again", "import-posts"):
        assert line.get_command(context, name) is group.get_command(context, name)


def test_no_two_verbs_have_one_name() -> None:
    line = build(DOMAINS, build_definitions)
    names = line.list_commands(click.Context(line))
    assert len(names) == len(set(names))


def test_a_cost_of_nothing_is_not_mentioned() -> None:
    assert Cost.NOTHING.sentence == ""
    assert Verb("v", "module:v", "Does it.").said == "Does it."
