"""Mappings that make no sense are refused with the place in them and the reason; one's own win over ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pipeline import mapping, mapping_check
from pipeline.config import from_dict, read
from pipeline.errors import AuditbookError
from pipeline.load import load
from pipeline.query import open as open_store

GOOD = """title = "Acme"
version = 1
about = { documentation = "", retention = "", logging = "", permissions = "", entry_url = "" }
recognise = { keys = ["tick"] }
time = { path = "tick", format = "iso" }
"""

REFUSED = [
    ("[columns", "is not TOML: Expected ']' at the end of a table declaration (at end of document)."),
    ("", 'the file: "columns" is missing.'),
    ("[columns]\nactor = \"a\"", "[columns] actor: no such column. Allowed are: instance, actor_type, "),
    ("[columns]\noccurred_at = \"a\"", "[columns] occurred_at: no such column. Allowed are: instance, "),
    ('[columns]\naction = { value = "made" }',
     '[columns] action: "made" is not one of its values. Allowed are: create, '),
    (
        '[columns]\noutcome = { path = "a", map = { ok = "fine" } }',
        '[columns] outcome: "fine" is not one of its values. Allowed are: success, warning, failure, pending, unknown.',
    ),
    ('[columns]\nreason = { pth = "a" }', '[columns] reason: "pth" is not a key here. Did you mean "path"?'),
    ('[columns]\nreason = { path = "a", as = "loud" }',
     '[columns] reason.as: "loud" is not one of entity, snake, title, lower, upper, trim, ip, mask.'),
    ('[columns]\nreason = { path = "a", split = "," }', '[columns] reason: "part" is missing.'),
    ('[columns]\nreason = { list = "a", key = "k" }', '[columns] reason: "is" is missing.'),
    ("[columns]\nreason = 7", "[columns] reason: 7 is not string."),
    ('[columns]\nreason = ""', '[columns] reason: "" is empty.'),
    ('[columns]\nreason = { path = "a", value = "b" }',
     "{ path = … value = … }: an expression begins from one of them."),
    ('[columns]\nreason = { column = "message" }',
     '{ column = "message" }: the mapping does not make that column. It makes: reason.'),
    ('[columns]\nreason = { column = "message" }\nmessage = { column = "reason" }',
     "[columns] message, reason: each is made from the other."),
    ('[columns]\nreason = { path = "a", match = "(?=b)" }',
     'the pattern "(?=b)": invalid perl operator: (?=. Patterns are RE2: no look-around, no references back.'),
    ('[columns]\n[[changes]]\nshape = "diff"',
     '[[changes]] 1 shape: "diff" is not one of old_new, list, before_after, pair, was.'),
    ('[columns]\n[[changes]]\nshape = "list"\npath = "a"\nfield = "f"', '[[changes]] 1: "new" is missing.'),
    ('[columns]\n[[related]]\nid = "a"', '[[related]] 1: "type" is missing.'),
    ('[columns]\n[[related]]\ntype = "a"\nwhere = { path = "b", is = 1 }', '[[related]] 1: "each" is missing.'),
    ('[columns]\n[classes]\npermission = [{ path = "a", like = "b" }]',
     '[classes] permission.1: "like" is not a key here. Allowed are: path, json, inside, of, column, is, in, '),
    ('[columns]\n[[transitions]]\nentity_type = "job"\nfield = "status"\nsteps = { draft = ["done"], don = [] }',
     '[[transitions]] 1 steps.draft: "done" is not a status of the graph. Did you mean "don"?'),
    ('[columns]\n[[transitions]]\nentity_type = "job"\nfield = "status"\nsteps = { draft = ["done"] }',
     '[[transitions]] 1 steps.draft: "done" is not a status of the graph. '
     'Add "done" = [] for one that nothing follows.'),
    ('[columns]\n[[transitions]]\nfield = "status"\nsteps = { done = [] }',
     '[[transitions]] 1: "entity_type" is missing.'),
    ("[columns]\n[record]\nid = 5", "[record] id: 5 is not string."),
    ('[columns]\n[colums]\nreason = "a"', 'the file: "colums" is not a key here. Did you mean "columns"?'),
]  # fmt: skip


@pytest.mark.parametrize(("rest", "reason"), REFUSED)
def test_nonsense_is_refused_with_its_place(rest: str, reason: str) -> None:
    with pytest.raises(AuditbookError) as refused:
        mapping.read("acme", GOOD + rest, where="own/acme.toml")
    told = str(refused.value)
    assert told == f"own/acme.toml {reason}" or (
        reason.endswith(", ") and told.startswith(f"own/acme.toml {reason}")
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"iso"', '"is0"',
         '[time] format: "is0" is neither iso, epoch, epoch_s or epoch_ms nor a format with % in it.'),
        ("version = 1", "version = 0", "version: 0 is empty."),
        ('keys = ["tick"]', "", "recognise: {} is empty."),
        ('title = "Acme"', 'extends = "acne"', 'extends: "acne" is not a known source.'),
    ],
)  # fmt: skip
def test_so_is_a_wrong_head(old: str, new: str, reason: str) -> None:
    with pytest.raises(AuditbookError) as refused:
        mapping.read("acme", GOOD.replace(old, new) + "[columns]\n", where="own/acme.toml")
    assert str(refused.value) == f"own/acme.toml {reason}"


@pytest.mark.parametrize("source", sorted(mapping.shipped()))
def test_ours_make_sense(source: str) -> None:
    mapping_check.check(mapping.shipped()[source].rules, f"schemas/sources/{source}.toml")


def test_a_mapping_of_ones_own_wins(tmp_path: Path, store: Path) -> None:
    (tmp_path / "own").mkdir()
    own = 'extends = "printago"\ntitle = "Ours"\n[columns.action.map]\nclone = "create"\n'
    (tmp_path / "own" / "printago.toml").write_text(own)
    (tmp_path / "auditbook.toml").write_text('[sources]\npath = "own"\n')
    config = read(tmp_path / "auditbook.toml")
    line = {"storeId": "s", "createdAt": "2026-03-02T15:04:05Z", "actorType": "user"}
    line |= {"detailedAction": "part.clone", "action": "clone"}
    (tmp_path / "export.jsonl").write_text(json.dumps(line) + "\n")

    result = load([str(tmp_path / "export.jsonl")], store=store, config=config)

    assert mapping.known(config.mappings)["printago"].title == "Ours"
    assert mapping.shipped()["printago"].title == "Printago audit log"
    assert result.loaded[0].mapping == mapping.known(config.mappings)["printago"].version
    with open_store(store) as log:
        assert log.sql("SELECT action FROM events").pl().rows() == [("create",)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('path = "nowhere"',
         '[sources] path: "{folder}/nowhere" is not a folder. It holds your own mappings, one .toml a source.'),
        ("printagoo = {}", '[sources.printagoo]: "printagoo" is not a known source. Did you mean printago?'),
    ],
)  # fmt: skip
def test_a_config_that_names_what_is_not_there(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "auditbook.toml"
    file.write_text(f"[sources]\n{text}\n")
    with pytest.raises(AuditbookError) as refused:
        read(file)
    assert str(refused.value) == f"{file}:2 {sentence.format(folder=tmp_path)}"


def test_a_recorded_config_may_name_sources_that_are_not_here() -> None:
    assert from_dict({"sources": {"acme": {"day_first": True}}}).source("acme").day_first is True


def test_check_says_what_the_mapping_does_not_know(tmp_path: Path, invoke: Callable[..., Result]) -> None:
    fixed = {"User": "Ana", "Description": "", "IP Address": "192.0.2.1"}
    dates = ["02/03/2026 10:00 AM", "13/03/2026 10:00 AM", "soon"]
    actions = ["Contact Created", "Contact Snoozed", "Contact Created"]
    lines = [{"ID": n, "Date": dates[n], "Action": actions[n], "Shelf": {"no": n}, **fixed} for n in range(3)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "export.jsonl").write_text(text + json.dumps(lines[0]) + "\n\n")

    told = json.loads(invoke("sources", "check", "export.jsonl", "--json").output)

    assert told["source"] == "bswagic"
    assert [told[name] for name in ("read", "events", "duplicates", "rejects", "blank")] == [5, 2, 1, 1, 1]
    assert (told["columns"]["actor_name"], told["columns"]["entity_id"]) == (2, 0)
    assert told["unmapped"] == {"Shelf.no": 2}
    assert told["unmapped_examples"] == {"Shelf.no": "0"}
    assert told["unknown_values"] == {"action": {"snoozed": 1}}
    assert told["ambiguous_day_order"] == {"either": 1, "day_first": 1, "month_first": 0}
    assert [event["line"] for event in told["first_events"]] == [1, 2]
    assert told["rejects_shown"][0]["message"].startswith('$.Date: "soon" is not a time.')
    assert not (tmp_path / "store").exists()
