import json

import pytest

from podtune.app import env_block, undeploy
from podtune.app.deploy_apply import Deployed
from podtune.app.endpoint_health import Health
from podtune.app.undeploy import KeptVolume, Undeployed
from podtune.app.verify_endpoint import Verified
from podtune.app.verify_following import Check
from podtune.cli import runpod_deploy_view as view
from podtune.cli.console import Output
from podtune.providers.runpod.endpoints import Diagnosis, Wait
from podtune.providers.runpod.queue import JobCounts
from support.serverless_site import HERE, OWNER, SERVICE_KEY, Site

DONE = Deployed(endpoint_id="e1", template_id="t1", written=2)
BLOCK = env_block.values("")


@pytest.fixture
def site():
    return Site()


def test_a_plan_shows_cards_costs_and_warnings(site, capsys):
    view.render_plan(site.plan())
    said = capsys.readouterr()
    assert said.out == ""
    assert "A100 PCIe, A100 SXM (AMPERE_80)" in said.err
    assert "$0.00 an hour while no job" in said.err or "$0 an hour while no job" in said.err
    assert "warning no --volume" in said.err


def test_changes_are_shown_as_a_diff(site, capsys):
    site.deploy()
    view.render_plan(site.plan(workers_max=4))
    assert "~ endpoint podtune-lora-trainer workers.max: 2 -> 4" in capsys.readouterr().err


def test_json_holds_names_of_variables_and_no_value(site):
    here = HERE._replace(service_key=SERVICE_KEY)
    told = view.deployed_json(site.plan(here), DONE, BLOCK, None)
    assert "SUPABASE_SERVICE_ROLE_KEY" in told["variables"]
    text = json.dumps(told, default=str)
    assert SERVICE_KEY.get_secret_value() not in text
    assert "/runpod-volume" not in text.replace("MODEL_PATH /runpod-volume", "")
    assert told["commands"][1] == "supabase functions deploy process-training-jobs"


def test_a_placeholder_is_said_to_be_one(site, capsys):
    view.render_deployed(site.plan(), DONE, BLOCK, None, Output.HUMAN)
    said = capsys.readouterr()
    assert said.out.startswith(env_block.block(BLOCK))
    assert "not RunPod's" in said.err.replace("\n", " ")
    view.render_deployed(site.plan(), None, BLOCK, None, Output.HUMAN)
    assert capsys.readouterr().out == ""


def test_text_of_others_is_no_markup(site, capsys):
    view.say("[red]not red[/] \x1b[31m")
    assert "[red]not red[/]" in capsys.readouterr().err


def test_a_checklist_has_a_line_for_each_check(capsys):
    found = Verified(
        endpoint_id="e", job_id="j",
        checks=(Check(name="a", ok=True, detail="fine"), Check(name="b", ok=False, detail="bad", hint="do")),
    )  # fmt: skip
    view.render_verified(found, None, Output.HUMAN)
    said = capsys.readouterr()
    assert said.out == "ok     a: fine\nFAILED b: bad\n"
    assert "next  b: do" in said.err


def test_what_is_deleted_and_what_stays_is_shown(site, capsys):
    site.deploy()
    found = undeploy.find(site.client, site.queue, "podtune-lora-trainer", OWNER)
    view.render_findings(found._replace(jobs=JobCounts(in_queue=2, in_progress=1)))
    assert "1 job running and 2 jobs waiting are cancelled" in capsys.readouterr().err
    volume = KeptVolume(id="v1", name="cache", usd_per_month=None)
    done = Undeployed(
        name="n", endpoints=("e1",), templates=(), volumes=(volume,), credentials="reg1"
    )
    view.render_undeployed(done, Output.HUMAN)
    said = capsys.readouterr()
    assert said.out == "gone endpoint e1: absent from RunPod's list\n"
    assert "cache (v1) stays" in said.err
    assert "reg1" in said.err


def test_workers_that_fail_are_shown_with_what_they_said(site, capsys):
    words = Diagnosis(Wait.CRASH_LOOP, "2 of 2 workers fail as they start", "read its log")
    health = Health(words, ("w1: [red]ModuleNotFoundError",))
    view.render_health(None)
    view.render_health(health)
    said = capsys.readouterr().err
    assert "unhealthy 2 of 2 workers fail as they start" in said
    assert "w1: [red]ModuleNotFoundError" in said
    assert "next  read its log" in said
    view.render_deployed(site.plan(), None, BLOCK, None, Output.JSON, health=health)
    told = json.loads(capsys.readouterr().out)
    assert told["unhealthy"] == {"words": words.words, "log": ["w1: [red]ModuleNotFoundError"]}


def test_a_check_shows_the_workers_last_lines(capsys):
    view.say_check(Check(name="x", ok=False, detail="d", lines=("w1: [b]boom",)))
    assert "w1: [b]boom" in capsys.readouterr().err
