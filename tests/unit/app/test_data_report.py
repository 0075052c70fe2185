"""The reports as pages: everything is there, and whatever comes from data is text and nothing else."""

import copy
import json
from html.parser import HTMLParser

import pytest

from podtune.app import data_doctor, data_report, settings
from podtune.data.record import ReadOptions

HOSTILE = "</style></pre><script>alert(1)</script><img src=x onerror='a()'>\"'`{{7*7}}{% raw %}&amp;\u202egpj\x00\x1b]8;;javascript:alert(1)\x07\ud800\u2028"
"""Markup, quotes of all sorts, template syntax, a turn of direction, an escape sequence, half a pair."""

PARTS = ("verdict", "what", "counts", "tokens", "training", "leaks", "quality", "split")
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements, ids, text and attributes of a page; fails on what is never closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.ids, self.text, self.headings = set(), set(), [], "", []
        self.open = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id"]
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def finding(code, severity, **more):
    return {
        "code": code, "severity": severity, "rows": 1, "message": f"about {code}", "first_lines": [4],
        "more": 0, "by": "line", "advice": "write it, or --fix mojibake; see `role`", "repairs": [],
        "examples": [],
    } | more  # fmt: skip


RICH = {
    "format": "qa_table",
    "container": "csv",
    "encoding": "utf-8",
    "rows": 1000,
    "good_rows": 900,
    "good_rows_after_repair": 960,
    "errors": [{"code": "bad_json", "line": n, "row": n} for n in range(1, 41)],
    "warnings": [],
    "duplicates": 7,
    "needs_choice": {"sheet": "Data"},
    "first_row": {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "first line\nsecond line", "name": "Ann"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "a1", "type": "function",
                 "function": {"name": "weather", "arguments": '{"city": "Linz"}'}}]},
            {"role": "tool", "content": "12 degrees", "tool_call_id": "a1"},
            {"role": "assistant", "content": "12", "reasoning_content": "hm", "weight": 0},
        ],
        "tools": [{"type": "function", "function": {"name": "weather"}}],
    },
    "source": "/data/chats/my file.csv",
    "sha256": "5e1c2ca962ad35c7",
    "size_bytes": 708709,
    "recognised": {"confidence": "likely", "why": "two columns fit", "others": ["alpaca"]},
    "mapping": {"prompt": "Frage", "completion": "Antwort"},
    "choices": {
        "sheet": {"value": "Data", "others": ["Old"], "close": True, "option": "--sheet NAME"},
        "prompt_column": {"value": "Frage", "others": [], "close": False, "option": "--map"},
    },
    "first_raw": {"Frage": "how?", "Antwort": "so", "Nr": 1, "leer": None},
    "kinds": [
        finding("bad_json", "error", rows=40, first_lines=[1, 2, 3], more=37, repairs=["trailing-comma"],
                advice="correct the line"),
        finding("secret", "error", examples=["sk-p***"]),
        finding("pii_email", "warning", examples=["a***@e***.com", "b***@e***.com"]),
        finding("conflicting_answers", "warning", rows=9, first_lines=["a.csv:1"], more=8),
        finding("train_val_leak", "warning"),
        finding("few_rows", "note", first_lines=[], by="row"),
    ],
    "notes": [{"code": "few_rows"}],
    "repaired": {"role-names": 3},
    "repairs": {"trailing-comma": "takes commas off"},
    "dropped_keys": {"Nr": 1000},
    "tokens": {
        "exact": False, "basis": "3.9 characters a token", "rows": 900, "total": 200000,
        "trained": 150000, "p50": 140, "p95": 1860, "max": 9000,
        "histogram": [
            {"up_to": edge, "rows": n}
            for edge, n in zip((64, 128, 256, 512, 1024, 2048, 4096, None),
                               (25, 111, 63, 68, 78, 53, 0, 2), strict=True)
        ],
        "over": {"512": 131},
    },
    "split": {"by": "hash of the first question", "validation": None, "share": 0.05, "leaks": 1},
    "files": [
        {"source": "/data/a.csv", "format": "qa_table", "container": "csv", "rows": 5, "good_rows": 5,
         "counts": {}},
        {"source": "/data/b.csv", "format": "qa_table", "container": "csv", "rows": 5, "good_rows": 2,
         "counts": {"bad_json": 3}},
        {"source": "/data/c.csv", "format": "unknown", "container": "empty", "rows": 0,
         "good_rows": 0, "counts": {"empty_file": 1}},
    ],
    "training": {
        "planned": True, "model": "org/model", "tokens": 185168, "exact": False, "epochs": 3.0,
        "steps": 69, "seconds": 1622, "device": "NVIDIA X", "usd": 1.5, "formula": "a x b / c",
    },
    "verdict": "ready after 1 choice",
    "next": "podtune data check '/data/chats/my file.csv' --sheet 'Old'",
}  # fmt: skip

MASK = {
    "source": "/data/a.jsonl",
    "model": "org/model",
    "takes_system": False,
    "rows": 6,
    "rows_left": 4,
    "examples": 6,
    "tokens": 334,
    "trained": 151,
    "longest": 70,
    "folded": 2,
    "missing": [],
    "findings": [{"code": "too_long", "line": n, "message": "m", "advice": "a"} for n in (7, 9)],
    "kinds": [{"code": "too_long", "rows": 2, "message": "too many tokens", "advice": "shorten"}],
    "shown": [
        {"line": 3, "row": 1, "problem": None, "documents": [{"cut": 512, "tokens": [
            {"text": "<|im_start|>", "id": 1, "trained": False},
            {"text": "user\n", "id": 2, "trained": False},
            {"text": "Hold", "id": 3, "trained": True},
            {"text": " on\t", "id": 4, "trained": True},
            {"text": "", "id": 5, "trained": True},
            {"text": "\u200d", "id": 6, "trained": True},
            {"text": "<|im_end|>", "id": 7, "trained": True},
        ]}]},
        {"line": 4, "row": 2, "problem": "the template refuses it", "documents": []},
        {"line": 5, "row": 3, "problem": None, "documents": []},
    ],
}  # fmt: skip


def poisoned(value, top=True):
    """The facts with every text and every free name hostile; words the pages decide by are kept."""
    kept = {"severity", "code", "by", "role", "planned"}
    if isinstance(value, dict):
        free = {"mapping", "dropped_keys", "repairs", "repaired", "first_raw", "counts", "over"}
        return {
            k: ({HOSTILE + str(i): poisoned(x) for i, x in enumerate(v.values())}
                if k in free and isinstance(v, dict) else v if k in kept else poisoned(v))
            for k, v in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [poisoned(v) for v in value]
    return HOSTILE if isinstance(value, str) else value


def harmless(text):
    """What holds for every page, however hostile its data."""
    page = Page(text)
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form", "base", "input"}
    assert not {a for a in page.attributes if a.startswith("on")} | page.attributes & {
        "style",
        "src",
    }
    text.encode()  # no half pairs
    assert not set(text) & {"\u202e", "\x00", "\x1b", "\x07", "\u2028", "\ud800"}
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == 1
    assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert {"header", "main", "footer"} <= page.tags
    return page


def test_hostile_texts_stay_texts_in_every_field_of_the_report():
    page = harmless(data_report.page(poisoned(RICH)))
    assert page.text.count("<script>alert(1)</script>") > 40
    assert "{{7*7}}{% raw %}&amp;⟨U+202E⟩gpj␀␛]8;;javascript:alert(1)␇⟨U+D800⟩⟨U+2028⟩" in page.text


@pytest.mark.parametrize("role", [HOSTILE, "assistant onclick=x", ""])
def test_hostile_roles_and_codes(role):
    facts = copy.deepcopy(RICH)
    facts["first_row"]["messages"][0]["role"] = role
    facts["kinds"][0]["code"] = HOSTILE
    harmless(data_report.page(facts))


def test_hostile_nested_raw_records_and_preference_pairs():
    said = [{"role": "assistant", "content": HOSTILE}]
    facts = RICH | {
        "first_raw": {HOSTILE: {HOSTILE: [HOSTILE]}},
        "first_row": {"prompt": said, "chosen": said, "rejected": said},
    }
    page = harmless(data_report.page(facts))
    assert "✓ chosen" in page.text
    assert "✗ rejected" in page.text


def test_hostile_tokens_stay_texts():
    page = harmless(data_report.mask_page(poisoned(MASK)))
    assert page.text.count("<script>alert(1)</script>") > 8


def test_no_link_leads_out():
    for text in (data_report.page(RICH), data_report.mask_page(MASK)):
        assert "http://" not in text
        assert "https://" not in text
        assert 'href="#' in text
        assert text.count("href=") == text.count('href="#')


def test_every_part_is_present_in_order():
    text = data_report.page(RICH)
    places = [text.index(f'<section id="{part}"') for part in PARTS]
    assert places == sorted(places)
    shown = harmless(text).text
    for words in (
        "ready after 1 choice", "1000 rows, 900 good, 960 after the offered repairs, 7 exact repeats",
        "podtune data check '/data/chats/my file.csv' --sheet 'Old'", "my file.csv", "5e1c2ca962ad35c7",
        "qa_table", "likely", "two columns fit", "alpaca", "Frage", "which?", "--sheet NAME", "Nr",
        "a.csv", "b.csv", "how?", "second line", "weather({\"city\": \"Linz\"})", "answers a1", "hm",
        "weight 0", "1 tool offered", "--fix trailing-comma", "takes commas off", "+37", "40",
        "sk-p***", "a***@e***.com", "about train_val_leak", "about few_rows", "a.csv:1", "(+8)",
        "about 200,000", "75 %", "median 140", "95 % 1,860", "longest 9,000", "max_length 512",
        "131 rows", "(15 %)", "about 27 min 02 s", "$1.50", "69", "org/model", "a x b / c", "5 %",
        "role-names", "--fix mojibake",
    ):  # fmt: skip
        assert words in shown, words


def test_the_unfolded_places_are_those_of_the_single_findings():
    assert ", ".join(str(n) for n in range(4, 41)) in data_report.page(RICH)


@pytest.mark.parametrize(
    "absent",
    [
        {"first_row": None, "first_raw": None, "tokens": None, "split": None, "recognised": None,
         "good_rows": 0, "good_rows_after_repair": 0, "encoding": None, "kinds": [], "errors": [],
         "notes": [], "files": [], "mapping": {}, "choices": {}, "repairs": {}, "repaired": {},
         "dropped_keys": {}, "rows": 0, "duplicates": 0, "verdict": "cannot be trained on",
         "next": "correct what is listed", "training": {"planned": False, "why": "no row"}},
        {"first_row": None, "first_raw": "a line that is no JSON"},
        {"first_row": None, "first_raw": []},
        {"tokens": {"exact": False, "basis": "none", "rows": 0}},
        {"training": {"planned": False, "why": "no such model", "code": "not_found"}},
        {"split": {"by": "the source itself", "validation": 12, "share": 0.05, "leaks": 0}},
        {"first_row": {"messages": [{"role": "assistant", "content": None}]}},
        {"first_row": {"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]}},
        {"first_row": {"messages": [{"role": "user", "content": ""}]}},
    ],
)  # fmt: skip
def test_absent_parts(absent):
    harmless(data_report.page(RICH | absent))


def test_the_next_command_stands_apart_from_its_words():
    text = data_report.page(
        RICH | {"next": "correct what is listed, then: podtune data check a.csv"}
    )
    page = Page(text)
    assert "next: correct what is listed, then\n" in page.text
    assert "podtune data check a.csv" in page.text


@pytest.mark.parametrize(
    ("verdict", "good", "tone"),
    [("ready", 3, "good"), ("ready after 1 choice", 3, "some"), ("cannot be trained on", 0, "bad")],
)
def test_the_verdict_has_a_sign_beside_its_colour(verdict, good, tone):
    text = data_report.page(RICH | {"verdict": verdict, "good_rows": good})
    assert f'class="verdict {tone}"' in text
    assert {"good": "✓", "some": "!", "bad": "✗"}[tone] in Page(text).text


def test_very_long_texts_are_cut_and_counted():
    row = {"messages": [{"role": "user", "content": "x" * 100_000}]}
    text = data_report.page(RICH | {"first_row": row})
    assert "(94,000 characters more)" in text
    assert len(text) < 100_000


def test_marks_of_the_histogram_stand_in_their_bars():
    text = data_report.page(RICH)
    assert '<line class="at" x1="26.17%"' in text  # 140: a tenth of the third bar of eight
    assert '<line class="at" x1="100.0%"' in text  # the longest ends the open bar


def test_the_mask_shows_tokens_runs_and_signs():
    text = data_report.mask_page(MASK)
    page = harmless(text)
    assert '<i class="sp" title="1">&lt;|im_start|&gt;</i>' in text
    assert '<i title="2">user<b>⏎</b>\n</i>' in text
    assert '<mark><span class="sr">[trained on: </span><i title="3">Hold</i>' in text
    assert text.count("<mark>") == 2  # the legend's and one run
    for words in ("⇥", "…", "⟨U+200D⟩", "7 tokens, 5 trained on", "longer than 512", "45 %",
                  "the template refuses it", "nothing to show", "line 7, 9", "4 rows", "2 rows"):  # fmt: skip
        assert words in page.text, words


def test_a_mask_without_rows():
    harmless(data_report.mask_page(MASK | {"shown": [], "tokens": 0, "trained": 0, "kinds": []}))


def test_same_facts_same_bytes():
    again = json.loads(json.dumps(RICH))
    assert data_report.page(RICH) == data_report.page(again)
    assert data_report.mask_page(MASK) == data_report.mask_page(json.loads(json.dumps(MASK)))


def test_the_files_are_written(tmp_path):
    data_report.write(RICH, tmp_path / "a" / "check.html")
    data_report.write_mask(MASK, tmp_path / "mask.html")
    assert (tmp_path / "a" / "check.html").read_bytes() == data_report.page(RICH).encode()
    assert (tmp_path / "mask.html").read_bytes() == data_report.mask_page(MASK).encode()


@pytest.mark.parametrize(
    "name",
    ["alpaca.json", "broken.jsonl", "chosen_rejected.jsonl", "dups_pii.jsonl", "empty.jsonl",
     "excel_fr.csv", "faq.md", "faq.xlsx", "messages.jsonl", "messages_utf16.jsonl",
     "pairs.parquet", "sharegpt.jsonl", "tickets.csv", "tools.jsonl", "zendesk.json"],
)  # fmt: skip
def test_the_samples(name, root, tmp_path):
    sample = root.parent / "shared" / "data-samples" / name
    if not sample.is_file():
        pytest.skip("the samples are not beside this checkout")
    facts = data_doctor.examine(str(sample), settings.Settings(home=tmp_path), ReadOptions()).facts
    page = harmless(data_report.page(facts))
    assert name in page.text
    assert str(facts["verdict"]) in page.text
    for kind in facts["kinds"]:
        assert kind["code"] in page.text
