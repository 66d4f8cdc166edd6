"""SVG logos: what they draw, and what is refused because it would come out otherwise or from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from printed_page import pixel, rendered, slot

from rfid_station.errors import WrongCall
from rfid_station.printing.art.svg import Drawn, NotDrawable, read_svg
from rfid_station.printing.brand import Brand, load_brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import SheetLayout
from rfid_station.printing.sheet import render_sheets
from rfid_station.shipped import shipped

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 50">'
)


@pytest.fixture
def svg(tmp_path: Path) -> Callable[[str], list[Drawn]]:
    def read(body: str, head: str = HEAD) -> list[Drawn]:
        file = tmp_path / "logo.svg"
        file.write_text(f"{head}\n{body}\n</svg>", encoding="utf-8")
        return read_svg(file)[2]

    return read


Read = Callable[..., list[Drawn]]


def boxes(drawn: list[Drawn]) -> list[tuple[float, ...]]:
    return [
        tuple(
            round(edge, 3)
            for edge in (d.outline.box.x, d.outline.box.y, d.outline.box.right, d.outline.box.bottom)
        )
        for d in drawn
    ]


@pytest.mark.parametrize(
    ("body", "box"),
    [
        ('<rect x="10" y="5" width="20" height="10"/>', (10, 5, 30, 15)),
        ('<rect x="10" y="5" width="20" height="10" rx="3"/>', (10, 5, 30, 15)),
        ('<circle cx="50" cy="25" r="5"/>', (45, 20, 55, 30)),
        ('<ellipse cx="50" cy="25" rx="5" ry="2"/>', (45, 23, 55, 27)),
        ('<polygon points="1,2 3,4 5,1"/>', (1, 1, 5, 4)),
        ('<path d="M1 2h3v4z"/>', (1, 2, 4, 6)),
        ('<g transform="translate(10 20)"><path d="M1 2h3v4z"/></g>', (11, 22, 14, 26)),
        ('<path transform="scale(2)" d="M1 2h3v4z"/>', (2, 4, 8, 12)),
        ('<path transform="rotate(90 10 10)" d="M10 10h3v4z"/>', (6, 10, 10, 13)),
        ('<path transform="matrix(1 0 0 -1 0 50)" d="M1 2h3v4z"/>', (1, 44, 4, 48)),
        ('<path transform="translate(5), scale(2 3)" d="M1 1h1v1z"/>', (7, 3, 9, 6)),
        ('<defs><path id="a" d="M0 0h2v2z"/></defs><use href="#a" x="7" y="8"/>', (7, 8, 9, 10)),
        ('<symbol id="a"><path d="M0 0h2v2z"/></symbol><use xlink:href="#a" x="7"/>', (7, 0, 9, 2)),
        ('<rect width="1mm" height="1in"/>', (0, 0, 3.78, 96)),
    ],
)
def test_shapes_and_where_they_lie(svg: Read, body: str, box: tuple[float, ...]) -> None:
    assert boxes(svg(body)) == [pytest.approx(box, abs=0.002)]


@pytest.mark.parametrize(
    ("body", "colors"),
    [
        ('<path d="M0 0h1v1z"/>', [("#000000", None)]),
        ('<path fill="#abc" d="M0 0h1v1z"/>', [("#AABBCC", None)]),
        ('<path fill="rgb(1, 2,255)" d="M0 0h1v1z"/>', [("#0102FF", None)]),
        ('<path style="fill:Navy;stroke:none" fill="red" d="M0 0h1v1z"/>', [("#000080", None)]),
        ('<g fill="red"><path fill="none" stroke="#0f0" stroke-width="3" d="M0 0h1"/></g>', [("#00FF00", 3)]),
        ('<g transform="scale(2)"><path stroke="blue" d="M0 0h1"/></g>', [("#000000", None), ("#0000FF", 2)]),
        (
            '<style>.a{fill:#123456} path{fill:red}</style><path class="b a" d="M0 0h1v1z"/>',
            [("#123456", None)],
        ),
        ('<g color="lime"><path fill="currentColor" d="M0 0h1v1z"/></g>', [("#00FF00", None)]),
        ('<path display="none" d="M0 0h1v1z"/><path d="M0 0h1v1z"/>', [("#000000", None)]),
        ('<path visibility="hidden" d="M0 0h1v1z"/><path d="M0 0h1v1z"/>', [("#000000", None)]),
    ],
)
def test_colours_and_lines(svg: Read, body: str, colors: list[tuple[str, float | None]]) -> None:
    assert [(d.color, d.pen) for d in svg(body)] == colors


def test_opacity_multiplies_and_rules_are_kept(svg: Read) -> None:
    [drawn] = svg('<g opacity=".5"><path fill-opacity="50%" fill-rule="evenodd" d="M0 0h1v1z"/></g>')
    assert drawn.opacity == pytest.approx(0.25)
    assert drawn.is_even_odd


def test_a_view_box_is_moved_to_its_corner(svg: Read) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -20 40 40">'
    assert boxes(svg('<rect x="-10" y="-20" width="1" height="1"/>', head)) == [(0, 0, 1, 1)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<path d='M0 0", "logo.svg is broken at line 3, column"),
        ("</g>", "logo.svg is broken at line 2, column 3: mismatched tag"),
        ('<image href="http://127.0.0.1/a.png"/>', r"line 2: <image> refers to 'http://127\.0\.0\.1/a\.png'"),
        ('<image href="data:image/png;base64,AAAA"/>', "line 2: <image> refers to 'data:"),
        ('<use xlink:href="other.svg#a"/>', r"line 2: <use> refers to 'other\.svg#a'"),
        ('<use href="#nowhere"/>', "line 2: <use> uses '#nowhere', which is not there"),
        ('<g id="a"><use href="#a"/></g>', "<use> uses '#a', which is not there"),
        ("<style>@import url(http://127.0.0.1/a.css);</style>", "<style> has styles that refer outside"),
        ("<text>Acme</text>", "line 2: <text> cannot be printed"),
        ("\n<linearGradient id='g'/>", "line 3: <linearGradient> cannot be printed"),
        ('<path fill="url(#g)" d="M0 0h1v1z"/>', r"is filled with url\(#g\), a gradient"),
        ('<path filter="url(#f)" d="M0 0h1v1z"/>', "has a filter"),
        ('<g style="mask:url(#m)"/>', "has a mask"),
        ('<path fill="#12345" d="M0 0h1v1z"/>', "has the colour '#12345', which is none"),
        ('<path fill="bluish" d="M0 0h1v1z"/>', "has the colour 'bluish', which is none"),
        ('<path d="M0 0 L 5"/>', "line 2: <path> has a path that ends within L"),
        ('<path transform="tilt(3)" d="M0 0h1v1z"/>', r"has the transform 'tilt\(3\)'"),
        ('<path transform="scale(2" d="M0 0h1v1z"/>', "has the transform"),
        ('<rect width="50%" height="3"/>', "has the measure '50%'"),
        ('<path opacity="dim" d="M0 0h1v1z"/>', "has the opacity 'dim'"),
        ("", "logo.svg draws nothing"),
        ("<g>" * 70 + "</g>" * 70, "more than 60 groups within each other"),
    ],
)
def test_what_is_refused(svg: Read, body: str, message: str) -> None:
    with pytest.raises(NotDrawable, match=message) as caught:
        svg(body)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is broken at line 1"),
        ("hello", "is broken at line 1"),
        ("<html/>", "is no SVG drawing, but <html>"),
        ("<svg/>", "has no size"),
        ('<svg width="0" height="5"/>', "has no size"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg width="5" height="5"/>', "defines the entity 'a'"),
        ('<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', "defines the entity 'a'"),
    ],
)
def test_files_that_are_no_logo(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.svg"
    file.write_text(text)
    with pytest.raises(NotDrawable, match=message):
        read_svg(file)


def test_a_huge_one_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    with file.open("wb") as sparse:
        sparse.truncate(200 * 2**20)
    with pytest.raises(NotDrawable, match=r"a\.svg has 200 MB, and a drawing has 4 at most"):
        read_svg(file)


@given(st.text(max_size=60), st.sampled_from(["d", "fill", "transform", "style", "stroke-width", "class"]))
def test_whatever_stands_in_an_attribute(
    tmp_path_factory: pytest.TempPathFactory, value: str, name: str
) -> None:
    quoted = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    file = tmp_path_factory.mktemp("svg") / "a.svg"
    attributes = {"d": "M0 0h1v1z", "stroke": "red", name: quoted}
    written = " ".join(f'{key}="{text}"' for key, text in attributes.items())
    file.write_bytes(f"{HEAD}<path {written}/></svg>".encode("utf-8", "replace"))
    with suppress(NotDrawable):
        read_svg(file)


LOGO = """
[[front]]
kind = "logo"
logo = "mark"
at = [10, 20]
size = [40, 20]
"""


@pytest.fixture
def branded(template: Callable[..., Path]) -> Callable[[str], Brand]:
    def load(body: str) -> Brand:
        text = shipped("templates", "brands", "example.toml").read_text(encoding="utf-8")
        folder = template("brands", text + '\n[logos.mark]\nfile = "mark.svg"\n')
        (folder / "brands" / "mark.svg").write_text(f"{HEAD}{body}</svg>")
        return load_brand("own", [folder])

    return load


def test_a_logo_on_a_card(
    branded: Callable[[str], Brand], plain: Callable[[str], CardDesign], a4: SheetLayout
) -> None:
    square = '<rect width="50" height="50" fill="#0B2A3B"/>'
    holed = '<path fill="#fff" fill-rule="evenodd" d="M50 0h50v50h-50z M60 10v30h30v-30z"/>'
    brand = branded(square + holed)
    page = rendered(render_sheets(plain(LOGO), brand, a4, [{"visual_number": "A"}], job="j").pdf, 1, 200)
    left, top = slot(1)[:2]
    assert pixel(page, left + 15, top + 30, 200) == (0x0B, 0x2A, 0x3B)
    assert pixel(page, left + 31, top + 21, 200) == (255, 255, 255)
    assert pixel(page, left + 40, top + 30, 200) == (0x2F, 0xD0, 0x8A)


def test_a_brand_whose_logo_is_broken(branded: Callable[[str], Brand]) -> None:
    with pytest.raises(
        WrongCall, match=r"own\.toml:\d+:1: logos\.mark: mark\.svg, line 1: <text> cannot"
    ) as caught:
        branded("<text>x</text>")
    assert "convert it to paths" in (caught.value.hint or "")


def test_a_drawn_colour_is_the_brands_own(branded: Callable[[str], Brand]) -> None:
    brand = branded('<path fill="#2fd08a" d="M0 0h1v1z"/>')
    assert brand.color("#2FD08A").cmyk == brand.color("accent").cmyk
    assert brand.color("#FF8000").cmyk == pytest.approx((0, 0.498, 1, 0), abs=0.001)
    for wrong in ("#FF800", "#GG8000", "#"):
        with pytest.raises(WrongCall, match=f"'{wrong}' is no colour"):
            brand.color(wrong)


def test_a_file_of_another_kind(template: Callable[..., Path]) -> None:
    text = shipped("templates", "brands", "example.toml").read_text(encoding="utf-8")
    folder = template("brands", text + '\n[logos.mark]\nfile = "mark.ai"\n')
    (folder / "brands" / "mark.ai").write_bytes(b"%!PS")
    with pytest.raises(WrongCall, match=r"logos\.mark: file is 'mark\.ai'"):
        load_brand("own", [folder])
    assert load_design("classic")
