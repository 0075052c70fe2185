# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import codecs
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.containers.survey import BOMS, HEAD, survey
from support import data_files as make

GERMAN = "Größe, Maß und Übergewicht: für Prüfungen gelten schöne Änderungen.\n" * 5
POLISH = "Zażółć gęślą jaźń. Czy mogę zwrócić książkę później? Tak, łatwo się da.\n" * 5
JAPANESE = "自転車を返品できますか。はい、二週間以内でしたら返品できます。\n" * 5


@pytest.fixture
def look(tmp_path):
    def run(raw):
        path = tmp_path / "file.bin"
        path.write_bytes(raw)
        return survey(path)

    return run


def test_plain_text(look):
    raw = "a\nü\n".encode()
    found = look(raw)
    assert found.sha256 == hashlib.sha256(raw).hexdigest()
    assert (found.size_bytes, found.compression, found.magic) == (5, "", "text")
    assert (found.encoding, found.codec, found.has_bom) == ("utf-8", "utf-8", False)
    assert (found.crlf, found.lone_cr, found.head) == (False, False, "a\nü\n")


@pytest.mark.parametrize("raw", [b"", b" \n\t\r\n", codecs.BOM_UTF8, "\ufeff \n".encode("utf-16")])
def test_nothing_is_empty(look, raw):
    assert look(raw).magic == "empty"


@pytest.mark.parametrize(
    ("raw", "magic"),
    [
        (make.zipped({"a.txt": b"x"}), "zip"),
        (make.parquet_file({"a": ["x"]}), "parquet"),
        (make.pdf(["x"]), "pdf"),
        (b"\n\n%PDF-1.4", "pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "binary"),
        (bytes(b for b in range(1, 256)) * 4, "binary"),
        (bytes(range(1, 32)) * 40, "binary"),
        (b"\0" * 100, "binary"),
        (b"plain", "text"),
    ],
)
def test_what_a_file_is_is_told_by_its_bytes(look, raw, magic):
    assert look(raw).magic == magic


@pytest.mark.parametrize("pack", [make.gz, make.zst])
def test_compressed_text_is_looked_into_and_summed_as_it_lies_there(look, pack):
    raw = pack("ü\r\n".encode() * 100)
    found = look(raw)
    assert found.sha256 == hashlib.sha256(raw).hexdigest()
    assert (found.size_bytes, found.magic, found.crlf) == (len(raw), "text", True)
    assert found.head.startswith("ü")


@pytest.mark.parametrize(("mark", "name"), BOMS)
def test_a_mark_tells_the_encoding(look, mark, name):
    codec = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
             codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}[mark]  # fmt: skip
    found = look(mark + GERMAN.encode(codec))
    assert (found.encoding, found.magic, found.head) == (name, "text", GERMAN)
    assert found.has_bom == (name == "utf-8")


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "latin-1", "cp1252"),
        (POLISH, "cp1250", "cp1250"),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (JAPANESE, "utf-8", "utf-8"),
    ],
)
def test_encodings_without_a_mark_are_told_by_what_they_read_like(look, text, codec, name):
    found = look(text.encode(codec))
    assert (found.encoding, found.head) == (name, text)


def test_a_single_letter_far_from_the_beginning_is_found(look):
    found = look(b"plain\n" * 300_000 + "Größe\n".encode("cp1252"))
    assert found.encoding == "cp1252"


def test_a_letter_over_the_edge_of_two_blocks_is_whole(look):
    found = look(b"x" * ((1 << 20) - 1) + "ü".encode() + b"\n")
    assert found.encoding == "utf-8"


def test_a_letter_cut_off_at_the_end_is_no_utf8(look):
    assert look(b"question,answer\nWhere?,At the caf\xc3").encoding == "cp1252"


@pytest.mark.parametrize(
    ("raw", "crlf", "lone_cr"),
    [
        (b"a\r\nb\r\n", True, False),
        (b"a\r\nb\nc\nd\n", False, False),
        (b"a\rb\rc", False, True),
        (b"a\n\rb", False, False),
        (b"a\nb", False, False),
        ("a\r\nb\r\n".encode("utf-16"), True, False),
        ("a\r\nb\r\n".encode("utf-16-be"), True, False),
    ],
)
def test_line_ends(look, raw, crlf, lone_cr):
    found = look(raw)
    assert (found.crlf, found.lone_cr) == (crlf, lone_cr)


def test_the_head_is_bounded(look):
    assert len(look(b"x" * (3 * HEAD)).head) == HEAD


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_something(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(raw)
    try:
        found = survey(path)
    except DatasetError:  # only what begins like compressed data may fail
        assert raw[:2] == b"\x1f\x8b" or raw[:4] == b"\x28\xb5\x2f\xfd"
        return
    assert found.magic in {"text", "zip", "parquet", "pdf", "binary", "empty"}
    assert (found.encoding is None) or found.magic in {"text", "empty"}
    "".encode(found.codec)


@pytest.mark.parametrize(
    "text", ["question,answer\nIs it a café?,Yes it is.\n", "“Quoted” – and more…\n", "¿Cuánto cuesta?\n"]
)  # fmt: skip
def test_few_letters_of_the_west_are_no_east_asian_text(look, text):
    found = look(text.encode("cp1252"))
    assert (found.encoding, found.head) == ("cp1252", text)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Как вернуть книгу? Отправьте её почтой. Спасибо.", "cp1251"),
        ("Πώς μπορώ να επιστρέψω το βιβλίο; Στείλτε το.", "cp1253"),
        ("如何退货？请在十四天内寄回。谢谢您的支持。", "gbk"),
        ("반품은 어떻게 하나요? 십사일 이내에 보내 주세요.", "euc_kr"),
    ],
)
def test_other_scripts_come_out_right(look, text, codec):
    assert look(text.encode(codec)).head == text


SMALL = "Größe {} für Köche – schön\n"


def test_a_stray_byte_does_not_make_another_encoding_of_the_whole_file(look):
    raw = "".join(SMALL.format(n) for n in range(300)).encode()
    found = look(raw.replace("Größe 250".encode(), b"Gr\xf6\xdfe 250"))
    assert (found.encoding, found.codec) == ("utf-8", "utf-8")
    assert found.head.startswith(SMALL.format(0))


def test_so_many_stray_bytes_do(look):
    raw = SMALL.format(1).encode() * 3 + SMALL.format(2).encode("cp1252") * 3
    assert look(raw).encoding != "utf-8"


def test_letters_over_the_edges_of_blocks_are_counted(look):
    raw = b"x" * ((1 << 20) - 1) + "ü".encode() * 40 + b"\xfc\n"
    assert look(raw).encoding == "utf-8"


@pytest.mark.parametrize("count", [1, 3000, 2 << 20])
def test_nuls_that_a_crash_left_at_the_end_make_no_binary_file(look, count):
    found = look(b'{"a": 1}\n' + bytes(count))
    assert (found.magic, found.encoding, found.head) == ("text", "utf-8", '{"a": 1}\n')


def test_nuls_amid_text_do(look):
    assert look(b"text" + bytes(2 << 20) + b"text").magic == "binary"


@pytest.mark.parametrize(
    ("raw", "lone_cr"),
    [(b"a;b\rc;d\n", True), (b"a;b\rc;d\r\n", True), (b"a;b\rc;d\ne", False), (b"a;b\rc\nd\n", False)],
)  # fmt: skip
def test_a_last_line_feed_behind_bare_returns(look, raw, lone_cr):
    found = look(raw)
    assert (found.lone_cr, found.crlf) == (lone_cr, False)
    assert ("\r" in found.head) is not lone_cr
