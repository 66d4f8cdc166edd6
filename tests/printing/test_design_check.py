"""`check_design` names everything that is wrong, each with its layer; and nothing of what is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from rfid_station.errors import WrongCall
from rfid_station.printing.brand import Brand, Color, load_brand
from rfid_station.printing.check import Severity, check_design
from rfid_station.printing.design import CardDesign
from rfid_station.printing.design_file import load_design
from rfid_station.printing.languages import LETTERS, letters
from rfid_station.printing.samples import longest_face, usual_face
from rfid_station.shipped import shipped

Check = Callable[..., list[tuple[str, str]]]
VERA = Path(__import__("reportlab").__file__).parent / "fonts" / "Vera.ttf"
TEXT = '\n[[front]]\nkind = "text"\nat = [6, 30]\nwidth = 40\nsize = 8\nmin_size = 6\n'


@pytest.fixture
def check(template: Callable[..., Path], example: Brand) -> Check:
    """Checks a white design with more layers, and returns layer and problem of each finding."""

    def run(layers: str, brand: Brand = example, head: str = "") -> list[tuple[str, str]]:
        text = f'title = "a"\nsize = [85.60, 53.98]\n{head}\n[[front]]\nkind = "fill"\ncolor = "white"\n'
        design = load_design("own", [template("cards", text + layers)])
        return [(found.place.rpartition(": ")[2], found.problem) for found in check_design(design, brand)]

    return run


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped("templates", "cards").glob("*.toml")))
def test_what_ships_is_faultless(name: str, example: Brand) -> None:
    assert check_design(load_design(name), example) == []


def test_a_clean_design(check: Check) -> None:
    assert check(TEXT + 'color = "black"\ntext = "{visual_number}"') == []


@pytest.mark.parametrize(
    ("layers", "place", "problem"),
    [
        (TEXT.replace("40", "15") + 'color = "black"\ntext = "{driver}"', "front 2 (text)", "is too long"),
        (TEXT + 'color = "pink"\ntext = "a"', "front 2 (text)", "has no color 'pink'"),
        (TEXT + 'color = "#12"\ntext = "a"', "front 2 (text)", "'#12' is no colour"),
        (TEXT + 'font = "black"\ncolor = "black"\ntext = "a"', "front 2 (text)", "has no font 'black'"),
        (TEXT + 'color = "black"\ntext = "山"', "front 2 (text)", "no glyph for '山'"),
        (TEXT + 'color = "#ABCDEF"\ntext = "a"', "front 2 (text)", "is none of the brand"),
        (
            '\n[[front]]\nkind = "qr"\nvalue = "{qr_link}"\nat = [6, 10]\nside = 9\n',
            "front 2 (qr)",
            "less than 0.40 mm",
        ),
        (
            '\n[[front]]\nkind = "qr"\nvalue = "a"\nat = [6, 10]\nside = 20\ncolor = "accent"\n',
            "front 2 (qr)",
            "a contrast of",
        ),
        (
            '\n[[front]]\nkind = "logo"\nlogo = "none"\nat = [6, 10]\nsize = [20, 9]\n',
            "front 2 (logo)",
            "has no logo 'none'",
        ),
    ],
)
def test_one_fault(check: Check, layers: str, place: str, problem: str) -> None:
    found = check(layers)
    assert [where for where, _ in found] == [place] * len(found)
    assert problem in found[0][1]


def test_all_at_once(check: Check, example: Brand, template: Callable[..., Path]) -> None:
    Image.new("L", (100, 50)).save(template("cards", "") / "cards" / "coarse.png")
    layers = (
        TEXT.replace("40", "15")
        + 'color = "black"\ntext = "{driver}"'
        + TEXT.replace("30]", "40]")
        + 'color = "accent"\ntext = "too pale"'
        + '\n[[front]]\nkind = "image"\nfile = "coarse.png"\nat = [50, 10]\nsize = [30, 15]\n'
        + TEXT.replace("30]", "48]")
        + 'color = "black"\ntext = "{website}"'
    )
    brand = replace(
        example,
        fields={"issuer": "A", "hotline": "1"},
        colors={**example.colors, "heavy": Color((0, 0, 0), (1, 1, 1, 0.5))},
    )
    found = check(layers, brand)
    assert [(where, what.partition(",")[0]) for where, what in found] == [
        ("colors.heavy", "takes 350 % of ink"),
        ("front 2 (text)", found[1][1].partition(",")[0]),
        ("front 4 (image)", "coarse.png has 85 dpi at 30.0 × 15.0 mm"),
        ("front 5 (text)", "shows {website}"),
        ("front 3 (text)", "'too pale' in accent has a contrast of 2.0 to its ground"),
    ]


class TestContrast:
    @pytest.mark.parametrize(
        ("ground", "color", "is_found"),
        [
            ('kind = "rect"\ncolor = "primary"\nat = [0, 20]\nsize = [60, 20]', "white", False),
            ('kind = "rect"\ncolor = "primary"\nat = [0, 20]\nsize = [60, 20]', "black", True),
            ('kind = "gradient"\ncolors = ["black", "white"]\nfrom = [0, 0]\nto = [55, 0]', "white", True),
            ('kind = "gradient"\ncolors = ["black", "white"]\nfrom = [0, 0]\nto = [300, 0]', "white", False),
            ('kind = "rect"\ncolor = "primary"\nopacity = 0.3\nat = [0, 20]\nsize = [60, 20]', "white", True),
            (
                'kind = "rect"\ncolor = "black"\npreprinted = true\nat = [0, 20]\nsize = [60, 20]',
                "white",
                False,
            ),
            ('kind = "rect"\ncolor = "black"\nat = [26, 26]\nsize = [9, 9]', "black", True),
            ('kind = "rect"\ncolor = "black"\nat = [70, 26]\nsize = [9, 9]', "black", False),
        ],
    )
    def test_what_lies_below_counts(self, check: Check, ground: str, color: str, is_found: bool) -> None:
        text = TEXT + f'color = "{color}"\ntext = "{{visual_number}} {{valid_until}}"'
        found = check(f"\n[[front]]\n{ground}\n{text}")
        assert bool(found) is is_found, found

    def test_a_faint_text(self, check: Check) -> None:
        assert check(TEXT + 'opacity = 0.4\ncolor = "black"\ntext = "a"')
        assert not check(TEXT + 'opacity = 0.8\ncolor = "black"\ntext = "a"')

    @pytest.mark.parametrize(
        ("font", "size", "is_found"), [("regular", 17, True), ("regular", 18, False), ("bold", 14, False)]
    )
    def test_large_texts_need_less(
        self, check: Check, example: Brand, font: str, size: int, is_found: bool
    ) -> None:
        grey = Color((0x88 / 255,) * 3, (0, 0, 0, 0.5))
        layer = f'\n[[front]]\nkind = "text"\nat = [6, 30]\nwidth = 60\nsize = {size}\nfont = "{font}"\n'
        found = check(layer + 'color = "grey"\ntext = "a"', replace(example, colors={"grey": grey}))
        assert bool(found) is is_found


class TestCollisions:
    def test_two_texts(self, check: Check) -> None:
        one = TEXT.replace("40", "55") + 'color = "black"\ntext = "{driver}"'
        other = one.replace("[6, 30]", "[20, 31]").replace("{driver}", "{fleet}")
        [(place, problem)] = check(one + other)
        assert (place, problem) == ("front 3 (text)", "'{fleet}' runs into '{driver}' of front 2 (text)")
        assert check(one + other.replace("[20, 31]", "[20, 36]")) == []
        assert check(one + '\nunless = { driver = "" }' + other + '\nwhen = { driver = "" }') == []


class TestLanguages:
    def test_a_font_without_the_letters(self, check: Check, example: Brand) -> None:
        brand = replace(example, fonts={"regular": (VERA,)})
        text = TEXT.replace("40", "70") + 'color = "black"\ntext = "{driver}"'
        found = check(text, brand, 'languages = ["de", "pl", "el"]')
        assert [problem.partition(" of ")[2] for _, problem in found] == ["pl", "el"]
        assert "no glyphs for ąęńśźż" in found[0][1]
        assert check(text, example, 'languages = ["de", "pl", "el", "uk", "tr"]') == []

    def test_only_where_people_write(self, check: Check, example: Brand) -> None:
        brand = replace(example, fonts={"regular": (VERA,)})
        assert check(TEXT + 'color = "black"\ntext = "{visual_number}"', brand, 'languages = ["pl"]') == []

    def test_an_unknown_one(self, check: Check) -> None:
        [(place, problem)] = check("", head='languages = ["tlh"]')
        assert (place, problem) == ("languages", "it is not known how 'tlh' is written")

    def test_letters_are_those_of_the_language(self) -> None:
        assert set("ÄäÖöÜüßZz") <= set(letters("de-AT") or "")
        assert set("Łł") <= set(letters("pl") or "")
        assert letters("xx") is None
        assert all(len(set(own)) == len(own) and own == own.lower() for own in LETTERS.values())


class TestZones:
    ZONE = '\n[[no_print]]\nreason = "chip"\nat = [40, 10]\nsize = [20, 20]\n'

    @pytest.mark.parametrize(
        ("layer", "place"),
        [
            (TEXT + 'color = "black"\ntext = "a"', r"front 2 \(text\)"),
            ('\n[[front]]\nkind = "qr"\nvalue = "a"\nat = [50, 25]\nside = 20\n', r"front 2 \(qr\)"),
        ],
    )
    def test_texts_and_codes_are_refused(self, check: Check, layer: str, place: str) -> None:
        with pytest.raises(WrongCall, match=place + r": lies over the chip at x 40\.0 to 60\.0") as caught:
            check(layer + self.ZONE)
        assert "move it away" in (caught.value.hint or "")
        assert check(layer + self.ZONE + 'side = "back"\n') == []

    def test_a_logo_is_warned_of(self, check: Check, example: Brand) -> None:
        layer = '\n[[front]]\nkind = "logo"\nlogo = "on_primary"\nat = [6, 10]\nsize = [50, 9]\n'
        [(place, problem)] = check(layer + self.ZONE)
        assert (place, problem) == ("front 2 (logo)", "lies over the chip, where printers leave spots")


class TestResolution:
    @pytest.mark.parametrize(("pixels", "severity"), [(100, "error"), (220, "warning"), (360, None)])
    def test_pictures(
        self, template: Callable[..., Path], example: Brand, pixels: int, severity: str | None
    ) -> None:
        Image.new("L", (pixels, pixels)).save(template("cards", "") / "cards" / "a.png")
        layer = '\n[[front]]\nkind = "image"\nfile = "a.png"\nat = [6, 10]\nsize = [30, 30]\n'
        text = 'title = "a"\nsize = [85.60, 53.98]\n' + layer
        found = check_design(load_design("own", [template("cards", text)]), example)
        assert [each.severity for each in found] == ([Severity(severity)] if severity else [])

    def test_a_logo_of_pixels(self, template: Callable[..., Path]) -> None:
        text = shipped("templates", "brands", "example.toml").read_text(encoding="utf-8")
        folder = template("brands", text + '\n[logos.mark]\nfile = "mark.png"\n')
        Image.new("L", (100, 50)).save(folder / "brands" / "mark.png")
        layer = '\n[[front]]\nkind = "logo"\nlogo = "mark"\nat = [6, 10]\nsize = [30, 30]\n'
        design = load_design("own", [template("cards", 'title = "a"\nsize = [85.60, 53.98]\n' + layer)])
        [found] = check_design(design, load_brand("own", [folder]))
        assert found.problem == "mark.png has 85 dpi at 30.0 × 15.0 mm"
        assert found.remedy == "take one of 354 pixels in width, or an SVG file"


class TestUid:
    @pytest.mark.parametrize(
        "text", ["04:A1:B2:C3:D4:E5:F6", "Chip 04A1B2C3D4E5F6", "04 a1 b2 c3", "DEADBEEF"]
    )
    def test_a_written_one_is_refused(self, plain: Callable[[str], CardDesign], text: str) -> None:
        with pytest.raises(WrongCall, match="looks like a UID, and a card never shows its UID"):
            plain(TEXT + f'color = "black"\ntext = "{text}"')

    @pytest.mark.parametrize(
        "text", ["+49 30 23125 100", "0800 12 34 56 78", "12345678", "Bad Cafe", "EXM-4821-3075-9"]
    )
    def test_numbers_are_none(self, plain: Callable[[str], CardDesign], text: str) -> None:
        assert plain(TEXT + f'color = "black"\ntext = "{text}"')


def test_faces_have_what_designs_show(classic: CardDesign) -> None:
    assert set(usual_face()) == set(longest_face(classic))
    longest = longest_face(replace(classic, longest={"driver": "Bo"}), "https://a.example/{alias}", "A-#-@")
    assert longest["driver"] == "Bo"
    assert longest["visual_number"] == "A-0-0"
    assert longest["qr_link"] == "HTTPS://A.EXAMPLE/7QX4M2KD8WN3"


def test_longest_values_are_fields(template: Callable[..., Path]) -> None:
    text = 'title = "a"\nsize = [85.60, 53.98]\n[longest]\ndrvier = "x"\n'
    text += '[[front]]\nkind = "fill"\ncolor = "white"'
    with pytest.raises(WrongCall, match=r"longest: drvier is no field of a card") as caught:
        load_design("own", [template("cards", text)])
    assert "did you mean 'driver'" in (caught.value.hint or "")
