"""How people are written, and what of it is compared: one folding for reviewers, suppressions and look-alikes.

What is in the store is folded in SQL, what somebody wrote is taken apart here. Letters lose case and accents, and what
looks like a Latin letter is that one: nobody becomes somebody else by an alphabet that nobody can tell apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import permutations

# Small letters that look like a Latin one, themselves or their capital, and Latin ones that are no accent's.
_LOOKS = {
    "a": "аα", "b": "вβ", "c": "сϲ", "d": "ԁđ", "e": "еεє", "g": "ԍ", "h": "нһηħ", "i": "іιı", "j": "јϳ", "k": "кκ",
    "l": "ӏł", "m": "мμ", "o": "оοø", "p": "рρ", "q": "ԛ", "s": "ѕ", "t": "тτŧ", "u": "υ", "v": "ѵν", "w": "ԝѡ",
    "x": "хχ", "y": "уүγ", "z": "ζ",
}  # fmt: skip
_PAIRS = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ς": "σ"}
# As who has no such key on the keyboard writes them.
_TRANSCRIBED = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_ADDRESS = re.compile(r"[^\s<>()\[\]{},;:\"']+@[^\s<>()\[\]{},;:\"'?]+")
_SEPARATE = re.compile(r"[<>()\[\]{}\"|;/&\n]|\s[-–—]\s")
MOST_ORDERED = 4  # words of which every order is tried; of more only who begins


def letters_of(text: str) -> str:
    """SQL: a text without case and accents, and without letters that only look like Latin ones."""
    looks, like = "".join(_LOOKS.values()), "".join(one * len(other) for one, other in _LOOKS.items())
    folded = _replaced(f"translate(lower(strip_accents({text})), '{looks}', '{like}')", _PAIRS)
    return f"CASE WHEN strlen({text}) = length({text}) THEN lower({text}) ELSE {folded} END"


def address_of(text: str) -> str:
    """SQL: an address as it is compared, without the tag that its owner may add."""
    return rf"regexp_replace(lower({text}), '\+[^@]*@', '@')"


def name_of(text: str) -> str:
    """SQL: a name as it is compared, its letters and digits in the order in which it is spoken."""
    order = r"'^\s*([^,]+),\s*(.+)$', '\2 \1'"
    spoken = f"CASE WHEN contains({text}, ',') THEN regexp_replace({text}, {order}) ELSE {text} END"
    return rf"regexp_replace({letters_of(f'({spoken})')}, '[^\p{{L}}\p{{N}}]+', '', 'g')"


def _replaced(text: str, pairs: dict[str, str]) -> str:
    for one, other in pairs.items():
        text = f"replace({text}, '{one}', '{other}')"
    return text


def spellings(sightings: str) -> str:
    """SQL: every id, address and name that a person is configured or was seen with, over the relation of sightings."""
    return rf"""SELECT person, unnest([a.person, a.actor_key, regexp_replace(a.actor_key, '^[^:]*:', ''), display_name,
        email, actor_id, actor_name, actor_email, s.source || ':' || actor_id, s.source || ':' || actor_name])
        AS spelling
      FROM actors a LEFT JOIN {sightings} s USING (actor_key)
    UNION ALL SELECT id, unnest([id, "name", actor_key, regexp_replace(actor_key, '^[^:]*:', '')]) FROM people"""


def marks_of(relation: str, *, local: bool = False) -> str:
    """SQL: each row of a relation with a `spelling`, once for every `mark` by which it is compared.

    An address is that one and no other that begins alike; with `local` its beginning is a name as well.
    """
    name = "CASE WHEN NOT contains(spelling, '@') THEN spelling END"
    if local:
        name = "CASE WHEN contains(spelling, '@') THEN regexp_extract(spelling, '^[^@+]*') ELSE spelling END"
    accents = "|".join(_TRANSCRIBED)
    transcribed = _replaced("lower(nfc_normalize(called))", _TRANSCRIBED)
    return f"""SELECT * EXCLUDE (called, names), unnest(['text ' || lower(spelling),
      CASE WHEN contains(spelling, '@') THEN 'address ' || {address_of(letters_of("spelling"))} END,
      CASE WHEN length(names[1]) > 2 THEN 'name ' || names[1] END,
      CASE WHEN length(names[2]) > 2 THEN 'name ' || names[2] END]) AS mark
      FROM (SELECT *, [{name_of("called")}, CASE WHEN strlen(called) > length(called)
          AND regexp_matches(lower(nfc_normalize(called)), '{accents}') THEN {name_of(f"({transcribed})")} END] AS names
        FROM (SELECT DISTINCT *, {name} AS called FROM ({relation}) WHERE spelling IS NOT NULL))"""


def plain(written: str) -> str:
    """What somebody wrote without what cannot be seen, and without the scheme of a link."""
    shown = "".join(
        one for one in unicodedata.normalize("NFKC", written) if unicodedata.category(one) != "Cf"
    )
    return re.sub(r"^(?i:mailto|acct|xmpp):(.*?)(\?.*)?$", r"\1", shown.strip()).strip(" .,;@")


def person_texts(written: str) -> list[str]:
    """One person as somebody wrote them down: as it stands, by the address in brackets, and in other orders."""
    text = plain(written)
    boxed = re.fullmatch(r"[^<>]*<([^<>]+@[^<>]+)>", text)
    return list(dict.fromkeys(_ordered([written.strip(), plain(boxed[1]) if boxed else text])))


def every_text(written: str) -> list[str]:
    """Everybody whom somebody may mean by what they wrote: the whole, each part of it, each address in it."""
    text = plain(written)
    addresses = [plain(one) for one in _ADDRESS.findall(text)]
    parts = [
        part
        for piece in _SEPARATE.split(_ADDRESS.sub(";", text)) + _SEPARATE.split(text)
        for part in (piece, *_between_commas(piece))
    ]
    return list(dict.fromkeys(_ordered([written.strip(), text, *addresses, *map(plain, parts)])))


def _between_commas(text: str) -> Iterator[str]:
    """The parts of a text; a first name that follows a last name is none: `Ruiz, Ana` is not every Ana."""
    before = ""
    for part in (one.strip() for one in text.split(",")):
        if not (part.isalpha() and before.replace(" ", "").isalpha()):
            yield part
        before = part


def _ordered(texts: Iterable[str]) -> Iterator[str]:
    for text in filter(None, texts):
        yield text
        words = [] if "@" in text else [one for one in re.split(r"[\s,]+", text) if one]
        if len(words) <= MOST_ORDERED:
            yield from map(" ".join, permutations(words))
        else:
            yield from (" ".join(words[n:] + words[:n]) for n in range(len(words)))


def mixed(written: str) -> tuple[str, list[str]] | None:
    """The first word that has letters of several alphabets which look alike, and those alphabets."""
    for word in re.findall(r"\w+", unicodedata.normalize("NFKC", written)):
        found = {unicodedata.name(one, "").partition(" ")[0] for one in word if one.isalpha()} & _ALPHABETS
        if len(found) > 1:
            return word, sorted(found)
    return None
