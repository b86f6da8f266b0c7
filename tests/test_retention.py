"""What is kept goes when it is due, and nothing else does; what went is told of, and does not come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline import again, chain, erasure, holds, replaced, retention
from pipeline import store as stores
from pipeline.config import Config, from_dict
from pipeline.detect import detect
from pipeline.errors import UsageError
from pipeline.holds import Held
from pipeline.load import load
from tests.conftest import Auditbook
from tests.exports import line, lines, put

CONFIG: Config = from_dict(
    {
        "organization": {"timezone": "UTC"},
        "sources": {"printago": {"retention": "2 years", "legal_basis": "contract"}},
    }
)
# Lines 1 to 23 are of 1 October 2026, lines 24 to 47 of the 2nd: two years later, at noon of the 2nd.
NOON = datetime(2028, 10, 2, 12, tzinfo=UTC)


@pytest.fixture
def made(store: Path, tmp_path: Path) -> Path:
    """Forty lines, ten of them twice (once in other bytes), and another load that nothing concerns."""
    again_spaced = b"".join(json.dumps(json.loads(line(n))).encode() + b"\n" for n in range(1, 6))
    load([put(tmp_path / "a.jsonl", lines(1, 40) + b"{broken\n")], store=store, config=CONFIG)
    load([put(tmp_path / "b.jsonl", lines(1, 5) + again_spaced)], store=store, config=CONFIG)
    load([put(tmp_path / "c.jsonl", lines(100, 110))], store=store, config=CONFIG)
    return store


def fates(store: Path) -> dict[str, int]:
    with pipeline.open(store) as log:
        return dict(
            log.con.execute("SELECT fate, count(*) FROM stored_lines GROUP BY 1 ORDER BY 1").fetchall()
        )


def uids(store: Path) -> set[str]:
    with pipeline.open(store) as log:
        return {uid for (uid,) in log.con.execute("SELECT source_event_id FROM events").fetchall()}


def purged(store: Path, **told: Any) -> stores.Commit:
    plan = retention.plan(store, CONFIG, NOON)
    _, done = retention.apply(store, CONFIG, plan.word, NOON)
    assert done is not None
    return done


def test_the_plan_is_numbers_and_changes_nothing(made: Path) -> None:
    head = stores.head(made)

    plan = retention.plan(made, CONFIG, NOON)

    assert [vars(one) for one in plan.sources] == [
        {"source": "printago", "retention": "2 years", "archive": None, "legal_basis": "contract", "active": 16,
         "archived": 0, "purge_due": 35, "held": 0, "before": "2026-10-02T12:00:00Z"}
    ]  # fmt: skip
    assert plan.due.counts == {"printago": {"event": 35, "duplicate": 10}}
    assert plan.word == "purge 45"
    assert [part.name for part in plan.due.rows] == ["000001/lines.parquet", "000002/lines.parquet"]
    assert stores.head(made) == head


def test_what_is_due_goes_and_leaves_a_tombstone(made: Path) -> None:
    done = purged(made)

    assert fates(made) == {"event": 16, "purged": 45, "reject": 1}
    assert uids(made) == {f"evt{n:04d}" for n in (*range(36, 41), *range(100, 111))}
    assert done.content["replaces"] == ["000001/lines.parquet", "000002/lines.parquet"]
    [stone] = done.content["tombstones"]
    assert stone == {
        "source": "printago", "lines": {"duplicate": 10, "event": 35}, "first_event": "2026-10-01T01:00:00Z",
        "last_event": "2026-10-02T11:00:00Z", "events_sha256": stone["events_sha256"], "policy": "kept 2 years",
        "legal_basis": "contract", "before": "2026-10-02T12:00:00Z",
    }  # fmt: skip
    before = json.loads((made / "commits/000001/record.json").read_bytes())["content"]["files"]
    assert done.content["replaced"]["000001/lines.parquet"] == before["lines.parquet"]["sha256"]
    assert chain.verify(made).ok
    with pipeline.open(made) as log:
        kept = log.con.execute(
            "SELECT count(*), count(raw), count(DISTINCT event_uid) FROM stored_lines WHERE fate = 'purged'"
        ).fetchall()
        assert kept == [(45, 0, 35)], "a purged line keeps its place and identity, and no word"
        assert log.con.execute("SELECT kind, source, events, duplicates FROM tombstones").fetchall() == [
            ("retention", "printago", 35, 10)
        ]
        assert log.ledger().pl()["events"].to_list() == [40, 0, 11], "the ledger still says what was read"


def test_only_the_files_concerned_are_written_again(made: Path) -> None:
    done = purged(made)

    assert sorted(done.content["files"]) == ["events.parquet", "lines-0002.parquet", "lines.parquet"]
    assert [part.name for part in stores.parts(stores.commits(made))] == [
        "000003/lines.parquet", "000004/lines.parquet", "000004/lines-0002.parquet"
    ]  # fmt: skip


def test_purged_lines_do_not_come_back(made: Path, tmp_path: Path) -> None:
    purged(made)

    changed = b"".join(line(n, action="delete") for n in range(1, 4))
    result = load([put(tmp_path / "again.jsonl", lines(1, 42) + changed)], store=made, config=CONFIG)

    assert result.counts.as_json() == {"read": 45, "events": 2, "duplicates": 43, "rejects": 0, "blank": 0}
    assert {f"evt{n:04d}" for n in range(1, 36)}.isdisjoint(uids(made))
    folder = result.commit and result.commit.folder
    assert folder is not None
    raw = pq.ParquetFile(folder / "lines.parquet").read(columns=["raw"]).column("raw").to_pylist()
    assert [text for text in raw if text is not None and "evt0001" in text] == []


def test_replaced_files_go_a_day_later(made: Path) -> None:
    purged(made)
    links = stores.commits(made)
    committed = datetime.fromisoformat(links[-1].record["run"]["committed"])
    replaces = ["000001/lines.parquet", "000001/events.parquet", "000002/lines.parquet"]

    assert replaced.remove(links, committed + timedelta(hours=23, minutes=59)) == []
    assert replaced.remove(links, committed + timedelta(hours=24)) == replaces

    found = chain.verify(made)
    assert (found.ok, found.removed) == (True, 3)
    assert pipeline.rebuild(made).exists()
    assert fates(made) == {"event": 16, "purged": 45, "reject": 1}
    (made / "commits/000003/lines.parquet").unlink()
    assert not chain.verify(made).ok, "a file that nothing replaces must be there"


def test_the_word_is_that_of_the_plan(made: Path) -> None:
    head = stores.head(made)
    for word in (None, "", "purge", "purge 44", "yes"):
        with pytest.raises(UsageError) as told:
            retention.apply(made, CONFIG, word, NOON)
        assert (
            str(told.value) == 'the word is "purge 45"; nothing was changed. Look at the plan, then type it.'
        )
    assert stores.head(made) == head


HELD = {
    "an actor": Held(actor="ANA@example.com"),
    "an entity": Held(entity="print_job:job1"),
    "a period": Held(since=datetime(2026, 10, 1, 3, tzinfo=UTC), until=datetime(2026, 10, 1, 5, tzinfo=UTC)),
    "a source": Held(source="printago"),
    "another actor": Held(actor="nobody@example.com"),
}
LEFT = {"an actor": 0, "an entity": 30, "a period": 33, "a source": 0, "another actor": 35}


@pytest.mark.parametrize("kind", HELD)
def test_nothing_overrides_a_hold(made: Path, kind: str) -> None:
    name, _ = holds.add(made, HELD[kind], by="Dana Ruiz", reason="lawsuit", config=CONFIG)

    plan = retention.plan(made, CONFIG, NOON)

    assert plan.due.counts.get("printago", {}).get("event", 0) == LEFT[kind]
    assert plan.sources[0].held == 35 - LEFT[kind]
    wish = erasure.plan(made, CONFIG, ["ana@example.com"])
    with pipeline.open(made) as log:
        [(covered,)] = log.con.execute("SELECT count(*) FROM held_events").fetchall()
    assert wish.held == covered
    holds.release(made, name, by="Dana Ruiz", reason="settled", config=CONFIG)
    assert retention.plan(made, CONFIG, NOON).word == "purge 45"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("an entity", "6 events and 1 rejected lines"), ("another actor", "0 events and 1 rejected lines"),
        ("a source", "40 events and 1 rejected lines"),
    ],
)  # fmt: skip
def test_a_file_with_something_on_hold_is_not_withdrawn(made: Path, kind: str, told: str) -> None:
    name, held = holds.add(made, HELD[kind], by="Dana Ruiz", reason="lawsuit", config=CONFIG)

    with pytest.raises(UsageError) as refused:
        again.forget("a.jsonl", store=made, config=CONFIG)

    assert str(refused.value) == (
        f"{told} of a.jsonl are on hold; nothing was changed. `auditbook retain hold list` shows the holds."
    )
    assert stores.head(made) == held.head
    holds.release(made, name, by="Dana Ruiz", reason="settled", config=CONFIG)
    assert again.forget("a.jsonl", store=made, config=CONFIG).commit is not None


NO_HOLD = {
    "nothing": (Held(case="x"), "a hold covers something. Give --actor, --entity, --finding, --source, --since or "
                "--until."),
    "no source": (Held(source="printaggo"), '"printaggo" is not a known source. Known are: '),
    "no finding": (Held(finding="ffff"), '"ffff" is not a finding. `auditbook findings` lists them.'),
    "no time": (
        Held(since=datetime(2026, 10, 2, tzinfo=UTC), until=datetime(2026, 10, 1, tzinfo=UTC)),
        "the period of the hold ends before it begins. Give --since and --until in order.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_HOLD)
def test_a_hold_that_can_never_cover_anything_is_refused(made: Path, kind: str) -> None:
    held, sentence = NO_HOLD[kind]
    before = stores.head(made)

    with pytest.raises(UsageError) as told:
        holds.add(made, held, by="Dana Ruiz", reason="lawsuit", config=CONFIG)

    assert str(told.value).startswith(sentence)
    assert stores.head(made) == before


def test_a_hold_of_nothing_yet_is_told(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", lines(1, 3))
    auditbook("load", "a.jsonl", "-q")

    done = auditbook(
        "retain", "hold", "add", "--actor", "anna@example.com", "--by", "D", "--reason", "r", "-q"
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "auditbook: hold-2 covers no event that is stored: is everything spelled as `auditbook values actor` and "
        "`auditbook values entity_type` list it? It stands for events to come.\n"
    )


def test_a_hold_is_released_by_its_whole_name(store: Path) -> None:
    """hold-1 is not the beginning of hold-10."""
    stores.create(store)
    names = [holds.add(store, HELD["a source"], by="D", reason="r", config=CONFIG)[0] for _ in range(10)]
    assert (names[0], names[-1]) == ("hold-1", "hold-10")

    assert holds.release(store, "hold-1", by="D", reason="r", config=CONFIG)[0] == "hold-1"
    with pytest.raises(UsageError, match='"hold-1" is no hold that stands'):
        holds.release(store, "hold-1", by="D", reason="r", config=CONFIG)


def test_a_reject_goes_with_its_file(made: Path) -> None:
    later = datetime(2028, 10, 2, 16, tzinfo=UTC)  # one hour before the last event of the file is past
    assert "reject" not in retention.plan(made, CONFIG, later).due.counts["printago"]

    counts = retention.plan(made, CONFIG, later + timedelta(hours=1)).due.counts["printago"]

    assert counts == {"event": 40, "duplicate": 10, "reject": 1}


def test_first_active_then_archived_then_due(made: Path) -> None:
    config = from_dict({"sources": {"printago": {"retention": "1 year", "archive": "1 year"}}})
    one_year = datetime(2027, 10, 2, 12, tzinfo=UTC)

    plans = [retention.plan(made, config, moment).sources[0] for moment in (one_year, NOON)]

    assert [(one.active, one.archived, one.purge_due) for one in plans] == [(16, 35, 0), (0, 16, 35)]
    detect(made, config=config)
    with pipeline.open(made) as log:
        log.con.execute("SET VARIABLE as_of = TIMESTAMPTZ '2027-10-02 12:00:00Z'")
        states = "SELECT state, count(*) FROM retention_state GROUP BY 1 ORDER BY 1"
        assert log.con.execute(states).fetchall() == [("active", 16), ("archived", 35)]
        assert log.events().count() == 51, "archived is an age: nothing is moved, and every answer has it"


@pytest.mark.parametrize("what", ["forget", "remap"])
def test_what_was_purged_is_not_read_again(made: Path, what: str) -> None:
    purged(made)
    other = from_dict({"organization": {"timezone": "Asia/Tokyo"}})

    with pytest.raises(UsageError) as told:
        if what == "forget":
            again.forget("a.jsonl", store=made, config=CONFIG)
        else:
            again.remap("printago", store=made, config=other)

    instead = {
        "remap": "what is loaded from now on is read anew, and a new store reads all that you still have.",
        "forget": "a new store holds only what you load into it, and retention takes what is left of this file.",
    }
    assert str(told.value) == (
        f"a.jsonl has lines that were purged: after {what} they would come back when loaded again. "
        '`auditbook sql "FROM tombstones"` says when, and under which policy. What is loaded stays as it is; '
        f"{instead[what]}"
    )


def test_a_person_is_forgotten(store: Path, tmp_path: Path) -> None:
    config = from_dict({"actors": {"ben@example.com": {"aliases": ["printago:usr_ben"]}}})
    named = [
        line(1, actorEmail="ben@example.com", actorId="usr_ben"), line(2, metadata={"to": "Ben@Example.com"}),
        line(3, metadata={"to": "ben\\u0040example.com"}).replace(b"\\\\u", b"\\u"), line(4),
        b'{"to":"ben@example.com"\n',
        line(6, actorId="usr_ben", actorEmail=None), line(7, entityId="usr_benedict"),
    ]  # fmt: skip
    load([put(tmp_path / "a.jsonl", b"".join(named))], store=store, config=config)
    detect(store, config=config)

    plan = erasure.plan(store, config, ["ben@example.com"])
    assert plan.spellings == ("ben@example.com", "usr_ben")
    assert plan.due.counts == {"printago": {"event": 5, "reject": 1}}, (
        "an id within a longer one is taken for it"
    )
    _, done = erasure.apply(
        store, config, ["ben@example.com"], word="erase 6", by="Dana Ruiz", reason="request 118"
    )

    assert done is not None
    assert uids(store) == {"evt0004"}
    assert "ben@" not in stores.canonical(done.record).lower()
    committed = datetime.fromisoformat(done.record["run"]["committed"])
    replaced.remove(stores.commits(store), committed + timedelta(days=1))
    assert chain.verify(store).ok
    for path in store.rglob("*.parquet"):
        assert "ben@example.com" not in str(pq.ParquetFile(path).read().to_pylist()).lower(), path


def test_the_command_plans_asks_and_does(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text('[sources.printago]\nretention = "2 years"\n')
    put(tmp_path / "a.jsonl", lines(1, 40))
    auditbook("load", "a.jsonl", "-q")
    now = ("--as-of", "2028-10-02T12:00Z")

    plan = auditbook("retain", *now)
    assert "35 lines would be purged (35 events); 1 part of " in plan.stdout
    assert plan.stdout.endswith('`auditbook retain --apply` purges them; its word is "purge 35"\n')
    wrong = auditbook("retain", "--apply", *now, input="yes\n")
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        2,
        'Type "purge 35" to go on: auditbook: the word is "purge 35"; nothing was changed. Look at the plan, then '
        "type it.",
    )
    done = auditbook("retain", "--apply", *now, "--word", "purge 35", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lines"] == 35
    assert auditbook("verify").returncode == 0
    assert auditbook("retain", "--apply", *now).stdout == "nothing is due; nothing was changed\n"
    (tmp_path / "auditbook.toml").write_text(
        '[sources.printago]\nretention = "2 years"\narchive = "1 year"\n'
    )
    assert auditbook("retain", *now).stdout.splitlines()[-2:] == [
        "nothing is due to be purged",
        "archived events are told apart by their age alone: they stay where they are and in every answer",
    ]
    held = auditbook("retain", "hold", "add", "--actor", "ana@example.com", "--by", "D", "--reason", "r")
    assert held.stdout.startswith("hold-3 holds 5 events of today's, and those to come\n")


def test_originals_are_kept_byte_for_byte_until_a_line_of_theirs_is_purged(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    import gzip

    (tmp_path / "auditbook.toml").write_text(
        '[originals]\nkeep = true\n[sources.printago]\nretention = "2 years"\n'
    )
    content = gzip.compress(lines(1, 40))
    put(tmp_path / "a.jsonl.gz", content)
    put(tmp_path / "b.jsonl", lines(100, 110))
    auditbook("load", "a.jsonl.gz", "b.jsonl", "-q")

    auditbook("originals", "a.jsonl.gz", "--output", "back.gz")
    assert (tmp_path / "back.gz").read_bytes() == content
    assert auditbook("verify").returncode == 0
    plan = auditbook("retain", "--as-of", "2028-10-02T12:00Z").stdout
    assert "bytes rewritten; 1 original with such lines removed as a whole\n" in plan
    auditbook("retain", "--apply", "--as-of", "2028-10-02T12:00Z", "--word", "purge 35")
    assert [one["file"] for one in json.loads(auditbook("originals", "--format", "json").stdout)] == [
        "b.jsonl"
    ]
    [left] = (tmp_path / "store/originals").iterdir()
    assert auditbook("verify").returncode == 0
    left.write_bytes(b"something else")
    broken = auditbook("verify")
    assert broken.returncode == 5
    assert broken.stderr.endswith(
        "the original of b.jsonl was changed: its sha256 is not the recorded one.\n"
    )


def test_an_archive_without_a_retention_is_refused(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text('[sources.printago]\narchive = "2 years"\n')

    done = auditbook("retain")

    assert (done.returncode, done.stderr) == (
        2,
        "auditbook: auditbook.toml:2 [sources.printago] archive: nothing is archived without a retention. archive is "
        "what follows retention: say how long that is, too.\n",
    )


def test_the_ledger_says_how_much_of_it_was_purged(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text('[sources.printago]\nretention = "2 years"\n')
    put(tmp_path / "a.jsonl", lines(1, 40))
    auditbook("load", "a.jsonl", "-q")
    assert auditbook("ledger").stdout.endswith("40 events + 0 duplicates + 0 rejects + 0 blank\n")

    auditbook("retain", "--apply", "--as-of", "2028-10-02T12:00Z", "--word", "purge 35")

    assert auditbook("ledger").stdout.endswith(
        "40 events + 0 duplicates + 0 rejects + 0 blank\n"
        "35 lines of them purged or erased since (commit 2); the sum is of what was loaded\n"
    )


def with_an_original(auditbook: Auditbook, folder: Path) -> None:
    """A store of forty lines, two years old one day, whose file is kept."""
    (folder / "auditbook.toml").write_text(
        '[originals]\nkeep = true\n[sources.printago]\nretention = "2 years"\n'
    )
    put(folder / "a.jsonl", lines(1, 40))
    auditbook("load", "a.jsonl", "-q")


def test_an_original_with_a_line_on_hold_stays_until_the_hold_is_released(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    with_an_original(auditbook, tmp_path)
    by, then = ("--by", "D", "--reason", "r", "-q"), ("--as-of", "2028-10-02T12:00Z")
    auditbook("retain", "hold", "add", "--entity", "print_job:job1", "--case", "Ana v. Example", *by)

    held = json.loads(auditbook("retain", *then, "--json").stdout)
    plan = auditbook("retain", *then).stdout
    done = auditbook("retain", "--apply", *then, "--word", held["word"])
    kept = auditbook("originals", "a.jsonl").stdout.encode()
    auditbook("retain", "hold", "release", "Ana v. Example", *by)
    last = json.loads(auditbook("retain", *then, "--json").stdout)
    auditbook("retain", "--apply", *then, "--word", last["word"], "-q")

    assert (held["lines"], held["originals"], held["originals_on_hold"]) == (30, 0, 1)
    assert "; 1 original with such lines kept, as other lines in it are on hold\n" in plan
    assert done.returncode == 0, done.stderr
    assert kept == lines(1, 40)
    assert (last["lines"], last["originals"], last["originals_on_hold"]) == (5, 1, 0)
    assert list((tmp_path / "store/originals").iterdir()) == []
    assert auditbook("verify").returncode == 0


def test_an_original_that_a_hold_kept_goes_with_the_next_plan(auditbook: Auditbook, tmp_path: Path) -> None:
    """Nothing else is due then."""
    with_an_original(auditbook, tmp_path)
    by, then = ("--by", "D", "--reason", "r", "-q"), ("--as-of", "2028-10-02T12:00Z")
    auditbook("retain", "hold", "add", "--source", "printago", "--since", "2026-10-02T13:00Z", *by)
    held = auditbook("retain", "--apply", *then, "--word", "purge 35")
    assert held.returncode == 0, held.stderr
    assert len(list((tmp_path / "store/originals").iterdir())) == 1
    auditbook("retain", "hold", "release", "hold-2", *by)

    plan = auditbook("retain", *then)
    done = auditbook("retain", "--apply", *then, "--word", "purge 0")

    assert "nothing is due to be purged; 1 original with such lines removed as a whole\n" in plan.stdout
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "store/originals").iterdir()) == []
    assert auditbook("verify").returncode == 0
