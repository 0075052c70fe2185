import pytest
from pydantic import SecretStr

from podtune.core.errors import DoubtfulError, NotFoundError, SpecError
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod import templates
from podtune.testing.faults import FaultKind, FaultRule
from support.runpod_account import Account, client
from support.serverless_site import Site

BODY = wire.TemplateBody(
    name="n", image="i:1", disk=20, env={"A": SecretStr("1")}, serverless=True, start_ssh=False,
    start_jupyter=False,
)  # fmt: skip


def test_a_template_is_made_listed_changed_and_deleted():
    site = Site()
    made = templates.create(site.client, BODY)
    assert (made.name, made.env, made.serverless, made.start_ssh) == ("n", {"A": "1"}, True, False)
    assert templates.listed(site.client) == [made]
    changed = templates.change(site.client, made.id, wire.TemplateBody(image="i:2"))
    assert (changed.image, changed.env) == ("i:2", {"A": "1"})
    templates.delete(site.client, made.id)
    templates.delete(site.client, made.id)
    assert templates.listed(site.client) == []


def test_a_template_without_an_image_is_refused_by_runpod():
    with pytest.raises(SpecError, match="image"):
        templates.create(Site().client, wire.TemplateBody(name="n"))


def test_an_answer_that_was_lost_is_a_doubt():
    site = Site(FaultRule(kind=FaultKind.RESET, route="create_template"))
    with pytest.raises(DoubtfulError):
        templates.create(site.client, BODY)
    assert len(site.templates()) == 1


def test_credentials_are_stored_and_only_their_names_come_back():
    site = Site()
    made = templates.store_credentials(site.client, "n", SecretStr("u"), SecretStr("p"))
    (listed,) = templates.credentials(site.client)
    assert (listed.id, listed.name) == (made.id, "n")


def test_nothing_odd_gets_into_an_address():
    seen = Account()
    with pytest.raises(NotFoundError):
        templates.delete(client(seen), "../registries/x")
    assert seen.requests == []
