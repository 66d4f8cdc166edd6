"""What print bureaus are sent: every bureau's wishes, the archive, its checksums, and what is left out."""

from __future__ import annotations

import csv
import io
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
import zxingcpp
from PIL import Image
from press_pdfs import MM, picture

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.press.bureau import (
    Bureau,
    Delivery,
    Fonts,
    PressArchive,
    PressFormat,
    load_bureau,
    render_for_bureau,
)
from rfid_station.printing.template import TemplateKind, template_names

Faces = Callable[[int], list[dict[str, str]]]

SAFE_DESIGN = """
title = "Far from the cut"
size = [85.60, 53.98]
safe = 4.0

[[front]]
kind = "fill"
color = "accent"

[[front]]
kind = "text"
text = "{visual_number}"
at = [6, 12]
width = 40
size = 9
color = "black"

[[front]]
kind = "qr"
value = "{qr_link}"
at = [56, 25]
side = 21

[[back]]
kind = "text"
text = "{contract_id}"
at = [6, 12]
width = 60
size = 9
min_size = 6
color = "black"
"""


@pytest.fixture
def safe(template: Callable[..., Path]) -> CardDesign:
    return load_design("own", [template("cards", SAFE_DESIGN)])


@pytest.fixture
def standard() -> Bureau:
    return load_bureau("standard")


def files(made: PressArchive) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        return {name: archive.read(name) for name in archive.namelist()}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("name", template_names(TemplateKind.BUREAU))
def test_every_bureau_that_ships(name: str, safe: CardDesign, example: Brand, faces: Faces) -> None:
    bureau = replace(load_bureau(name), fonts=Fonts.EMBEDDED)
    made = render_for_bureau(safe, example, bureau, faces(2), job="press-0001")
    assert made.sides == (Side.FRONT, Side.BACK)
    pdf = files(made)["cards.pdf"]
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert len(opened.pages) == 4
        for page in opened.pages:
            media, trim = ([float(edge) / MM for edge in page.obj[box]] for box in ("/MediaBox", "/TrimBox"))
            assert media[2:] == pytest.approx([bureau.document.width, bureau.document.height], abs=0.01)
            assert trim[2] - trim[0] == pytest.approx(85.60, abs=0.01)
            assert trim[3] - trim[1] == pytest.approx(53.98, abs=0.01)
            assert trim[0] == pytest.approx(media[2] - trim[2], abs=0.01)
        is_x4 = "/OutputIntents" in opened.Root
    assert is_x4 is (bureau.format is PressFormat.X4)
    shown = picture(pdf, 1, 300)
    accent = shown.getpixel((shown.width // 2, shown.height // 2))
    for corner in ((0, 0), (shown.width - 1, 0), (0, shown.height - 1), (shown.width - 1, shown.height - 1)):
        assert shown.getpixel(corner) == accent, "the bleed is filled to the edge of the page"
    assert [code.text for code in zxingcpp.read_barcodes(shown)] == [faces(1)[0]["qr_link"]]


@pytest.mark.parametrize(
    ("name", "bleed"),
    [
        ("perfect-cards", (1.70, 1.51)),
        ("pps-print", (1.70, 2.01)),
        ("us-eighth-inch", (3.175, 3.175)),
        ("novacard", (1.0, 1.01)),
    ],
)
def test_bleed_is_what_the_data_sheet_says(name: str, bleed: tuple[float, float]) -> None:
    document = load_bureau(name).document
    assert ((document.width - 85.60) / 2, (document.height - 53.98) / 2) == pytest.approx(bleed, abs=0.011)


def test_the_archive_says_what_is_in_it(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces, tmp_path: Path
) -> None:
    made = render_for_bureau(safe, example, standard, faces(3), job="press-0001")
    archive = tmp_path / "press.zip"
    archive.write_bytes(made.data)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert checked.stdout.splitlines() == ["README.txt: OK", "cards.csv: OK", "cards.pdf: OK"]
    assert set(files(made)) == {"README.txt", "cards.csv", "cards.pdf", "SHA256SUMS"}
    assert rows(files(made)["cards.csv"]) == [
        {
            "page_front": f"{2 * n + 1}",
            "page_back": f"{2 * n + 2}",
            "visual_number": face["visual_number"],
            "contract_id": face["contract_id"],
            "qr_link": face["qr_link"],
        }
        for n, face in enumerate(faces(3))
    ]
    told = files(made)["README.txt"].decode()
    assert "3 cards for any bureau" in told
    assert "89.6 × 57.98 mm (BleedBox), bleed 2.00 and 2.00 mm" in told
    assert "front and back, in this order" in told
    assert "PDF/X-4, output intent: Artifex CMYK SWOP Profile" in told


def test_what_a_card_does_not_show_is_nobodys_business(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    people = [{**face, "driver": "Jane Roe", "fleet": "Acme"} for face in faces(1)]
    for delivery in Delivery:
        made = render_for_bureau(safe, example, standard, people, job="j", delivery=delivery)
        for name, data in files(made).items():
            assert b"Jane" not in data, name
            assert b"Acme" not in data, name


def test_data_and_codes_instead_of_pages(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    made = render_for_bureau(safe, example, standard, faces(2), job="j", delivery=Delivery.DATA)
    sent = files(made)
    cards = rows(sent["cards.csv"])
    assert [card["visual_number"] for card in cards] == [face["visual_number"] for face in faces(2)]
    for card, face in zip(cards, faces(2), strict=True):
        image = Image.open(io.BytesIO(sent[card["code1"]]))
        assert image.mode == "1"
        assert image.width == image.height
        dpi_x, dpi_y = image.info["dpi"]
        assert dpi_x == dpi_y >= 1200
        assert image.width / dpi_x * 25.4 == pytest.approx(21 * 29 / 37, abs=0.3), (
            "its size without quiet zone"
        )
        framed = Image.new("1", (image.width + 400, image.height + 400), 1)
        framed.paste(image, (200, 200))
        assert [code.text for code in zxingcpp.read_barcodes(framed)] == [face["qr_link"]]
    artwork, proof = picture(sent["artwork.pdf"], 1, 300), picture(sent["proof.pdf"], 1, 300)
    assert zxingcpp.read_barcodes(artwork) == []
    assert [code.text for code in zxingcpp.read_barcodes(proof)] == [faces(1)[0]["qr_link"]]
    for name in ("artwork.pdf", "proof.pdf"):
        with pikepdf.open(io.BytesIO(sent[name])) as pdf:
            assert len(pdf.pages) == 2
            assert "/OutputIntents" in pdf.Root
    places = rows(sent["places.csv"])
    assert [(place["side"], place["what"], place["shows"]) for place in places] == [
        ("front", "text", "{visual_number}"),
        ("front", "code1", "{qr_link}"),
        ("back", "text", "{contract_id}"),
    ]
    assert (places[1]["x_mm"], places[1]["y_mm"], places[1]["width_mm"]) == ("56.00", "25.00", "21.00")
    assert (places[2]["size_pt"], places[2]["min_size_pt"], places[2]["cmyk"]) == ("9", "6", "0 0 0 100")
    again = render_for_bureau(safe, example, standard, faces(2), job="j", delivery=Delivery.DATA)
    assert again.data == made.data


def test_a_text_that_does_not_fit_is_found_before_data_is_sent(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    cards = faces(3)
    cards[2]["visual_number"] = "EXM-1234" * 9
    with pytest.raises(PrintError, match="is too long"):
        render_for_bureau(safe, example, standard, cards, job="j", delivery=Delivery.DATA)


def test_a_text_too_near_to_the_cut(
    classic: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    wanting = replace(standard, safe_mm=6.5)
    with pytest.raises(
        PrintError, match=r"classic\.toml.*nearer to the cut than the 6\.5 mm that the bureau"
    ):
        render_for_bureau(classic, example, wanting, faces(1), job="j")


def test_a_text_that_may_become_too_small(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    with pytest.raises(PrintError, match=r"back 1 \(text\): may be set at 6 pt.* no text below 8 pt"):
        render_for_bureau(safe, example, replace(standard, min_text_pt=8), faces(1), job="j")


def test_a_bureau_that_wants_outlines_is_told_apart(safe: CardDesign, example: Brand, faces: Faces) -> None:
    with pytest.raises(PrintError, match="the bureau marqetspace wants texts as outlines") as refused:
        render_for_bureau(safe, example, load_bureau("marqetspace"), faces(1), job="j")
    assert 'fonts = "embedded"' in str(refused.value.hint)


def test_too_much_ink_names_the_colour(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces
) -> None:
    heavy = replace(example.colors["accent"], cmyk=(1, 1, 1, 0.5))
    brand = replace(example, colors={**example.colors, "accent": heavy})
    with pytest.raises(
        PrintError, match=r"CMYK 100, 100, 100, 50 takes 350 % of ink, and 300 % is"
    ) as refused:
        render_for_bureau(safe, brand, standard, faces(1), job="j")
    assert "cmyk" in str(refused.value.hint)


def test_what_does_not_fit_together(
    safe: CardDesign, example: Brand, standard: Bureau, faces: Faces, template: Callable[..., Path]
) -> None:
    with pytest.raises(WrongCall, match=r"is 100 × 53\.98 mm, and the bureau standard wants pages of 89\.6"):
        render_for_bureau(replace(safe, width_mm=100), example, standard, faces(1), job="j")
    with pytest.raises(WrongCall, match="there is no bureau 'standart'") as refused:
        load_bureau("standart")
    assert "did you mean 'standard'?" in str(refused.value.hint)
    with pytest.raises(WrongCall, match="'inc' is not an entry here"):
        load_bureau("own", [template("bureaus", 'title = "x"\ndocument = [90, 58]\ninc = 3\n')])
