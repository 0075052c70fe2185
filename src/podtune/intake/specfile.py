"""YAML as people mean it: `on` is a key, `no` is a word, and 2e-4 is a number.

PyYAML reads YAML 1.1, where `on`, `off`, `yes` and `no` are booleans and `2e-4` is text; this
loader follows YAML 1.2's core schema in these points. Nothing but plain data is ever built.
"""

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans and floats of YAML 1.2."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """First character -> what a plain scalar may be, with 1.2's booleans and floats."""
    old: Any = yaml.SafeLoader.yaml_implicit_resolvers
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {
        first: [(tag, p) for tag, p in known if not tag.endswith((":bool", ":float"))]
        for first, known in old.items()
    }
    for tag, pattern, firsts in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ):
        for first in firsts:
            entry = (f"tag:yaml.org,2002:{tag}", re.compile(pattern))
            table.setdefault(first, []).append(entry)
    return table


_Loader.yaml_implicit_resolvers = _resolvers()


def parse(text: str, *, words: bool = False) -> object:
    """A YAML text as plain data; with `words`, every scalar as it is spelled.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    loader = yaml.BaseLoader if words else _Loader
    return yaml.load(text, Loader=loader)  # noqa: S506 - both build plain data only
