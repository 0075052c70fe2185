"""Creates of the unmodified SDK whose answers get lost on the way, on real sockets."""

import httpx2
import openai
import pytest

from podtune.core.errors import SpecError
from podtune.gateway.openai import creating
from podtune.gateway.openai.creating import Sent
from support.hosted import sdk


class Losing(httpx2.BaseTransport):
    """Passes requests on; of some posts the answer is lost after the gateway gave it."""

    def __init__(self):
        self.inner = httpx2.HTTPTransport()
        self.lost = 0
        self.posts = []

    def handle_request(self, request):
        answer = self.inner.handle_request(request)
        if request.method == "POST" and request.url.path.endswith("/jobs"):
            self.posts.append(dict(request.headers))
            if self.lost:
                self.lost -= 1
                answer.read()
                answer.close()
                return httpx2.Response(502, headers={"retry-after": "0"}, request=request)
        return answer

    def close(self):
        self.inner.close()


@pytest.fixture
def losing(place):
    transport = Losing()
    http = httpx2.Client(transport=transport, trust_env=False)
    with openai.OpenAI(base_url=f"{place.gateway.url}/v1", api_key="x", http_client=http) as client:
        yield transport, client


def ids(place):
    return [job.id for job in place.client.fine_tuning.jobs.list()]


def test_three_posts_of_one_create_are_one_job(place, losing):
    transport, client = losing
    file = place.upload().id
    transport.lost = 2
    job = place.create(client=client, training_file=file)
    counts = [headers["x-stainless-retry-count"] for headers in transport.posts]
    assert counts == ["0", "1", "2"]
    assert not any("idempotency-key" in headers for headers in transport.posts)
    assert ids(place) == [job.id]


def test_two_deliberate_creates_of_one_body_are_two_jobs(place, losing):
    transport, client = losing
    file = place.upload().id
    first = place.create(client=client, training_file=file)
    transport.lost = 1
    second = place.create(client=client, training_file=file)
    assert first.id != second.id
    assert set(ids(place)) == {first.id, second.id}


def test_a_repetition_whose_first_try_never_came_is_one_job(place):
    file = place.upload().id
    retried = {"x-stainless-retry-count": "1"}
    first = place.create(training_file=file, extra_headers=retried)
    again = place.create(training_file=file, extra_headers=retried)
    assert first.id == again.id


def test_another_body_is_another_job_whatever_the_count(place):
    file = place.upload().id
    retried = {"x-stainless-retry-count": "2"}
    first = place.create(training_file=file)
    other = place.create(training_file=file, suffix="b", extra_headers=retried)
    assert first.id != other.id


def test_an_idempotency_key_decides_alone(place):
    file = place.upload().id
    key = {"Idempotency-Key": "mine-1"}
    first = place.create(training_file=file, extra_headers=key)
    assert place.create(training_file=file, extra_headers=key).id == first.id
    with pytest.raises(openai.ConflictError) as caught:
        place.create(training_file=file, suffix="other", extra_headers=key)
    assert caught.value.code == "idempotency_conflict"


def test_what_a_try_says_of_itself():
    assert creating.sent_of({}) == Sent(0, creating.READ_TIMEOUT_S, None)
    told = {"x-stainless-retry-count": "2", "x-stainless-read-timeout": "10.0"}
    assert creating.sent_of(told).window.total_seconds() == 2 * (10 + creating.BETWEEN_S)
    odd = {"x-stainless-retry-count": "many", "x-stainless-read-timeout": "nan"}
    assert creating.sent_of(odd) == Sent(0, creating.READ_TIMEOUT_S, None)
    with pytest.raises(SpecError):
        creating.sent_of({"idempotency-key": "a b"})


def test_refusals_have_the_sdk_s_classes(place):
    file = place.upload().id
    with pytest.raises(openai.BadRequestError, match="Qwen/Qwen3-8B") as unknown:
        place.create(training_file=file, model="gpt-4o-mini")
    assert (unknown.value.code, unknown.value.param) == ("unknown_model", "model")
    with pytest.raises(openai.NotFoundError) as missing:
        place.create(training_file="file-none")
    assert missing.value.code == "no_such_file"
    with pytest.raises(openai.ConflictError):
        place.create(training_file=file, validation_file=file)
    with pytest.raises(openai.PermissionDeniedError) as dear:
        place.create(training_file=file, extra_body={"podtune": {"on": "runpod"}})
    assert dear.value.code == "ceiling_needed"
    with pytest.raises(openai.BadRequestError, match="under 1"):
        place.create(training_file=file, hyperparameters={"learning_rate_multiplier": 1000})


@pytest.mark.parametrize("base", ["/etc", "/var/lib/secret", "../models", "./a/b"])
def test_a_tenant_learns_nothing_of_the_gateways_folders_by_a_learning_rate(place, base):
    token = place.gateway.key(tenant="ann")
    with sdk(place.gateway.url, token, max_retries=0) as client:
        file = place.upload(client=client)
        with pytest.raises(openai.APIStatusError) as caught:
            client.fine_tuning.jobs.create(
                model="acme/any",
                training_file=file.id,
                hyperparameters={"learning_rate_multiplier": 2},
                extra_body={"podtune": {"base_model": base}},
            )
    assert caught.value.status_code in (400, 403)
    assert "folder at" not in str(caught.value)
    assert "config.json" not in str(caught.value)
