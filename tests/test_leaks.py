"""Every command there is, asked of a store with planted secrets: what it prints and writes, and its errors."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import pipeline
from pipeline import engine
from pipeline.cli import cli
from pipeline.load import load
from reports import pdf
from tests.exports import CONFIG, line, put
from tests.test_privacy import KEY, PEOPLE, SECRETS, leaks, planted

BY = ("--by", "Dana Ruiz", "--reason", f"because of {SECRETS['another shape']}")
ENTITY = "print_job:job1"
KINDS = (
    "review",
    "failures",
    "communications",
    "accounting",
    "access",
    "integrity",
    "activity",
    "digest",
    "log",
)
ENDINGS = ("csv", "json", "jsonl", "parquet", "xlsx", "ocsf.jsonl", "html", "pdf")
# How each command is asked; {uid}, {finding} and {report} are filled in. Those that take no --audience are for the
# owner's eyes: people stand in them, secrets do not.
ASKED: dict[str, list[tuple[str, ...]]] = {
    "run": [("b.jsonl", "--out", "again", "--as-of", "2026-10-31")],
    "load": [("b.jsonl",), ("b.jsonl", "--json"), ("b.jsonl", "-v")],
    "detect": [(), ("--since", "2026-10-01", "--json")],
    "report": [
        *((kind, "--out", f"{kind}-out", "--as-of", "2026-10-31") for kind in KINDS),
        ("entity", ENTITY, "--out", "entity-out"), ("actor", "ana@example.com", "--out", "actor-out"),
        ("incident", "{finding}", "--out", "incident-out"),
    ],
    "events": [("--limit", "0", "--format", shape) for shape in ("table", "csv", "json", "jsonl", "ocsf")],
    "show": [("{uid}",), ("{uid}", "--json")],
    "history": [(ENTITY,), (ENTITY, "--format", "jsonl")],
    "recipe": [
        *((name, "--as-of", "2026-10-31") for name in (
            "access-review", "accounting-check", "approval-evidence", "automated-behaviour", "automation-runs",
            "communication-evidence", "critical-actions", "exported-without-approval", "failed-jobs",
            "impersonated-actions", "leaver-check", "preflight-trace", "printer-connectivity", "runs",
            "stage-coverage", "support-bundle")),
        *((name, ENTITY) for name in (
            "conflicts", "contributors", "dwell", "hand-overs", "state", "who-tagged", "communication-evidence")),
        ("ip-story", "203.0.113.77"), ("user-day", "ana@example.com"), ("when-value", ENTITY, "--set", "field=apiKey",
         "--set", "value=x"), ("why-status", ENTITY, "--set", "status=x"),
        ("critical-actions", "--format", "jsonl"), ("support-bundle", "--format", "json"),
    ],
    "values": [(column,) for column in ("actor", "action", "entity", "ip", "source", "detail")],
    "export": [("--output", f"made.{ending}") for ending in ENDINGS] + [("--format", "csv")],
    "findings list": [(), ("--format", "csv"), ("--format", "jsonl")],
    "findings cases": [(), ("--format", "jsonl")],
    "findings show": [("{finding}",), ("{finding}", "--json")],
    "findings review": [("{finding}", "--status", "accepted", *BY)],
    "rejects": [(), ("--format", "csv"), ("--format", "json"), ("--format", "jsonl")],
    "ledger": [(), ("--format", "json")],
    "remap": [("printago",)],
    "forget": [("a.jsonl", "--plan"), ("a.jsonl", "--plan", "--json"), ("a.jsonl", "--yes")],
    "sources list": [()],
    "sources show": [("printago",)],
    "sources check": [("a.jsonl",), ("a.jsonl", "--json")],
    "sources new": [("acme", "--from", "a.jsonl")],
    "sources actors": [(), ("--format", "jsonl")],
    "detectors list": [()],
    "detectors show": [("bulk_delete",)],
    "detectors coverage": [(), ("--format", "jsonl")],
    "detectors test": [("rules",)],
    "verify": [(), ("--json",), ("{report}",)],
    "evidence": [(what, "--out", f"case{n}.zip") for n, what in enumerate(("{finding}", ENTITY, "{report}"))],
    "reperform": [("{report}",)],
    "keys list": [()],
    "keys new": [("made.pem",)],
    "retain": [(), ("--json",), ("--apply", "--as-of", "2030-01-01", "--word", "purge 54")],
    "retain hold add": [("--actor", "ana@example.com", "--case", f"about {SECRETS['another shape']}", *BY)],
    "retain hold list": [(), ("--format", "jsonl")],
    "retain hold release": [("hold-4", *BY)],
    "erase": [("ana@example.com",), ("ana@example.com", "--json")],
    "originals": [(), ("--format", "json")],
    "rebuild": [()],
    "sql": [
        (f"FROM {table}", "--format", "jsonl") for table in (
            "events", "lines", "stored_lines", "rejects", "event_lines", "event_changes", "event_entities",
            "event_messages", "activity", "actors", "people", "findings", "finding_versions", "current_findings",
            "dispositions", "holds", "commits", "files", "habits", "places", "cases", "job_runs",
            "correlation_groups", "detector_coverage", "settings", "tombstones")
    ],
    "doctor": [()],
}  # fmt: skip
CONTENT = planted() + b"".join(
    line(n, action="delete", createdAt=f"2026-10-05T10:{n}:00Z", actorName="Ana Silva", ipAddress="203.0.113.77",
         metadata={"password": SECRETS["a named field"]})
    for n in range(30, 60)
)  # fmt: skip
SAYS_NOTHING_OF_A_STORE = {"demo", "init", "keys rotate"}


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield name.strip(), command
        for word, inner in command.commands.items():
            yield from leaves(inner, f"{name} {word}")
    else:
        yield name.strip(), command


LEAVES = dict(leaves(cli))
TAKES_AUDIENCE = [
    name for name, one in LEAVES.items()
    for option in one.params
    if "--audience" in option.opts and "external" in getattr(option.type, "choices", ())
    and name != "evidence"  # which refuses it: a case holds the record as it is
]  # fmt: skip


def test_every_command_is_asked() -> None:
    assert {*ASKED, *SAYS_NOTHING_OF_A_STORE} == set(LEAVES)


def test_every_kind_of_report_and_recipe_is_asked() -> None:
    from pipeline.cli.report import KINDS as known
    from pipeline.recipefile import shipped

    assert {one[0] for one in ASKED["report"]} == set(known)
    assert {one[0] for one in ASKED["recipe"]} == set(shipped())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a store, originals, a report, a rule; and what stands for {uid}, {finding} and {report}."""
    folder = tmp_path_factory.mktemp("leaks")
    put(folder / "a.jsonl", CONTENT)
    (folder / "auditbook.toml").write_text(
        '[organization]\ntimezone = "UTC"\n[privacy]\nkey_env = "PSEUDONYMS"\n[detectors.bulk_delete]\nthreshold = 5\n'
        '[sources.printago]\nretention = "2 years"\n'
    )
    shipped = Path(pipeline.__file__).parent / "detectors"
    for name in ("bulk_delete.sql", "bulk_delete.cases.toml"):
        put(folder / "rules" / name, (shipped / name).read_bytes())
    code, text = said(folder, "run", "a.jsonl", "--as-of", "2026-10-31")
    assert (code, leaks(text, SECRETS.values())) == (0, [])
    with pipeline.open(folder / "store") as log:
        [(uid,)] = log.con.execute(
            "SELECT event_uid FROM events WHERE source_event_id = 'evt0001'"
        ).fetchall()
        [(finding,)] = log.con.execute(
            "SELECT finding_id FROM findings WHERE detector = 'bulk_delete'"
        ).fetchall()
    [report] = (folder / "out").rglob("review.html")
    assert said(folder, "findings", "review", finding, "--status", "accepted", *BY)[0] == 0
    assert said(folder, "retain", "hold", "add", "--source", "hoops", "--case", "x", *BY)[0] == 0
    put(folder / "b.jsonl", CONTENT.replace(b"evt0", b"evt7"))
    return folder, {"uid": uid, "finding": finding, "report": str(report)}


@pytest.fixture
def place(made: tuple[Path, dict[str, str]], tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(made[0], tmp_path / "place"))


def said(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and everything that was printed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("AUDITBOOK_STORE", raising=False)
        if (
            "communications" not in arguments and "review" not in arguments
        ):  # what is printed is what is shown
            patched.setattr(pdf, "missing", lambda: "not on this machine.")
        done = CliRunner().invoke(cli, arguments, env=KEY)
    return done.exit_code, done.output + done.stderr


def words(path: Path) -> str:
    """What a file says to whoever opens it with what it is made for."""
    if path.suffix == ".pdf":
        return subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout
    if path.suffix == ".parquet":
        with engine.connect() as connection:
            return str(connection.execute("FROM read_parquet(?)", [str(path)]).fetchall())
    if path.suffix in (".zip", ".xlsx"):
        with zipfile.ZipFile(path) as archive:
            return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    return path.read_bytes().decode("utf-8", "replace")


def asked(
    folder: Path, facts: dict[str, str], command: str, hidden: tuple[str, ...], *more: str
) -> list[str]:
    """Everywhere that something hidden is said: printed by the command, or written into its files."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    found = []
    for given in ASKED[command]:
        typed = [*command.split(), *(word.format(**facts) for word in given), *more]
        code, text = said(folder, *typed)
        assert code in (0, 4), (typed, text)
        found += [f"{typed}: {word}" for word in leaks(text, hidden)]
    for path in folder.rglob("*"):
        if path.is_file() and "store" not in path.parts and before.get(path) != path.stat().st_mtime_ns:
            found += [f"{path.name}: {word}" for word in leaks(words(path), hidden)]
    return found


@pytest.mark.parametrize("command", ASKED)
def test_no_secret_leaves_the_store(made: tuple[Path, dict[str, str]], place: Path, command: str) -> None:
    assert asked(place, made[1], command, tuple(SECRETS.values())) == []


@pytest.mark.parametrize("command", TAKES_AUDIENCE)
def test_nobody_is_named_to_others(made: tuple[Path, dict[str, str]], place: Path, command: str) -> None:
    names = (*(name for name in PEOPLE if name != "203.0.113.77"), *SECRETS.values())
    assert asked(place, made[1], command, names, "--audience", "external") == []


def test_what_notebooks_show(made: tuple[Path, dict[str, str]]) -> None:
    folder, facts = made
    with pipeline.open(folder / "store") as log:
        event, history = log.event(facts["uid"]), log.history(ENTITY)
        shown = [
            log, event, history, log.events(), log.events().by("actor_name", "reason"), log.findings(), log.cases(),
            log.rejects(), log.ledger(), log.actors(), log.coverage(), log.sql("FROM events"), log.sql("FROM lines"),
            log.recipe("critical-actions"), log.recipe("state", ENTITY), log.evaluate("bulk_delete", threshold=3),
            log.events().timeline(), log.events().heatmap(), log.events().matrix(), log.events().shared_ips(),
            history.state(), history.conflicts(), history.dwell(), history.contributors(), history.handovers(),
            history.runs(),
        ]  # fmt: skip
        texts = [repr(one) + one._repr_html_() for one in shown]
        texts += [
            str(log.events().pl().to_dicts()),
            str(log.findings().arrow().to_pylist()),
            str(log.events().df()),
        ]
    assert [(n, leaks(text, SECRETS.values())) for n, text in enumerate(texts)] == [
        (n, []) for n in range(len(texts))
    ]


ERRORS = (
    ("events", "--actor", "{secret}"), ("events", "--source", "{secret}"), ("events", "--since", "{secret}"),
    ("events", "--preset", "{secret}"), ("show", "{secret}"), ("history", "job:{secret}"), ("history", "{secret}"),
    ("findings", "show", "{secret}"), ("findings", "--detector", "{secret}"), ("recipe", "{secret}"),
    ("report", "entity", "job:{secret}"), ("report", "{secret}"), ("load", "{secret}.jsonl"), ("forget", "{secret}"),
    ("remap", "{secret}"), ("sources", "show", "{secret}"), ("sources", "check", "{secret}.jsonl"), ("{secret}",),
    ("verify", "--head", "{secret}"), ("verify", "{secret}.html"), ("reperform", "{secret}"),
    ("evidence", "{secret}", "--out", "x.zip"), ("keys", "rotate", "--to", "{secret}"), ("originals", "{secret}"),
    ("retain", "hold", "release", "{secret}", "--by", "x", "--reason", "y"), ("erase", "{secret}", "--apply"),
    ("sql", "SELECT '{secret}'::INT"), ("sql", "SELECT {secret}"), ("sql", "SELECT raw::INT FROM lines"),
    ("sql", "SELECT raw::JSON->'metadata'->>'password'::INT FROM lines"), ("export", "--output", "/nowhere/{secret}"),
    ("sql", "SELECT reason::INT FROM events"), ("sql", "SELECT metadata::INT FROM events"),
    ("events", "--config", "{secret}.toml"), ("events", "--store", "{secret}"), ("detectors", "show", "{secret}"),
)  # fmt: skip


@pytest.mark.parametrize("arguments", ERRORS, ids=" ".join)
def test_no_error_shows_a_secret(made: tuple[Path, dict[str, str]], arguments: tuple[str, ...]) -> None:
    secret = SECRETS["a key of a shape"]
    code, text = said(made[0], *(word.format(secret=secret) for word in arguments))

    assert leaks(text, SECRETS.values()) == []
    assert code != 0 or "0 of" in text or "no " in text.lower() or re.search(r"\b0 ", text), text


def test_no_message_of_a_load_shows_a_secret(tmp_path: Path, store: Path) -> None:
    """What is new, unknown, mangled, rejected: each is told of, by its name and not by its value."""
    secret = SECRETS["a key of a shape"]
    odd = planted().replace(b'"update"', f'"{secret}"'.encode()).replace(b'"to":', f'"{secret}":'.encode())
    result = load([put(tmp_path / "a.jsonl", odd)], store=store, config=CONFIG)

    assert result.counts.events > 0
    put(tmp_path / "odd" / "x.jsonl", f'{{"what": "{secret}"}}\n'.encode())
    code, text = said(tmp_path, "load", str(tmp_path / "odd"), "--store", str(store))
    assert code == 4
    assert leaks(text, SECRETS.values()) == []
    code, text = said(tmp_path, "sources", "check", "a.jsonl")
    assert leaks(text, SECRETS.values()) == []
