"""What a press would stumble over in a PDF: colours that are not its own, fonts that are not in the file.

Reads the file as it will be printed: what pages show, and what is shown by that. Each part that many
pages share is looked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import pikepdf
from pikepdf import Name

_Instruction = pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage
_LEAST_INK = 0.0005


class Ink(StrEnum):
    """What a colour space is made of."""

    GRAY = "grey"
    CMYK = "CMYK"
    SPOT = "spot colours"
    RGB = "RGB"
    LAB = "Lab"
    UNKNOWN = "an unknown colour space"


_PRINTABLE = (Ink.GRAY, Ink.CMYK, Ink.SPOT)
_DEVICE_SPACES = {
    "/DeviceGray": Ink.GRAY,
    "/G": Ink.GRAY,
    "/CalGray": Ink.GRAY,
    "/DeviceCMYK": Ink.CMYK,
    "/CMYK": Ink.CMYK,
    "/DeviceRGB": Ink.RGB,
    "/RGB": Ink.RGB,
    "/CalRGB": Ink.RGB,
    "/Lab": Ink.LAB,
}
_BY_COMPONENTS = {1: Ink.GRAY, 3: Ink.RGB, 4: Ink.CMYK}
_NO_INKS = ("/None", "/All")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a printer takes."""

    takes_rgb: bool = False
    takes_spots: bool = True
    most_ink: float | None = None
    """The sum of cyan, magenta, yellow and black at one place, as 2.8 for 280 %."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found: faults in words, each naming the place, and the spot colours that are used."""

    faults: tuple[str, ...]
    spots: tuple[str, ...]


def inspect(pdf: pikepdf.Pdf, rules: Rules) -> Inspection:
    """Look through all pages of a file."""
    inspector = _Inspector(rules)
    for number, page in enumerate(pdf.pages, start=1):
        inspector.look_at(page.obj, f"page {number}")
    return Inspection(tuple(dict.fromkeys(inspector.faults)), tuple(sorted(inspector.spots)))


def unembedded_fonts(page: pikepdf.Object) -> list[str]:
    """The names of the fonts of one page, forms included, that are not in the file."""
    inspector = _Inspector(Rules(takes_rgb=True))
    inspector.look_at(page, "")
    return sorted(inspector.missing_fonts)


@dataclass(slots=True)
class _Inspector:
    rules: Rules
    faults: list[str] = field(default_factory=list)
    spots: set[str] = field(default_factory=set)
    missing_fonts: set[str] = field(default_factory=set)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def look_at(self, content: pikepdf.Object, where: str) -> None:
        """A page or a form: its operators, and what its resources are."""
        resources = content.get(Name.Resources, pikepdf.Dictionary())
        for name, font in resources.get(Name.Font, pikepdf.Dictionary()).items():
            self._font(font, where, name)
        group = content.get(Name.Group)
        if group is not None and Name.CS in group:
            self._space(group[Name.CS], f"{where}: a transparency group is in")
        stream = pikepdf.Page(content) if content.get(Name.Type) == Name.Page else content
        for instruction in pikepdf.parse_content_stream(stream):
            self._instruction(instruction, resources, where)

    def _instruction(
        self,
        instruction: pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage,
        resources: pikepdf.Object,
        where: str,
    ) -> None:
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            self._inline_image(instruction.iimage, resources, where)
            return
        operator = str(instruction.operator)
        operands = [instruction.operands[index] for index in range(len(instruction.operands))]
        if operator in ("rg", "RG"):
            self._refuse_rgb(" ".join(f"{float(part):g}" for part in operands), where)
        elif operator in ("k", "K"):
            self._ink([float(part) for part in operands], where)
        elif operator in _NAMING and operands and isinstance(operands[-1], Name):
            kind, look = _NAMING[operator]
            self._named(kind, operands[-1], resources, where, look)
        elif operator == "Tf":
            self._named(Name.Font, operands[0], resources, where, _Inspector._font)

    def _named(
        self,
        kind: pikepdf.Name,
        name: pikepdf.Object,
        resources: pikepdf.Object,
        where: str,
        look: Callable[[_Inspector, pikepdf.Object, str, str], None],
    ) -> None:
        """Look at a resource by its name. A name that leads nowhere is how forms lose what they need."""
        if kind == Name.ColorSpace and str(name) in (*_DEVICE_SPACES, "/Pattern"):
            self._space(name, f"{where}: a colour is in")
            return
        entries = resources.get(kind)
        if entries is None or name not in entries:
            self.faults.append(f"{where}: {_plain(name)} is used, and not in the file ({_plain(kind)})")
        else:
            look(self, entries[str(name)], where, _plain(name))

    def _font(self, font: pikepdf.Object, where: str, name: str) -> None:
        if not self._is_new(font) or font.get(Name.Subtype) == Name.Type3:
            return
        family = _plain(font.get(Name.BaseFont, Name(f"/{name}")))
        described = font[Name.DescendantFonts][0] if Name.DescendantFonts in font else font
        descriptor = described.get(Name.FontDescriptor, pikepdf.Dictionary())
        if not any(key in descriptor for key in (Name.FontFile, Name.FontFile2, Name.FontFile3)):
            self.missing_fonts.add(family)
            self.faults.append(f"{where}: font {family} is not embedded")

    def _xobject(self, thing: pikepdf.Object, where: str, name: str) -> None:
        if not self._is_new(thing):
            return
        if thing.get(Name.Subtype) == Name.Form:
            self.look_at(thing, f"{where}, form {name}")
        elif thing.get(Name.Subtype) == Name.Image and not thing.get(Name.ImageMask, False):
            self._space(thing.get(Name.ColorSpace), f"{where}: image {name} is in")

    def _inline_image(self, image: pikepdf.PdfInlineImage, resources: pikepdf.Object, where: str) -> None:
        if image.image_mask:
            return
        space = image.obj.get(Name.ColorSpace, image.obj.get(Name.CS))
        named = resources.get(Name.ColorSpace, pikepdf.Dictionary())
        if isinstance(space, Name) and space in named:
            space = named[space]
        self._space(space, f"{where}: an image in the text is in")

    def _color_space(self, space: pikepdf.Object, where: str, name: str) -> None:  # noqa: ARG002
        self._space(space, f"{where}: a colour is in")

    def _shading(self, shading: pikepdf.Object, where: str, name: str) -> None:  # noqa: ARG002
        self._space(shading.get(Name.ColorSpace), f"{where}: a gradient is in")

    def _pattern(self, pattern: pikepdf.Object, where: str, name: str) -> None:
        if not self._is_new(pattern):
            return
        if Name.Shading in pattern:
            self._shading(pattern[Name.Shading], where, name)
        else:
            self.look_at(pattern, f"{where}, pattern {name}")

    def _state(self, state: pikepdf.Object, where: str, name: str) -> None:
        mask = state.get(Name.SMask)
        if isinstance(mask, pikepdf.Dictionary) and Name.G in mask and self._is_new(mask[Name.G]):
            self.look_at(mask[Name.G], f"{where}, mask {name}")
        for key in (Name.TR, Name.TR2, Name.HTP):
            if key in state and state[key] != Name.Default:
                self.faults.append(f"{where}: {_plain(key)} of {name} is for one device only")

    def _space(self, space: pikepdf.Object | None, what: str) -> None:
        ink = self._made_of(space)
        if ink in _PRINTABLE or (ink is Ink.RGB and self.rules.takes_rgb):
            return
        self.faults.append(f"{what} {ink}")

    def _made_of(self, space: pikepdf.Object | None) -> Ink:
        if space is None:
            return Ink.UNKNOWN
        if isinstance(space, pikepdf.Name):
            return Ink.GRAY if space == Name.Pattern else _DEVICE_SPACES.get(str(space), Ink.UNKNOWN)
        kind = str(space[0])
        if kind in _DEVICE_SPACES:
            return _DEVICE_SPACES[kind]
        if kind == "/ICCBased":
            return _BY_COMPONENTS.get(int(space[1][Name.N]), Ink.UNKNOWN)
        if kind in ("/Indexed", "/I", "/Pattern"):
            return self._made_of(space[1]) if len(space) > 1 else Ink.GRAY
        if kind in ("/Separation", "/DeviceN"):
            return self._spots(space)
        return Ink.UNKNOWN

    def _spots(self, space: pikepdf.Object) -> Ink:
        names = [str(space[1])] if isinstance(space[1], pikepdf.Name) else [str(name) for name in space[1]]
        inks = {name.removeprefix("/") for name in names if name not in _NO_INKS}
        inks -= {"Cyan", "Magenta", "Yellow", "Black"}
        if not self.rules.takes_spots:
            self.faults.extend(f"the spot colour {ink} is used" for ink in sorted(inks - self.spots))
        self.spots |= inks
        return Ink.SPOT if (fallback := self._made_of(space[2])) in _PRINTABLE else fallback

    def _refuse_rgb(self, written: str, where: str) -> None:
        if not self.rules.takes_rgb:
            self.faults.append(f"{where}: a colour is in RGB ({written})")

    def _ink(self, parts: list[float], where: str) -> None:
        most = self.rules.most_ink
        if most is not None and sum(parts) > most + _LEAST_INK:
            written = ", ".join(f"{100 * part:g}" for part in parts)
            self.faults.append(
                f"{where}: the colour CMYK {written} takes {100 * sum(parts):.0f} % of ink, and"
                f" {100 * most:.0f} % is the most"
            )

    def _is_new(self, thing: pikepdf.Object) -> bool:
        """Whether this part has not been looked at; one that is written in place always is new."""
        if not thing.is_indirect:
            return True
        is_new = thing.objgen not in self._seen
        self._seen.add(thing.objgen)
        return is_new


_NAMING: dict[str, tuple[pikepdf.Name, Callable[[_Inspector, pikepdf.Object, str, str], None]]] = {
    "Do": (Name.XObject, _Inspector._xobject),
    "cs": (Name.ColorSpace, _Inspector._color_space),
    "CS": (Name.ColorSpace, _Inspector._color_space),
    "scn": (Name.Pattern, _Inspector._pattern),
    "SCN": (Name.Pattern, _Inspector._pattern),
    "sh": (Name.Shading, _Inspector._shading),
    "gs": (Name.ExtGState, _Inspector._state),
}


def _plain(name: object) -> str:
    return str(name).removeprefix("/").removeprefix("FormXob.")
