"""recipe: the investigations that people are told to do, each one command."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pipeline.cli import filters, options, output

if TYPE_CHECKING:
    from pipeline.recipe import Answer
    from pipeline.recipefile import Recipe


def names(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Recipes that begin so, with what they answer."""
    from pipeline import recipefile

    return [
        CompletionItem(one.name, help=one.question)
        for one in recipefile.shipped().values()
        if one.name.startswith(typed)
    ]


def _targets(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Things, people or addresses of the store, by what the recipe is about."""
    from pipeline import recipefile

    one = recipefile.shipped().get(str(ctx.params.get("name")))
    word = {"entity": "entity", "person": "actor", "address": "ip"}.get(one.target) if one else None
    return filters.suggests(word)(ctx, param, typed) if word else []


_TIME = re.compile(r"\d{4}-\d\d-\d\dT")


@click.command()
@click.argument("name", required=False, shell_complete=names)
@click.argument("target", required=False, shell_complete=_targets)
@click.option(
    "--set", "-p", "values", multiple=True, metavar="NAME=VALUE", help="One of the recipe's parameters."
)
@click.option("--source", multiple=True, metavar="ID", help="Of this product.")
@click.option("--instance", metavar="NAME", help="Of this tenant.")
@click.option("--since", metavar="TIME", help="Not before (2026-10-01, 2026-10-01T08:00, 24h, 7d).")
@click.option("--until", metavar="TIME", help="Not after; a bare date includes that day.")
@click.option("--as-of", metavar="TIME", help="The clock; nothing after it is looked at.")
@click.option("--show", is_flag=True, help="What the recipe asks, its parameters and columns, and its SQL.")
@options.several(options.limit, options.shape, options.store, options.config)
def recipe(
    name: str | None, target: str | None, values: tuple[str, ...], show: bool, shape: str, store: Path,
    config: Path | None, **asked: Any,
) -> None:  # fmt: skip
    """An investigation that people are told to do. Without NAME: which there are.

    \b
    Examples:
      auditbook recipe
      auditbook recipe approval-evidence job:job_2041
      auditbook recipe when-value contact:c_118 --set field=tags --set value=VIP
      auditbook recipe failed-jobs --since 7d --format json
      auditbook recipe ip-story 192.0.2.214
      auditbook recipe user-day --show
    """
    from pipeline import recipefile
    from pipeline.filters import known

    recipes = recipefile.shipped()
    if name is None:
        _list(shape)
        return
    known({name: None}, set(recipes), "recipe")
    if show:
        _show(recipes[name], shape)
        return
    chosen = {key: list(value) if isinstance(value, tuple) else value for key, value in asked.items()}
    with options.open_log(store, config) as log:
        answer = log.recipe(
            name, target, **{**dict(map(_value, values)), **{k: v for k, v in chosen.items() if v}}
        )
        if shape == "table":
            _table(answer)
        elif shape == "json":
            output.document(document(answer))
        else:
            output.stream(answer.rows, shape)


def document(answer: Answer) -> dict[str, Any]:
    """A recipe's answer as JSON values."""
    from pipeline.export import instant, rows_as_json

    one = answer.recipe
    return {
        "recipe": one.name, "title": one.title, "question": one.question, "answers": one.answers,
        "target": answer.target, "as_of": instant(answer.as_of), "columns": dict(one.columns),
        "rows": list(rows_as_json(answer.rows)), "sight": list(answer.sight), "reading": one.reading,
        "next_steps": one.next_steps, "query": answer.rows.sql,
    }  # fmt: skip


def _list(shape: str) -> None:
    from pipeline.recipefile import listed

    if shape == "table":
        output.table(("type", "question"), listed(), keys=("type",))
    else:
        output.structured(listed(), shape)


def _show(one: Recipe, shape: str) -> None:
    facts = {
        key: getattr(one, key)
        for key in "name title question answers reading next_steps scope example".split()
    }
    if shape != "table":
        output.document({**facts, "usage": one.usage, "columns": dict(one.columns), "sql": one.sql,
                         "parameters": {key: vars(each) for key, each in one.parameters.items()}})  # fmt: skip
        return
    output.record([("usage", f"auditbook recipe {one.usage}"), *facts.items()])
    for title, told in (("parameters", one.parameters), ("columns", one.columns)):
        if told:
            output.heading(title)
        for key, said in told.items():
            default = getattr(said, "default", None)
            print(
                f"  {key}{f' ({default})' if default is not None else ''}: {getattr(said, 'meaning', said)}"
            )
    print(f"\n{one.sql}")


def _table(answer: Answer) -> None:
    from pipeline.export import instant, rows_as_json

    one = answer.recipe
    rows = list(rows_as_json(answer.rows))
    print(output.inert(f"{one.title}{f': {answer.target}' if answer.target else ''}"))
    print(f"{one.answers} As of {output.cell(instant(answer.as_of))} UTC.\n")
    if rows:
        grid(tuple(one.columns), rows, one.spare)
    else:
        print("No row.")
    for title, told in (
        ("what was looked at", answer.sight),
        ("how to read it", [one.reading]),
        ("next", [one.next_steps]),
    ):
        output.heading(title)
        for text in told:
            print(output.inert(text))


def grid(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], spare: Sequence[str] = ()) -> None:
    """A table with whole times and ids; on a terminal without the columns that only a program wants."""
    shown = [_brief(row) for row in rows]
    left_out = spare if sys.stdout.isatty() else ()
    kept = [name for name in columns if name not in left_out]
    keys = [name for name in kept if name == "event" or any(_TIME.match(str(row[name])) for row in rows)]
    output.table(kept, shown, keys=keys)
    if left_out:
        names = ", ".join(name for name in columns if name in left_out).replace("_", " ")
        print(f"\nalso in --format csv and json: {names}")


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    """Uids by their beginning, several by the first and their number."""
    made = dict(row)
    for name, value in row.items():
        if name in ("event", "before", "after_event") and isinstance(value, str):
            made[name] = value[:12]
        elif name == "events" and isinstance(value, list) and value:
            made[name] = value[0][:12] + (f" (+{len(value) - 1})" if len(value) > 1 else "")
    return made


def _value(text: str) -> tuple[str, str]:
    from pipeline.errors import UsageError

    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f'--set: "{text}" is not a name and a value.', hint="Write it like field=tags.")
    return name, value
