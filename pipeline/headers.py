"""A SQL file that begins with a comment of TOML -> what the comment says, checked. Rules and recipes are such files."""

from __future__ import annotations

import importlib.resources
import json
import re
import tomllib
from functools import cache
from typing import Any

from pipeline.errors import AuditbookError


def read(text: str, path: str, schema: str) -> tuple[dict[str, Any], str]:
    """The header, as a schema asks for it, and the SQL below. It starts on the file's first line, so its lines are the
    file's lines."""
    found = re.match(r"/\*(.*?)\*/(.*)", text, re.DOTALL)
    if not found:
        raise AuditbookError(
            "has no header.", path=path, line=1, hint="It begins with /* title = … */ in TOML."
        )
    try:
        header = tomllib.loads(found.group(1))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        line = int(place.group(1)) if place else found.group(1).count("\n") + 1
        raise AuditbookError(f"the header is not TOML: {error}.", path=path, line=line) from error
    import jsonschema

    problem = jsonschema.exceptions.best_match(_validator(schema).iter_errors(header))
    if problem is not None:
        keys = [str(key) for key in problem.absolute_path]
        where = ".".join(keys) or "the header"
        raise AuditbookError(f"{where}: {problem.message}.", path=path, line=line_of(text, keys))
    return header, found.group(2).strip()


def line_of(text: str, keys: list[str]) -> int:
    """The line where a key of the header is written, or the table that should have it; else the first."""
    for depth in range(len(keys), 0, -1):
        name = re.escape(keys[depth - 1])
        table = re.escape(".".join(keys[:depth]))
        if line := line_where(text, rf"^\s*(?:/\*)?\s*(?:{name}\s*=|\[{table}\])", otherwise=0):
            return line
    return 1


def line_where(text: str, pattern: str, otherwise: int = 1) -> int:
    """The line where a pattern is found first."""
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else otherwise


@cache
def _validator(schema: str) -> Any:
    import jsonschema

    text = (importlib.resources.files("schemas") / f"{schema}.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))
