"""Where people are on the network: offices, homes, mobile carriers, hotels, and the machines of strangers.

Addresses are from the ranges reserved for documentation and benchmarks, so that none belongs to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

OFFICES = {
    "harbor": ("203.0.113.10", "203.0.113.11"),
    "spree": ("198.51.100.20",),
    "pune": ("192.0.2.44", "192.0.2.45"),
    "valley": ("203.0.113.140",),
}
CITIES = ("America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata")
PUNE_AFTER_THE_MOVE = ("198.18.7.12", "198.18.7.13")
VPN = ("198.51.100.200", "198.51.100.201")
STRANGERS_AGENTS = (
    "python-requests/2.32.5",
    "curl/8.14.1",
    "Go-http-client/2.0",
    "okhttp/5.1.0",
    "axios/1.11.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/128.0.0.0 Safari/537.36",
)


@dataclass(frozen=True)
class Home:
    """A line at home: its address, or for one that is dialled anew each day the pool of its provider."""

    address: str
    daily: bool


@dataclass(frozen=True)
class Line:
    """An address and the device behind it."""

    ip: str | None
    agent: str | None


def home(rng: Random, number: int, city: int) -> Home:
    """A person's line at home; one in five is dialled anew each day."""
    return Home(f"198.18.{16 + city * 20 + number % 20}.{rng.randrange(2, 250)}", rng.random() < 0.2)


def dialled(rng: Random, city: int) -> str:
    """Another address of the city's provider."""
    return f"198.18.{128 + city * 8 + rng.randrange(8)}.{rng.randrange(2, 250)}"


def mobile(rng: Random, number: int, city: int) -> str:
    """An address of the city's mobile carrier; every second person's is version 6."""
    if number % 2:
        return f"2001:db8:40{city:02x}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
    return f"198.19.{city * 16 + rng.randrange(16)}.{rng.randrange(2, 250)}"


def hotel(rng: Random) -> str:
    """An address for the days of a journey."""
    return f"198.19.{rng.randrange(96, 160)}.{rng.randrange(2, 250)}"


def far(rng: Random) -> str:
    """An address on a continent on which the organization has nobody."""
    return f"198.19.{rng.randrange(160, 176)}.{rng.randrange(2, 250)}"


def strange(rng: Random) -> str:
    """A rented machine that nobody at the organization ever used."""
    if rng.random() < 0.25:
        return f"2001:db8:{rng.randrange(0x9000, 0xFFFF):x}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
    return f"198.19.{rng.randrange(176, 256)}.{rng.randrange(2, 250)}"


def customer(rng: Random, number: int) -> str:
    """The address of somebody who buys."""
    if rng.random() < 0.8:
        return f"198.18.{160 + number % 90}.{number // 90 % 240 + 2}"
    return mobile(rng, number, number % len(CITIES))


def browser(kind: str, system: str, day: int, lag: int) -> str:
    """The user agent of a browser that updates itself every four weeks, each person some days later than the first."""
    version = 138 + max(0, day - lag) // 28
    if kind == "Firefox":
        return f"Mozilla/5.0 ({system}; rv:{version + 3}.0) Gecko/20100101 Firefox/{version + 3}.0"
    tail = f" Edg/{version}.0.0.0" if kind == "Edge" else ""
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36{tail}"


def phone(kind: str, day: int, lag: int) -> str:
    if kind == "iPhone":
        minor = max(0, day - lag) // 40
        system = f"iPhone; CPU iPhone OS 19_{minor} like Mac OS X"
        return f"Mozilla/5.0 ({system}) AppleWebKit/605.1.15 Version/19.{minor} Mobile/15E148 Safari/604.1"
    version = 138 + max(0, day - lag) // 28
    kit = "AppleWebKit/537.36 (KHTML, like Gecko)"
    return f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {kit} Chrome/{version}.0.0.0 Mobile Safari/537.36"
