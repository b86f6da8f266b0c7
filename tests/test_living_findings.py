"""What is shown and asked of findings: cases, who may decide, suppressions that ran out, and what each rule can see."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pipeline
from pipeline import decide, detect, detector, findings
from pipeline.config import Config, from_dict
from pipeline.errors import UsageError
from pipeline.load import load
from tests.conftest import Auditbook
from tests.test_detect import NIGHT, deletion

PEOPLE = {
    "Ana Lima": {"aliases": ["ana@example.com", "hoops:usr_7"], "name": "Ana L."},
    "hoops:usr_8": {"aliases": ["printago:id of ana"], "name": "Ana L."},
}


def record(number: int, minutes: float, **values: object) -> dict[str, object]:
    return {**deletion(number, minutes), **values}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ana deletes much and changes a role on one day; Ben changes a role on the same day."""
    tmp_path = tmp_path_factory.mktemp("judged")
    store = tmp_path / "store"
    role = {"action": "update", "detailedAction": "role.update", "entityType": "Roles"}
    records = [
        *(record(n, n) for n in range(30)),
        record(40, 50, **role),
        record(41, 51, **role, actorEmail="ben@example.com", actorId="id of ben"),
        record(42, 52, action="read", actorEmail=None, actorId="id of ana"),
    ]
    (tmp_path / "printago.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    config = from_dict({"actors": PEOPLE})
    load([str(tmp_path / "printago.jsonl")], store=store, config=config, source="printago")
    detect.detect(store, config=config)
    return store


@pytest.fixture
def judged(once: Path, store: Path) -> Path:
    """A copy of that store, to do with what one likes."""
    shutil.copytree(once, store)
    return store


def test_what_one_person_did_on_one_day_is_one_case(judged: Path, auditbook: Auditbook) -> None:
    with pipeline.open(judged) as log:
        rows = (
            log.cases()
            .pl()
            .select("person", "local_date", "severity", "findings", "open", "detectors")
            .rows()
        )
        ids = dict(log.sql("SELECT person, case_id FROM cases").pl().rows())
        assert [(str(r[0]), str(r[1]), *r[2:]) for r in sorted(rows, key=str)] == [
            ("Ana Lima", "2026-03-02", "high", 2, 2, ["bulk_delete", "permission_change"]),
            ("ben@example.com", "2026-03-02", "medium", 1, 1, ["permission_change"]),
        ]
        assert log.findings(case=ids["Ana Lima"][:5]).count() == 2

    listed = auditbook("findings", "--case", ids["Ana Lima"], "--store", str(judged), "--format", "jsonl")
    assert {json.loads(line)["detector"] for line in listed.stdout.splitlines()} == {
        "bulk_delete",
        "permission_change",
    }
    unknown = auditbook("findings", "--case", "zz", "--store", str(judged))
    assert '"zz" is not a case. `auditbook findings cases` lists them.' in unknown.stderr


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        ("Ana Lima", "the finding is about Ana Lima's own actions."),
        ("ANA@example.com", "ANA@example.com is Ana Lima, whose own actions the finding is about."),
        ("Ana L.", "Ana L. is Ana Lima, whose own actions the finding is about."),
        ("usr_7", "usr_7 is Ana Lima, whose own actions the finding is about."),
        (" ana@example.com ", "ana@example.com is Ana Lima, whose own actions the finding is about."),
        ("ana", "ana is Ana Lima, whose own actions the finding is about."),
        (
            "A. L. <Ana@example.com>",
            "A. L. <Ana@example.com> is Ana Lima, whose own actions the finding is about.",
        ),
        ("Ana  Lima", "Ana  Lima is Ana Lima, whose own actions the finding is about."),
        ("Lima, Ana", "Lima, Ana is Ana Lima, whose own actions the finding is about."),
        ("Àna Lima", "Àna Lima is Ana Lima, whose own actions the finding is about."),
        (
            "Ana+audit@example.com",
            "Ana+audit@example.com is Ana Lima, whose own actions the finding is about.",
        ),
        (
            "A.\u00a0L. (ANA.LIMA)",
            "A.\u00a0L. (ANA.LIMA) is Ana Lima, whose own actions the finding is about.",
        ),
        (
            "id of ana@example.com",
            "id of ana@example.com is Ana Lima, whose own actions the finding is about.",
        ),
        ("USR 8", "USR 8 has the name of Ana Lima, whose own actions the finding is about."),
        ("usr_8", "usr_8 has the name of Ana Lima, whose own actions the finding is about."),
    ],
)
def test_nobody_decides_about_their_own_actions(judged: Path, by: str, sentence: str) -> None:
    with pipeline.open(judged) as log:
        [finding] = log.findings(detector="bulk_delete").pl()["finding_id"].to_list()
    with pytest.raises(UsageError) as refused:
        decide.decide(judged, finding, status="accepted", by=by, reason="It was planned.")
    assert str(refused.value) == f"{sentence} Somebody else has to decide; --by names the person who does."
    others = ("ben@example.com", "ana@example.org", "Ana Limasol", "An")
    for other in others:
        decide.decide(judged, finding, status="accepted", by=other, reason="It was planned.")
    with pipeline.open(judged) as log:
        assert log.sql(
            "SELECT reviewer, os_user IS NOT NULL FROM dispositions ORDER BY commit_no"
        ).pl().rows() == [(other, True) for other in others]


TOGETHER = {
    "Ana Lima": {"aliases": ["ana@example.com"]},
    "jorg@example.com": {"aliases": ["ben@example.com"], "name": "Jörg Müller-Weiß"},
}
JORGS = [
    "JÖRG MÜLLER-WEISS", "Jorg Muller-Weiss", "Joerg Mueller-Weiß", "MÜLLER-WEIẞ, Jörg", "Müller-Weiß Jörg",
    "printago:id of ben", "PRINTAGO:ID OF BEN", "mailto:ben@example.com", "MAILTO:Jorg@example.com?subject=x",
    "jorg+desk@example.com", " Jörg  Müller-Weiß ", "J\u043erg M\u00fcller-Wei\u00df", "b\u0435n@example.com",
    "Jo\u0308rg Mu\u0308ller-Weiß", "\uff2aörg Müller-Weiß", "Jörg\u200b Müller-Weiß", "ben@ex\u200bample.com",
]  # fmt: skip
SEVERAL_JORGS = [
    "Jörg Müller-Weiß, CISO", "CISO, Jörg Müller-Weiß", "dana@example.com, ben@example.com",
    "Dana Ruiz; Jorg Muller-Weiss", "Dana ben@example.com", "Dana Ruiz / Jörg Müller-Weiß", "Jörg Müller-Weiß - CISO",
    "ben, CISO", "dana@x.io;ben@example.com",
]  # fmt: skip
OTHER_JORGS = [
    "Jörg Weiß", "Jörg Müller", "Müller, Jörg", "Jörg Müller-Weißer", "jorg@example.org", "printago:id of bens",
    "hoops:id of ben", "Souza, Ben", "Souza, Ben, CISO", "mailto:bens@example.com", "Иван Петров", "Ana Lima",
    "田中 愛子",
]  # fmt: skip


@pytest.fixture(scope="module")
def jorg(once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """That store with who is who in another way, and a finding about Jörg."""
    store = tmp_path_factory.mktemp("jorg") / "store"
    shutil.copytree(once, store)
    detect.detect(store, config=from_dict({"actors": TOGETHER}))
    with pipeline.open(store) as log:
        [finding] = log.sql("SELECT finding_id FROM findings WHERE subject LIKE 'Jörg%'").pl()["finding_id"]
    return store, finding


@pytest.mark.parametrize("by", [*JORGS, *SEVERAL_JORGS])
def test_nobody_is_somebody_else_by_how_they_write_themselves(jorg: tuple[Path, str], by: str) -> None:
    with pytest.raises(UsageError) as refused:
        decide.decide(*jorg, status="accepted", by=by, reason="It was planned.")
    assert str(refused.value) == (
        f"{by.strip()} is jorg@example.com, whose own actions the finding is about. "
        "Somebody else has to decide; --by names the person who does."
    )


@pytest.mark.parametrize(
    ("by", "word", "alphabets"),
    [
        ("Dan\u0430 Ruiz", "Dan\u0430", "Cyrillic and Latin"),
        ("D\u03b1n\u0430 Ruiz", "D\u03b1n\u0430", "Cyrillic, Greek and Latin"),
        (" A\u03bda L", "A\u03bda", "Greek and Latin"),
    ],
)
def test_a_word_of_several_alphabets_names_nobody(
    jorg: tuple[Path, str], by: str, word: str, alphabets: str
) -> None:
    with pytest.raises(UsageError) as refused:
        decide.decide(*jorg, status="accepted", by=by, reason="It was planned.")
    assert str(refused.value) == (
        f'--by "{by.strip()}": "{word}" has {alphabets} letters, which look alike. '
        "Write each word of a name in one alphabet."
    )


def test_who_is_only_called_alike_decides(jorg: tuple[Path, str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(jorg[0], store)
    for by in OTHER_JORGS:
        decide.decide(store, jorg[1], status="accepted", by=by, reason="It was planned.")
    with pipeline.open(store) as log:
        told = log.sql("SELECT reviewer FROM dispositions ORDER BY commit_no").pl()["reviewer"].to_list()
    assert told == OTHER_JORGS


def test_a_decision_on_what_is_withdrawn_says_so(judged: Path, auditbook: Auditbook) -> None:
    with pipeline.open(judged) as log:
        [finding] = log.findings(detector="bulk_delete").pl()["finding_id"].to_list()
    command = (
        "findings",
        "review",
        finding,
        "--status",
        "accepted",
        "--by",
        "Cho",
        "--reason",
        "x",
        "--store",
        judged,
    )
    assert auditbook(*command).stderr == ""
    detect.detect(
        judged, config=from_dict({"actors": PEOPLE, "detectors": {"bulk_delete": {"enabled": False}}})
    )
    done = auditbook(*command)
    assert (done.returncode, done.stderr) == (
        0, f"auditbook: {finding} is withdrawn: no rule finds it any more, and it stays so whatever is decided.\n",
    )  # fmt: skip


def in_zone(zone: str, **more: object) -> Config:
    return from_dict({"organization": {"timezone": zone}, "actors": PEOPLE, **more})


def test_a_decision_holds_through_its_day_where_the_organization_is(
    judged: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    """What is still today at the one end of the world is always past at the other."""
    west, east = "Etc/GMT+12", "Pacific/Kiritimati"
    today = (datetime.now(UTC) - timedelta(hours=11)).date()
    detect.detect(judged, config=in_zone(west))
    with pipeline.open(judged) as log:
        [finding] = log.findings(detector="bulk_delete", state="new").pl()["finding_id"].to_list()
    (tmp_path / "auditbook.toml").write_text(f'[organization]\ntimezone = "{west}"\n', "utf-8")
    command = ("findings", "review", finding, "--status", "accepted", "--by", "Cho", "--reason", "Planned.")
    done = auditbook(*command, "--until", today, "--store", judged)
    assert (done.returncode, done.stderr) == (0, "")

    rule = {"detector": "permission_change", "owner": "Ops", "reason": "Known.", "until": str(today)}
    for zone, states in ((west, {"reviewed", "suppressed"}), (east, {"new"})):
        with pipeline.open(judged, in_zone(zone, suppressions=[rule])) as log:
            assert set(log.findings().pl()["state"].to_list()) - {"withdrawn"} == states, zone
            told = "covers 2 of the findings until" if zone == west else "ran out on"
            assert [told in notice for notice in findings.notices(log.con)] == [True]


def test_a_decision_that_is_over_is_refused(judged: Path, auditbook: Auditbook) -> None:
    with pipeline.open(judged) as log:
        [finding] = log.findings(detector="bulk_delete").pl()["finding_id"].to_list()
    command = (
        "findings", "review", finding, "--status", "accepted", "--by", "Cho", "--reason", "Planned.", "--store", judged,
        "--as-of", "2026-03-03T00:30+02:00",
    )  # fmt: skip
    refused = auditbook(*command, "--until", "2026-03-01")
    assert refused.returncode == 2
    assert refused.stderr == (
        "auditbook: --until 2026-03-01 is over: it is 2026-03-02 in UTC. A decision holds up to and including its day; "
        "without --until it holds for good.\n"
    )
    assert auditbook(*command, "--until", "2026-03-02").returncode == 0
    old = auditbook(*command[:-2], "--until", "2020-01-01")
    assert old.returncode == 2
    assert "--until 2020-01-01 is over: it is 20" in old.stderr


def test_suppressions_say_what_they_cover(judged: Path) -> None:
    def rule(**values: str) -> dict[str, str]:
        return {"detector": "*", "owner": "Ops", "reason": "Known.", "until": "2026-03-31", **values}

    config = from_dict({
        "actors": PEOPLE,
        "suppressions": [rule(actor="ana lima"), rule(actor="ana lima", until="2026-03-01"), rule(source="hoops")],
    })  # fmt: skip
    with pipeline.open(judged, config) as log:
        log.con.execute("SET VARIABLE as_of = DATE '2026-03-02'")
        assert findings.notices(log.con) == [
            "suppression 1 (* of ana lima, Ops) covers 2 of the findings until 2026-03-31.",
            "suppression 2 (* of ana lima, Ops) ran out on 2026-03-01: what it covered counts again.",
            "suppression 3 (* of everybody, Ops) covers no finding.",
        ]


@pytest.mark.parametrize("again", [False, True])
def test_detect_tells_what_suppressions_cover(
    judged: Path, tmp_path: Path, auditbook: Auditbook, again: bool
) -> None:
    """Also when there is nothing to evaluate: a suppression may have run out since."""
    (tmp_path / "auditbook.toml").write_text(
        '[actors."ana@example.com"]\n[[suppressions]]\ndetector = "*"\nactor = "ana@example.com"\nowner = "Ops"\n'
        'reason = "Known."\nuntil = 2099-03-31\n'
    )
    for _ in range(1 + again):
        done = auditbook("detect", "--store", str(judged))
    assert done.returncode == 0
    told = "auditbook: suppression 1 (* of ana@example.com, Ops) covers 2 of the findings until 2099-03-31.\n"
    assert told in done.stderr


IDENTITY = [
    "Ana Lima", "ana@example.com", "ANA@Example.com", "hoops:usr_7", "id of ana@example.com", "Ana L.", "id of ana",
]  # fmt: skip


def test_a_suppression_takes_any_spelling_and_covers_the_whole_identity(
    judged: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    """Ana's findings came under an address, one more under an id that [actors] ties to her."""
    people = """[actors."Ana Lima"]
aliases = ["ana@example.com", "hoops:usr_7", "printago:id of ana"]
name = "Ana L."
"""
    (tmp_path / "auditbook.toml").write_text(people, "utf-8")
    exports = [
        record(50 + n, 60 + n, actorEmail=None, actorId="id of ana", action="export") for n in range(9)
    ]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(one) + "\n" for one in exports), "utf-8")
    where = ("--store", str(judged), "--config", str(tmp_path / "auditbook.toml"))
    assert auditbook("load", str(tmp_path / "more.jsonl"), "--source", "printago", *where).returncode == 0
    assert auditbook("detect", *where).returncode == 0
    for spelling in IDENTITY:
        rule = f"""[[suppressions]]
detector = "*"
actor = "{spelling}"
owner = "Ops"
reason = "Known."
until = 2099-03-31
"""
        (tmp_path / "auditbook.toml").write_text(people + rule, "utf-8")
        listed = auditbook("findings", *where, "--format", "jsonl").stdout.splitlines()
        assert {(row["detector"], row["subject"], row["state"]) for row in map(json.loads, listed)} == {
            ("bulk_delete", "Ana L.", "suppressed"),
            ("export_burst", "Ana L.", "suppressed"),
            ("permission_change", "Ana L.", "suppressed"),
            ("permission_change", "ben@example.com", "open"),
        }, spelling
        shown = auditbook("findings", *where).stdout
        assert f"suppression 1 (* of {spelling}, Ops) covers 3 of the findings until 2099-03-31." in shown


def test_a_suppression_by_a_name_that_two_have_says_so(judged: Path) -> None:
    rule = {"detector": "*", "owner": "Ops", "reason": "Known.", "until": "2099-03-31", "actor": "Sam"}
    config = from_dict({
        "actors": {"ana@example.com": {"name": "Sam"}, "ben@example.com": {"name": "Sam"}}, "suppressions": [rule],
    })  # fmt: skip
    with pipeline.open(judged, config) as log:
        assert findings.notices(log.con) == [
            "suppression 1 (* of Sam, Ops) covers 3 of the findings, of 2 people who are called so, until 2099-03-31.",
        ]


def told_of(store: Path, actors: dict[str, object], names: list[str]) -> list[str]:
    """What is said of suppressions of these people."""
    rule = {"detector": "*", "owner": "Ops", "reason": "Known.", "until": "2099-03-31"}
    config = from_dict({"actors": actors, "suppressions": [{**rule, "actor": name} for name in names]})
    with pipeline.open(store, config) as log:
        return findings.notices(log.con)


def test_a_suppression_is_folded_as_a_reviewer_is(judged: Path) -> None:
    names = [*JORGS, "J. <ben@example.com>"]
    assert told_of(judged, TOGETHER, names) == [
        f"suppression {number} (* of {name}, Ops) covers 1 of the findings until 2099-03-31."
        for number, name in enumerate(names, start=1)
    ]


def test_a_suppression_covers_nobody_else(judged: Path) -> None:
    """Neither who is called alike, nor everybody whom a list names, nor who has the beginning of an address."""
    names = [*(name for name in OTHER_JORGS if name != "Ana Lima"), "Jörg Müller-Weiß, CISO", "ben"]
    assert told_of(judged, TOGETHER, names) == [
        f"suppression {number} (* of {name}, Ops) covers no finding."
        for number, name in enumerate(names, start=1)
    ]


def test_who_is_spelled_exactly_so_goes_before_who_is_called_alike(judged: Path) -> None:
    """Whoever has the other order of a name may be another person."""
    actors: dict[str, object] = {"ana@example.com": {"name": "Li Wei"}, "ben@example.com": {"name": "Wei Li"}}
    assert told_of(judged, actors, ["Li Wei", "wei li", "LI, WEI"]) == [
        "suppression 1 (* of Li Wei, Ops) covers 2 of the findings until 2099-03-31.",
        "suppression 2 (* of wei li, Ops) covers 1 of the findings until 2099-03-31.",
        "suppression 3 (* of LI, WEI, Ops) covers 3 of the findings, of 2 people who are called so, until 2099-03-31.",
    ]


def test_no_suppression_of_a_person_covers_what_is_about_the_log(
    store: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    """A log of which Ana has every entry fell silent: the silence is nobody's, and no part of her day."""
    (tmp_path / "auditbook.toml").write_text(
        """[[suppressions]]
detector = "*"
actor = "ana@example.com"
owner = "Ops"
reason = "Known."
until = 2099-03-31
""",
        "utf-8",
    )
    hours = [n for n in range(0, 40 * 24) if not 30 * 24 <= n < 38 * 24]
    records = [record(n, 60 * n, action="read", detailedAction="part.read") for n in hours]
    (tmp_path / "printago.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    where = ("--store", str(store), "--config", str(tmp_path / "auditbook.toml"))
    assert auditbook("load", str(tmp_path / "printago.jsonl"), "--source", "printago", *where).returncode == 0
    assert auditbook("detect", *where).returncode == 0
    listed = auditbook("findings", *where, "--format", "jsonl", "--detector", "source_silence")
    assert [(row["subject"], row["state"]) for row in map(json.loads, listed.stdout.splitlines())] == [
        ("printago", "new")
    ]
    with pipeline.open(store) as log:
        people = log.sql("SELECT DISTINCT person FROM cases WHERE list_contains(detectors, 'source_silence')")
        assert people.pl().rows() == [(None,)]


def test_coverage_is_shown_by_detector_and_source(judged: Path, auditbook: Auditbook) -> None:
    shown = auditbook("detectors", "coverage", "--store", str(judged), "--format", "jsonl")
    rows = {row["detector"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert (rows["bulk_delete"]["sight"], rows["bulk_delete"]["in_scope"]) == ("works", 33)
    assert (rows["failed_job"]["sight"], rows["failed_job"]["why"]) == (
        "cannot", "None of its 33 events is in scope.",
    )  # fmt: skip
    assert (rows["mass_same_change"]["sight"], rows["mass_same_change"]["why"]) == (
        "cannot", "changes: never filled by this source.",
    )  # fmt: skip
    assert rows["off_hours"]["why"].startswith("Nobody has the 10 earlier days of activity")
    wrong = auditbook("detectors", "coverage", "--source", "zz", "--store", str(judged))
    assert '"zz" is not a source that was evaluated. Known are: printago.' in wrong.stderr


WMS = """title = "WMS"
version = 1
[about]
documentation = "none"
retention = "90 days"
permissions = "administrators"
logging = "always on"
entry_url = "not documented"
[recognise]
keys = ["wms_at", "wms_who"]
[time]
path = "wms_at"
format = "iso"
[columns]
actor_id = "wms_who"
action = "verb"
action_raw = "verb"
[classes]
logging = [{ column = "action", is = "stop" }]
"""


def test_what_a_mapping_of_ones_own_marks_is_no_blindness(tmp_path: Path, auditbook: Auditbook) -> None:
    """That no entry of a class came yet is not that none can come."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "wms.toml").write_text(WMS)
    (tmp_path / "auditbook.toml").write_text('[sources]\npath = "own"\n')
    (tmp_path / "wms.jsonl").write_text('{"wms_at":"2026-03-02T10:00:00Z","wms_who":"ana","verb":"update"}\n')
    done = auditbook("run", "wms.jsonl", "--source", "wms", "--as-of", "2026-03-03")
    assert done.returncode == 0, done.stderr
    shown = auditbook("detectors", "coverage", "--format", "jsonl")
    rows = {row["detector"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert (rows["logging_disabled"]["sight"], rows["logging_disabled"]["why"]) == ("works", None)
    assert rows["mfa_weakened"]["why"] == "Its mapping marks no event as mfa_weakened."


def test_a_stretch_is_evaluated_again_on_request(judged: Path) -> None:
    config = from_dict({"actors": PEOPLE})
    stretch = detect.stretch_of("2026-03-01", "2026-03-02", config)
    result = detect.detect(judged, config=config, stretch=stretch)
    assert (result.new, result.changed, result.withdrawn, result.commit) == (0, 0, 0, None)
    only = {name: {"enabled": False} for name in detector.shipped() if name != "bulk_delete"}
    stretch = detect.stretch_of("2026-03-02T10:20", "2026-03-02T10:40", config)
    short = detect.detect(judged, config=from_dict({"actors": PEOPLE, "detectors": only}), stretch=stretch)
    assert (short.new, short.changed, short.withdrawn) == (0, 0, 2), "those of the rules that are off"
    with pipeline.open(judged) as log:
        left = log.sql("SELECT detector FROM findings WHERE state <> 'withdrawn'").pl().rows()
    assert left == [("bulk_delete",)]
    with pytest.raises(UsageError, match=r"--since 2026-03-03 is not before --until 2026-03-01"):
        detect.stretch_of("2026-03-03", "2026-03-01", config)
    for since, until, told in (
        ("9999-12-31", None, "--since 9999-12-31 is too late: nothing can be evaluated after it."),
        (None, "0001-01-01", "--until 0001-01-01 is too early: nothing can be evaluated before it."),
    ):
        with pytest.raises(UsageError) as refused:
            detect.stretch_of(since, until, config)
        assert str(refused.value) == (
            f"{told} Write 2026-10-31, 2026-10-31T18:00, 2026-10-31T18:00Z, today, 24h or 7d."
        )
    assert NIGHT.date().isoformat() == "2026-03-02"
