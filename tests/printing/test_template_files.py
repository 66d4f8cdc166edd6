"""Templates are read strictly: what is wrong is named with its file, its entry and a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.errors import WrongCall
from rfid_station.printing.brand import BLACK, WHITE, Brand, Color, ShippedFont, contrast, load_brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.design_file import load_design
from rfid_station.printing.field_text import CARD_FIELDS, field_text
from rfid_station.printing.layer import QrLayer, TextLayer
from rfid_station.printing.layout import SheetLayout, load_layout
from rfid_station.printing.template import Table, TemplateKind, load_template, template_names, template_path
from rfid_station.shipped import shipped

LOADERS: dict[str, Callable[..., object]] = {
    "brands": load_brand,
    "cards": load_design,
    "sheets": load_layout,
}
Write = Callable[..., Path]
UNLIKE_A_UID = st.text(st.characters(exclude_characters="0123456789"))


def shipped_files() -> list[Path]:
    return sorted(path for kind in LOADERS for path in shipped("templates", kind).glob("*.toml"))


def misspellings() -> Iterator[tuple[str, str, int, str]]:
    """Every entry of every shipped template: its folder and name, its line, and its key."""
    for path in shipped_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            key = re.match(r"(\w+) = ", line)
            if key:
                yield path.parent.name, path.stem, number, key[1]


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.stem)
def test_shipped_templates_load(path: Path) -> None:
    assert LOADERS[path.parent.name](path.stem)


def test_no_entry_of_a_shipped_template_is_without_effect(template: Write) -> None:
    seen = 0
    for kind, name, number, key in misspellings():
        lines = shipped("templates", kind, f"{name}.toml").read_text(encoding="utf-8").splitlines()
        lines[number] = "x" + lines[number]
        folder = template(kind, "\n".join(lines))
        with pytest.raises(WrongCall) as caught:
            LOADERS[kind]("own", [folder])
        assert key in caught.value.message
        assert str(folder / kind / "own.toml") in caught.value.message
        assert caught.value.hint
        seen += 1
    assert seen > 100


def test_the_users_folder_comes_first(template: Write) -> None:
    text = shipped("templates", "brands", "example.toml").read_text(encoding="utf-8")
    folder = template("brands", text.replace('issuer = "Example Mobility"', 'issuer = "Mine"'), "example")
    assert load_brand("example", [folder]).fields["issuer"] == "Mine"
    assert load_brand("example").fields["issuer"] == "Example Mobility"
    assert load_brand("example", [folder / "nowhere", folder]).fields["issuer"] == "Mine"


def test_a_missing_template_lists_those_that_are_there(template: Write) -> None:
    folder = template("cards", "", "mine")
    with pytest.raises(WrongCall, match="there is no card design 'clasic'") as caught:
        template_path(TemplateKind.CARD, "clasic", [folder])
    assert caught.value.hint == (
        "did you mean 'classic'? there are: bilingual, classic, mine, preprinted;"
        f" your own go into {folder / 'cards'}"
    )
    assert template_names(TemplateKind.CARD, [folder]) == ["bilingual", "classic", "mine", "preprinted"]


@pytest.mark.parametrize("name", ["", "../brands/example", "/etc/passwd", ".", ".."])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(WrongCall, match="there is no card design"):
        load_design(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = \nsize = 1", "is not TOML: .*line 1"),
        ("title = 'a'\ntitle = 'b'", "is not TOML"),
        ("", "title is missing"),
        ("title = 'a'", "size is missing"),
        ("title = 3\nsize = [85.60, 53.98]", "title is 3"),
        ("title = ' '\nsize = [85.60, 53.98]", "title is ' '"),
        ("title = 'a'\nsize = [85.60]", r"size is \[85.6\]"),
        ("title = 'a'\nsize = [85.60, nan]", "size has nan"),
        ("title = 'a'\nsize = [85.60, true]", "size has True"),
        ("title = 'a'\nsize = [85.60, 53.98]\nsafe = true", "safe has True"),
        ("title = 'a'\nsize = [85.60, '54']", "size has '54'"),
        ("title = 'a'\nsize = [85.60, 9e9]", "size has 9000000000"),
        ("title = 'a'\nsize = [85.60, 53.98]", "front is missing"),
        ("title = 'a'\nsize = [85.60, 53.98]\nfront = []", "front is no list of tables"),
        ("title = 'a'\nsize = [85.60, 53.98]\nfront = [1]", "front is no list of tables"),
        ("title = 'a'\nsize = [85.60, 53.98]\n[[front]]\nkind = 'txt'", r"front 1 \(txt\): kind is 'txt'"),
        ("title = 'a'\nsize = [85.60, 53.98]\n[[front]]\nkind = ['text']", "front 1: kind is"),
    ],
)
def test_a_broken_design(template: Write, text: str, message: str) -> None:
    folder = template("cards", text)
    with pytest.raises(WrongCall, match=message) as caught:
        load_design("own", [folder])
    assert caught.value.message.startswith(str(folder / "cards" / "own.toml"))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("size = [85.60, 53.98]", "title is missing", 'write title = "a text"'),
        ("title = 'a'", "size is missing", "write size = [width, height], numbers from 10 to 300"),
        ("title = 'a'\nsize = [85.60, 53.98]", "front is missing", "add at least one table [[front]]"),
        (
            "title = 'a'\nsize = [85.60, 53.98]\n[[front]]\nkind = 'lien'",
            "kind is 'lien'",
            "did you mean 'line'? write kind = one of:"
            " fill, gradient, rect, line, circle, shape, logo, image, text, qr, code128, datamatrix",
        ),
    ],
)
def test_the_remedy_can_be_followed(template: Write, text: str, message: str, hint: str) -> None:
    with pytest.raises(WrongCall, match=message) as caught:
        load_design("own", [template("cards", text)])
    assert caught.value.hint == hint


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="cannot be read: Is a directory"):
        load_template(tmp_path, lambda table: table)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "own.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(WrongCall, match=r"own\.toml is not UTF-8 text"):
        load_design("own", [tmp_path])


def test_the_nearest_entry_is_offered(template: Write, plain: Callable[[str], CardDesign]) -> None:
    with pytest.raises(WrongCall, match=r"front 3 \(fill\): 'colour' is not an entry here") as caught:
        plain('[[front]]\nkind = "fill"\ncolor = "white"\ncolour = "red"')
    assert caught.value.hint == (
        "did you mean 'color'? entries here: color, kind, opacity, preprinted, unless, when"
    )


class TestFields:
    def test_all_fields_there_are(self) -> None:
        text = "".join(f"{{{field}}}" for field in CARD_FIELDS)
        table = Table({"text": text}, Path("own.toml"))
        assert field_text(table, "text").fields == frozenset(CARD_FIELDS)

    @given(UNLIKE_A_UID.filter(str.strip), st.text(), UNLIKE_A_UID)
    def test_only_fields_are_replaced(self, before: str, value: str, after: str) -> None:
        def escaped(text: str) -> str:
            return text.replace("{", "{{").replace("}", "}}")

        table = Table({"text": f"{escaped(before)}{{driver}}{escaped(after)}"}, Path("own.toml"))
        assert field_text(table, "text").filled({"driver": value}) == before + value + after

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{visual_nr}", r"unknown field \{visual_nr\}"),
            ("{visual_number!r}", "has no format"),
            ("{visual_number:>9}", "has no format"),
            ("{visual_number.__class__}", "unknown field"),
            ("{visual_number[0]}", "unknown field"),
            ("{}", "has no name"),
            ("{visual_number", "expected '}'"),
            ("visual_number}", "Single '}'"),
        ],
    )
    def test_what_is_no_field(self, text: str, message: str) -> None:
        with pytest.raises(WrongCall, match=message) as caught:
            field_text(Table({"text": text}, Path("own.toml")), "text")
        assert caught.value.message.startswith("own.toml: text ")

    def test_the_nearest_field_is_offered(self) -> None:
        with pytest.raises(WrongCall) as caught:
            field_text(Table({"text": "{visual_nr}"}, Path("own.toml")), "text")
        assert (caught.value.hint or "").startswith("did you mean 'visual_number'? ")

    @pytest.mark.parametrize("field", ["uid", "card_uid", "UID", "uid_hex"])
    @pytest.mark.parametrize("kind", ["text", "qr"])
    def test_a_uid_is_refused(self, plain: Callable[[str], CardDesign], field: str, kind: str) -> None:
        entries = {
            "text": f'text = "Chip {{{field}}}"\nat = [6, 30]\nwidth = 60\nsize = 6\ncolor = "black"',
            "qr": f'value = "{{{field}}}"\nat = [50, 25]\nside = 20',
        }
        with pytest.raises(WrongCall, match="a card never shows its UID: whoever reads it can copy the card"):
            plain(f'[[front]]\nkind = "{kind}"\n{entries[kind]}')


class TestDesign:
    def test_a_text_outside_of_the_safe_area(self, plain: Callable[[str], CardDesign]) -> None:
        for at, anchor in (
            ("[2, 30]", "left"),
            ("[6, 53]", "left"),
            ("[40, 30]", "right"),
            ("[6, 30]", "center"),
        ):
            with pytest.raises(WrongCall, match="out of the safe area"):
                plain(
                    f'[[front]]\nkind = "text"\ntext = "a"\nat = {at}\nanchor = "{anchor}"\nwidth = 70\n'
                    'size = 6\ncolor = "black"'
                )

    def test_a_code_outside_of_the_safe_area(self, plain: Callable[[str], CardDesign]) -> None:
        with pytest.raises(WrongCall, match="out of the safe area"):
            plain('[[front]]\nkind = "qr"\nvalue = "{link}"\nat = [70, 30]\nside = 20')

    @pytest.mark.parametrize(
        "layer",
        [
            'kind = "text"\ntext = "a"\nat = [40, 35]\nwidth = 20\nsize = 6\ncolor = "black"',
            'kind = "rect"\nat = [40, 35]\nsize = [20, 1]\ncolor = "black"',
            'kind = "line"\nfrom = [0, 40]\nto = [80, 41]\nwidth = 0.2\ncolor = "black"',
            'kind = "circle"\ncenter = [40, 40]\nradius = 12\ncolor = "black"',
            'kind = "logo"\nlogo = "on_primary"\nat = [40, 35]\nsize = [20, 5]',
            'kind = "fill"\ncolor = "black"',
        ],
    )
    def test_nothing_is_drawn_over_a_code(self, plain: Callable[[str], CardDesign], layer: str) -> None:
        code = '[[front]]\nkind = "qr"\nvalue = "{link}"\nat = [50, 28]\nside = 20\n'
        with pytest.raises(WrongCall, match="runs into the QR code"):
            plain(f"{code}[[front]]\n{layer}")

    def test_what_lies_below_a_code_may(self, plain: Callable[[str], CardDesign]) -> None:
        below = '[[front]]\nkind = "rect"\nat = [48, 26]\nsize = [24, 24]\nradius = 2\ncolor = "white"\n'
        code = '[[front]]\nkind = "qr"\nvalue = "{link}"\nat = [50, 28]\nside = 20\n'
        assert plain(below + code)

    def test_but_a_text_may_not(self, plain: Callable[[str], CardDesign]) -> None:
        with pytest.raises(WrongCall, match=r"front 2 \(text\): runs into the QR code"):
            plain('[[front]]\nkind = "qr"\nvalue = "{link}"\nat = [50, 8]\nside = 20\n')

    def test_text_below_five_points(self, plain: Callable[[str], CardDesign]) -> None:
        with pytest.raises(WrongCall, match=r"size has 4\.9"):
            plain(
                '[[front]]\nkind = "text"\ntext = "a"\nat = [6, 30]\nwidth = 20\nsize = 4.9\ncolor = "black"'
            )

    def test_a_missing_picture(self, plain: Callable[[str], CardDesign], tmp_path: Path) -> None:
        with pytest.raises(
            WrongCall, match=r"front 3 \(image\): file names 'logo.png', which is not there"
        ) as caught:
            plain('[[front]]\nkind = "image"\nfile = "logo.png"\nat = [6, 20]\nsize = [20, 10]')
        assert str(tmp_path / "cards" / "logo.png") in (caught.value.hint or "")

    def test_the_shipped_design_has_room_between_its_texts(self, classic: CardDesign) -> None:
        texts = [layer for layer in classic.front if isinstance(layer, TextLayer)]
        for number, one in enumerate(texts):
            for other in texts[number + 1 :]:
                assert not one.box.overlaps(other.box), (one.text.source, other.text.source)
        assert {"contract_id", "visual_number", "qr_link", "issuer", "hotline"} <= classic.fields
        assert sum(isinstance(layer, QrLayer) for layer in classic.front) == 1

    def test_texts_of_the_shipped_design_can_be_read(self, classic: CardDesign, example: Brand) -> None:
        grounds = {"on_primary": ("primary", "primary_light", "primary_lighter", "primary_lightest")}
        for layer in classic.front:
            if isinstance(layer, TextLayer):
                for ground in grounds.get(layer.color, ("white",)):
                    assert contrast(example.color(layer.color), example.color(ground)) >= 4.5


class TestBrand:
    def test_the_example(self, example: Brand) -> None:
        assert example.fields["issuer"] == "Example Mobility"
        assert example.color("accent").rgb == pytest.approx((0x2F / 255, 0xD0 / 255, 0x8A / 255))
        assert example.color("accent").cmyk == (0.68, 0, 0.60, 0)
        assert example.font("bold") == (ShippedFont.BOLD,)
        assert example.color("black") is BLACK

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('rgb = "#2FD08A"', 'rgb = "green"', "colors.accent: rgb is 'green'"),
            ('rgb = "#2FD08A"', 'rgb = "#2FD08"', "colors.accent: rgb is '#2FD08'"),
            ("cmyk = [68, 0, 60, 0]", "cmyk = [68, 0, 60]", "colors.accent: cmyk is"),
            ("cmyk = [68, 0, 60, 0]", "cmyk = [680, 0, 60, 0]", "colors.accent: cmyk has 680"),
            ('regular = "Source Sans"\n', "", "fonts: regular is missing"),
            ("[fonts]", "[fnts]", "fonts is missing"),
            ("[colors.accent]", "[colors]\nx = 1\n[colors.accent]", "colors: x is 1"),
            ('regular = "Source Sans"', 'regular = "Arial"', "fonts: regular is 'Arial'"),
            ('regular = "Source Sans"', 'regular = ["Arial.ttf"]', "names 'Arial.ttf', which is not there"),
            ('regular = "Source Sans"', "regular = []", r"fonts: regular is \[\]"),
            ('rgb = "#2FD08A"', 'rgb = "#2FD08A"\nspot = 354', "colors.accent: spot is 354"),
            ('rgb = "#2FD08A"', 'rgb = "#2FD08A"\ntint = 0', "colors.accent: tint has 0"),
            ("claim = {", "claim = { fr = '',", "claim has no text in some language"),
            (
                'path = "M8.2 12',
                'path = "M8.2 A',
                "logos.on_primary.shapes 2: path has the command A|ends within",
            ),
            ('issuer = "Example Mobility"', "", "issuer is missing"),
        ],
    )
    def test_a_broken_brand(self, template: Write, old: str, new: str, message: str) -> None:
        text = shipped("templates", "brands", "example.toml").read_text(encoding="utf-8")
        assert old in text
        with pytest.raises(WrongCall, match=message):
            load_brand("own", [template("brands", text.replace(old, new))])

    def test_what_a_brand_lacks_is_named(self, example: Brand) -> None:
        for ask, noun in ((example.color, "color"), (example.font, "font"), (example.logo, "logo")):
            with pytest.raises(WrongCall, match=f"example.toml has no {noun} 'pink'") as caught:
                ask("pink")
            assert "it has: " in (caught.value.hint or "")

    def test_contrast_is_that_of_wcag(self) -> None:
        assert contrast(BLACK, WHITE) == contrast(WHITE, BLACK) == pytest.approx(21)
        grey = Color((0x77 / 255,) * 3, (0, 0, 0, 0.5))
        assert contrast(grey, WHITE) == pytest.approx(4.48, abs=0.005)


SHEET = """
title = "Own"
size = [210, 297]
card = [85.60, 53.98]
bleed = 1.0
slots = [[10, 10], [100, 10], [10, 70]]
"""


class TestLayout:
    def test_the_a4_sheet(self, a4: SheetLayout) -> None:
        assert (a4.paper.width, a4.paper.height) == (210, 297)
        assert len(a4.slots) == 10
        assert all((slot.width, slot.height) == (85.60, 53.98) for slot in a4.slots)
        second, third = a4.slots[1], a4.slots[2]
        assert (second.x, second.y) == pytest.approx((18.15 + 88.10, 8.55))
        assert (third.x, third.y) == pytest.approx((18.15, 8.55 + 56.48))
        last = a4.slots[-1]
        assert a4.paper.width - last.right == pytest.approx(18.15, abs=0.01)
        assert a4.paper.height - last.bottom == pytest.approx(8.55, abs=0.01)

    def test_columns_first(self, template: Write) -> None:
        text = shipped("templates", "sheets", "a4-10up.toml").read_text(encoding="utf-8")
        layout = load_layout("own", [template("sheets", text.replace('order = "row"', 'order = "column"'))])
        assert [round(slot.x) for slot in layout.slots] == [18] * 5 + [106] * 5

    def test_a_list_of_slots(self, template: Write) -> None:
        layout = load_layout("own", [template("sheets", SHEET)])
        assert [(slot.x, slot.y) for slot in layout.slots] == [(10, 10), (100, 10), (10, 70)]
        assert layout.marks is None
        assert layout.slug is None

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("[100, 10]", "[96, 10]", "positions 1 and 2 overlap in their bleed"),
            ("[100, 10]", "[124, 10]", "position 2 with its bleed leaves the paper"),
            ("[100, 10]", "[100]", r"slots has \[100\]"),
            ("[100, 10]", "[100, 'a']", "slots has 'a'"),
            ("slots = [[10, 10], [100, 10], [10, 70]]", "", "both there, or neither"),
            ("slots = [[10, 10], [100, 10], [10, 70]]", "slots = []", r"slots is \[\]"),
            ("bleed = 1.0", "bleed = -1", "bleed has -1"),
            ("slots = [[10, 10], [100, 10], [10, 70]]", "slots = 3", "slots is 3"),
            (
                "slots = [[10, 10], [100, 10], [10, 70]]",
                "grid = {columns = 1.5, rows = 1, first = [9, 9], gap = [0, 0]}",
                r"grid: columns is 1\.5",
            ),
            ("slots = [[10, 10], [100, 10], [10, 70]]", "grid = 3", "grid is 3"),
            ("bleed = 1.0", "bleed = 1.0\ncolors = 'lab'", "colors is 'lab'"),
        ],
    )
    def test_a_broken_sheet(self, template: Write, old: str, new: str, message: str) -> None:
        assert old in SHEET
        with pytest.raises(WrongCall, match=message):
            load_layout("own", [template("sheets", SHEET.replace(old, new))])

    def test_a_slug_on_a_card(self, template: Write) -> None:
        with pytest.raises(WrongCall, match="the slug lies on a card"):
            load_layout("own", [template("sheets", SHEET + "[slug]\nat = [20, 20]\nwidth = 30")])
