"""Reads and checks a recipe: a TOML header in the leading comment, then one SELECT over `events`. Part of recipe."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pipeline import dialect, headers
from pipeline.errors import AuditbookError

Value = int | float | str | bool
# What every recipe may use: the clock, what was asked for, the organization's zone.
GIVEN = frozenset({"as_of", "target", "zone"})
LIST = """SELECT unnest(one)
  FROM (SELECT unnest(?::STRUCT(recipe VARCHAR, question VARCHAR, "type" VARCHAR)[]) AS one)"""


@dataclass(frozen=True)
class Parameter:
    """What can be told a recipe; without a default it must be."""

    meaning: str
    default: Value | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Unseen:
    """What the answer cannot see, said when `when` holds for some of the events."""

    when: str
    text: str


@dataclass(frozen=True)
class Recipe:
    """One investigation as its file says it."""

    name: str
    title: str
    question: str
    answers: str
    reading: str
    next_steps: str
    target: str
    optional_target: bool
    whole: bool
    example: str
    scope: str
    scope_name: str
    needs: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, str]
    spare: tuple[str, ...]
    unseen: tuple[Unseen, ...]
    sql: str
    path: str

    @property
    def days(self) -> tuple[str, ...]:
        """The parameters that are a day."""
        return tuple(name for name, one in self.parameters.items() if one.kind == "day")

    @property
    def usage(self) -> str:
        """How it is typed: the name, the target, what must be given."""
        word = {"entity": "TYPE:ID", "person": "WHO", "address": "ADDRESS"}.get(self.target, "")
        must = [f"--set {name}=…" for name, one in self.parameters.items() if one.default is None]
        return " ".join(
            part
            for part in (self.name, f"[{word}]" if word and self.optional_target else word, *must)
            if part
        )


@cache
def shipped() -> dict[str, Recipe]:
    """Every recipe of the folder, by name: the folder is the registry."""
    folder = importlib.resources.files("pipeline") / "recipes"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return {
        (name := file.name.removesuffix(".sql")): parse(
            file.read_text("utf-8"), name=name, path=f"pipeline/recipes/{file.name}"
        )
        for file in files
    }


def parse(text: str, *, name: str, path: str) -> Recipe:
    """Check a recipe's text."""
    header, sql = headers.read(text, path, "recipe")
    parameters = {key: Parameter(**one) for key, one in header.get("parameters", {}).items()}
    if unlike := dialect.parameters(sql) - GIVEN ^ set(parameters):
        message = f"{', '.join(sorted(unlike))}: declared and used parameters differ."
        raise AuditbookError(message, path=path)
    if unknown := {*header.get("spare", ())} - {*header["columns"]}:
        raise AuditbookError(f"spare: {', '.join(sorted(unknown))} is no column.", path=path)
    texts = {
        key: " ".join(str(header.get(key, "")).split())
        for key in "title question answers reading next_steps target example scope scope_name".split()
    }
    return Recipe(
        name=name, optional_target=header.get("optional_target", False),
        whole=header.get("whole", False), needs=tuple(header.get("needs", ())),
        parameters=parameters, columns=header["columns"],
        spare=tuple(header.get("spare", ())),
        unseen=tuple(Unseen(**one) for one in header.get("unseen", ())), sql=sql, path=path, **texts,
    )  # fmt: skip


def listed() -> list[dict[str, str]]:
    """Each recipe with its question and what to type."""
    return [{"recipe": one.name, "question": one.question, "type": one.usage} for one in shipped().values()]


def page() -> str:
    """All recipes as a document."""
    parts = [
        "# Recipes",
        "Made from `pipeline/recipes/` (`make accept`): one SQL file each, over `events` narrowed to what was asked "
        "for, with `who`, `lane` and `about`, and over `changes`, one row for each changed field. "
        '`auditbook recipe NAME`, or `log.recipe("NAME", …)`; every answer says what it looked at and what it could '
        "not see.",
    ]
    for one in shipped().values():
        settings = [
            f"- `{name}`{'' if said.default is None else f' (`{said.default}`)'}: {said.meaning}"
            for name, said in one.parameters.items()
        ]
        columns = [f"| `{name}` | {meaning} |" for name, meaning in one.columns.items()]
        parts += [
            f"## {one.name}",
            f"**{one.question}** {one.answers}",
            f"    auditbook recipe {one.usage}",
            *(["\n".join(settings)] if settings else []),
            "\n".join(["| column | meaning |", "|---|---|", *columns]),
            f"{one.reading}",
            f"Next: {one.next_steps}",
        ]
    return "\n\n".join(parts) + "\n"
