"""The docs say what runs: help texts are generated, and the README's commands are typed and their output compared.

`make accept` writes docs/commands.md, docs/tables.md and the outputs in the README again.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

import pipeline
from pipeline import recipefile, tables
from pipeline.cli import cli
from tests.conftest import Auditbook

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run and from library to library: hashes, sizes, the day.
ANY = re.compile(r"\b[0-9a-f]{12,64}\b|[\d,]+ bytes|(?<=out/)\d{4}-\d\d-\d\d")


def reference() -> str:
    """Every command's help, in one page."""
    parts = ["# Commands\n\nMade from the command's own help (`make accept`).\n"]

    def add(command: click.Command, words: list[str]) -> None:
        context = click.Context(
            command, info_name=" ".join(words), max_content_width=100, terminal_width=100,
            help_option_names=["-h", "--help"],
        )  # fmt: skip
        parts.append(f"## {' '.join(words)}\n\n```text\n{command.get_help(context)}\n```\n")
        for name, inner in getattr(command, "commands", {}).items():
            add(inner, [*words, name])

    add(cli, ["auditbook"])
    return "\n".join(parts)


def test_the_command_reference_is_the_help() -> None:
    page = ROOT / "docs" / "commands.md"
    if os.environ.get("AUDITBOOK_ACCEPT"):
        page.write_text(reference(), "utf-8")
    assert page.read_text("utf-8") == reference()


def test_every_column_of_every_table_is_documented(small_store: Path) -> None:
    with pipeline.open(small_store) as log:
        found = tables.tables(log.con)
        made = tables.page(log.con)
    assert {"events", "lines", "rejects", "files", "commits", "calendar", "actors", "findings", "finding_events",
            "dispositions", "detector_coverage", "event_changes", "event_entities", "event_messages",
            "correlation_groups", "job_runs"} <= {table.name for table in found}  # fmt: skip
    assert [table.name for table in found if not table.about] == []
    assert [f"{table.name}.{one.name}" for table in found for one in table.columns if not one.meaning] == []
    page = ROOT / "docs" / "tables.md"
    if os.environ.get("AUDITBOOK_ACCEPT"):
        page.write_text(made, "utf-8")
    assert page.read_text("utf-8") == made


def test_every_recipe_is_documented() -> None:
    page = ROOT / "docs" / "recipes.md"
    if os.environ.get("AUDITBOOK_ACCEPT"):
        page.write_text(recipefile.page(), "utf-8")
    assert page.read_text("utf-8") == recipefile.page()


def test_nothing_is_documented_that_is_not_there(small_store: Path) -> None:
    written = tomllib.loads((ROOT / "schemas" / "tables.toml").read_text("utf-8"))
    with pipeline.open(small_store) as log:
        there = {table.name: {one.name for one in table.columns} for table in tables.tables(log.con)}
    listed = {(name, column) for name, table in written.items() for column in table.get("columns", {})}
    assert {(name, column) for name, column in listed if column not in there.get(name, set())} == set()
    assert written.keys() - there.keys() == set()


def transcripts() -> list[tuple[str, str]]:
    """The commands of the README with the output shown below each, in order."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.findall(README):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_the_readme_begins_with_the_two_commands() -> None:
    assert [command for command, _ in transcripts()][:2] == ["make demo", "make test"]


def test_the_readme_shows_what_the_commands_print(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    recipe = re.search(r"^demo:.*\n\t\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    shown = [
        (recipe.group(1) if command == "make demo" else command, text) for command, text in transcripts()
    ]
    for command, output in shown:
        if command == "make test":
            continue  # it is what runs this
        words = shlex.split(command)
        assert words[0] == "auditbook", command
        done = auditbook(*words[1:])
        assert done.returncode == 0, (command, done.stderr)
        if os.environ.get("AUDITBOOK_ACCEPT") and _settled(done.stdout) != _settled(output):
            text = (ROOT / "README.md").read_text("utf-8")
            assert output in text, command
            (ROOT / "README.md").write_text(
                text.replace(output, output.replace(output.strip(), done.stdout.strip())), "utf-8"
            )
            continue
        assert _settled(done.stdout) == _settled(output), command


def _settled(text: str) -> list[str]:
    """Lines without what differs from run to run; `…` alone stands for any lines that were left out."""
    return [ANY.sub("<…>", line.rstrip()) for line in text.strip().splitlines()]


def test_no_document_names_this_machine() -> None:
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").glob("*.md"),
    ]:
        assert not re.search(r"/(root|home|work)/", path.read_text("utf-8")), path


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
