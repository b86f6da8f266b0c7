"""Who rewrites the chain is found: byte by byte, with a key, with a number from outside."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

import pipeline
from pipeline import beside, caches, chain, keys, signing
from pipeline import store as stores
from pipeline.config import Config
from pipeline.detect import detect
from pipeline.errors import UsageError
from pipeline.found import Beside, Break
from pipeline.load import load
from pipeline.signing import Signing
from tests.conftest import Auditbook
from tests.exports import CONFIG, lines, put

SEALED_AGAIN = "the signature is not that of the record's key: it was sealed again without it."
UNSIGNED = "the record is not signed, and those before it are: the key was not there."
NEVER = "the newest commit is not signed: the chain was written without the key, or was never signed."


def signed_by(key: Path) -> Config:
    return replace(CONFIG, signing=Signing(key=str(key)))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store of four signed commits, and the public key."""
    folder = tmp_path_factory.mktemp("signed")
    public = signing.new(folder / "key.pem").public
    for number in range(4):
        export = put(folder / f"{number}.jsonl", lines(number, number))
        load([export], store=folder / "store", config=signed_by(folder / "key.pem"))
    return folder / "store", public


@pytest.fixture
def made(signed: tuple[Path, str], store: Path) -> Path:
    return Path(shutil.copytree(signed[0], store))


def sealed_again(store: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """What an attacker does who can write the store and has no key: change records, and make every hash anew."""
    folders = sorted((store / "commits").iterdir())
    records = change([json.loads((folder / "record.json").read_bytes()) for folder in folders])
    head = seal = "0" * 64
    for record in records:
        record["content"]["previous"] = head
        record["head"] = head = stores.head_of(record["content"])
        record["seal"] = seal = stores.seal_of(seal, record)
    for folder, record in zip(folders, records, strict=False):
        (folder / "record.json").write_text(stores.record_text(record))
    for folder in folders[len(records) :]:
        shutil.rmtree(folder)
    pipeline.rebuild(store)


def drop(store: Path) -> None:
    """The second commit is taken out, the rest moves up."""
    shutil.rmtree(store / "commits/000002")
    for number in (3, 4):
        (store / f"commits/{number:06d}").rename(store / f"commits/{number - 1:06d}")
    sealed_again(store, lambda records: records)


def swap(store: Path) -> None:
    for name, to in (("000002", "x"), ("000003", "000002"), ("x", "000003")):
        (store / f"commits/{name}").rename(store / f"commits/{to}")
    sealed_again(store, lambda records: records)


def rename_a_file(store: Path) -> None:
    def change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        records[1]["content"]["inputs"][0]["file"] = "other.jsonl"
        return records

    sealed_again(store, change)


def strip(store: Path) -> None:
    def change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for record in records:
            del record["signature"], record["run"]["signed_with"]
        return records

    sealed_again(store, change)


def strip_the_end(store: Path) -> None:
    def change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        del records[3]["signature"], records[3]["run"]["signed_with"]
        return records

    sealed_again(store, change)


def own_key(store: Path) -> None:
    """Everything is signed again with a key of the attacker's own."""
    forger = signing.new(store.parent / "forger.pem")

    def change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for record in records:
            record["run"]["signed_with"] = forger.public
        return records

    sealed_again(store, change)
    for folder in (store / "commits").iterdir():
        record = json.loads((folder / "record.json").read_bytes())
        record["signature"] = forger.sign(record["seal"])
        (folder / "record.json").write_text(stores.record_text(record))
    pipeline.rebuild(store)


ATTACKS: dict[str, tuple[Callable[[Path], None], int, str, bool]] = {
    "a dropped commit": (drop, 2, SEALED_AGAIN, True),
    "two commits swapped": (swap, 2, SEALED_AGAIN, True),
    "a changed record": (rename_a_file, 2, SEALED_AGAIN, True),
    "the last signature taken away": (strip_the_end, 4, UNSIGNED, True),
    "every signature taken away": (strip, 4, NEVER, False),
    "a key of his own": (own_key, 1, "the record is signed with another key (", False),
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_who_seals_again_without_the_key_is_found(signed: tuple[Path, str], made: Path, kind: str) -> None:
    attack, commit, sentence, seen_without_key = ATTACKS[kind]
    assert chain.verify(made, public_key=signed[1]).ok
    attack(made)

    found = chain.verify(made, public_key=signed[1])

    assert found.broken is not None
    assert (found.broken.commit, found.broken.file) == (commit, "record.json")
    assert found.broken.what.startswith(sentence)
    assert chain.verify(made).ok is not seen_without_key


def test_a_tail_that_was_cut_is_found_with_a_head_from_outside(signed: tuple[Path, str], made: Path) -> None:
    head = stores.head(made)
    shutil.rmtree(made / "commits/000004")
    pipeline.rebuild(made)

    assert chain.verify(made, public_key=signed[1]).ok, "every commit that is left is as it was signed"
    broken = chain.verify(made, head, public_key=signed[1]).broken

    assert broken is not None
    assert broken.what.endswith("is not in this chain: it was cut or rewritten, or is another store's.")


def test_every_byte_of_the_commits(store: Path, tmp_path: Path) -> None:
    """Each byte is changed, the change is found, and put back."""
    load([put(tmp_path / "a.jsonl", b"\n")], store=store, config=CONFIG, source="printago")
    load([put(tmp_path / "b.jsonl", b"{broken\n")], store=store, config=CONFIG, source="printago")
    found: list[str] = []
    flipped = 0
    for path in sorted((store / "commits").glob("*/*")):
        content = path.read_bytes()
        with path.open("r+b", buffering=0) as file:
            for place, byte in enumerate(content):
                file.seek(place)
                file.write(bytes([byte ^ (1 << place % 8)]))
                if chain.verify_commits(store)[0].ok:
                    found.append(f"{path.name}:{place}")
                file.seek(place)
                file.write(bytes([byte]))
                flipped += 1

    assert found == []
    assert flipped == sum(path.stat().st_size for path in (store / "commits").glob("*/*"))
    assert chain.verify(store).ok


def test_a_new_key_is_introduced_by_the_old_one(store: Path, tmp_path: Path) -> None:
    first, second = (signing.new(tmp_path / name) for name in ("first.pem", "second.pem"))
    load([put(tmp_path / "a.jsonl", lines(1, 1))], store=store, config=signed_by(tmp_path / "first.pem"))

    with pytest.raises(UsageError) as told:
        load([put(tmp_path / "b.jsonl", lines(2, 2))], store=store, config=signed_by(tmp_path / "second.pem"))
    assert str(told.value) == (
        f"the chain is signed with the key {first.public[:16]}…, and the configured key is {second.public[:16]}…; "
        "nothing was committed. [signing] says where the key is; `auditbook keys rotate` introduces another."
    )
    with pytest.raises(UsageError, match="and no key is configured; nothing was committed"):
        load([put(tmp_path / "b.jsonl", lines(2, 2))], store=store, config=CONFIG)

    keys.rotate(store, signed_by(tmp_path / "first.pem"), second.public)
    detect(store, config=signed_by(tmp_path / "second.pem"))

    found = chain.verify(store, public_key=first.public)
    assert (found.ok, found.commits, found.signed, found.public_key) == (True, 3, 3, second.public)
    assert not chain.verify(store, public_key=second.public).ok, "the second key did not sign the beginning"


@pytest.mark.parametrize("where", ["key", "key_env", "key_command"])
def test_the_key_is_found_where_the_configuration_says(
    auditbook: Auditbook, tmp_path: Path, where: str
) -> None:
    made = auditbook("keys", "new", "key.pem")
    public = made.stdout.splitlines()[1].removeprefix("public key ")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    raw = signing.signer(Signing(key=str(tmp_path / "key.pem")))
    assert raw is not None
    secret = raw.private.private_bytes_raw().hex()
    said = {"key": '"key.pem"', "key_env": '"SIGNING_KEY"', "key_command": '["cat", "key.pem"]'}[where]
    (tmp_path / "auditbook.toml").write_text(f'[signing]\n{where} = {said}\npublic_key = "{public}"\n')
    put(tmp_path / "a.jsonl", lines(1, 2))

    done = auditbook("run", "a.jsonl", env={"SIGNING_KEY": secret})

    assert done.returncode == 0, done.stderr
    verified = auditbook("verify")
    assert verified.returncode == 0, verified.stderr
    assert f"2 of them signed, the last with {public} (the key that was given)" in verified.stdout
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert kept
    assert all(secret.encode() not in path.read_bytes() for path in kept)


def test_a_key_that_cannot_be_had_stops_before_anything_is_written(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    put(tmp_path / "a.jsonl", lines(1, 2))
    (tmp_path / "auditbook.toml").write_text('[signing]\nkey_env = "NOT_THERE"\n')

    done = auditbook("load", "a.jsonl", "-q")

    assert done.returncode == 2
    assert done.stderr == (
        "auditbook: the environment has no NOT_THERE, which [signing] key_env names. `auditbook keys new FILE` makes "
        "one; [signing] says where it is.\n"
    )
    assert list((tmp_path / "store/commits").iterdir()) == []


def change_the_database(store: Path, statement: str) -> None:
    path = store / "auditbook.duckdb"
    path.chmod(0o600)
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE files SET rejects = 0, events = events + 1", "its table files"),
        ("DELETE FROM files", "its table files"),
        ("CREATE OR REPLACE VIEW rejects AS SELECT * FROM stored_lines WHERE false", "its view rejects"),
        ("CREATE TABLE more (x INTEGER)", "its table more"),
        ("UPDATE commits SET head = 'x'", "it"),
        ("CREATE MACRO lower(x) AS 'nobody'", "its macro lower"),
        ("CREATE SCHEMA more", "its schema more"),
        ("CREATE TYPE more AS ENUM ('a')", "its type more"),
    ],
)
def test_a_database_that_says_otherwise_than_the_commits(made: Path, statement: str, what: str) -> None:
    change_the_database(made, statement)

    sentence = f"{what} says otherwise than the commits: it was changed; `auditbook rebuild` makes it again."
    assert chain.verify(made).broken == Break(None, "auditbook.duckdb", sentence)
    pipeline.rebuild(made)
    assert chain.verify(made).ok


def test_a_log_beside_the_database_is_told_of(made: Path) -> None:
    """What a shell writes stands in a log of its own first, and is read with the database from then on."""
    path = made / "auditbook.duckdb"
    before = path.read_bytes()
    path.chmod(0o600)
    with duckdb.connect(str(path)) as connection:
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("UPDATE files SET rejects = 99")
    assert path.read_bytes() == before
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT DISTINCT rejects FROM files").fetchall() == [(99,)]

    assert chain.verify(made).broken == Break(
        None,
        "auditbook.duckdb.wal",
        "it stands beside the database, and whoever opens that in a shell sees what it says; the next run moves it "
        "aside.",
    )
    with pipeline.open(made) as log:
        assert log.ledger()["rejects"].pl().to_series().unique().to_list() == [0]
    pipeline.rebuild(made)
    assert chain.verify(made).ok


def is_told_and_made_again(made: Path, path: Path, of: str) -> None:
    """An index that was changed is named, and is right again once it was removed."""
    broken = chain.verify(made).broken
    assert broken is not None
    assert (broken.file, broken.what) == (
        f"{path.parent.name}/{path.name}",
        f"it says otherwise than the {of} that it is of: it was changed; `auditbook rebuild` makes it again once it is "
        "removed.",
    )
    path.unlink()
    pipeline.rebuild(made)
    assert chain.verify(made).ok


@pytest.mark.parametrize("harm", ["an identity less", "another identity"])
def test_an_index_of_identities_that_says_otherwise(made: Path, harm: str) -> None:
    """It is what the next load holds its lines against: who changes it makes lines events twice."""
    [path] = (made / "ids").glob("*.ids")
    content = path.read_bytes()
    rows = json.loads(content[content.index(b"{") : -8])["rows"]
    numbers, told = content[: 24 * rows], content[24 * rows :]
    if harm == "an identity less":
        columns = [numbers[8 * rows * n : 8 * rows * (n + 1)][:-8] for n in range(3)]
        head = told[:-8].replace(f'"rows": {rows}'.encode(), f'"rows": {rows - 1}'.encode())
        path.write_bytes(b"".join(columns) + head + len(head).to_bytes(8))
    else:
        path.write_bytes(bytes([numbers[0] ^ 1]) + numbers[1:] + told)

    is_told_and_made_again(made, path, "lines")


def test_an_index_of_identities_in_another_order_hides_them(made: Path) -> None:
    """It is searched by halves: an identity that is out of order is not found, though it is there."""
    [path] = (made / "ids").glob("*.ids")
    content = path.read_bytes()
    rows = json.loads(content[content.index(b"{") : -8])["rows"]
    columns = [content[8 * rows * n : 8 * rows * (n + 1)] for n in range(3)]
    turned = [column[-8:] + column[8:-8] + column[:8] for column in columns]
    path.write_bytes(b"".join(turned) + content[24 * rows :])

    broken = chain.verify(made).broken

    assert broken is not None
    assert broken.file == f"ids/{path.name}"


NAMES_OF = "SELECT key, occurred_at, part FROM read_parquet('{path}')"
HARM_TO_NAMES = {
    "a name less": f"FROM ({NAMES_OF} LIMIT 3)",
    "another name": NAMES_OF.replace("key", "key + 1 AS key"),
    "another time": NAMES_OF.replace("occurred_at", "occurred_at + INTERVAL 1 SECOND AS occurred_at"),
}


@pytest.mark.parametrize("harm", HARM_TO_NAMES)
def test_an_index_of_names_that_says_otherwise(made: Path, harm: str) -> None:
    """It is where a history looks: who changes it takes an event out of the answer."""
    [path] = (made / "entities").iterdir()
    with duckdb.connect() as connection:
        [(told,)] = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'index'", [str(path)]
        ).fetchall()
        connection.execute(
            f"COPY ({HARM_TO_NAMES[harm].format(path=path)} ORDER BY key) TO '{path}.new' (FORMAT parquet, "
            f"WRITE_BLOOM_FILTER false, KV_METADATA {{index: '{told}'}})"
        )
    Path(f"{path}.new").replace(path)

    is_told_and_made_again(made, path, "events")


def test_every_byte_of_the_index_of_names(made: Path) -> None:
    """A changed byte is found, or nobody reads the file, or what is read is as it was."""
    [path] = (made / "entities").iterdir()
    content = path.read_bytes()

    def answers() -> list[int]:
        with pipeline.open(made) as log:
            return [log.history(f"print_job:job{number}").count() for number in range(4)]

    before = answers()
    assert before == [1, 1, 1, 1]
    unlike = []
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :])
        with duckdb.connect() as connection:
            found = caches.named(connection, made, stores.commits(made))
        if found == ([], None) and answers() != before:
            unlike.append(place)

    assert unlike == []


def test_an_index_of_other_commits_is_told_of_and_not_read(made: Path) -> None:
    [path] = (made / "entities").iterdir()
    (made / "entities" / "000009-000009.entities").write_bytes(path.read_bytes()[:-9])
    (made / "ids" / "000009-000009.ids").write_bytes(b"nothing")

    found = chain.verify(made)

    assert found.ok
    assert found.notes == (
        "ids/000009-000009.ids is of other commits or another version, and nothing reads it; `auditbook rebuild` makes "
        "it again.",
        "entities/000009-000009.entities is of other commits or another version, and nothing reads it; `auditbook "
        "rebuild` makes it again.",
    )
    pipeline.rebuild(made)
    assert chain.verify(made).notes == ()
    for folder in ("entities", "ids"):
        (made / folder / ".new").write_bytes(b"half of what a run is wri")
    assert chain.verify(made).notes == (), "beside a run there is no false alarm"


def test_a_manifest_that_says_otherwise(made: Path) -> None:
    path = made / "manifest.jsonl"
    path.write_text(path.read_text().replace("1.jsonl", "9.jsonl"))

    sentence = "it says otherwise than the records: it was changed; `auditbook rebuild` makes it again."
    assert chain.verify(made).broken == Break(None, "manifest.jsonl", sentence)


def test_what_is_missing_beside_the_commits_is_said_and_is_no_break(made: Path) -> None:
    (made / "manifest.jsonl").unlink()
    (made / "auditbook.duckdb").unlink()

    found = chain.verify(made)

    assert found.ok
    assert found.notes == (
        "auditbook.duckdb is not there; `auditbook rebuild` makes it again.",
        "manifest.jsonl is not there; `auditbook rebuild` makes it again.",
    )


def test_a_run_that_goes_on_meanwhile_is_no_break(
    made: Path, signed: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits were read before a load, what is beside them after it: it is looked at again."""
    looked = beside.check
    turns: list[int] = []

    def check(store: Path, known: Sequence[stores.Commit], documents: Sequence[Path]) -> Beside:
        if not turns:
            load([put(tmp_path / "late.jsonl", lines(40, 41))], store=store, config=signed_by(key))
        turns.append(len(known))
        return looked(store, known, documents)

    key = signed[0].parent / "key.pem"
    monkeypatch.setattr(beside, "check", check)

    found = chain.verify(made)

    assert (found.broken, found.commits, turns) == (None, 5, [4, 5])


def test_a_report_is_held_against_the_chain(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", lines(1, 30))
    auditbook("run", "a.jsonl", "-q", "--as-of", "2026-10-31")
    report = tmp_path / "out/2026-10-31/review.html"

    fresh = auditbook("verify", report)
    auditbook("load", put(tmp_path / "b.jsonl", lines(31, 31)), "-q")
    later = auditbook("verify", report)
    report.chmod(0o600)
    report.write_bytes(report.read_bytes().replace(b"30", b"31", 1))
    changed = auditbook("verify", report)

    assert "in no commit yet, the next one takes it in" in fresh.stdout
    assert "review.html is review " in later.stdout
    assert ", in commit 3\n" in later.stdout
    assert changed.returncode == 5
    assert changed.stderr == (
        "auditbook: review.html is no report that the chain tells of: it was changed, or made elsewhere.\n"
    )
