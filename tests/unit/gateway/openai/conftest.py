import pytest

from support import gateways, homes, tiny_model
from support.hosted import sdk


class Place:
    """A gateway whose jobs nobody drives, a model folder, data, and the SDK."""

    def __init__(self, gateway, client, base, data):
        self.gateway, self.client, self.base, self.data = gateway, client, base, data

    def upload(self, path=None, client=None):
        client = client or self.client
        with (path or self.data).open("rb") as stream:
            file = client.files.create(file=stream, purpose="fine-tune")
        return client.files.wait_for_processing(file.id, poll_interval=0.02)

    def create(self, **more):
        file = more.pop("training_file", None) or self.upload().id
        client = more.pop("client", self.client)
        asked = {"model": str(self.base), "training_file": file}
        return client.fine_tuning.jobs.create(**asked | more)


@pytest.fixture
def place(tmp_path):
    base, data = homes.model(tmp_path / "model"), tiny_model.write_rows(tmp_path / "rows.jsonl")
    with gateways.Gateway(gateways.settings(tmp_path)) as gateway, sdk(gateway.url) as client:
        yield Place(gateway, client, base, data)
