"""One thing's life: complete, joined with what it is linked to, in lanes, with its state at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import Result

import pipeline
from pipeline import entities
from pipeline.config import read
from pipeline.errors import UsageError
from pipeline.history import History
from pipeline.query import Log

Invoke = Callable[..., Result]


@pytest.fixture
def log(sample_store: Path) -> Iterator[Log]:
    with pipeline.open(sample_store) as opened:
        yield opened


def made(tmp_path: Path, invoke: Invoke, source: str, records: Sequence[dict[str, object]]) -> Log:
    """A store of some records of a product."""
    path = tmp_path / f"{source}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    done = invoke("load", path, "--source", source, "--store", tmp_path / "own", "-q")
    assert done.exit_code == 0, done.output
    return pipeline.open(tmp_path / "own")


def hoops(number: int, at: str, activity: str, document: dict[str, str], **more: object) -> dict[str, object]:
    by = {"performed_by": {"name": "Ana Ruiz", "kind": "User", "email": "ana@example.com"}}
    return {
        "activity_id": number,
        "document": document,
        "occurred_at": at,
        "activity": activity,
        **by,
        **more,
    }


def status(old: str | None, new: str) -> dict[str, object]:
    return {"details": [{"label": "Status", "previous": old, "updated": new}]}


JOB, QUOTE = {"type": "Job", "number": "J-1", "sales_doc": "Q-1"}, {"type": "SalesDoc", "number": "Q-1"}


def test_a_quote_and_its_job_are_one_life_whichever_is_asked_for(log: Log) -> None:
    quote, job = log.history("sales_doc:Q-10472"), log.history("Jobs:J-2222")

    assert (quote.entity, quote.linked) == ("sales_doc:Q-10472", ("job:J-2222",))
    assert (job.entity, job.linked) == ("job:J-2222", ("sales_doc:Q-10472",))
    assert quote.pl()["event_uid"].to_list() == job.pl()["event_uid"].to_list()
    assert len(quote) == 24
    assert quote.pl()["about"].value_counts(sort=True).rows() == [
        ("job:J-2222", 14),
        ("sales_doc:Q-10472", 10),
    ]


def test_every_entry_that_names_it_is_there_bulk_ids_included(log: Log) -> None:
    [(item, named)] = log.sql(
        """SELECT entity_id, count(DISTINCT event_uid) FROM event_entities
        WHERE entity_type = 'item' GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1"""
    ).pl().rows()  # fmt: skip
    life = log.history(f"item:{item}")

    assert len(life) > named >= 3  # an approval calls its items proofs
    assert {"generate", "approve"} <= set(life.pl()["action"])
    assert any(item in ids for ids in life.pl()["entity_ids"])


def test_both_directions_of_time(log: Log) -> None:
    oldest = log.history("job:J-2222", sort="oldest").pl()["event_uid"].to_list()

    assert log.history("job:J-2222", sort="newest").pl()["event_uid"].to_list() == oldest[::-1]
    with pytest.raises(UsageError, match='"sideways" is not a way to sort'):
        log.history("job:J-2222", sort="sideways")


def test_lanes_and_status_changes_can_be_asked_for_alone(log: Log) -> None:
    life = log.history("sales_doc:Q-10472")

    assert dict(life.by("lane").pl().rows()) == {
        "workflow": 14,
        "communication": 7,
        "automation": 2,
        "accounting": 1,
    }
    accounting = log.history("sales_doc:Q-10472", lane="accounting").pl()
    assert accounting["action_detail"].to_list() == ["SalesDoc synced to Xero"]
    assert log.history("job:J-2222", lane=["accounting", "automation"]).count() == 3
    assert log.history("job:J-2222", lane="status").count() == 8
    with pytest.raises(UsageError, match="Did you mean workflow"):
        log.history("job:J-2222", lane="workflows")


def test_the_state_is_replayed_to_any_time(log: Log) -> None:
    life = log.history("sales_doc:Q-10472")

    def at(moment: str | None) -> dict[str, str]:
        rows = life.state(moment).pl().filter(thing="sales_doc:Q-10472").select("field", "value").rows()
        return {field: json.loads(value) for field, value in rows}

    assert at("2026-10-14T14:21:00Z") == {"Status": "Draft", "Quantity": "300", "Total": "$4,500.00"}
    assert at("2026-10-19T20:11:36Z") == {"Status": "Approved", "Quantity": "300", "Total": "$4,500.00"}
    assert at("2026-10-19T20:11:37Z") == {"Status": "Approved", "Quantity": "3,000", "Total": "$45,000.00"}
    assert at(None)["Status"] == "Accepted"
    assert len(log.history("sales_doc:Q-10472", at="2026-10-19T20:11:36Z")) == 7


def test_dwell_times_say_where_the_time_went(log: Log) -> None:
    rows = log.history("job:J-2222").dwell().pl().filter(thing="job:J-2222")

    assert rows.select("status", "duration").rows() == [
        ('"New"', "6d 00:41:29"), ('"In production"', "3d 22:46:20"),
        ('"Ready"', "1d 01:23:49"), ('"Completed"', "23:41:37"),
    ]  # fmt: skip
    assert rows["until"].to_list()[-1] is None


def test_who_worked_on_it_and_who_took_over(log: Log) -> None:
    life = log.history("job:J-2222")

    first = life.contributors().pl().row(0, named=True)
    assert (first["who"], first["entries"]) == ("Caleb Whitaker", 7)
    assert first["did"].startswith("update sales_doc x3, ")
    turns = life.handovers().pl().select("from_who", "to_who", "after").rows()
    assert turns[:2] == [
        ("Caleb Whitaker", "Lorcan Castellan", "2d 02:45:52"), ("Lorcan Castellan", "Caleb Whitaker", "3d 01:39:29"),
    ]  # fmt: skip
    assert len(turns) == 8


def test_a_contradiction_names_both_entries(tmp_path: Path, invoke: Invoke) -> None:
    records = [
        hoops(1, "2026-04-06T09:00:00Z", "Job created", JOB, **status(None, "New")),
        hoops(2, "2026-04-06T10:00:00Z", "Status changed", JOB, **status("New", "Ready")),
        hoops(3, "2026-04-06T11:00:00Z", "Status changed", JOB, **status("In production", "Completed")),
    ]
    with made(tmp_path, invoke, "hoops", records) as log:
        [found] = log.history("job:J-1").conflicts().pl().to_dicts()
        before, event = (log.event(found[name])["source_event_id"] for name in ("before", "event"))
        shown = invoke("history", "job:J-1", "--store", tmp_path / "own")

    assert (found["replayed"], found["claimed"], before, event) == ('"Ready"', '"In production"', "2", "3")
    assert "its changes contradict each other" in shown.output
    missing = hoops(4, "2026-04-06T10:30:00Z", "Status changed", JOB, **status("Ready", "In production"))
    with made(tmp_path, invoke, "hoops", [missing]) as log:
        assert log.history("job:J-1").conflicts().count() == 0


def test_an_entry_at_the_asked_time_counts_and_one_after_does_not(tmp_path: Path, invoke: Invoke) -> None:
    records = [
        hoops(1, "2026-04-06T09:00:00Z", "SalesDoc created", QUOTE, **status(None, "Draft")),
        hoops(2, "2026-04-06T10:00:00Z", "Status changed", QUOTE, **status("Draft", "Pending")),
    ]
    with made(tmp_path, invoke, "hoops", records) as log:
        life = log.history("sales_doc:Q-1")
        values = [life.state(f"2026-04-06T{at}Z").pl()["value"].to_list() for at in ("09:59:59", "10:00:00")]
        open_stay = log.history("sales_doc:Q-1", at="2026-04-06T10:00:30Z").dwell().pl()["duration"].to_list()

    assert values == [['"Draft"'], ['"Pending"']]
    assert open_stay == ["01:00:00", "00:00:30"]


def test_a_thing_of_two_products_must_be_told_apart(tmp_path: Path, invoke: Invoke) -> None:
    craft = {"id": "evt_1", "organizationId": "o1", "jobId": "J-1", "eventType": "job_created",
             "createdAt": "2026-04-06T08:00:00Z", "actor": {"type": "system"}, "data": {}}  # fmt: skip
    made(tmp_path, invoke, "craftstage", [craft]).close()
    with made(tmp_path, invoke, "hoops", [hoops(1, "2026-04-06T09:00:00Z", "Job created", JOB)]) as log:
        with pytest.raises(UsageError, match="a thing of craftstage o1, hoops"):
            log.history("job:J-1")
        assert [len(log.history("job:J-1", source=source)) for source in ("craftstage", "hoops")] == [1, 1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("job_2041", '"job_2041" is not TYPE:ID. Write it like job:job_2041.'),
        ("job:J-22222", '"job:J-22222" is named by no event of this store. Did you mean job:J-2222'),
        ("jop:J-2222", '"jop:J-2222" is named by no event of this store. Types that have ids: approval_link, '),
        ("job:' OR 1=1 --", "\"job:' OR 1=1 --\" is named by no event of this store. Did you mean job:"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(log: Log, asked: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        log.history(asked)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("asked", [{"at": "2026-10-10"}, {"source": "craftstage"}, {"until": "2026-10-01"}])
def test_what_is_there_at_another_time_or_elsewhere_is_said(log: Log, asked: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        log.history("sales_doc:Q-10472", **asked)
    assert str(refused.value) == (
        '"sales_doc:Q-10472" is named by no event of the time and source asked for. '
        "It is in hoops, from 2026-10-14 14:20Z until 2026-10-30 15:16:30Z."
    )


def test_a_background_job_is_folded_into_its_runs(log: Log, invoke: Invoke, sample_store: Path) -> None:
    runs = log.history("background_job:SYNC_SQUARE_STOCK", since="2026-10-14", until="2026-10-18").runs().pl()
    assert runs["outcome"].to_list() == ["failure"] * 5
    assert runs["entries"].to_list() == [2] * 5
    assert log.history(f"background_job:{runs['run'][0]}").count() == 2

    asked = ["history", f"background_job:{runs['run'][0]}", "--store", sample_store]
    assert invoke(*asked).output.count("SYNC_SQUARE_STOCK (run of 2 entries)") == 1
    assert "(run of 2 entries)" not in invoke(*asked, "--unfold").output


def test_the_command_says_all_of_it(invoke: Invoke, sample_store: Path) -> None:
    shown = invoke("history", "job:J-2222", "--store", sample_store)

    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("job:J-2222, with sales_doc:Q-10472: 24 entries\n\ntime utc")
    for part in (
        "Status: In production → Ready",
        "email: Your quote Q-10472",
        "Tell the customer when it is ready",
        "\nstatus\n",
        "\nwho worked on it\n",
        "\nhand-overs\n",
        "\nstate at 2026-10-31 ",
        "no change begins from another value than the one before it left",
        "hoops: the log reaches from 2026-10-01 12:41:34Z to 2026-10-31 14:58:07Z; nothing before or after is known.",
    ):
        assert part in shown.output, part  # fmt: skip
    whole = json.loads(invoke("history", "job:J-2222", "--store", sample_store, "--format", "json").output)
    assert list(whole) == ["entity", "linked", "as_of", "entries", "state", "conflicts", "dwell", "contributors",
                           "handovers", "runs", "sight"]  # fmt: skip
    assert len(whole["entries"]) == 24
    lines = invoke(
        "history", "job:J-2222", "--store", sample_store, "--format", "jsonl", "--newest"
    ).output.splitlines()
    assert [json.loads(line)["event_uid"] for line in lines] == [
        one["event_uid"] for one in whole["entries"]
    ][::-1]
    csv = invoke("history", "job:J-2222", "--store", sample_store, "--format", "csv").output
    assert csv.startswith("event_uid,source,") and len(csv.splitlines()) >= 25


def test_a_life_shows_itself_and_is_asked_further(log: Log, tmp_path: Path) -> None:
    life: History = log.history("job:J-2222")

    assert repr(life) == "History(job:J-2222, with sales_doc:Q-10472): 24 entries as of 2026-10-31 14:58Z"
    html = life._repr_html_()
    assert (
        "<b>job:J-2222</b>" in html and "Time spent at each status" in html and "Contradictions" not in html
    )
    assert life.timeline("lane").caption
    assert (tmp_path / "life.csv") == life.write(tmp_path / "life.csv")
    assert {"state", "dwell", "pl", "by", "action"} <= set(dir(life))


def test_a_life_is_found_through_the_index(tmp_path: Path, invoke: Invoke) -> None:
    """Each load adds to it, a copy without it is read as well, and what the index says is compared in full."""
    first = [
        hoops(n, f"2026-04-06T09:00:{n:02d}Z", "Status changed", {"type": "Job", "number": f"J-{n}"})
        for n in range(9)
    ]
    made(tmp_path, invoke, "hoops", first).close()
    later = [hoops(90, "2026-04-07T09:00:00Z", "Status changed", {"type": "Job", "number": "J-3"})]
    store = tmp_path / "own"
    with made(tmp_path, invoke, "hoops", later) as log:
        assert [row["source_event_id"] for row in log.history("job:J-3").pl().to_dicts()] == ["3", "90"]
        both = entities.found(log.con, store, log.chain, ["job:J-3"])
        assert both is not None and both.moments == (1775466003000000, 1775552400000000)
        assert [Path(file).parent.name for file in both.files] == ["000002", "000001"]
        assert entities.found(log.con, store, log.chain, ["job:J-8"]) == entities.Found(
            both.files[1:], (1775466008000000,)
        )
        assert entities.found(log.con, store, log.chain, ["job:J-33"]) == entities.Found((), ())
        assert [row["source_event_id"] for row in log.events(entity="Jobs:J-3").pl().to_dicts()] == [
            "90",
            "3",
        ]
        assert log.events(entity=["job:J-3", "job:J-4"]).count() == 3
    [index] = (store / "entities").iterdir()
    assert index.stat().st_mode & 0o777 == 0o600
    for damage in (lambda: index.write_bytes(b"PAR1"), index.unlink):
        damage()
        with pipeline.open(store) as log:
            assert entities.found(log.con, store, log.chain, ["job:J-3"]) is None
            assert len(log.history("job:J-3")) == log.events(entity="job:J-3").count() == 2
    assert invoke("rebuild", "--store", store).exit_code == 0
    with pipeline.open(store) as log:
        assert entities.found(log.con, store, log.chain, ["job:J-3"]) == both


def test_a_life_of_many_moments_is_whole(tmp_path: Path, invoke: Invoke) -> None:
    records = [
        hoops(n, f"2026-04-06T{n // 60:02d}:{n % 60:02d}:00Z", "Status changed", JOB) for n in range(600)
    ]
    with made(tmp_path, invoke, "hoops", records) as log:
        assert len(log.history("job:J-1")) == 600


def test_an_audience_sees_the_same_life_under_pseudonyms(
    sample_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_PSEUDONYMS", "0123456789abcdef0123")
    (tmp_path / "auditbook.toml").write_text('[privacy]\nkey_env = "KEY_OF_PSEUDONYMS"\n', "utf-8")
    with pipeline.open(sample_store, read(tmp_path / "auditbook.toml"), "external") as log:
        quote, contact = log.history("sales_doc:Q-10472"), log.history("contact:cnt_1085")
        assert (len(quote), len(contact)) == (24, 5)
        told = json.dumps([*quote.contributors().pl().to_dicts(), contact.entity], default=str)
        assert "Caleb" not in told and "Lorcan" not in told and "cnt_1085" not in told and "person-" in told
