"""Where the simulation's addresses are in the world, as a database of places that the rules may read."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

SEATS = (("US", 40.71, -74.01), ("US", 37.80, -122.27), ("DE", 52.52, 13.40), ("IN", 18.52, 73.86))
NEW_YORK, OAKLAND, BERLIN, PUNE = SEATS
JOURNEYS = (
    ("US", 41.88, -87.63),
    ("US", 30.27, -97.74),
    ("CA", 43.65, -79.38),
    ("GB", 51.51, -0.13),
    ("FR", 48.86, 2.35),
    ("NL", 52.37, 4.90),
    ("US", 47.61, -122.33),
    ("PT", 38.72, -9.14),
)
FAR = (("SG", 1.35, 103.82), ("BR", -23.55, -46.63), ("KE", -1.29, 36.82), ("AU", -33.87, 151.21))
RENTED = (("IS", 64.15, -21.94), ("RO", 44.43, 26.10), ("HK", 22.32, 114.17), ("PA", 8.98, -79.52))
Place = tuple[str, float, float]


def networks() -> dict[str, Place]:
    """Every network of the simulation and its place."""
    found: dict[str, Place] = {
        "203.0.113.10/31": NEW_YORK,
        "203.0.113.140/32": OAKLAND,
        "198.51.100.20/32": BERLIN,
        "198.51.100.200/31": NEW_YORK,
        "192.0.2.0/24": PUNE,
        "198.18.7.0/24": PUNE,
    }
    for n, city in enumerate(SEATS):
        found |= {f"198.18.{16 + n * 20 + one}.0/24": city for one in range(20)}
        found |= {
            f"198.18.{128 + n * 8}.0/21": city,
            f"198.19.{n * 16}.0/20": city,
            f"2001:db8:400{n}::/48": city,
        }
    found |= {f"198.19.{96 + n * 8}.0/21": place for n, place in enumerate(JOURNEYS)}
    found |= {f"198.19.{160 + n * 4}.0/22": place for n, place in enumerate(FAR)}
    found |= {
        f"198.19.{176 + n * 20 + one}.0/24": place for n, place in enumerate(RENTED) for one in range(20)
    }
    return found | {f"2001:db8:{start:x}00::/40": RENTED[start % 4] for start in range(0x90, 0x100)}


def write(path: Path) -> None:
    """The database; its own date is always the same, so that its bytes are."""
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Simulated-City")
    for network, (country, latitude, longitude) in networks().items():
        place = {"latitude": latitude, "longitude": longitude, "accuracy_radius": 20}
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}, "location": place})
    with mock.patch("mmdb_writer.time.time", return_value=1_785_715_200):
        writer.to_db_file(str(path))
