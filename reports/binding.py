"""A document that WeasyPrint has made, and sheets drawn behind it -> one PDF, written as it comes. Run by press.py.

The sheets come first, so that the document's own lists (pages, marks, structure, bookmarks) are written when it is
known what belongs into them. Imports nothing of auditbook.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import IO, Any

import pydyf
from fontTools import subset
from fontTools.ttLib import TTFont

DROPPED = "GPOS GSUB GDEF DSIG fvar gvar avar cvar HVAR MVAR STAT meta".split()
PACKED = 2000  # objects that are compressed together


class Face:
    """One font file: the glyph of each character, and which were used."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        with TTFont(path, lazy=True) as font:
            cmap, widths, self.scale = font.getBestCmap(), font["hmtx"], 1000 / font["head"].unitsPerEm
            self.glyphs = {chr(code): font.getGlyphID(glyph) for code, glyph in cmap.items()}
            self.widths = {chr(code): widths[glyph][0] * self.scale for code, glyph in cmap.items()}
            heights = font["hhea"], font["OS/2"]
            self.ascent, self.descent = heights[0].ascent * self.scale, heights[0].descent * self.scale
            self.capital = heights[1].sCapHeight * self.scale
            head = font["head"]
            self.box = tuple(
                round(side * self.scale) for side in (head.xMin, head.yMin, head.xMax, head.yMax)
            )
        self.codes = {letter: f"{glyph:04x}" for letter, glyph in self.glyphs.items()}
        self.used: set[str] = set()

    @staticmethod
    def tag(content: bytes) -> str:
        """Six letters that name this choice of glyphs."""
        return "".join(chr(65 + byte % 26) for byte in hashlib.sha256(content).digest()[:6])

    def content(self) -> bytes:
        """The font with the used glyphs alone, under their numbers."""
        options = subset.Options(retain_gids=True, notdef_outline=True, hinting=False, drop_tables=DROPPED)
        cut = subset.Subsetter(options)
        cut.populate(unicodes=[ord(letter) for letter in self.used])
        with TTFont(self.path, recalcTimestamp=False) as font:
            cut.subset(font)
            stream = io.BytesIO()
            font.save(stream)
        return stream.getvalue()


@dataclass
class File:
    """A PDF as it is written: the numbers of its objects, and where each stands."""

    stream: IO[bytes]
    numbers: Iterator[int]
    at: int = 0
    table: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, bytes]] = field(default_factory=list)
    hashed: Any = field(default_factory=hashlib.sha256)

    def number(self) -> int:
        return next(self.numbers)

    def write(self, data: bytes) -> None:
        self.stream.write(data)
        self.hashed.update(data)
        self.at += len(data)

    def put(self, number: int, one: Any) -> None:
        """An object of its own, at once."""
        one.number = number
        self._place(number, 1, self.at, 0)
        self.write(one.indirect + b"\n")

    def draw(self, number: int, drawing: Sequence[str]) -> None:
        """What a page shows."""
        self.put(number, pydyf.Stream([one.encode("ascii") for one in drawing], compress=True))

    def keep(self, number: int, told: str | bytes) -> None:
        """An object that is compressed together with others."""
        self.waiting.append((number, told.encode() if isinstance(told, str) else told))
        if len(self.waiting) == PACKED:
            self.pack()

    def pack(self) -> None:
        """Write what waits."""
        objects, self.waiting = self.waiting, []
        number, heads, position = self.number(), [], 0
        for index, (inner, data) in enumerate(objects):
            self._place(inner, 2, number, index)
            heads.append(f"{inner} {position}")
            position += len(data) + 1
        head = " ".join(heads).encode()
        extra = {"Type": "/ObjStm", "N": len(objects), "First": len(head) + 1}
        self.put(number, pydyf.Stream([head, *(data for _, data in objects)], extra, compress=True))

    def close(self, root: int, info: int, identifier: str) -> None:
        """Where everything is, and the end."""
        self.pack()
        number, at = self.number(), self.at
        self._place(number, 1, at, 0)
        names = f"<{identifier.encode().hex()}> <{self.hashed.hexdigest()[:32]}>"
        extra = {
            "Type": "/XRef", "W": pydyf.Array((1, 4, 2)), "Size": number + 1, "Root": f"{root} 0 R",
            "Info": f"{info} 0 R", "ID": f"[{names}]",
        }  # fmt: skip
        table = pydyf.Stream([bytes(self.table)], extra, compress=True)
        table.number = number
        self.write(table.indirect + b"\nstartxref\n" + str(at).encode() + b"\n%%EOF\n")

    def _place(self, number: int, kind: int, where: int, index: int) -> None:
        """Remember where an object is: at a byte (1), or as the nth of a stream (2)."""
        end = 7 * (number + 1)
        self.table.extend(bytes(max(0, end - len(self.table))))
        self.table[end - 7 : end] = bytes([kind]) + where.to_bytes(4, "big") + index.to_bytes(2, "big")


def bind(
    pdf: Any, sheets: Any, laid: Any, faces: dict[str, Face], output: IO[bytes], identifier: str
) -> None:
    """The whole file: first the sheets, then the document with what it must know of them."""
    pdf.add_object(pdf.info)
    file = File(output, count(len(pdf.objects)))
    file.write(b"%PDF-1.7\n%\xf0\x9f\x96\xa4\n")
    root = _referred(pdf, pdf.catalog["StructTreeRoot"])
    marks, story = _referred(pdf, root["ParentTree"]), _referred(pdf, root["K"][0])
    key = len(marks["Nums"]) // 2
    pen, before = sheets.Pen(faces), pdf.pages["Count"]
    drawn = sheets.draw(laid, file, pen, before, pdf.pages.number, key)
    for n, (page, belongs) in enumerate(zip(drawn.pages, drawn.belongs, strict=True), key):
        pdf.pages["Kids"].extend([page, 0, "R"])
        marks["Nums"].extend([n, f"{belongs} 0 R"])
    pdf.pages["Count"] += len(drawn.pages)
    story["K"].append(f"{drawn.section} 0 R")
    file.keep(drawn.section, f"<</S/Sect/P {story.number} 0 R/K[{drawn.table} 0 R]>>")
    file.keep(drawn.table, f"<</S/Table/P {drawn.section} 0 R/K{sheets.listed(drawn.groups)}>>")
    _bookmark(pdf, file, drawn)
    fonts_of_pages = _number(pdf, file, sheets, pen, laid, before)
    used = {name: _font(file, face) for name, face in faces.items() if face.used}
    fonts_of_pages["S"] = f"{used['S']} 0 R"
    file.keep(drawn.resources, f"<</Font<<{''.join(f'/{name} {n} 0 R' for name, n in used.items())}>>>>")
    for one in pdf.objects[1:]:
        if one.compressible:
            file.keep(one.number, one.data)
        else:
            file.put(one.number, one)
    file.close(pdf.catalog.number, pdf.info.number, identifier)


def _referred(pdf: Any, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]


def _number(pdf: Any, file: File, sheets: Any, pen: Any, laid: Any, before: int) -> Any:
    """How many pages there are is known now: the document's own but the first are told. Gives their fonts."""
    saved = file.number()
    file.draw(saved, ["q"])
    pages = [pdf.objects[number] for number in pdf.pages["Kids"][: 3 * before : 3]]
    for n, page in enumerate(pages[1:], 2):
        drawing = file.number()
        file.draw(drawing, ["Q", sheets.numbered(laid, pen, n, before + len(laid.pages))])
        page["Contents"] = pydyf.Array((f"{saved} 0 R", page["Contents"], f"{drawing} 0 R"))
    return _referred(pdf, _referred(pdf, pages[0]["Resources"])["Font"])


def _bookmark(pdf: Any, file: File, drawn: Any) -> None:
    """Each day below the document's last bookmark, which is that of the annex; where there is none, by itself."""
    days = [file.number() for _ in drawn.days]
    ends = {"First": f"{days[0]} 0 R", "Last": f"{days[-1]} 0 R"}
    if "Outlines" in pdf.catalog:
        above = _referred(pdf, pdf.catalog["Outlines"])
        while "Last" in above:
            above = _referred(pdf, above["Last"])
        above.update({**ends, "Count": -len(days)})
        parent = above.number
    else:
        parent = file.number()
        pdf.catalog["Outlines"] = f"{parent} 0 R"
        file.keep(parent, f"<</First {ends['First']}/Last {ends['Last']}/Count {len(days)}>>")
    for n, (name, page, y) in enumerate(drawn.days):
        around = f"/Prev {days[n - 1]} 0 R" if n else ""
        around += f"/Next {days[n + 1]} 0 R" if n + 1 < len(days) else ""
        place = f"/Dest[{page} 0 R/XYZ 0 {y:.0f} 0]"
        file.keep(days[n], f"<</Title{_said(name)}{place}/Parent {parent} 0 R{around}>>")


def _said(text: str) -> str:
    return f"<feff{text.encode('utf-16-be').hex()}>"


def _font(file: File, face: Face) -> int:
    """A face with the glyphs that were used, their widths, and what each of them means."""
    font, inner, descriptor, content, meaning = (file.number() for _ in range(5))
    data = face.content()
    name = f"{face.tag(data)}+{face.name}"
    file.put(content, pydyf.Stream([data], {"Length1": len(data)}, compress=True))
    file.keep(
        descriptor,
        f"<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox[{' '.join(map(str, face.box))}]/ItalicAngle 0"
        f"/Ascent {face.ascent:.0f}/Descent {face.descent:.0f}/CapHeight {face.capital:.0f}/StemV 80"
        f"/FontFile2 {content} 0 R>>",
    )
    letters = sorted({face.glyphs[letter]: letter for letter in sorted(face.used, reverse=True)}.items())
    widths = " ".join(f"{glyph} [{face.widths[letter]:.0f}]" for glyph, letter in letters)
    file.keep(
        inner,
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
        f"/Supplement 0>>/CIDToGIDMap/Identity/W[{widths}]/FontDescriptor {descriptor} 0 R>>",
    )
    file.put(meaning, pydyf.Stream([_meanings(letters)], compress=True))
    file.keep(
        font,
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{inner} 0 R]"
        f"/ToUnicode {meaning} 0 R>>",
    )
    return font


def _meanings(letters: Sequence[tuple[int, str]]) -> bytes:
    """Which character each glyph stands for, so that text can be searched and copied."""
    told = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def",
        "/CMapName /Meanings def /CMapType 2 def",
        "1 begincodespacerange <0000> <ffff> endcodespacerange",
    ]
    for begin in range(0, len(letters), 100):
        some = letters[begin : begin + 100]
        told.append(f"{len(some)} beginbfchar")
        told += [f"<{glyph:04x}> <{letter.encode('utf-16-be').hex()}>" for glyph, letter in some]
        told.append("endbfchar")
    return "\n".join([*told, "endcmap CMapName currentdict /CMap defineresource pop end end"]).encode()
