import contextlib
import sys

import pytest

from podtune.core.errors import DatasetError, UnsupportedError
from podtune.data.containers import pdf


def document(*pages, extra=b""):
    """A small PDF: every page a list of lines in Helvetica."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 750 Td {shown} ET".encode("cp1252")
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(bodies) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, extra, len(out))
    )


@pytest.fixture
def read(tmp_path):
    def run(raw):
        path = tmp_path / "faq.pdf"
        path.write_bytes(raw)
        return list(pdf.lines(path))

    return run


def test_lines_of_all_pages(read):
    assert read(document(["Q: When?", "A: Now."], ["Q: Où?", "A: Ici."])) == [
        (1, "Q: When?"),
        (2, "A: Now."),
        (3, "Q: Où?"),
        (4, "A: Ici."),
    ]


def test_page_numbers_go(read):
    found = read(document(["Q: When?", "1"], ["Page 2 of 2", "A: Now.", "7"]))
    assert [text for _, text in found] == ["Q: When?", "A: Now.", "7"]


def code_of(raised):
    assert raised.value.hint
    return raised.value.code


def test_pictures_have_no_text(read):
    with pytest.raises(DatasetError) as raised:
        read(document([]))
    assert code_of(raised) == "pdf_without_text"


def test_encrypted_documents(read, tmp_path):
    from pypdf import PdfReader, PdfWriter

    plain, locked = tmp_path / "plain.pdf", tmp_path / "locked.pdf"
    plain.write_bytes(document(["Q: When?"]))
    for password, readable in (("secret", False), ("", True)):
        writer = PdfWriter(clone_from=PdfReader(plain))
        writer.encrypt(password, owner_password="owner", algorithm="AES-256")
        writer.write(locked)
        if readable:
            assert read(locked.read_bytes()) == [(1, "Q: When?")]
        else:
            with pytest.raises(DatasetError) as raised:
                read(locked.read_bytes())
            assert code_of(raised) == "pdf_encrypted"


def test_too_many_pages_and_too_much_text(read, monkeypatch):
    raw = document(["one"], ["two"])
    monkeypatch.setattr(pdf, "MAX_PAGES", 1)
    with pytest.raises(DatasetError) as raised:
        read(raw)
    assert code_of(raised) == "pdf_too_large"
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    monkeypatch.setattr(pdf, "MAX_TEXT", 3)
    with pytest.raises(DatasetError) as raised:
        read(raw)
    assert code_of(raised) == "pdf_too_large"


GOOD = document(["Q: When?", "A: Now."])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"%PDF-1.4\n",
        b"%PDF-1.4\nnonsense" * 100,
        GOOD[:200],
        GOOD.replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"),
        GOOD.replace(b"/Root 1 0 R", b"/Root 9 0 R"),
        GOOD.replace(b"/Type /Catalog", b"/Type /" + b"[" * 900),
        document(["x"], extra=b"/Encrypt << /Filter /Nothing >>"),
    ],
)
def test_damage_is_told_and_nothing_else_escapes(read, raw):
    with contextlib.suppress(DatasetError):
        assert all(isinstance(text, str) for _, text in read(raw))


def test_a_broken_file_is_named_as_one(read):
    with pytest.raises(DatasetError) as raised:
        read(b"%PDF-1.4\nnonsense" * 100)
    assert code_of(raised) == "bad_pdf"


@pytest.mark.parametrize("step", range(0, len(GOOD), 23))
def test_any_byte_may_be_wrong(read, step):
    raw = bytearray(GOOD)
    raw[step] = 0x5B
    with contextlib.suppress(DatasetError):
        read(bytes(raw))


def test_without_the_library(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(UnsupportedError, match="pypdf"):
        read(GOOD)
