"""An audit on the screen."""

import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from podtune.app.account import AuditReport, AuditRow
from podtune.app.cache_volumes import CachedModel, CacheVolume
from podtune.cli import runpod_view
from podtune.cli.console import Output
from podtune.providers.runpod.audit import Found, Kind
from support.runpod_account import START


def row(wanted=True, **changes):
    found = {
        "kind": Kind.POD, "id": "7h9k2m4n6pabcd", "name": "pt-abcdefgh-k2m9qxab-12-x1800000000", "owner": "abcdefgh",
        "job": "k2m9qxabcdefghij", "attempt": 12, "deadline": START + timedelta(hours=4), "created_at": START,
        "status": "PROVISIONING", "usd_per_hour": Decimal("12.345"),
    }  # fmt: skip
    return AuditRow(
        found=Found.model_validate({**found, **changes}),
        age_s=7260,
        job_phase="training",
        wanted=wanted,
        overdue=not wanted,
        last_proof=START,
    )


def report(*rows, **changes):
    values = {
        "owner": "abcdefgh", "rows": rows, "others": {}, "problems": (), "usd_per_hour": Decimal(1),
        "unwanted_usd_per_hour": Decimal("0.4"),
    }  # fmt: skip
    return AuditReport.model_validate({**values, **changes})


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_fits_the_terminal_and_cuts_no_id(width):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    runpod_view.audit_table(console, report(row(), row(wanted=False), row(kind=Kind.ENDPOINT, status="0-3 workers")))  # fmt: skip
    text = stream.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count("7h9k2m4n6pabcd") == 3
    assert "no, overdue" in text
    assert "provisioning" in text
    assert ("last proof" in text) is (width >= 100)


def test_what_is_not_known_is_not_made_up():
    stream = io.StringIO()
    runpod_view.audit_table(
        Console(file=stream, width=100), report(row(job=None, usd_per_hour=None, status=""))
    )
    assert " ? " in stream.getvalue()


def test_unwanted_machines_are_told_with_their_price(capsys):
    runpod_view.render_audit(
        report(
            row(wanted=False), others={"pod": 2}, problems=("templates were not looked at: no",)
        ),
        Output.HUMAN,
    )
    shown = capsys.readouterr()
    assert "$0.400 an hour" in shown.err
    assert "2 pods" in shown.err
    assert "not looked at" in shown.err
    assert "7h9k2m4n6pabcd" in shown.out


def test_markup_in_a_foreign_name_is_text(capsys):
    runpod_view.render_audit(report(row(job="[red]x", status="[b]")), Output.HUMAN)
    assert "[red]x" in capsys.readouterr().out


def test_model_caches_are_shown_with_the_command_that_deletes_them(capsys):
    cache = CacheVolume(
        id="v1", name="qwen-[b]model-cache", data_center="US-KS-2", size_gb=220,
        usd_per_month=Decimal("15.40"), endpoints=("trainer",),
        models=(CachedModel(model="Qwen/Qwen3-8B", commit="a" * 40, gb=16.4),),
        delete_with="podtune runpod uncache v1",
    )  # fmt: skip
    runpod_view.render_audit(report(caches=(cache,)), Output.HUMAN)
    said = " ".join(capsys.readouterr().out.split())
    assert "qwen-[b]model-cache (v1), 220 GB in US-KS-2, $15.40 a month" in said
    assert "Qwen/Qwen3-8B (16.4 GB); used by trainer" in said
    assert "podtune runpod uncache v1" in said


def test_as_json(capsys):
    runpod_view.render_audit(report(row()), Output.JSON)
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"][0]["found"]["id"] == "7h9k2m4n6pabcd"
    assert shown["rows"][0]["wanted"] is True


def test_machines_that_may_leak_are_ended_by_a_command_and_the_rest_by_hand(capsys):
    runpod_view.render_audit(report(row(wanted=False), row(wanted=False, kind=Kind.VOLUME)), Output.HUMAN)  # fmt: skip
    told = capsys.readouterr().err
    assert "LEAK RISK $12.35/h: 1 machine is not proved gone" in told
    assert "podtune reap\n" in told
    assert "podtune runpod undeploy" in told
    runpod_view.render_audit(report(row()), Output.HUMAN)
    told = capsys.readouterr().err
    assert "LEAK RISK" not in told
    assert "podtune reap --owner abcdefgh" in told
