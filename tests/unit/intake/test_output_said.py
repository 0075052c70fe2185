"""What becomes of the adapter: private unless public is said and confirmed."""

import pytest

from podtune.core.errors import SpecError
from support.understanding import asked, heard

START = "train smollm2 135m on a.csv"


def test_names_and_places():
    assert heard(f"{START}, save it as support-bot-v2").stated["deliver.name"] == "support-bot-v2"
    to_hub = heard(f"{START}, publish it as acme/support-lora on hugging face")
    assert to_hub.stated["deliver.to"] == "hf://acme/support-lora"
    bucket = heard(f"{START}, save it to s3://bkt/adapters")
    assert bucket.stated["deliver.to"] == "s3://bkt/adapters"


def test_a_place_without_an_address_stays_here_unless_one_is_answered():
    text = f"{START}, upload the adapter to hugging face"
    question = asked(heard(text), "output_dest")
    assert not question.must
    assert question.options[0].value == "stays"
    assert "deliver.to" not in heard(text).stated
    assert heard(text, output_dest="acme/x").stated["deliver.to"] == "hf://acme/x"
    assert "deliver.to" not in heard(text, output_dest="1").stated


def test_public_is_said_and_confirmed():
    text = f"{START}, publish the adapter publicly as acme/support-lora on hugging face"
    question = asked(heard(text), "visibility")
    assert question.must
    assert question.options[0].value == "private"
    assert "deliver.public" not in heard(text).stated
    assert heard(text, visibility="public").stated["deliver.public"] is True
    assert heard(text, visibility="1").stated["deliver.public"] is False
    with pytest.raises(SpecError, match="no answer"):
        heard(text, visibility="perhaps")


def test_permission_is_no_wish():
    found = heard(f"{START}, public repo ok")
    assert found.assumed["deliver.public"][0] is False
    assert not asked(found, "visibility").must


def test_no_answer_makes_public_what_nobody_called_so():
    assert "deliver.public" not in heard(START, visibility="public").stated
    assert heard(f"{START}, keep it private", visibility="public").stated["deliver.public"] is False
