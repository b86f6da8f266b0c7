"""Questions to a store: filters say what they do not know, and what is asked twice is answered the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import UsageError
from pipeline.load import load
from pipeline.query import Log
from tests.exports import CONFIG, line, put


@pytest.fixture
def log(small_store: Path) -> Iterator[Log]:
    with pipeline.open(small_store) as opened:
        yield opened


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"acton": "delete"}, '"acton" is not a filter. Did you mean action?'),
        ({"actor": "zzz"}, '"zzz" is no actor of this store. `auditbook sources actors` lists them.'),
        ({"actor": "thomas@fjordprints.example"}, '"thomas@fjordprints.example" is no actor of this store. '
                                                  "Did you mean tomas@fjordprints.example"),
        ({"entity": "Prinder:1"}, '"Prinder" is no entity type of this store. Known are: '),
        ({"since": "2026-03-08", "until": "2026-03-01"},
         "--until (2026-03-02 00:00Z) is not after --since (2026-03-08 00:00Z)."),
        ({"since": "99999999999d"}, '"99999999999d" is not a time. Write 2026-10-31, '),
        ({"until": "9999-12-31"}, '"9999-12-31" is not a time. Write 2026-10-31, '),
        ({"action": "deleted"}, '"deleted" is not a known action. Known are: create, read, update, delete, '),
    ],
)  # fmt: skip
def test_a_filter_says_what_it_does_not_know(log: Log, filters: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        log.events(**filters)

    assert str(refused.value).startswith(sentence)


def test_filters_are_and_across_and_or_within(log: Log) -> None:
    deletes, creates = (log.events(source="printago", action=one).count() for one in ("delete", "create"))
    assert deletes > 0 and creates > 0
    assert log.events(source="printago", action=["delete", "create"]).count() == deletes + creates
    assert log.events(source=["printago", "hoops"]).count() == log.events().count()
    assert log.events(entity="PrintJobs").count() == log.events(entity="print_job").count() > 0


def test_a_bare_date_is_a_whole_day(log: Log) -> None:
    day = log.events(source="printago", since="2026-03-03", until="2026-03-03")
    assert day.count() == log.events(source="printago", since="20260303", until="20260303").count() > 0
    assert set(day.pl()["occurred_at"].dt.date().cast(str).to_list()) == {"2026-03-03"}


def test_a_question_of_ones_own_keeps_its_own_limit(log: Log) -> None:
    rows = log.sql("SELECT event_uid FROM events ORDER BY event_uid LIMIT 3;")

    assert rows.limit(2).pl().height == 2
    assert rows.pl().height == 3
    assert "event_uid" in rows._repr_html_()


def test_hostile_values_are_only_values(log: Log) -> None:
    everything = log.events().count()
    for value in ("' OR 1=1 --", "*'; DROP TABLE findings; --"):
        assert log.events(detail=value).count() == 0
        assert log.events(text=value).count() == 0
    assert log.events().count() == everything


# --- every filter, each against what the lines say


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"actor_type": "api_key"}, {"e010", "e011", "e012", "e049", "e051"}),
        ({"actor_type": "API-key"}, {"e010", "e011", "e012", "e049", "e051"}),
        ({"actor_type": "all", "detail": "printer.offline"}, {"e019", "e021", "e055"}),
        ({"detail": "printerCommand.*", "actor_type": "system"}, {"e017", "e018"}),
        ({"detail": "PRINTER.O*LINE"}, {"e019", "e020", "e021", "e055"}),
        ({"entity": "PRINTJOBS", "actor_type": "scheduler"}, {"e015", "e016", "e054"}),
        ({"on": "2026-03-03", "action": "create"}, {"e001", "e004"}),
        ({"since": "1h", "as_of": "2026-03-05T02:19:41.003Z", "actor_type": "system"},
         {"e017", "e018", "e019", "e020"}),
        ({"since": "today", "as_of": "2026-03-05T02:19:41.003Z", "actor_type": "system"},
         {"e017", "e018", "e019", "e020"}),
        ({"since": "2026-03-05", "until": "2026-03-05", "detail": "part.*"}, {"e022", "e023", "e024", "e025"}),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_names(log: Log, filters: dict[str, str], ids: set[str]) -> None:
    found = log.events(source="printago", **filters).pl()["source_event_id"].to_list()

    assert {one[:4] for one in found} == ids


def test_an_entity_is_found_by_its_id_in_an_entry_of_many(log: Log) -> None:
    bulk = log.sql("SELECT * FROM events WHERE len(entity_ids) > 1 LIMIT 1").pl().to_dicts()[0]
    for one in bulk["entity_ids"]:
        found = log.events(entity=f"{bulk['entity_type']}:{one}").pl()["event_uid"].to_list()
        assert bulk["event_uid"] in found
        assert bulk["event_uid"] in log.events(entity=f":{one}").pl()["event_uid"].to_list()
    assert log.events(action="bulk_" + bulk["action"], uids=bulk["event_uid"]).count() == 1


def test_an_address_or_a_network(log: Log) -> None:
    assert log.events(source="printago", ip="203.0.113.5").count() == 3
    assert log.events(source="printago", ip="203.0.113.0/24").count() == 7
    assert log.events(source="printago", ip=["203.0.113.5", "192.0.2.10"]).count() == 4
    assert log.events(ip="2001:db8::/32").count() == 4
    assert log.events(ip="2001:DB8:40:0::17").count() == 2
    assert log.events(ip="::/0").count() == log.sql("SELECT 1 FROM events WHERE ip_key IS NOT NULL").count()


def test_presets_and_what_is_typed_beside_them(log: Log) -> None:
    assert log.events(preset="investigate").count() == log.events(outcome=["failure", "warning"]).count()
    assert (
        log.events(preset="investigate", outcome="success").count() == log.events(outcome="success").count()
    )
    log.presets = {"night": {"about": "Deletions.", "action": ["delete"], "source": "printago"}}
    assert log.events(preset="night").count() == log.events(action="delete", source="printago").count() > 0
    with pytest.raises(
        UsageError, match=r'"nigth" is no preset\. Known are: investigate, new-hire-day, night, triage'
    ):
        log.events(preset="nigth")


def test_a_view_lies_under_the_question_only_when_asked_for(log: Log) -> None:
    everything = log.events(source="printago")
    viewed = log.events(source="printago", profile=True)
    system = log.events(source="printago", actor_type="system").count()

    assert everything.notices() == [] and viewed.count() == everything.count() - system
    assert viewed.notices() == [f"hidden: {system} system entries; --actor-type all shows them"]
    assert log.events(source="printago", profile=True, actor_type="all").count() == everything.count()
    assert log.events(source=["printago", "hoops"], profile=True).notices() == []


def test_equal_ones_keep_the_order_of_their_files_in_both_directions(log: Log) -> None:
    down = log.events().pl()["event_uid"].to_list()
    up = log.events(sort="occurred_at").pl()["event_uid"].to_list()
    by_actor = log.events(sort=["actor_email:desc", "time"]).pl().select("actor_email", "occurred_at").rows()

    assert up == down[::-1]
    assert [who for who, _ in by_actor if who] == sorted((who for who, _ in by_actor if who), reverse=True)
    for one in {who for who, _ in by_actor}:
        times = [at for who, at in by_actor if who == one]
        assert times == sorted(times)
    assert log.events(sort="detail:desc", limit=1).pl()["action_detail"][0] is not None


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"ip": "10.0.0.0/99"}, '"10.0.0.0/99" is no address and no network. Write 203.0.113.7, 203.0.113.0/24, '),
        ({"sort": "occured_at"}, '"occured_at" is not a column. Did you mean occurred_at?'),
        ({"sort": "time:down"}, '"down" is no direction to sort in. Write COL, COL:asc or COL:desc.'),
        ({"outcome": "FRIED"}, '"FRIED" is not a known outcome. Known are: success, warning, failure, '),
        ({"category": "printings"}, '"printings" is not a known category. Known are: job, proof, approval, '),
        ({"type": "WEBHOK"}, '"WEBHOK" is no event type of this store. '),
        ({"finding": "zzz"}, '"zzz" is not a finding. `auditbook findings` lists them.'),
        ({"preset": "x" * 1_000_000}, f'"{"x" * 59}…" is no preset. Known are: investigate, '),
        ({"actor": "x" * 1_000_000}, f'"{"x" * 59}…" is too long to be asked for: 1,000,000 characters. '),
        ({"since": "x" * 1_000_000}, f'"{"x" * 59}…" is not a time. '),
        ({"on": "2026-03-03", "since": "2026-03-01"}, "--on is a day of its own; leave --since and --until away."),
        ({"actor_type": "' OR 1=1 --"}, "\"' OR 1=1 --\" is not a known actor_type. Known are: user, "),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said_with_what_is(log: Log, filters: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        log.events(**filters)

    assert str(refused.value).startswith(sentence)


def test_values_of_a_column(log: Log) -> None:
    told = log.values("detail", source="printago", like="PRINTER.").pl().select("value", "n").rows()
    assert told[:2] == [("printer.offline", 3), ("printer.online", 1)]
    assert log.values("entity", entity="Printers").pl()["value"].to_list() == ["printer"]
    with pytest.raises(UsageError, match='"frob" is not a column'):
        log.values("frob")


def test_findings_by_what_is_behind_them(log: Log) -> None:
    everything = log.findings().pl()
    one = everything.filter(everything["events"].list.len() > 0).to_dicts()[0]
    event = log.event(one["events"][0])

    assert one["finding_id"] in log.findings(source=event["source"]).pl()["finding_id"].to_list()
    assert log.findings(finding=one["finding_id"][:10]).pl()["finding_id"].to_list() == [one["finding_id"]]
    assert set(log.events(finding=one["finding_id"]).pl()["event_uid"]) == set(one["events"])
    assert log.findings(until="2020-01-01").count() == 0
    assert log.findings(text=one["title"].upper()).count() > 0
    assert log.findings(sort="window_start:desc").pl()["window_start"].to_list() == sorted(
        everything["window_start"].to_list(), reverse=True
    )


def test_a_text_that_stands_only_in_a_secret_is_not_found(store: Path, tmp_path: Path) -> None:
    secret = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
    put(tmp_path / "x.jsonl", line(1, reason=f"the token is {secret} ok") + line(2, reason="plain words"))
    load([str(tmp_path / "x.jsonl")], store=store, config=CONFIG)

    with pipeline.open(store, audience="full") as everything, pipeline.open(store) as seen:
        for text, stored, shown in (
            (secret[:12], 1, 0),
            ("TOKEN IS", 1, 1),
            ("plain", 1, 1),
            ("[REDACTED]", 0, 1),
        ):
            assert (everything.events(text=text).count(), seen.events(text=text).count()) == (stored, shown)
        assert seen.events(text="token is", limit=1).pl()["reason"].to_list() == [
            "the token is [REDACTED] ok"
        ]
        assert seen.event("evt0001")["line_sha256"] == everything.event("evt0001")["line_sha256"]
        assert secret not in str(seen.event("evt0001")) and secret in str(everything.event("evt0001"))
