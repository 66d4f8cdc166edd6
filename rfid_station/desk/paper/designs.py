"""Card designs and brands at the desk: which there are, new ones, judged ones, and pictures of them.

Works without a station too: then with what ships, and with cards that nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from rfid_station.desk.files import write_whole
from rfid_station.errors import WrongCall
from rfid_station.printing.brand import Brand, load_brand, parse_rgb
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.new_design import BrandAnswers, brand_text, design_text
from rfid_station.printing.template import TemplateKind, template_names, template_path
from rfid_station.settings import FILE_NAME, Settings, load_settings

LOGO_SUFFIXES = (".svg", ".png", ".jpg", ".jpeg")
Loaded = TypeVar("Loaded")

_PLACE = re.compile(r"(.+?\.toml(?::\d+:\d+)?:(?: [\w.]+(?: \d+)?(?: \(\w+\))?:)?(?= ))?(.*)", re.DOTALL)
"""Of an error of a template: file, line and column, and layer; and what is wrong there."""
_WORST_DPI, _BEST_DPI = 50, 1200


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where designs are made: a station's folder, or any, and what is set there."""

    folder: Path
    settings: Settings

    @property
    def templates(self) -> list[Path]:
        """The folders of the user's own templates."""
        return [self.folder / "templates"]

    def design(self, name: str | None = None) -> CardDesign:
        """A design, by default that of the settings.

        :raises WrongCall: there is none of this name, or an entry of it is wrong
        """
        return load_design(name or self.settings.print.design, self.templates)

    def brand(self, name: str | None = None) -> Brand:
        """A brand, by default that of the settings.

        :raises WrongCall: there is none of this name, or an entry of it is wrong
        """
        return load_brand(name or self.settings.print.brand, self.templates)


def open_workshop(folder: Path) -> Workshop:
    """The workshop of a folder, which need not be a station.

    :raises WrongCall: it is one, and its settings are wrong
    """
    is_station = (folder / FILE_NAME).is_file()
    return Workshop(folder, load_settings(folder) if is_station else Settings())


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template as a list of them shows it."""

    kind: str
    name: str
    title: str
    file: Path
    is_own: bool


def listed(workshop: Workshop) -> list[TemplateRow]:
    """All card designs and brands. What cannot be read says so in its title."""
    rows = []
    for kind in (TemplateKind.CARD, TemplateKind.BRAND):
        for name in template_names(kind, workshop.templates):
            file = template_path(kind, name, workshop.templates)
            is_own = file.is_relative_to(workshop.folder / "templates")
            rows.append(TemplateRow(kind.noun, name, _title(workshop, kind, name), file, is_own))
    return rows


def _title(workshop: Workshop, kind: TemplateKind, name: str) -> str:
    try:
        if kind is TemplateKind.BRAND:
            return workshop.brand(name).fields["issuer"]
        design = workshop.design(name)
    except WrongCall:
        return "cannot be read: rfid-station sheet check" + (f" {name}" if kind is TemplateKind.CARD else "")
    return f"{design.title} ({' and '.join(design.sides)})"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a design: `severity` is `error` or `warning`."""

    severity: str
    place: str
    problem: str
    remedy: str


def check(workshop: Workshop, design: str | None, brand: str | None) -> list[Finding]:
    """All that is wrong with a design and its brand, files included.

    :raises WrongCall: there is no such design or brand
    """
    from rfid_station.printing.check import check_design

    print_ = workshop.settings.print
    design, brand = design or print_.design, brand or print_.brand
    template_path(TemplateKind.CARD, design, workshop.templates)
    template_path(TemplateKind.BRAND, brand, workshop.templates)
    problems: list[WrongCall] = []
    loaded_design = _collected(problems, lambda: load_design(design, workshop.templates, problems))
    loaded_brand = _collected(problems, lambda: load_brand(brand, workshop.templates, problems))
    findings = [_of_file(problem) for problem in problems]
    if loaded_design and loaded_brand:
        desk = workshop.settings.desk
        found = check_design(loaded_design, loaded_brand, link=desk.link, number_pattern=desk.visual_number)
        findings += [Finding(each.severity.value, each.place, each.problem, each.remedy) for each in found]
    return findings


def _collected(problems: list[WrongCall], load: Callable[[], Loaded]) -> Loaded | None:
    """What could be loaded; what stops that is the last of the problems."""
    try:
        return load()
    except WrongCall as error:
        problems.append(error)
        return None


def _of_file(problem: WrongCall) -> Finding:
    place, what = _PLACE.fullmatch(problem.message).groups()  # type: ignore[union-attr] # matches anything
    return Finding("error", (place or "").rstrip(": "), what.strip(), problem.hint or "")


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture of a design shows."""

    design: str | None = None
    brand: str | None = None
    side: str | None = None
    """`front` or `back`; None is all sides there are."""
    language: str | None = None
    sheet: str | None = None
    """The name of a sheet, to show it full of cards."""
    dpi: int = 300
    shows_zones: bool = False


def picture(workshop: Workshop, wanted: Picture, face: Mapping[str, str] | None = None) -> bytes:
    """A PNG of one card, or of a whole sheet; of a card that nobody has, unless its face is given.

    :raises WrongCall: design, brand or sheet cannot be used, or there is no such side or language
    :raises PrintError: a text, picture or code cannot be printed
    """
    if not _WORST_DPI <= wanted.dpi <= _BEST_DPI:
        raise WrongCall(
            f"{wanted.dpi} dpi cannot be shown", hint=f"choose one from {_WORST_DPI} to {_BEST_DPI}"
        )
    design, brand = workshop.design(wanted.design), workshop.brand(wanted.brand)
    _check_language(design, wanted.language)
    sides = [_side(design, wanted.side)] if wanted.side else None
    shown = face or sample_face(workshop)
    if wanted.sheet:
        return _sheet_picture(workshop, design, brand, wanted, shown)
    from rfid_station.printing.card_picture import card_png

    return card_png(
        design,
        brand,
        shown,
        sides=sides,
        language=wanted.language,
        dpi=wanted.dpi,
        shows_zones=wanted.shows_zones,
    )


def sample_face(workshop: Workshop) -> dict[str, str]:
    """A card that nobody has, with numbers and links as they are at this station."""
    from rfid_station.printing.samples import usual_face

    desk = workshop.settings.desk
    return usual_face(desk.link, desk.visual_number)


def _sheet_picture(
    workshop: Workshop, design: CardDesign, brand: Brand, wanted: Picture, face: Mapping[str, str]
) -> bytes:
    from rfid_station.printing.layout import load_layout
    from rfid_station.printing.preview import preview_png
    from rfid_station.printing.sheet import render_sheets

    layout = load_layout(wanted.sheet or "", workshop.templates)
    printed = render_sheets(design, brand, layout, [face] * len(layout.slots), job="preview")
    page = 2 if wanted.side == Side.BACK else 1
    return preview_png(printed.pdf, page, min(wanted.dpi, 150))


def _side(design: CardDesign, wanted: str) -> Side:
    if wanted not in design.sides:
        raise WrongCall(
            f"the design {design.source.stem} has no {wanted!r}", hint=f"it has: {', '.join(design.sides)}"
        )
    return Side(wanted)


def _check_language(design: CardDesign, wanted: str | None) -> None:
    if wanted and design.languages and wanted not in design.languages:
        raise WrongCall(
            f"the design {design.source.stem} is not in {wanted!r}",
            hint=f"its languages: {', '.join(design.languages)}; more go into its entry languages",
        )


@dataclass(frozen=True, slots=True)
class NewDesign:
    """What a new design is made of. The answers are there if its brand is new too."""

    name: str
    base: str
    brand: str
    answers: BrandAnswers | None
    logo: Path | None = None


def has_brand(workshop: Workshop, name: str) -> bool:
    """Whether there is such a brand."""
    return name in template_names(TemplateKind.BRAND, workshop.templates)


def make_design(workshop: Workshop, wanted: NewDesign) -> list[Path]:
    """Write the files of a new design, and of its brand if that is new; none of them is there yet.

    :raises WrongCall: a file is there already, or an answer cannot be used
    :raises DiskFull: there is no room
    """
    for name in (wanted.name, wanted.brand):
        if not re.fullmatch(r"\w[\w-]*", name):
            raise WrongCall(f"{name!r} is no name", hint="use letters, digits and dashes")
    base = template_path(TemplateKind.CARD, wanted.base, workshop.templates)
    own = workshop.folder / "templates"
    files: dict[Path, bytes] = {}
    has_logo = True
    if wanted.answers:
        answers = _checked_answers(wanted.answers)
        has_logo = wanted.logo is not None
        if wanted.logo:
            files[_logo_place(own, wanted)] = _logo_bytes(wanted.logo)
            answers = replace(answers, logo=_logo_place(own, wanted).name)
        files[own / "brands" / f"{wanted.brand}.toml"] = brand_text(answers).encode()
    else:
        has_logo = "on_primary" in workshop.brand(wanted.brand).logos
    title = wanted.answers.issuer if wanted.answers else wanted.name
    files[own / "cards" / f"{wanted.name}.toml"] = design_text(base, title, has_logo=has_logo).encode()
    for path in files:
        _refuse_taken(path)
    for path, content in files.items():
        write_whole(path, content)
    return list(files)


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise WrongCall(f"{path} is there already", hint="choose another name, or change that file")


def _checked_answers(answers: BrandAnswers) -> BrandAnswers:
    for color in (answers.primary, answers.accent):
        if parse_rgb(color) is None:
            raise WrongCall(f"{color!r} is no colour", hint='write six hexadecimal digits, as in "#0B2A3B"')
    if not answers.issuer.strip() or not answers.hotline.strip():
        raise WrongCall(
            "a brand has an issuer and a hotline", hint="give both: --issuer NAME --hotline NUMBER"
        )
    return answers


def _logo_place(own: Path, wanted: NewDesign) -> Path:
    return own / "brands" / f"{wanted.brand}{wanted.logo.suffix.lower() if wanted.logo else ''}"


def _logo_bytes(logo: Path) -> bytes:
    """The logo's file, once it is known that it can be printed."""
    if logo.suffix.lower() not in LOGO_SUFFIXES:
        raise WrongCall(f"{logo.name} is no logo", hint=f"take a file {', '.join(LOGO_SUFFIXES)}")
    if not logo.is_file():
        raise WrongCall(f"{logo} is not there", hint=f"ls -l {logo.parent}")
    from rfid_station.printing.art.logo_file import check_logo

    check_logo(logo)
    return logo.read_bytes()
