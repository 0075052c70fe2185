"""What a parser makes of requests whose meaning is written down: hits, misses, inventions, whole requests."""

import json
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "intake" / "words" / "requests"
SOFT = {"task", "dataset_hint", "base_model_mention", "base_model_variant", "priority", "dataset_kind"}  # fmt: skip
MONEY = {
    "budget_amount", "budget_currency", "budget_scope", "budget_kind", "epochs", "max_steps", "max_hours", "gpu_type", "gpu_any_of", "gpu_count", "gpu_avoid",
    "gpu_vram_gb", "cloud_tier", "spot", "visibility", "local_only", "redact_pii", "where", "region", "intent", "base_model_family", "base_model_size_b",
    "base_model_id", "dataset_ref",
}  # fmt: skip
RANDOM = "Zq8" * 11
"""What a key holds behind its prefix; the files say `{random}`."""


class Score(NamedTuple):
    """Counts over a set."""

    hit: int
    missed: int
    wrong: int
    money: int
    exact: int
    told: list[str]

    @property
    def recall(self):
        return self.hit / (self.hit + self.missed + self.wrong)

    @property
    def precision(self):
        return self.hit / (self.hit + self.wrong)


def rows(name):
    """The requests of a set, with what they state."""
    for line in (FOLDER / name).read_text("utf-8").splitlines():
        row = json.loads(line)
        yield {**row, "request": row["request"].replace("{random}", RANDOM)}


def score(name, parse):
    """How a parser reads a set; `wrong` counts what is invented too."""
    hit = missed = wrong = money = exact = 0
    told = []
    for row in rows(name):
        found = parse(row["request"])
        wanted, bad = row["expect"], []
        for field in sorted((set(wanted) | set(found.fields)) - SOFT):
            want, got = wanted.get(field), found.fields.get(field)
            allowed = [_plain(v) for v in (want, *row.get("accept", {}).get(field, ()))]
            if field == "gpu_count" and want is None:
                allowed.append(1)
            if _plain(got) in allowed:
                hit += want is not None
                continue
            bad.append(f"{field}: {want!r} read as {got!r}")
            missed += got is None
            wrong += got is not None
            money += got is not None and field in MONEY
        bad += _untold(row, found)
        exact += not bad
        told += [f"{row['request']}: {bad}"] if bad else []
    return Score(hit, missed, wrong, money, exact, told)


def _untold(row, found):
    """Questions and warnings that are due and did not come."""
    asked = {"budget" if f.startswith("budget") else f for f in found.must_ask}
    due = {
        "must_ask": set(row.get("must_ask", ())) - asked,
        "must_confirm": set(row.get("must_confirm", ())) - asked - set(found.must_confirm),
        "conflicts": set(row.get("conflicts", ())) - set(found.conflicts),
        "flags": set(row.get("flags", ())) - set(found.flags),
    }
    allowed = row.get("accept", {}).get("flags", ())
    if any(set(flags) <= set(found.flags) for flags in allowed):
        due["flags"] = set()
    return [f"{kind}: {sorted(which)}" for kind, which in due.items() if which]


def _plain(value):
    if isinstance(value, str):
        return " ".join(value.lower().split())
    if isinstance(value, list):
        return sorted(map(str.lower, value))
    return value
