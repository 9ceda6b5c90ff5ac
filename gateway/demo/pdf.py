"""A small PDF that every viewer opens: one page, one line of text (ISO 32000-1 §7.5)."""

from __future__ import annotations


def pdf(line: str) -> bytes:
    """One A4 page with this line of printable ASCII; raises ValueError for other text, since fonts are not embedded."""
    if not (line.isascii() and line.isprintable()):
        raise ValueError("only printable ASCII")
    shown = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    drawing = f"BT /F1 16 Tf 72 760 Td ({shown}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    octets = bytearray(b"%PDF-1.4\n")
    table = bytearray(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for number, content in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(octets)
        octets += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(octets))
    return bytes(octets + table + trailer)
