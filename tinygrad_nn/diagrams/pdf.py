"""A PDF of one page, which is a JPEG: PDF takes its data as they are."""

from collections.abc import Sequence

from ..errors import OutputError

__all__ = ["pdf_of_jpeg"]


def pdf_of_jpeg(jpeg: bytes, dots_per_inch: float) -> bytes:
    """Put a picture on a page of its own size.

    Raises:
        OutputError: it is no JPEG of three colours.

    Reference: [Adobe2008] sections 7.5 and 7.4.8.
    """
    width, height = _size(jpeg)
    across, down = (round(dots * 72 / dots_per_inch, 2) for dots in (width, height))
    drawn = f"{across} 0 0 {down} 0 0 cm /picture Do".encode()
    image = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
        f"/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode"
    )
    page = (
        f"/Type /Page /Parent 2 0 R /MediaBox [0 0 {across} {down}] /Contents 4 0 R "
        f"/Resources << /XObject << /picture 5 0 R >> >>"
    )
    return _document([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< {page} >>".encode(),
        _stream("", drawn),
        _stream(image, jpeg),
    ])  # fmt: skip


def _size(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header of the frame."""
    at = 2
    while at + 9 < len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xC2 and jpeg[at + 9] == 3:
            height, width = (int.from_bytes(jpeg[at + i : at + i + 2], "big") for i in (5, 7))
            return width, height
        at += 2 + length
    raise OutputError("pdf: expected a JPEG from the renderer; got something else; save .svg")


def _stream(about: str, content: bytes) -> bytes:
    head = f"<< {about} /Length {len(content)} >>\nstream\n".encode()
    return head + content + b"\nendstream"


def _document(objects: Sequence[bytes]) -> bytes:
    """The file: numbered objects, the table of where they are, and the trailer."""
    data, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    count = len(objects) + 1
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()
