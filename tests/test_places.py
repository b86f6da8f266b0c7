"""[places] mmdb through the command: a tiny database, looked up once; without it the rules say why they cannot."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pipeline import config
from pipeline.errors import UsageError
from tests.conftest import Auditbook

LISBON = {
    "country": {"iso_code": "PT"},
    "city": {"names": {"en": "Lisbon"}},
    "location": {"latitude": 38.72, "longitude": -9.14, "accuracy_radius": 20},
}
OSAKA = {"country": {"iso_code": "JP"}, "location": {"latitude": 34.69, "longitude": 135.5}}


def database(path: Path, places: dict[str, object]) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City")
    for network, place in places.items():
        writer.insert_network(IPSet([network]), place)
    writer.to_db_file(str(path))
    return path


def export(path: Path, addresses: list[tuple[str, str]]) -> Path:
    lines = [
        {"id": f"{n:024}", "storeId": "s1", "createdAt": at, "actorType": "user", "actorId": "u1",
         "actorEmail": "ana@example.com", "action": "update", "detailedAction": "printer.update",
         "entityType": "Printers", "entityId": "p1", "ipAddress": address, "userAgent": "x"}
        for n, (at, address) in enumerate(addresses)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


JOURNEY = [("2026-03-02T09:00:00.000Z", "192.0.2.7"), ("2026-03-02T10:00:00.000Z", "2001:db8:7::1")]


def test_a_journey_that_nobody_makes(auditbook: Auditbook, tmp_path: Path) -> None:
    database(tmp_path / "city.mmdb", {"192.0.2.0/24": LISBON, "2001:db8:7::/48": OSAKA})
    database(
        tmp_path / "asn.mmdb",
        {"192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Rede"}},
    )
    (tmp_path / "auditbook.toml").write_text('[places]\nmmdb = ["city.mmdb", "asn.mmdb"]\n')
    export(tmp_path / "printago.jsonl", JOURNEY)

    assert auditbook("load", "printago.jsonl", "-q").returncode == 0
    done = auditbook("detect", "--json", "-q")
    assert done.returncode == 0, done.stderr
    found = auditbook("findings", "--format", "jsonl")
    told = {one["detector"]: one for one in map(json.loads, found.stdout.splitlines())}
    assert told["impossible_travel"]["observed"] == "11058 km in 60 minutes"
    assert told["impossible_travel"]["reason"] == (
        "ana@example.com was in Lisbon, PT (192.0.2.7) and then in JP (2001:db8:7::1)."
    )
    with duckdb.connect(str(tmp_path / "store" / "auditbook.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT source_ip, country, city, accuracy_km, asn, provider FROM geography ORDER BY 1"
        )
        assert rows.fetchall() == [
            ("192.0.2.7", "PT", "Lisbon", 20, 64500, "Rede"),
            ("2001:db8:7::1", "JP", None, None, None, None),
        ]


def test_without_a_database_it_is_said(auditbook: Auditbook, tmp_path: Path) -> None:
    export(tmp_path / "printago.jsonl", JOURNEY)
    assert auditbook("load", "printago.jsonl", "-q").returncode == 0
    assert auditbook("detect", "-q").returncode == 0
    done = auditbook(
        "sql",
        "select status, why from detector_coverage where detector = 'impossible_travel'",
        "--format",
        "jsonl",
    )
    assert json.loads(done.stdout) == {"status": "not_evaluable", "why": "places.mmdb is not configured."}


def test_a_database_that_comes_later_is_used_for_what_was_loaded_before(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    export(tmp_path / "printago.jsonl", JOURNEY)
    assert auditbook("load", "printago.jsonl", "-q").returncode == 0
    assert auditbook("detect", "-q").returncode == 0
    database(tmp_path / "city.mmdb", {"192.0.2.0/24": LISBON, "2001:db8:7::/48": OSAKA})
    (tmp_path / "auditbook.toml").write_text('[places]\nmmdb = "city.mmdb"\n')
    done = auditbook("detect", "--json", "-q")
    assert json.loads(done.stdout)["findings"]["new"] == 1
    again = auditbook("detect", "--json", "-q")
    assert json.loads(again.stdout)["findings"]["new"] == 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "auditbook.toml").write_text('[places]\nmmdb = "city.mmdb"\n')
    with pytest.raises(UsageError) as error:
        config.read(tmp_path / "auditbook.toml")
    assert str(error.value) == (
        f'{tmp_path}/auditbook.toml places.mmdb: "{tmp_path}/city.mmdb" cannot be read: No such file or directory. '
        "It names a database of places in MaxMind's format, such as GeoLite2-City.mmdb."
    )


def test_a_file_of_another_kind(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "city.mmdb").write_text("no database")
    (tmp_path / "auditbook.toml").write_text('[places]\nmmdb = "city.mmdb"\n')
    export(tmp_path / "printago.jsonl", JOURNEY)
    done = auditbook("load", "printago.jsonl", "-q")
    assert done.returncode == 2
    assert "places.mmdb: Error opening database file" in done.stderr
    assert "MaxMind's format (.mmdb) is expected." in done.stderr


def test_the_record_names_databases_by_their_hash_and_not_by_their_place(tmp_path: Path) -> None:
    database(tmp_path / "city.mmdb", {"192.0.2.0/24": LISBON})
    (tmp_path / "auditbook.toml").write_text('[places]\nmmdb = "city.mmdb"\n')
    read = config.read(tmp_path / "auditbook.toml")
    [one] = read.places
    assert config.to_dict(read) == {"places": {"mmdb": [one.sha256]}}
    assert config.to_dict(config.from_dict(config.to_dict(read))) == config.to_dict(read)
