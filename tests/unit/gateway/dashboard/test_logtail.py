"""The end of a log: whole lines, bounded, plain."""

from podtune.core.events import MARKER
from podtune.gateway.dashboard import logtail


def test_without_a_log_there_is_nothing(tmp_path):
    assert logtail.end(tmp_path / "none") == ("", 0)
    assert logtail.after(tmp_path / "none", 7) == ("", 7)


def test_a_line_that_is_being_written_waits(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("one\ntw")
    piece = logtail.end(log)
    assert piece == ("one\n", 4)
    with log.open("a") as stream:
        stream.write("o\n")
    assert logtail.after(log, piece.offset) == ("two\n", 8)


def test_the_last_line_of_a_log_that_is_over_is_shown(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("one\ntwo")
    assert logtail.after(log, 4, is_over=True) == ("two", 7)


def test_a_long_log_shows_its_end_from_a_whole_line_on(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("".join(f"line {n}\n" for n in range(20000)))
    piece = logtail.end(log)
    assert len(piece.text) <= logtail.TAIL_BYTES
    assert piece.text.startswith("line ")
    assert piece.text.endswith("line 19999\n")
    assert piece.offset == log.stat().st_size


def test_a_line_longer_than_a_piece_comes_in_pieces(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("x" * (2 * logtail.TAIL_BYTES) + "\nend\n")
    offset, text = 0, ""
    while (piece := logtail.after(log, offset)).offset != offset:
        offset, text = piece.offset, text + piece.text
    assert text == log.read_text()


def test_keys_events_and_hidden_signs_are_left_out():
    text = f'a\n{MARKER}{{"seq": 1}}\n\x1b[1mtoken=hf_abcdefghijklmnop\x1b[0m \u202e\n'
    assert logtail.plain(text) == "a\ntoken=*** ⟨U+202E⟩\n"
