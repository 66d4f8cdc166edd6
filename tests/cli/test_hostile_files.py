"""Files that somebody made to do harm, given to the commands that read them: two lines, nothing is done."""

from __future__ import annotations

import resource
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import run
from stations import CLERK, issue_from

from rfid_station.desk.station import open_station
from rfid_station.errors import WrongCall
from rfid_station.small_file import MOST_BYTES, small_bytes, table_of

GIGABYTE = 1 << 30
NESTED = "x = " + "[" * 100_000
PASSWD = "../../../../../../../../../../etc/passwd"


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Whoever reads a gigabyte into memory fails here."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (700 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def huge(path: Path) -> Path:
    """A gigabyte that takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(GIGABYTE)
    return path


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


SIM = ("--reader", "sim:ntag213")
ANSWERS = {
    "--issuer": "A",
    "--hotline": "1",
    "--website": "a.example",
    "--claim": "B",
    "--color": "#0B2A3B",
    "--accent": "#38C6B4",
}
NEW_DESIGN = ("sheet", "new", "mine", *(word for pair in ANSWERS.items() for word in pair), "--logo")
READERS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "station.toml": lambda folder, _: ["card", "list"],
    "templates/profiles/mine.toml": lambda *_: [
        "card",
        "issue",
        "--profile",
        "mine",
        "--reader",
        "sim:ntag213",
    ],
    "templates/cards/mine.toml": lambda *_: ["sheet", "preview", "mine"],
    "templates/brands/mine.toml": lambda *_: ["sheet", "preview", "classic", "--brand", "mine"],
    "templates/sheets/mine.toml": lambda *_: ["sheet", "calibrate", "--sheet", "mine"],
    "templates/partners/mine.toml": lambda *_: ["partner", "invite", "greenline", "--profile", "mine"],
    "token": lambda _, file: ["partner", "add", "cpo", "http://127.0.0.1:9/v", "--token-file", file],
    "trace": lambda _, file: ["card", "read", "--reader", f"replay:{file}"],
    "addresses.csv": lambda _, file: ["label", "print", file],
    "fleet.csv": lambda _, file: ["card", "issue", file, *SIM],
    "list.csv": lambda _, file: ["batch", "check", file],
    "logo.png": lambda _, file: [*NEW_DESIGN, file],
    "logo.svg": lambda _, file: [*NEW_DESIGN, file],
}


@pytest.mark.parametrize("name", READERS)
def test_a_gigabyte_is_refused_in_two_lines(folder: Path, name: str) -> None:
    file = huge(folder / name)
    before = set(folder.rglob("*.pdf"))
    result = run(folder, *READERS[name](folder, file))
    assert result.exit_code not in (0, 130), result.output
    assert result.stderr.startswith("error: ")
    assert "\nhint: " in result.stderr
    assert len(result.stderr) < 1000
    assert set(folder.rglob("*.pdf")) == before


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith(".toml")])
def test_toml_that_is_nested_without_end_is_refused_in_two_lines(folder: Path, name: str) -> None:
    file = written(folder / name, NESTED)
    result = run(folder, *READERS[name](folder, file))
    assert result.exit_code == 2, result.output
    assert "nested too deeply" in result.stderr


def test_a_device_without_an_end_is_read_to_the_bound() -> None:
    with pytest.raises(WrongCall, match="more than 1 MB"):
        small_bytes(Path("/dev/zero"))
    assert table_of("a = 1") == {"a": 1}
    assert MOST_BYTES == 1 << 20


def test_a_file_of_exactly_the_bound_is_read(tmp_path: Path) -> None:
    assert len(small_bytes(written(tmp_path / "file", bytes(MOST_BYTES)))) == MOST_BYTES


# Formulas


EVIL = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1")


def test_no_export_holds_what_a_spreadsheet_would_run(folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"{mark}ref{n},{mark}cmd|' /C calc'!A0,Delta,de\n" for n, mark in enumerate(EVIL))
    fleet = written(tmp_path / "fleet.csv", "reference,name,fleet,language\n" + rows)
    run(folder, "batch", "check", fleet)
    exported = run(folder, "batch", "export", fleet, "--to", tmp_path / "out.csv")
    assert exported.exit_code == 0, exported.output
    cells = [cell.strip('"') for cell in (tmp_path / "out.csv").read_text().replace("\n", ",").split(",")]
    assert len(cells) > len(EVIL)
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))] == []


# Paths, pictures, fonts


@pytest.mark.parametrize("logo", [PASSWD, "/etc/passwd", "/dev/zero", "logo.png"])
def test_a_logo_that_is_another_file_is_refused_and_not_shown(folder: Path, logo: str) -> None:
    result = run(folder, *NEW_DESIGN, logo)
    assert result.exit_code == 2
    assert Path(logo).name in result.stderr
    assert "root:" not in result.output


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", ".."])
@pytest.mark.parametrize("option", ["--design", "--brand", "--sheet"])
def test_the_name_of_a_template_leads_nowhere_else(folder: Path, option: str, name: str) -> None:
    with open_station(folder, CLERK) as station:
        issue_from(station, "sim:ntag213")
    result = run(folder, "sheet", "print", option, name)
    assert result.exit_code == 2, result.output
    assert "root:" not in result.output


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x01\x00\x00" + bytes(100),
        b"OTTO" + bytes(100),
        b"",
        b"%PDF-1.7",
        b"<svg/>",
        bytes(range(256)) * 40,
    ],
    ids=["cut", "cff", "empty", "pdf", "svg", "noise"],
)
@pytest.mark.parametrize("kind", ["logo.png", "logo.svg", "logo.jpg"])
def test_a_picture_that_is_not_what_it_says_is_refused(folder: Path, kind: str, content: bytes) -> None:
    file = written(folder / kind, content)
    result = run(folder, *NEW_DESIGN, file)
    assert result.exit_code in (1, 2), result.output
    assert kind in result.stderr


@pytest.mark.parametrize(
    "inside",
    [
        '<image href="file:///etc/passwd"/>',
        '<image href="http://127.0.0.1:9/x.png" width="1" height="1"/>',
        '<use href="other.svg#a"/>',
        "<script>1</script>",
        '<foreignObject><iframe src="file:///etc/passwd"/></foreignObject>',
        '<style>@import url("http://127.0.0.1:9/x.css");</style>',
    ],
)
def test_a_drawing_that_refers_elsewhere_is_refused(folder: Path, inside: str) -> None:
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{inside}<path d="M0 0h9v9z"/></svg>'
    result = run(folder, *NEW_DESIGN, written(folder / "logo.svg", text))
    assert result.exit_code == 2, result.output
    assert "root:" not in result.output


def test_entities_of_a_drawing_are_not_resolved(folder: Path) -> None:
    text = '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    text += '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>&a;</text></svg>'
    result = run(folder, *NEW_DESIGN, written(folder / "logo.svg", text))
    assert result.exit_code == 2
    assert "root:" not in result.output


def test_a_workbook_that_unpacks_without_end_is_refused(folder: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(part, bytes(20 << 20))
    result = run(folder, "batch", "check", bomb)
    assert result.exit_code == 2
    assert "smaller" in result.stderr or "MB" in result.stderr


def branded(folder: Path, font: str) -> None:
    """A brand of one's own with another font."""
    shipped = (Path(__file__).parents[2] / "templates" / "brands" / "example.toml").read_text()
    own = shipped.replace('bold = "Source Sans Bold"', f'bold = "{font}"')
    assert own != shipped
    written(folder / "templates/brands/mine.toml", own)


@pytest.mark.parametrize("content", [b"", b"OTTO" + bytes(100), b"\x00\x01\x00\x00" + bytes(100), b"<svg/>"])
def test_a_font_that_is_not_what_it_says_is_refused(folder: Path, content: bytes) -> None:
    written(folder / "templates/brands/own.ttf", content)
    branded(folder, "own.ttf")
    result = run(folder, "sheet", "preview", "classic", "--brand", "mine")
    assert result.exit_code == 2, result.output
    assert "no TrueType font" in result.stderr


@pytest.mark.parametrize("path", [PASSWD, "/etc/passwd", "/dev/zero"])
def test_a_font_that_is_another_file_is_refused_and_not_shown(folder: Path, path: str) -> None:
    branded(folder, path)
    result = run(folder, "sheet", "preview", "classic", "--brand", "mine")
    assert result.exit_code == 2, result.output
    assert "root:" not in result.output
