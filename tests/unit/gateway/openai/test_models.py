import openai
import pytest

from support import homes


def test_base_models_and_what_was_trained(place):
    job = place.create(suffix="bot")
    before = [model.id for model in place.client.models.list()]
    assert "Qwen/Qwen3-8B" in before
    assert not any(name.startswith("ft:") for name in before)
    homes.finish(place.gateway.settings, place.gateway.store.get(job.id))
    ended = place.client.fine_tuning.jobs.retrieve(job.id)
    assert ended.fine_tuned_model == f"ft:model:local:bot:{job.id}"
    newest = place.client.models.list().data[0]
    assert newest.id == ended.fine_tuned_model
    assert place.client.models.retrieve(newest.id) == newest
    (results,) = ended.result_files
    assert [one.id for one in place.client.files.list(purpose="fine-tune-results")] == [results]
    assert place.client.files.content(results).text.startswith("step,train_loss")
    with pytest.raises(openai.BadRequestError, match="receipt"):
        place.client.models.delete(newest.id)
    wrong = newest.id.replace(":bot:", ":other:")
    for name in (wrong, "ft:model:local:bot:none-1", "gpt-4o"):
        with pytest.raises(openai.NotFoundError) as caught:
            place.client.models.retrieve(name)
        assert caught.value.code == "model_not_found"


def test_any_open_model_can_be_asked_for(place):
    found = place.client.models.retrieve("acme/tiny")
    assert (found.id, found.owned_by) == ("acme/tiny", "acme")
