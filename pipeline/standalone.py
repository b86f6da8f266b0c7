"""Checks a case that was handed out by auditbook, with nothing but Python: unpack the archive, then

    python3 verify.py [--head HASH] [--public-key KEY]

It checks that every file is the one that MANIFEST.json names, that the records follow one another up to the one that
put this case on record, that their signatures are of the key that you give, and that each line has the hash that is
told of it. --head is the number of a report, or what a witness was sent: it must stand in the chain.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Point = tuple[int, int, int, int]
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


class Broken(Exception):
    """The first thing that does not hold."""


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check_files(place: Path, manifest: dict[str, Any]) -> None:
    """Every file of the case against its hash, and no file more."""
    for name, wanted in manifest["files"].items():
        path = place / name
        if not path.is_file():
            raise Broken(f"{name} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise Broken(f"{name} was changed")
    known = {*manifest["files"], "MANIFEST.json", manifest["record"]}
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    strange = sorted(name for name in found - known if name.startswith(("documents/", "records/", "rules/")))
    if strange:
        raise Broken(f"{strange[0]} is in no manifest")


def check_chain(place: Path, public_key: str | None) -> list[dict[str, Any]]:
    """The records in their order: each head and seal follows from the one before. Returns them."""
    head = seal = "0" * 64
    records: list[dict[str, Any]] = []
    key = public_key
    for number, path in enumerate(sorted((place / "records").glob("*.json")), start=1):
        if path.stem != f"{number:06d}":
            raise Broken(f"record {number:06d} is missing")
        record = json.loads(path.read_text("utf-8"))
        if record["content"]["previous"] != head:
            raise Broken(f"record {number} does not follow the one before it")
        if digest(head + canonical(record["content"])) != record["head"]:
            raise Broken(f"the content of record {number} was changed")
        covered = {name: record[name] for name in ("content", "run", "head")}
        if digest(seal + canonical(covered)) != record["seal"]:
            raise Broken(f"the run of record {number} was changed")
        head, seal = record["head"], record["seal"]
        signer = record["run"].get("signed_with")
        if signer and key and signer != key:
            raise Broken(f"record {number} is signed with another key")
        if signer and not signed(signer, b"auditbook seal " + seal.encode(), record.get("signature", "")):
            raise Broken(f"the signature of record {number} does not hold")
        if records and records[-1]["run"].get("signed_with") and not signer:
            raise Broken(f"record {number} is not signed, and those before it are")
        key = record["content"].get("next_key") or signer or key
        records.append(record)
    if public_key and not (records and records[-1]["run"].get("signed_with")):
        raise Broken("the newest record is not signed")
    return records


def check_lines(place: Path) -> tuple[int, int]:
    """Each line's bytes against its hash; a line in which a secret was replaced cannot be checked. Counts of both."""
    whole = hidden = 0
    uids = set()
    for text in (place / "lines.jsonl").read_text("utf-8").split("\n"):
        if not text:
            continue
        line = json.loads(text)
        uids.add(line["event_uid"])
        if line["redacted"]:
            hidden += 1
        elif digest(line["raw"]) != line["line_sha256"]:
            raise Broken(f"{line['file']}:{line['line']} is not the line of that hash")
        else:
            whole += 1
    for text in (place / "events.jsonl").read_text("utf-8").split("\n"):
        if text and json.loads(text)["event_uid"] not in uids:
            raise Broken(f"event {json.loads(text)['event_uid']} has no line")
    return whole, hidden


# Ed25519 (RFC 8032): a signature (R, s) of a key A holds when s·B = R + h·A.


def add(a: Point, b: Point) -> Point:
    """Two points of the curve, in extended coordinates."""
    t = (a[1] - a[0]) * (b[1] - b[0]) % P
    u = (a[1] + a[0]) * (b[1] + b[0]) % P
    v = 2 * a[3] * b[3] * D % P
    w = 2 * a[2] * b[2] % P
    e, f, g, h = u - t, w - v, w + v, u + t
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def point_of(text: bytes) -> Point:
    """A point from its 32 bytes: the height, and in the highest bit which of the two points of that height."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key: str, message: bytes, signature: str) -> bool:
    try:
        own, made = bytes.fromhex(key), bytes.fromhex(signature)
        a, r = point_of(own), point_of(made[:32])
    except ValueError:
        return False
    s = int.from_bytes(made[32:], "little")
    if len(own) != 32 or len(made) != 64 or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(made[:32] + own + message).digest(), "little") % ORDER
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == (left[1] * right[2] - right[1] * left[2]) % P == 0


def check(place: Path, head: str | None, public_key: str | None) -> Iterator[str]:
    """Everything; what was found, in sentences."""
    text = (place / "MANIFEST.json").read_bytes()
    manifest = json.loads(text)
    check_files(place, manifest)
    records = check_chain(place, public_key)
    told = records[-1]["content"].get("evidence", {})
    if told.get("manifest_sha256") != hashlib.sha256(text).hexdigest():
        raise Broken("the newest record tells of another case than this one")
    heads = [record["head"] for record in records]
    if head and not any(one.startswith(head.lower()) for one in heads):
        raise Broken(f"the head {head} is not in this chain")
    whole, hidden = check_lines(place)
    yield f"case {manifest['case']}: {manifest['what']}"
    yield f"{len(manifest['files'])} files and {len(records)} records are as they were handed out"
    yield f"{whole} lines have the hash that is told of them; in {hidden} more a secret was replaced"
    signers = [record["run"].get("signed_with") for record in records]
    if signers[-1]:
        whose = (
            "the key that was given" if public_key else "compare it with the key that you hold: --public-key"
        )
        yield f"signed with {signers[-1]} ({whose})"
    else:
        yield "nothing is signed: whoever can write could have written all of this"
    yield f"head {heads[-1]}"


def main() -> int:
    about = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    about.add_argument("--head", help="a number from a report or a witness; 12 digits of it or more")
    about.add_argument("--public-key", help="whose signatures they must be, in 64 digits")
    given = about.parse_args()
    if given.head and len(given.head) < 12:
        about.error("--head: give 12 digits or more")
    try:
        for sentence in check(Path(__file__).resolve().parent, given.head, given.public_key):
            print(sentence)
    except (Broken, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"BROKEN: {error}", file=sys.stderr)
        return 1
    print("OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
