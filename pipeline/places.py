"""Where it came from: texts that may be IP addresses -> the address and a key that sorts. Part of normalize."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_PORT = re.compile(r"^(\d+\.\d+\.\d+\.\d+):\d{1,5}$|^\[([0-9a-fA-F:.]+)\](?::\d{1,5})?$")


def read_addresses(texts: Iterable[str]) -> pa.Table:
    """Each distinct text with its address (null when it is none) and 16 bytes in which a network is a range."""
    import pyarrow as pa

    rows = []
    for text in texts:
        address = parse(text)
        rows.append(
            {
                "text": text,
                "address": None if address is None else str(address),
                "key": address and sort_key(address),
            }
        )
    schema = pa.schema([("text", pa.string()), ("address", pa.string()), ("key", pa.binary())])
    return pa.Table.from_pylist(rows, schema=schema)


def parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """v4, v6, v4:port and [v6]:port; anything else is no address. A v4 address written as v6 is that v4 address."""
    text = text.strip()
    if with_port := _PORT.match(text):
        text = with_port.group(1) or with_port.group(2)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def sort_key(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """IPv4 as IPv4-mapped IPv6, so that both sort in one column."""
    if isinstance(address, ipaddress.IPv4Address):
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed
