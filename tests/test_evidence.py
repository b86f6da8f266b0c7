"""What is handed out can be checked by whoever gets it, and made again by us."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import pipeline
from pipeline import bundle, chain, signing
from pipeline import store as stores
from pipeline.config import Config, read
from pipeline.detect import detect
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from tests.conftest import Auditbook
from tests.exports import line, put

DELETED = b"".join(line(n, action="delete", createdAt=f"2026-10-05T10:{n:02d}:00Z") for n in range(10, 40))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a signed store, findings in it, a case; and the public key."""
    folder = tmp_path_factory.mktemp("case")
    public = signing.new(folder / "key.pem").public
    (folder / "auditbook.toml").write_text(
        f'[signing]\nkey = "{folder}/key.pem"\n[detectors.bulk_delete]\nthreshold = 5\n'
    )
    config = read(folder / "auditbook.toml")
    secret = line(40, action="delete", createdAt="2026-10-05T10:40:00Z", metadata={"password": "hunter2"})
    load([put(folder / "a.jsonl", DELETED + secret)], store=folder / "store", config=config)
    detect(folder / "store", config=config)
    with pipeline.open(folder / "store") as log:
        [(finding,)] = log.con.execute(
            "SELECT finding_id FROM findings WHERE detector = 'bulk_delete'"
        ).fetchall()
    bundle.hand_out(folder / "store", finding[:8], folder / "case.zip", config)
    return folder, public


@pytest.fixture
def case(made: tuple[Path, str], tmp_path: Path) -> Path:
    with zipfile.ZipFile(made[0] / "case.zip") as archive:
        archive.extractall(tmp_path / "case")
    return tmp_path / "case"


def checked(case: Path, *arguments: str) -> tuple[int, str]:
    """verify.py alone: no site-packages, no environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(case / "verify.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1]


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(case: Path) -> None:
        text = (case / name).read_text("utf-8")
        assert old in text
        (case / name).write_text(text.replace(old, new, 1), "utf-8")

    return change


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed line": (edit("lines.jsonl", "usr_ana", "usr_ben"), "lines.jsonl was changed"),
    "a changed event": (edit("events.jsonl", "delete", "create"), "events.jsonl was changed"),
    "a changed rule": (edit("rules/bulk_delete.sql", "SELECT", "select"), "rules/bulk_delete.sql was changed"),
    "a changed manifest": (
        edit("MANIFEST.json", "1 finding", "2 finding"), "the newest record tells of another case than this one"
    ),
    "a changed record": (
        edit("records/000001.json", '"kind": "load"', '"kind": "lead"'), "records/000001.json was changed"
    ),
    "a record less": (
        lambda case: (case / "records/000003.json").unlink(), "the newest record tells of another case than this one"
    ),
    "a changed newest record": (
        edit("records/000003.json", '"evidence"', '"avidence"'), "the content of record 3 was changed"
    ),
    "another signature": (
        edit("records/000003.json", '"signature": "', '"signature": "00'), "the signature of record 3 does not hold"
    ),
    "a document more": (
        lambda case: put(case / "documents/review.html", b"x"), "documents/review.html is in no manifest"
    ),
    "a file more": (lambda case: (case / "rules/mine.sql").write_text("x"), "rules/mine.sql is in no manifest"),
}  # fmt: skip


def test_a_case_is_checked_with_nothing_but_python(made: tuple[Path, str], case: Path) -> None:
    head = pipeline.verify(made[0] / "store").head

    assert checked(case, "--head", head, "--public-key", made[1]) == (0, "OK")
    assert checked(case, "--head", "f" * 64) == (1, f"BROKEN: the head {'f' * 64} is not in this chain")
    assert checked(case, "--public-key", "0" * 64) == (1, "BROKEN: record 1 is signed with another key")
    lines = [json.loads(text) for text in (case / "lines.jsonl").read_text().splitlines()]
    assert [one["redacted"] for one in lines].count(True) == 1
    assert "hunter2" not in (case / "lines.jsonl").read_text()
    assert chain.verify(made[0] / "store").commits == 3, "that it was handed out is a commit"


@pytest.mark.parametrize("kind", HARM)
def test_what_was_changed_is_named(case: Path, kind: str) -> None:
    harm, sentence = HARM[kind]
    harm(case)

    assert checked(case) == (1, f"BROKEN: {sentence}")


def test_a_line_that_was_changed_with_its_manifest(case: Path) -> None:
    """Whoever makes the hashes anew is stopped by the record, and without records by the line's own hash."""
    from pipeline import standalone

    edit("lines.jsonl", "usr_ana", "usr_ben")(case)

    with pytest.raises(standalone.Broken, match="is not the line of that hash"):
        standalone.check_lines(case)


def test_our_signatures_and_theirs_are_one() -> None:
    """The check in the case against the library, on good and on bent signatures."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pipeline import standalone

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes_raw().hex()
    for message in (b"", b"auditbook seal 00", b"x" * 300):
        signature = key.sign(message)
        assert standalone.signed(public, message, signature.hex())
        assert not standalone.signed(public, message + b"x", signature.hex())
        for place in (0, 31, 32, 63):
            bent = bytearray(signature)
            bent[place] ^= 1
            assert not standalone.signed(public, message, bent.hex())


def test_a_case_of_a_thing_with_its_secrets_for_full_eyes(made: tuple[Path, str], tmp_path: Path) -> None:
    store = shutil.copytree(made[0] / "store", tmp_path / "store")
    config: Config = read(made[0] / "auditbook.toml")

    case, done = bundle.hand_out(store, "print_job:job5", tmp_path / "job.zip", config, "full")

    assert (case.kind, len(case.uids)) == ("entity", 5)
    assert done.content["evidence"]["audience"] == "full"
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        assert "hunter2" in archive.read("lines.jsonl").decode()
    with pytest.raises(UsageError, match="it is not for external eyes"):
        bundle.hand_out(store, "print_job:job5", tmp_path / "x.zip", config, "external")
    with pytest.raises(UsageError, match='no event is about "print_job:none"'):
        bundle.hand_out(store, "print_job:none", tmp_path / "x.zip", config)


def test_a_case_tells_of_what_is_stored_no_more(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text("[detectors.bulk_delete]\nthreshold = 5\n")
    put(tmp_path / "a.jsonl", DELETED)
    auditbook("run", "a.jsonl", "-q", "--as-of", "2026-10-31")
    with pipeline.open(tmp_path / "store") as log:
        [(finding,)] = log.con.execute(
            "SELECT finding_id FROM findings WHERE detector = 'bulk_delete'"
        ).fetchall()
    auditbook("forget", "a.jsonl", "--reason", "wrong file", "--yes", "-q")

    done = auditbook("evidence", finding, "--out", "case.zip")

    gone = "30 events, 1 finding; 30 of the events are stored no more (purged, erased or withdrawn)"
    assert done.stdout.startswith(f"wrote case.zip: finding {finding}, {gone}\n"), done.stderr
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        archive.extractall(tmp_path / "case")
    told = subprocess.run(
        [sys.executable, str(tmp_path / "case/verify.py")], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith(f"case finding {finding}: {gone}\n")


def test_a_case_that_cannot_be_written_is_not_on_record(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    auditbook("load", "a.jsonl", "-q")
    head = stores.head(tmp_path / "store")

    done = auditbook("evidence", "print_job:job1", "--out", "nowhere/case.zip")

    assert (done.returncode, done.stderr) == (
        2, "auditbook: nowhere/case.zip cannot be written: there is no such folder.\n"
    )  # fmt: skip
    assert stores.head(tmp_path / "store") == head


@pytest.mark.parametrize("note", ['{"files": []}', "[]", '{"files": {"a": 1}, "head": "x"}', "\x00\xff{", ""])
def test_a_note_of_a_report_that_is_none_is_passed_over(store: Path, tmp_path: Path, note: str) -> None:
    load([put(tmp_path / "a.jsonl", line(1))], store=store, config=Config())
    (store / "reports.jsonl").write_text(note + "\n")

    assert chain.verify(store).ok
    load([put(tmp_path / "b.jsonl", line(2))], store=store, config=Config())
    assert "reports" not in stores.commits(store)[-1].record["run"]


def test_a_case_is_not_for_external_eyes(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    auditbook("load", "a.jsonl", "-q")

    done = auditbook("evidence", "print_job:job1", "--out", "case.zip", "--audience", "external")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "auditbook: a case holds the records of the chain, which name people: it is not for external eyes. Give "
        "--audience internal or full; `auditbook export --audience external` and reports are for others.\n"
    )
    assert not (tmp_path / "case.zip").exists()


def test_a_report_is_made_again(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", b"".join(line(n) for n in range(1, 30)))
    auditbook("run", "a.jsonl", "-q", "--as-of", "2026-10-31")
    put(tmp_path / "b.jsonl", b"".join(line(n) for n in range(30, 40)))
    auditbook("load", "b.jsonl", "-q")
    report = tmp_path / "out/2026-10-31/review.html"

    done = auditbook("reperform", report, "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"]
    assert {one["name"] for one in told["documents"]} >= {"review.html", "log.html"}
    other = auditbook("reperform", "a.jsonl")
    assert other.returncode == 2
    assert other.stderr.startswith("auditbook: a.jsonl is no report that the chain tells of.")


def test_every_kind_of_report_is_on_record_and_made_again(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    put(tmp_path / "a.jsonl", DELETED)
    invoke("load", "a.jsonl", "-q")
    asked = {
        "entity": ("print_job:job3",), "failures": ("--source", "printago", "--until", "2026-10-31"),
        "log": ("--actor", "ana@example.com", "--since", "2026-10-05", "--action", "delete"),
    }  # fmt: skip
    written = {}
    for kind, more in asked.items():
        done = invoke("report", kind, *more, "--as-of", "2026-10-31T08:00Z", "--json", "--out", kind)
        assert done.exit_code == 0, done.output
        written[kind] = [Path(path) for path in json.loads(done.stdout)["reports"]]
    put(tmp_path / "b.jsonl", line(50))
    invoke("load", "b.jsonl", "-q")

    record = json.loads((tmp_path / "store/commits/000002/record.json").read_bytes())
    assert [report["kind"] for report in record["run"]["reports"]] == list(asked)
    for kind, paths in written.items():
        again = invoke("reperform", paths[0])
        assert again.exit_code == 0, (kind, again.output)
    found = pipeline.verify(tmp_path / "store")
    assert (found.ok, found.reports) == (True, sum(map(len, written.values())))
    page = tmp_path / written["log"][0]
    page.write_bytes(page.read_bytes() + b" ")
    broken = pipeline.verify(tmp_path / "store").broken
    assert broken is not None
    assert (broken.file, broken.what) == (
        str(page), "it was changed: it is not the report that was written there."
    )  # fmt: skip
    page.unlink()
    assert pipeline.verify(tmp_path / "store").ok, "who handed a report on may have moved it"


def test_the_witness_is_told_of_each_head(auditbook: Auditbook, tmp_path: Path) -> None:
    config = tmp_path / "auditbook.toml"
    config.write_text('[signing]\nwitness = ["tee", "-a", "witness.jsonl"]\n')
    put(tmp_path / "a.jsonl", line(1))
    auditbook("load", "a.jsonl", "-q")

    told = json.loads((tmp_path / "witness.jsonl").read_text())
    assert told["head"] == pipeline.verify(tmp_path / "store").head
    assert (told["commit"], told["signature"]) == (1, None)
    config.write_text('[signing]\nwitness = ["false"]\n')
    put(tmp_path / "b.jsonl", line(2))
    failed = auditbook("load", "b.jsonl", "-q")
    head = pipeline.verify(tmp_path / "store").head
    assert failed.returncode == 1
    assert failed.stderr == (
        f"auditbook: the witness was not told of head {head[:12]} (false: exit 1). What was done is committed; the "
        "next run tells it the newest head.\n"
    )


def test_python_tells_the_witness_as_the_command_does(tmp_path: Path) -> None:
    config = tmp_path / "auditbook.toml"
    config.write_text(f'[signing]\nwitness = ["tee", "-a", "{tmp_path}/witness.jsonl"]\n')

    def run(name: str) -> str:
        export = put(tmp_path / name, line(1))
        return pipeline.run([str(export)], store=tmp_path / "store", out=tmp_path / "out", config=config).head

    head = run("a.jsonl")
    [told] = (tmp_path / "witness.jsonl").read_text().splitlines()
    assert json.loads(told)["head"] == head

    config.write_text('[signing]\nwitness = ["false"]\n')
    with pytest.raises(
        AuditbookError, match=r"the witness was not told of head [0-9a-f]{12} \(false: exit 1\)"
    ):
        run("b.jsonl")
    assert len(stores.commits(tmp_path / "store")) == 3, "what was done is committed"


def test_an_error_leaves_what_was_committed_and_the_witness_is_told_of_it(tmp_path: Path) -> None:
    config = tmp_path / "auditbook.toml"
    config.write_text(f'[signing]\nwitness = ["tee", "-a", "{tmp_path}/witness.jsonl"]\n')
    (tmp_path / "out").write_text("a file where reports would be written")

    with pytest.raises(AuditbookError):
        pipeline.run([str(put(tmp_path / "a.jsonl", line(1)))], store=tmp_path / "store", out=tmp_path / "out",
                     config=config)  # fmt: skip

    [told] = (tmp_path / "witness.jsonl").read_text().splitlines()
    assert json.loads(told)["head"] == stores.head(tmp_path / "store")


def test_whatever_commits_sends_its_head_out(invoke: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text(
        '[signing]\nkey = "key.pem"\nwitness = ["tee", "-a", "witness.jsonl"]\n'
        '[detectors.bulk_delete]\nthreshold = 5\n[sources.printago]\nretention = "2 years"\n'
    )
    signing.new(tmp_path / "key.pem")
    following = signing.new(tmp_path / "next.pem").public
    put(tmp_path / "a.jsonl", DELETED)
    put(tmp_path / "b.jsonl", b"".join(line(n) for n in range(50, 60)))
    by = ("--by", "Dana Ruiz", "--reason", "because")
    later = ("--as-of", "2028-10-05T10:30Z")

    def done(*arguments: object) -> str:
        found = invoke(*arguments)
        assert found.exit_code == 0, (arguments, found.output)
        heads = [json.loads(text) for text in (tmp_path / "witness.jsonl").read_text().splitlines()]
        newest = stores.commits(tmp_path / "store")[-1]
        assert (heads[-1]["commit"], heads[-1]["head"]) == (newest.number, newest.head), arguments
        assert heads[-1]["signature"] == newest.record["signature"]
        return newest.kind

    kinds = [done("load", "a.jsonl", "b.jsonl", "-q"), done("detect", "-q")]
    with pipeline.open(tmp_path / "store") as log:
        [(finding,)] = log.con.execute(
            "SELECT finding_id FROM findings WHERE detector = 'bulk_delete'"
        ).fetchall()
    kinds += [
        done("findings", "review", finding, "--status", "accepted", *by),
        done("evidence", finding, "--out", "case.zip", "-q"),
        done("retain", "hold", "add", "--source", "hoops", *by), done("retain", "hold", "release", "hold-5", *by),
        done("forget", "b.jsonl", "--reason", "wrong", "--yes", "-q"),
        done("retain", "--apply", *later, "--word", "purge 20"),
        done("erase", "ana@example.com", "--apply", *by, "--word", "erase 10"),
        done("keys", "rotate", "--to", following),
    ]  # fmt: skip
    assert kinds == [
        "load", "detect", "disposition", "evidence", "hold", "hold", "forget", "retention", "erasure", "key"
    ]  # fmt: skip
    (tmp_path / "key.pem").write_bytes((tmp_path / "next.pem").read_bytes())
    put(tmp_path / "c.jsonl", line(70))
    done("run", "c.jsonl", "-q", "--as-of", "2026-10-31")
    told = (tmp_path / "witness.jsonl").read_text().count("\n")
    assert done("run", "c.jsonl", "-q", "--as-of", "2026-10-31") == "detect", "nothing is new"
    assert (tmp_path / "witness.jsonl").read_text().count("\n") == told + 1, "it may not have heard the last"


def test_a_report_says_what_was_purged(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text(
        '[sources.printago]\nretention = "2 years"\nlegal_basis = "contract"\n'
    )
    put(tmp_path / "a.jsonl", b"".join(line(n) for n in range(1, 41)))
    auditbook("run", "a.jsonl", "-q", "--as-of", "2026-10-31")
    done = auditbook("retain", "--apply", "--as-of", "2028-10-02T12:00Z", "--word", "purge 35")
    assert done.returncode == 0, done.stderr

    period = ("--since", "2026-10-01", "--until", "2026-10-31", "--as-of", "2028-10-02")
    again = auditbook("report", "review", *period, "--out", "later")

    assert again.returncode == 0, again.stderr
    [page] = (tmp_path / "later").rglob("review.html")
    text = page.read_text()
    assert "kept 2 years" in text
    assert "35 events were removed by retention or erasure (commit 3), some of this period" in text
    gone = auditbook("reperform", tmp_path / "out/2026-10-31/review.html")
    assert gone.returncode == 0, "the files that were replaced are still there for a day"
