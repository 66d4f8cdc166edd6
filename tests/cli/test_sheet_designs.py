"""`rfid-station sheet templates|new|check|preview`, as a person at the desk calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from typer.testing import CliRunner, Result

from rfid_station.cli.app import app
from rfid_station.errors import DiskFull

Run = Callable[..., Result]
ANSWERS = (
    "--issuer",
    "Acme Charge",
    "--hotline",
    "+31 20 555 0199",
    "--color",
    "#5B2A86",
    "--accent",
    "#FFB703",
)
BROKEN = """
title = "Broken"
size = [85.60, 53.98]

[[front]]
kind = "fill"
color = "white"

[[front]]
kind = "text"
text = "{visual_nr}"
at = [6, 12]
width = 50
size = 8
color = "black"

[[front]]
kind = "text"
text = "far too pale"
at = [6, 20]
width = 50
size = 8
color = "accent"

[[front]]
kind = "text"
text = "outside"
at = [6, 53]
width = 50
size = 8
color = "black"
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*arguments: str, **more: object) -> Result:
        return CliRunner().invoke(app, ["--station", str(tmp_path), "sheet", *arguments], **more)  # type: ignore[arg-type]

    return call


def picture_at(path: Path | str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def own(folder: Path, text: str, name: str = "own", kind: str = "cards") -> None:
    (folder / "templates" / kind).mkdir(parents=True, exist_ok=True)
    (folder / "templates" / kind / f"{name}.toml").write_text(text, encoding="utf-8")


class TestTemplates:
    def test_all_there_are(self, run: Run, tmp_path: Path) -> None:
        own(tmp_path, BROKEN)
        rows = [json.loads(line) for line in run("templates", "--json").stdout.splitlines()]
        named = {(row["kind"], row["name"]): row for row in rows}
        assert named["card design", "classic"]["from"] == "shipped"
        assert named["card design", "bilingual"]["title"].endswith("(front and back)")
        assert named["brand", "example"]["title"] == "Example Mobility"
        assert named["card design", "own"]["from"] == "own"
        assert named["card design", "own"]["title"] == "cannot be read: rfid-station sheet check own"
        assert "classic" in run("templates").stdout


class TestCheck:
    @pytest.mark.parametrize("name", ["classic", "bilingual", "preprinted"])
    def test_what_ships(self, run: Run, name: str) -> None:
        result = run("check", name)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing is wrong\n")

    def test_all_at_once_with_places_and_remedies(self, run: Run, tmp_path: Path) -> None:
        own(tmp_path, BROKEN)
        result = run("check", "own", "--json")
        found = [json.loads(line) for line in result.stdout.splitlines()]
        file = tmp_path / "templates" / "cards" / "own.toml"
        assert result.exit_code == 1
        assert [(each["place"].removeprefix(str(file)), each["problem"]) for each in found] == [
            (":11:9: front 2 (text)", "text names the unknown field {visual_nr}"),
            (": front 4 (text)", "reaches to x 6.0 to 56.0, y 50.7 to 53.7 mm, out of the safe area"),
            (
                ": front 3 (text)",
                "'far too pale' in accent has a contrast of 2.0 to its ground, and WCAG AA asks for 4.5",
            ),
        ]
        assert all(each["remedy"] and each["severity"] == "error" for each in found)

    def test_as_people_read_it(self, run: Run, tmp_path: Path) -> None:
        own(tmp_path, BROKEN)
        result = run("check", "own")
        assert (
            "front 2 (text): text names the unknown field {visual_nr}\n  did you mean 'visual_number'?"
            in result.stdout
        )
        assert result.stderr == "3 errors, 0 warnings\n"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [("title = ", "is not TOML"), ("", "title is missing"), ("title = 'a'", "size is missing")],
    )
    def test_a_file_that_says_nothing(self, run: Run, tmp_path: Path, text: str, problem: str) -> None:
        own(tmp_path, text)
        result = run("check", "own")
        assert result.exit_code == 1
        assert problem in result.stdout
        assert result.stderr == "1 error, 0 warnings\n"

    @pytest.mark.parametrize("content", [b"%PDF-1.7", b"no PDF"])
    def test_artwork_that_is_no_pdf(self, run: Run, tmp_path: Path, content: bytes) -> None:
        own(tmp_path, BROKEN.partition("[[front]]")[0] + '[artwork]\nfront = "art.pdf"\n')
        (tmp_path / "templates" / "cards" / "art.pdf").write_bytes(content)
        result = run("check", "own")
        assert result.exit_code == 1
        assert "own.toml: artwork.front: " in result.stdout
        assert result.stderr == "1 error, 0 warnings\n"

    def test_no_such_design(self, run: Run) -> None:
        result = run("check", "clasic")
        assert result.exit_code == 2
        assert "did you mean 'classic'?" in result.stderr


class TestPreview:
    def test_a_card(self, run: Run, tmp_path: Path) -> None:
        result = run("preview", "bilingual", "--dpi", "300")
        path = Path(result.stdout.strip())
        assert path == tmp_path / "prints" / "preview-bilingual.png"
        picture = picture_at(path)
        dots = 300 / 25.4
        assert picture.size == pytest.approx(((85.6 + 12) * dots, (2 * 53.98 + 18) * dots), abs=3)
        [code] = zxingcpp.read_barcodes(picture)
        assert code.text == "HTTPS://CARDS.EXAMPLE.COM/C/7QX4M2KD8WN3"

    def test_its_corners_are_round(self, run: Run) -> None:
        picture = picture_at(run("preview", "classic").stdout.strip())
        margin = round(6 * 220 / 25.4)
        assert picture.getpixel((margin + 1, margin + 1))[0] > 200
        assert picture.getpixel((margin + 40, margin + 40)) == (0x0B, 0x2A, 0x3B)

    @pytest.mark.parametrize("side", ["front", "back"])
    def test_one_side(self, run: Run, tmp_path: Path, side: str) -> None:
        out = tmp_path / "one.png"
        assert run("preview", "bilingual", "--side", side, "--zones", "--out", str(out)).exit_code == 0
        picture = picture_at(out)
        assert picture.height < picture.width

    def test_a_sheet(self, run: Run) -> None:
        picture = picture_at(run("preview", "classic", "--sheet", "a4-10up").stdout.strip())
        assert picture.height / picture.width == pytest.approx(297 / 210, abs=0.01)
        assert len(zxingcpp.read_barcodes(picture)) == 10

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--side", "back"), "the design classic has no 'back'"),
            (("--dpi", "5"), "5 dpi cannot be shown"),
            (("--sheet", "a4-11up"), "there is no sheet 'a4-11up'"),
            (("--brand", "exmple"), "there is no brand 'exmple'"),
        ],
    )
    def test_what_cannot_be_shown(self, run: Run, arguments: tuple[str, ...], message: str) -> None:
        result = run("preview", "classic", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr

    def test_a_language_that_it_has_not(self, run: Run) -> None:
        result = run("preview", "bilingual", "--language", "fr")
        assert result.exit_code == 2
        assert "its languages: de, en" in result.stderr

    def test_a_full_disk_leaves_nothing(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, content: bytes) -> None:
            raise DiskFull(f"there is no room for {path}", hint="df -h")

        monkeypatch.setattr("rfid_station.desk.files.write_whole", full)
        assert run("preview").exit_code == 1
        assert not list(tmp_path.rglob("*.png"))

    def test_a_store_is_not_opened_for_it(self, tmp_path: Path) -> None:
        """What takes longest at the start of other commands: a preview is wanted within a second."""
        code = (
            "import sys\n"
            "from typer.testing import CliRunner\n"
            "from rfid_station.cli.app import app\n"
            f"result = CliRunner().invoke(app, ['--station', {str(tmp_path)!r}, 'sheet', 'preview'])\n"
            "assert result.exit_code == 0, result.output\n"
            "slow = {'sqlalchemy', 'sqlmodel', 'pyreqwest', 'fastapi', 'cryptography', 'rich'}\n"
            "print(sorted(slow & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestNew:
    @pytest.mark.parametrize(
        ("base", "color"),
        [
            ("classic", "#5B2A86"),
            ("classic", "#7A8B99"),
            ("classic", "#000000"),
            ("bilingual", "#FFFFFF"),
            ("bilingual", "#5B2A86"),
            ("preprinted", "#FFD400"),
        ],
    )
    def test_any_brand_on_any_design_is_faultless(
        self, run: Run, tmp_path: Path, base: str, color: str
    ) -> None:
        made = run("new", "acme", "--from", base, *ANSWERS, "--color", color)
        assert made.exit_code == 0, made.output
        assert made.stdout.splitlines() == [
            str(tmp_path / "templates" / kind / "acme.toml") for kind in ("brands", "cards")
        ]

    def test_with_a_logo(self, run: Run, tmp_path: Path) -> None:
        logo = tmp_path / "Our Logo.SVG"
        logo.write_text('<svg viewBox="0 0 30 9"><rect width="30" height="9" fill="#fff"/></svg>')
        assert run("new", "acme", *ANSWERS, "--logo", str(logo)).exit_code == 0
        assert (tmp_path / "templates" / "brands" / "acme.svg").read_text() == logo.read_text()
        assert 'kind = "logo"' in (tmp_path / "templates" / "cards" / "acme.toml").read_text("utf-8")
        assert run("check", "acme", "--brand", "acme").exit_code == 0

    def test_of_a_brand_that_is_there(self, run: Run, tmp_path: Path) -> None:
        result = run("new", "mine", "--from", "bilingual", "--brand", "example")
        assert result.stdout.splitlines() == [str(tmp_path / "templates" / "cards" / "mine.toml")]
        assert "sheet preview mine --brand example" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--color", "purple"), "'purple' is no colour"),
            (("--from", "clasic"), "there is no card design 'clasic'"),
            (("--logo", "nowhere.svg"), "nowhere.svg is not there"),
            (("--logo", "logo.ai"), "logo.ai is no logo"),
            (("--hotline", " "), "a brand has an issuer and a hotline"),
            (("--brand", "../evil"), "'../evil' is no name"),
        ],
    )
    def test_what_cannot_be_made(
        self, run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        result = run("new", "acme", *ANSWERS, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert not list((tmp_path / "templates").rglob("*"))

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.svg", b"<svg viewBox='0 0 9 9'><text>a</text></svg>", "<text> cannot be printed"),
            ("a.svg", b"<svg", "a.svg is broken at line 1"),
            ("a.png", b"no picture", "a.png cannot be read as a picture"),
        ],
    )
    def test_a_logo_that_cannot_be_printed(
        self, run: Run, tmp_path: Path, name: str, content: bytes, message: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        result = run("new", "acme", *ANSWERS, "--logo", str(tmp_path / name))
        assert result.exit_code != 0
        assert message in result.stderr
        assert not (tmp_path / "templates").exists()

    def test_nothing_is_overwritten(self, run: Run, tmp_path: Path) -> None:
        own(tmp_path, "mine", "acme")
        result = run("new", "acme", *ANSWERS)
        assert result.exit_code == 2
        assert "is there already" in result.stderr
        assert not (tmp_path / "templates" / "brands").exists()
        assert (tmp_path / "templates" / "cards" / "acme.toml").read_text() == "mine"

    def test_nobody_to_ask(self, run: Run) -> None:
        result = run("new", "acme")
        assert result.exit_code == 2
        assert "nobody is here to be asked: Who issues the card" in result.stderr
        assert "add --issuer" in result.stderr

    def test_questions(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rfid_station.cli.sheet_designs._is_asked", lambda: True)
        result = run("new", "acme", input='Acme "GmbH"\n+49 1\n\n\n\n#FFB703\n\n')
        assert result.exit_code == 0, result.output
        text = (tmp_path / "templates" / "brands" / "acme.toml").read_text("utf-8")
        assert 'issuer = "Acme \\"GmbH\\""' in text
        assert '[colors.primary]\nrgb = "#0B2A3B"' in text
        assert '[colors.accent]\nrgb = "#FFB703"' in text
        assert "website" not in text
