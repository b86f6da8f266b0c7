"""Where a value stands in a record: the two spellings of a path, and what DuckDB calls them. Used by the compiler."""

from __future__ import annotations

import re


def segments(path: str) -> list[str]:
    """The keys of a path: `a.b c` or, for keys with dots and for list positions, the JSON pointer `/a.b/0`."""
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return path.split(".")


def pointer(path: str) -> str:
    """The JSON pointer of a path; a path that counts from the end of a list is a JSONPath, which alone can say so."""
    keys = segments(path)
    if any(map(_from_end, keys)):
        return "$" + "".join(_step(key) for key in keys)
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def keys_of(place: str) -> tuple[str, ...]:
    """The keys of a JSON pointer."""
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in place.split("/")[1:])


def is_position(key: str) -> bool:
    """A key that counts in a list: `0`, `-1`."""
    return re.fullmatch(r"-?\d+", key) is not None


def _from_end(key: str) -> bool:
    return re.fullmatch(r"-\d+", key) is not None


def _step(key: str) -> str:
    if is_position(key):
        return f"[#{key}]" if key.startswith("-") else f"[{key}]"
    return '."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
