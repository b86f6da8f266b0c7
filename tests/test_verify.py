"""Each way to break the chain, and the sentence that names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.chain import Break, Verification
from pipeline.errors import UsageError
from pipeline.load import load
from pipeline.store import record_text
from tests.conftest import Auditbook
from tests.exports import CONFIG, lines, put

NOT_HERE = "is not in this chain: it was cut or rewritten, or is another store's."


@pytest.fixture(scope="module")
def three_commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for number in range(3):
        load([put(folder / f"{number}.jsonl", lines(number, number))], store=folder / "store", config=CONFIG)
    return folder / "store"


@pytest.fixture
def made(three_commits: Path, store: Path) -> Path:
    return Path(shutil.copytree(three_commits, store))


def heads(store: Path) -> list[str]:
    return [json.loads(text)["head"] for text in (store / "manifest.jsonl").read_text().splitlines()]


def seals(store: Path) -> list[str]:
    return [json.loads(text)["seal"] for text in (store / "manifest.jsonl").read_text().splitlines()]


def rewrite(store: Path, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    path = store / f"commits/{number:06d}/record.json"
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(record_text(record))


def changed_file(store: Path) -> None:
    path = store / "commits/000002/lines.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def replaced_commit(store: Path) -> None:
    """Commit 2 of a store that somebody made for the purpose, whole in itself."""
    other = store.parent / "other"
    load([put(store.parent / "8.jsonl", lines(8, 8))], store=other, config=CONFIG)
    load([put(store.parent / "9.jsonl", lines(9, 9))], store=other, config=CONFIG)
    shutil.rmtree(store / "commits/000002")
    shutil.copytree(other / "commits/000002", store / "commits/000002")


BREAKS: dict[str, tuple[Callable[[Path], object], Break]] = {
    "a changed file": (
        changed_file,
        Break(2, "lines.parquet", "the file's bytes were changed: its sha256 is not the recorded one."),
    ),
    "a file cut to nothing": (
        lambda store: (store / "commits/000002/events.parquet").write_bytes(b""),
        Break(2, "events.parquet", "the file's bytes were changed: its sha256 is not the recorded one."),
    ),
    "a missing file": (
        lambda store: (store / "commits/000002/events.parquet").unlink(),
        Break(2, "events.parquet", "the file is missing."),
    ),
    "an added file": (
        lambda store: (store / "commits/000002/notes.txt").write_text("mine"),
        Break(2, "notes.txt", "a file that no record names was added."),
    ),
    "a changed content": (
        lambda store: rewrite(store, 2, lambda record: record["content"]["inputs"][0].update(events=0)),
        Break(2, "record.json", "the record's content was changed: its head does not match."),
    ),
    "a changed run": (
        lambda store: rewrite(store, 2, lambda record: record["run"].update(user="somebody else")),
        Break(2, "record.json", "the record of the run was changed: its seal does not match."),
    ),
    "a changed head": (
        lambda store: rewrite(store, 2, lambda record: record.update(head="0" * 64)),
        Break(2, "record.json", "the record's content was changed: its head does not match."),
    ),
    "a record that is no JSON": (
        lambda store: (store / "commits/000002/record.json").write_text("{"),
        Break(2, "record.json", "the record cannot be read (JSONDecodeError)."),
    ),
    "a missing record": (
        lambda store: (store / "commits/000002/record.json").unlink(),
        Break(2, "record.json", "the record cannot be read (FileNotFoundError)."),
    ),
    "a removed commit": (
        lambda store: shutil.rmtree(store / "commits/000002"),
        Break(2, None, "commit 000002 is missing: the next one found is 000003."),
    ),
    "the first commit removed": (
        lambda store: shutil.rmtree(store / "commits/000001"),
        Break(1, None, "commit 000001 is missing: the next one found is 000002."),
    ),
    "a removed commit, the rest renumbered": (
        lambda store: (
            shutil.rmtree(store / "commits/000002"), (store / "commits/000003").rename(store / "commits/000002")
        ),
        Break(2, "record.json", "the record does not follow the one before it: a commit was replaced or removed."),
    ),
    "a replaced commit": (
        replaced_commit,
        Break(2, "record.json", "the record does not follow the one before it: a commit was replaced or removed."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BREAKS)
def test_the_first_break_is_named(made: Path, kind: str) -> None:
    harm, broken = BREAKS[kind]
    harm(made)

    found = pipeline.verify(made)

    assert found.broken == broken
    assert not found.ok
    assert broken.commit is not None
    assert found.commits == broken.commit - 1, "what stands before the break is counted"


def test_a_whole_chain(made: Path) -> None:
    found = pipeline.verify(made)

    stored = list(made.glob("commits/*/*.parquet"))
    assert found == Verification(
        3, heads(made)[-1], 6, sum(path.stat().st_size for path in stored), seal=seals(made)[-1]
    )
    assert len(stored) == 6


def test_a_rewritten_record_with_its_own_hashes_breaks_the_next(made: Path) -> None:
    """Whoever changes the past and computes the hashes again must do so for all that follows."""
    from pipeline.store import head_of, seal_of

    seal = json.loads((made / "commits/000001/record.json").read_bytes())["seal"]

    def forge(record: dict[str, Any]) -> None:
        record["content"]["inputs"][0]["file"] = "other.jsonl"
        record["head"] = head_of(record["content"])
        record["seal"] = seal_of(seal, record)

    rewrite(made, 2, forge)

    sentence = "the record does not follow the one before it: a commit was replaced or removed."
    assert pipeline.verify(made).broken == Break(3, "record.json", sentence)


@pytest.mark.parametrize(("place", "followed"), [(0, 2), (1, 1), (2, 0)])
def test_the_head_of_an_earlier_report_says_how_many_followed(made: Path, place: int, followed: int) -> None:
    for head in (heads(made)[place], heads(made)[place][:12], heads(made)[place].upper()):
        found = pipeline.verify(made, head)
        assert (found.ok, found.after) == (True, followed)


def test_a_head_tells_of_a_tail_that_was_cut(made: Path) -> None:
    head = heads(made)[-1]
    shutil.rmtree(made / "commits/000003")

    careless = pipeline.verify(made).broken
    assert careless is not None
    assert careless.file == "auditbook.duckdb", "who forgets what stands beside the commits is found"
    pipeline.rebuild(made)
    assert pipeline.verify(made).ok, "without a number from outside a cut tail cannot be seen"
    found = pipeline.verify(made, head)

    assert found.broken == Break(None, None, f"the head {head} {NOT_HERE}")
    assert found.after is None


def test_a_seal_is_checked_as_a_head_is(made: Path, auditbook: Auditbook) -> None:
    first, _, last = seals(made)
    assert pipeline.verify(made, seal=first).after == 2
    shutil.rmtree(made / "commits/000003")

    wrong = auditbook("verify", "--seal", last, "--json")

    assert wrong.returncode == 5
    assert json.loads(wrong.stdout)["broken"]["what"] == f"the seal {last} {NOT_HERE}"


@pytest.mark.parametrize("head", ["0" * 64, "f" * 64])
def test_a_head_of_nothing_is_none(made: Path, head: str) -> None:
    assert pipeline.verify(made, head).broken == Break(None, None, f"the head {head} {NOT_HERE}")


def test_a_head_too_short_to_mean_one(made: Path) -> None:
    with pytest.raises(UsageError) as told:
        pipeline.verify(made, heads(made)[0][:11])

    assert (
        str(told.value)
        == f'"{heads(made)[0][:11]}" is too short to be a head. Give 12 characters of it or more.'
    )


def test_a_broken_chain_goes_before_a_wrong_head(made: Path) -> None:
    changed_file(made)

    found = pipeline.verify(made, "f" * 64)

    assert found.broken is not None
    assert found.broken.file == "lines.parquet"


def test_the_command(made: Path, auditbook: Auditbook) -> None:
    first, _, last = heads(made)
    size = sum(path.stat().st_size for path in made.glob("commits/*/*.parquet"))

    done = auditbook("verify", "--head", first)
    assert (done.returncode, done.stderr) == (0, "")
    followed = "the given head is in it, 2 commits followed"
    assert (
        done.stdout
        == f"ok: 3 commits, 6 files, {size:,} bytes; {followed}\nhead {last}\nseal {seals(made)[-1]}\n"
    )

    wrong = auditbook("verify", "--head", "f" * 64)
    assert (wrong.returncode, wrong.stdout) == (5, "")
    assert wrong.stderr == f"auditbook: the head {'f' * 64} {NOT_HERE}\n"

    changed_file(made)
    broken = auditbook("verify", "--json")
    sentence = "the file's bytes were changed: its sha256 is not the recorded one."
    assert broken.returncode == 5
    assert broken.stderr == f"auditbook: commit 000002/lines.parquet {sentence}\n"
    assert json.loads(broken.stdout)["broken"] == {"commit": 2, "file": "lines.parquet", "what": sentence}
