"""Every reason that code can give has a text in both languages, and every text belongs to such a reason.

The code is read, not run: calls of `Reason`, and of functions of ours that make one out of a key and values.
"""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Any

import pytest

import entity_pipeline
from entity_pipeline.core.reasons import Reason

ROOT = Path(entity_pipeline.__file__).parent


@dataclass(frozen=True)
class Said:
    """One place that makes a reason. `key` is a pattern; `values` is None where they are not written there."""

    where: str
    package: str
    key: str
    values: frozenset[str] | None


def texts(package: str, language: str) -> dict[str, str]:
    file = ROOT.parent.joinpath(*package.split("."), "texts", f"{language}.json")
    found: dict[str, str] = json.loads(file.read_text("utf-8")).get("reasons", {})
    return found


def packages() -> list[str]:
    """The packages with texts of reasons."""
    found = [
        ".".join(file.parent.parent.relative_to(ROOT.parent).parts) for file in ROOT.rglob("texts/en.json")
    ]
    return sorted(package for package in found if texts(package, "en"))


def placeholders(text: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(text) if name}


@cache
def said() -> list[Said]:
    return [one for file in sorted(ROOT.rglob("*.py")) for one in _said_in(file)]


def _said_in(file: Path) -> Iterator[Said]:
    source = file.read_text("utf-8")
    if "reason" not in source:
        return
    name = ".".join(file.relative_to(ROOT.parent).with_suffix("").parts)
    module = importlib.import_module(name)
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        maker = getattr(module, call.func.id, None)
        where = 1 if maker is Reason else 0 if _makes_reasons(maker) else None
        if where is None or len(call.args) <= where:
            continue
        pattern = _pattern(call.args[where], name)
        if pattern is not None:  # else it is the function that makes reasons for its package
            yield Said(f"{name}:{call.lineno}", _package(module, maker, call), pattern, _values(maker, call))


def _makes_reasons(maker: object) -> bool:
    """A function of a package that takes a key and values, such as `because`."""
    if not inspect.isfunction(maker):
        return False
    signature = inspect.signature(maker)
    kinds = {one.kind for one in signature.parameters.values()}
    is_of_key = next(iter(signature.parameters), "") == "key" and inspect.Parameter.VAR_KEYWORD in kinds
    return is_of_key and signature.return_annotation is Reason


def _package(module: ModuleType, maker: Any, call: ast.Call) -> str:
    if maker is not Reason:
        return str(maker("any").package)
    package = call.args[0]
    if isinstance(package, ast.Constant):
        return str(package.value)
    assert isinstance(package, ast.Name), (
        f"{module.__name__}:{call.lineno} makes a reason of a computed package"
    )
    return str(getattr(module, package.id))


def _pattern(key: ast.expr | None, module: str) -> str | None:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return re.escape(key.value)
    if isinstance(key, ast.JoinedStr):
        return "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in key.values
        )
    if isinstance(key, ast.IfExp):
        options = [_pattern(key.body, module), _pattern(key.orelse, module)]
        return None if None in options else f"(?:{'|'.join(map(str, options))})"
    if isinstance(key, ast.Subscript) and isinstance(key.value, ast.Name):  # one of a table of the module
        table = getattr(importlib.import_module(module), key.value.id)
        return f"(?:{'|'.join(map(re.escape, table.values()))})"
    return None


def _values(maker: Any, call: ast.Call) -> frozenset[str] | None:
    if maker is not Reason:
        names = [keyword.arg for keyword in call.keywords]
        return None if None in names else frozenset(map(str, names))
    if len(call.args) < 3:
        return frozenset()
    values = call.args[2]
    if not isinstance(values, ast.Dict) or not all(isinstance(key, ast.Constant) for key in values.keys):
        return None
    return frozenset(str(key.value) for key in values.keys if isinstance(key, ast.Constant))


@pytest.mark.parametrize("package", packages())
def test_both_languages_have_the_same_reasons_and_placeholders(package: str) -> None:
    english, korean = texts(package, "en"), texts(package, "ko")
    assert set(english) == set(korean)
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in korean.items()
    }


def test_every_reason_in_code_has_words_that_ask_for_no_more_than_it_has() -> None:
    wrong = []
    for one in said():
        known = texts(one.package, "en")
        fitting = [key for key in known if re.fullmatch(one.key, key)]
        if not fitting:
            wrong.append(f"{one.where}: {one.package} has no text for {one.key}")
        wrong += [
            f"{one.where}: {key} asks for {placeholders(known[key]) - one.values}"
            for key in fitting
            if one.values is not None and not placeholders(known[key]) <= one.values
        ]
    assert wrong == []
    assert len(said()) > 10, "the reader of the code finds no reasons any more"


@pytest.mark.parametrize("package", packages())
def test_every_text_is_a_reason_of_code(package: str) -> None:
    patterns = [one.key for one in said() if one.package == package]
    unused = [
        key for key in texts(package, "en") if not any(re.fullmatch(pattern, key) for pattern in patterns)
    ]
    assert unused == []
