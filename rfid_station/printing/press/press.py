"""From a PDF to one that a print bureau takes: PDF/X-4 (ISO 15930-7), looked through before it leaves.

The file gets what ReportLab does not write: the output intent with the profile of the press, its XMP
metadata, a version and an identity that depend on its content and on nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, String
from PIL import ImageCms

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.press.pdf_faults import Inspection, Rules, inspect

FREE_PROFILES = (Path("/usr/share/color/icc/ghostscript/default_cmyk.icc"),)
"""Profiles of a press that Linux distributions bring along; Debian has it in libgs-common."""

_NAMED_FAULTS = 5
_LARGEST_PROFILE = 20_000_000
_INKS = {b"CMYK": 4, b"GRAY": 1, b"RGB ": 3}
_WRITTEN_AT = "2000-01-01T00:00:00Z"
"""The date that ReportLab writes into a file that depends on nothing but its content."""


@dataclass(frozen=True, slots=True)
class OutputIntent:
    """The press that a file is made for, by its ICC profile."""

    profile: bytes
    description: str
    """As the profile says it itself, as `Coated FOGRA39`."""
    condition: str | None = None
    """The name of the printing condition in the registry of the ICC, as `FOGRA39`, where it has one."""


def load_intent(file: Path | None, condition: str | None = None) -> OutputIntent:
    """Read the profile of a press; without a file, one that this machine has.

    :raises WrongCall: there is none, or it is no profile of a press that prints in CMYK
    """
    if file is None:
        file = next((path for path in FREE_PROFILES if path.is_file()), None)
    if file is None:
        raise WrongCall(
            "PDF/X-4 needs the ICC profile of the press, and this machine has none",
            hint="ask the bureau for it: --intent FILE.icc; to try it out: apt-get install libgs-common",
        )
    try:
        data = file.read_bytes() if file.stat().st_size <= _LARGEST_PROFILE else b""
    except OSError as error:
        raise WrongCall(f"{file} cannot be read: {error.strerror}", hint=f"ls -l {file}") from error
    _check_profile(data, file)
    return OutputIntent(data, _description(data, file), condition)


def _check_profile(data: bytes, file: Path) -> None:
    """An ICC profile says in its header what it is (ICC.1, 7.2)."""
    if len(data) < 132 or data[36:40] != b"acsp" or int.from_bytes(data[:4], "big") != len(data):
        raise WrongCall(
            f"{file} is no ICC profile", hint="name the .icc file that the bureau has for its press"
        )
    kind, space = data[12:16], data[16:20]
    if kind != b"prtr" or space != b"CMYK":
        raise WrongCall(
            f"{file} is no profile of a press that prints in CMYK: it says {_words(kind)}, {_words(space)}",
            hint="name the bureau's profile, as FOGRA39 or FOGRA51",
        )


def _description(data: bytes, file: Path) -> str:
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data))).strip() or file.stem
    except (ImageCms.PyCMSError, OSError) as error:
        raise WrongCall(
            f"{file} is no ICC profile that can be used: {error}", hint="save it again"
        ) from error


def _words(code: bytes) -> str:
    return code.decode("ascii", "replace").strip()


def press_ready(pdf: bytes, intent: OutputIntent, rules: Rules) -> tuple[bytes, Inspection]:
    """Make a PDF/X-4 of a PDF, and tell what was found in it. The same input gives the same bytes.

    :raises PrintError: something in it cannot go to a press: each is named
    """
    with pikepdf.open(io.BytesIO(pdf)) as file:
        found = inspect(file, rules)
        refuse(found.faults)
        _check_pages(file)
        _finish(file, intent, sha256(pdf + intent.profile).digest())
        target = io.BytesIO()
        file.save(
            target,
            force_version="1.6",
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
        )
    return target.getvalue(), found


def without_faults(pdf: bytes, rules: Rules) -> Inspection:
    """Look through a PDF that stays as it is.

    :raises PrintError: something in it cannot be printed: each is named
    """
    with pikepdf.open(io.BytesIO(pdf)) as file:
        found = inspect(file, rules)
    refuse(found.faults)
    return found


def refuse(faults: Sequence[str]) -> None:
    """Let nothing pass in which a press would stumble.

    :raises PrintError: the first faults in words, and how many more there are
    """
    if faults:
        more = len(faults) - _NAMED_FAULTS
        raise PrintError(
            "this cannot go to a press: "
            + "; ".join(faults[:_NAMED_FAULTS])
            + (f"; and {more} more" if more > 0 else ""),
            hint=_remedy(faults[0]),
        )


def _remedy(fault: str) -> str:
    if "% of ink" in fault:
        return "write less into cmyk of that colour in the brand, or ask the bureau for a paler one"
    if "spot colour" in fault:
        return "take spot out of that colour in the brand, or choose a bureau that has the ink"
    return "give pictures, artwork and colours in CMYK or grey, with all fonts embedded"


def _check_pages(file: pikepdf.Pdf) -> None:
    """A trim box on every page, within its bleed box, within the page (ISO 15930-7, 6.10)."""
    for number, page in enumerate(file.pages, start=1):
        media, bleed, trim = (
            [float(edge) for edge in page.obj.get(name, page.obj.MediaBox)]
            for name in (Name.MediaBox, Name.BleedBox, Name.TrimBox)
        )
        if Name.TrimBox not in page.obj or not (_holds(media, bleed) and _holds(bleed, trim)):
            raise PrintError(
                f"page {number} does not say where its cards end",
                hint="print it again: rfid-station sheet press",
            )
        for name in (Name.ArtBox, Name("/Trans"), Name.Annots):
            if name in page.obj:
                del page.obj[name]


def _holds(outer: list[float], inner: list[float]) -> bool:
    return all(outer[n] <= inner[n] + 0.01 and inner[n + 2] <= outer[n + 2] + 0.01 for n in (0, 1))


def _finish(file: pikepdf.Pdf, intent: OutputIntent, digest: bytes) -> None:
    title = str(file.docinfo.get(Name.Title, "cards"))
    file.docinfo[Name.Title] = String(title)
    file.docinfo[Name.Trapped] = Name("/False")
    file.docinfo[Name("/GTS_PDFXVersion")] = String("PDF/X-4")
    for key in (Name.CreationDate, Name.ModDate):
        file.docinfo[key] = String("D:20000101000000Z")
    file.Root.OutputIntents = Array([_output_intent(file, intent)])
    metadata = file.make_stream(_xmp(file, title, digest).encode())
    metadata.Type, metadata.Subtype = Name.Metadata, Name.XML
    file.Root.Metadata = metadata
    for key in (Name.PageMode, Name.Outlines):
        if key in file.Root:
            del file.Root[key]


def _output_intent(file: pikepdf.Pdf, intent: OutputIntent) -> pikepdf.Object:
    profile = file.make_stream(intent.profile)
    profile.N = _INKS[intent.profile[16:20]]
    entries = Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFX,
        OutputConditionIdentifier=String(intent.condition or "Custom"),
        Info=String(intent.description),
        DestOutputProfile=profile,
    )
    if intent.condition:
        entries.RegistryName = String("http://www.color.org")
    return file.make_indirect(entries)


def _xmp(file: pikepdf.Pdf, title: str, digest: bytes) -> str:
    """Who made what, as ISO 15930-7, 6.6 wants it. Its identities are drawn from the content."""
    document, instance = (UUID(bytes=digest[start : start + 16], version=4) for start in (0, 16))
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:pdfxid="http://www.npes.org/pdfx/ns/id/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{escape(str(file.docinfo.get(Name.Author, "")))}</rdf:li></rdf:Seq></dc:creator>
<pdf:Producer>{escape(str(file.docinfo.get(Name.Producer, "")))}</pdf:Producer>
<pdf:Trapped>False</pdf:Trapped>
<pdfxid:GTS_PDFXVersion>PDF/X-4</pdfxid:GTS_PDFXVersion>
<xmp:CreatorTool>{escape(str(file.docinfo.get(Name.Creator, "")))}</xmp:CreatorTool>
<xmp:CreateDate>{_WRITTEN_AT}</xmp:CreateDate>
<xmp:ModifyDate>{_WRITTEN_AT}</xmp:ModifyDate>
<xmp:MetadataDate>{_WRITTEN_AT}</xmp:MetadataDate>
<xmpMM:DocumentID>uuid:{document}</xmpMM:DocumentID>
<xmpMM:InstanceID>uuid:{instance}</xmpMM:InstanceID>
<xmpMM:VersionID>1</xmpMM:VersionID>
<xmpMM:RenditionClass>default</xmpMM:RenditionClass>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
