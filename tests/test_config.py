"""auditbook.toml: what it may say, and the sentence for each thing that it may not."""

from __future__ import annotations

import importlib.resources
import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.config import Config, Organization, Person, SourceSettings, Suppression
from pipeline.errors import AuditbookError

FULL = """\
[organization]
name = "Example Prints"
timezone = "America/New_York"
business_hours = "Mon-Fri 08:00-18:00"
holidays = [2026-12-24, "US-NY"]

[sources.bswagic]
timezone = "Asia/Kolkata"
day_first = true
retention = "2 years"

[detectors.bulk_delete]
threshold = 25
severity = "critical"

[[suppressions]]
detector = "*"
actor = "ci-bot@example.com"
owner = "Dana"
reason = "moves daily"
until = 2027-03-31

[teams.night]
business_hours = "Mon-Fri 22:00-06:00"

[actors."dana@example.com"]
name = "Dana Ruiz"
aliases = ["bswagic:Dana Ruiz"]
team = "night"
left_on = 2026-10-23
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "auditbook.toml"
    path.write_text(text)
    return path


def problem(tmp_path: Path, text: str) -> str:
    """The sentence about this text, without the folder."""
    with pytest.raises(AuditbookError) as caught:
        config.read(written(tmp_path, text))
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_without_a_file_the_defaults_hold() -> None:
    assert config.read(None) == Config()
    assert Config().organization == Organization(None, "UTC", False, "Mon-Fri 08:00-18:00", False, ())


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    found = config.read(written(tmp_path, FULL))
    assert found.organization.timezone_configured and found.organization.hours_configured
    assert found.organization.holidays == ("2026-12-24", "US-NY")
    assert found.source("bswagic") == SourceSettings("Asia/Kolkata", True, "2 years")
    assert found.source("hoops") == SourceSettings()
    assert found.detector("bulk_delete").parameters == {"threshold": 25}
    assert found.detector("bulk_delete").severity == "critical"
    assert found.detector("off_hours").enabled
    assert found.suppressions == (
        Suppression("*", "Dana", "moves daily", date(2027, 3, 31), "ci-bot@example.com"),
    )
    assert found.actors == (
        Person(
            id="dana@example.com", name="Dana Ruiz", aliases=("bswagic:Dana Ruiz",), team="night",
            left_on=date(2026, 10, 23),
        ),
    )  # fmt: skip
    assert found.schedule_of(found.actors[0]) == "team:night"


def test_the_canonical_form_reads_back_and_is_json(tmp_path: Path) -> None:
    found = config.read(written(tmp_path, FULL))
    canonical = config.to_dict(found)
    assert config.from_dict(json.loads(json.dumps(canonical))) == found
    assert canonical["organization"]["holidays"] == ["2026-12-24", "US-NY"]
    assert config.to_dict(Config()) == {}


def test_the_order_of_tables_changes_nothing() -> None:
    tables = {"sources": {"hoops": {}, "bswagic": {"day_first": True}}, "organization": {"name": "A"}}
    turned = {"organization": {"name": "A"}, "sources": {"bswagic": {"day_first": True}, "hoops": {}}}
    assert json.dumps(config.to_dict(config.from_dict(tables))) == json.dumps(
        config.to_dict(config.from_dict(turned))
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[organization]\nname = "A"\n\n# where\ntimezone = "Amercia/New_York"\n',
            'auditbook.toml:5 [organization] timezone: "Amercia/New_York" is not a known zone. '
            "Did you mean America/New_York?",
        ),
        (
            '[organisation]\nname = "A"\n',
            "auditbook.toml:1 [organisation]: is not a known key. Did you mean organization?",
        ),
        (
            '[organization]\ntimezon = "UTC"\n',
            "auditbook.toml:2 [organization] timezon: is not a known key. Did you mean timezone?",
        ),
        (
            "[sources.bswagic]\nday_first = \"yes\"\n",
            'auditbook.toml:2 [sources.bswagic] day_first: "yes" is not what is expected. Expected true or false.',
        ),
        (
            "[sources.hops]\n",
            'auditbook.toml:1 [sources.hops]: "hops" is not a known source. Did you mean hoops?',
        ),
        (
            "[detectors.bulk_delete]\nthresold = 5\n",
            "auditbook.toml:2 [detectors.bulk_delete] thresold: no such parameter. Known are:",
        ),
        (
            '[detectors.bulk_delete]\nseverity = "hihg"\n',
            'auditbook.toml:2 [detectors.bulk_delete] severity: "hihg" is not one of its values. Did you mean high?',
        ),
        (
            '[organization]\nbusiness_hours = "9 to 5"\n',
            'auditbook.toml:2 [organization] business_hours: "9 to 5" is not business hours. '
            'Expected something like "Mon-Fri 08:00-12:00, 13:00-18:00; Sat 09:00-12:00".',
        ),
        (
            '[organization]\nbusiness_hours = "Mon-Fri 09:05-17:00"\n',
            'auditbook.toml:2 [organization] business_hours: "09:05-17:00" is not in quarters of an hour',
        ),
        (
            '[organization]\nholidays = "US-NYC"\n',
            'auditbook.toml:2 [organization] holidays: "NYC" is no region of US. Did you mean NY?',
        ),
        (
            '[[suppressions]]\ndetector = "*"\nowner = "D"\nreason = "r"\nuntil = 2027-01-01\n'
            '[[suppressions]]\ndetector = "*"\nowner = "D"\nreason = "r"\n',
            "auditbook.toml:6 [[suppressions]] 2: has no until. Each needs detector, owner, reason, until.",
        ),
        (
            '[actors.a]\naliases = ["hoops:X"]\n[actors.b]\naliases = ["hoops:x"]\n',
            'auditbook.toml:4 [actors.b] aliases: "hoops:x" is a already. An alias belongs to one person.',
        ),
        ('[organization]\nname = "A\n', "auditbook.toml:2 is not TOML: "),
        ("[organization]\nname = \n", "auditbook.toml:2 is not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert problem(tmp_path, text).startswith(sentence)


def test_a_line_is_found_after_text_over_several_lines(tmp_path: Path) -> None:
    text = '[organization]\nname = """\ntimezone = "here"\n"""\ntimezone = "Nowhere"\n'
    assert problem(tmp_path, text).startswith('auditbook.toml:5 [organization] timezone: "Nowhere"')


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(AuditbookError, match=r"does not exist\. `auditbook init` writes one with comments\."):
        config.read(tmp_path / "auditbook.toml")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "auditbook.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(AuditbookError, match=r"is not UTF-8 \(byte 8\)\."):
        config.read(path)


def test_the_template_is_valid_as_it_is_and_with_every_line_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logo.svg").write_text("<svg/>")
    template = (importlib.resources.files("pipeline") / "auditbook.toml").read_text("utf-8")
    assert config.from_dict(tomllib.loads(template)) == Config()
    used = re.sub(r'^# (?=[\[a-z_]+[\w."@-]*\]{0,2}( =|$))', "", template, flags=re.M)
    found = config.from_dict(tomllib.loads(used))
    assert found.organization.name == "Example Prints"
    assert found.suppressions[0].owner == "Dana Ruiz"
    assert [person.id for person in found.actors] == ["dana@example.com", "ci-bot@example.com"]
    assert [team.id for team in found.teams] == ["production"]
    schema = json.loads((importlib.resources.files("schemas") / "config.schema.json").read_text("utf-8"))
    listed = " ".join(re.findall(r"^# (.*)$", template, re.M)).split("with any of the filters of")[1]
    missing = [
        name.removeprefix("presets.night-deletes.") for name in _not_shown(schema, tomllib.loads(used))
    ]
    assert [name for name in missing if not re.search(rf"\b{name}\b", listed)] == [], (
        "what can be set is shown"
    )


def _not_shown(schema: dict[str, Any], given: Any, where: str = "") -> list[str]:
    """The keys that a schema knows and an example of every table does not have."""
    missing = []
    for name, inner in schema.get("properties", {}).items():
        if name not in given:
            missing.append(f"{where}{name}")
        elif inner.get("type") == "array" and "properties" in inner.get("items", {}):
            missing += _not_shown(inner["items"], given[name][0], f"{where}{name}.")
        else:
            missing += _not_shown(inner, given[name], f"{where}{name}.")
    named = schema.get("additionalProperties")
    if isinstance(named, dict) and "properties" in named:
        examples = {key: value for key, value in given.items() if isinstance(value, dict)}
        name = next(iter(examples), "NAME")
        merged = {key: value for one in examples.values() for key, value in one.items()}
        missing += _not_shown(named, merged, f"{where}{name}.")
    return missing
