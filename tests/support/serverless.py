"""A cloud of endpoints only, on a virtual clock, for tests of the serverless queue."""

import random
import threading
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from podtune.testing.clock import START, VirtualClock
from podtune.testing.executor import NoPods
from podtune.testing.http import Request
from podtune.testing.routes import Call, Caller, RouteTable
from podtune.testing.serverless.client_routes import ClientRoutes
from podtune.testing.serverless.endpoint import BASE_PATH, Endpoint
from podtune.testing.serverless.queues import Serverless, ServerlessOptions
from podtune.testing.serverless.worker_routes import WorkerRoutes

KEY = "rpa_test"


class Containers(NoPods):
    """Containers that are started, stopped and ended by the test."""

    def __init__(self):
        self.specs = {}
        self.codes = {}
        self.events = []
        self.unpullable = set()
        self.printed = {}

    def pull_problem(self, image):
        return f"no such image: {image}" if image in self.unpullable else None

    def start(self, pod):
        self.specs[pod.pod_id] = pod
        self.codes.pop(pod.pod_id, None)
        self.events.append(("start", pod.pod_id))

    def poll(self, pod_id):
        return self.codes.get(pod_id)

    def stop(self, pod_id, grace_s):
        self.events.append(("stop", pod_id))
        self.codes[pod_id] = 143

    def remove(self, pod_id):
        self.events.append(("remove", pod_id))
        self.specs.pop(pod_id, None)

    def lines(self, pod_id):
        return self.printed.pop(pod_id, ())


class ServerlessHost:
    """What `serverless.endpoint.Host` asks for."""

    def __init__(self, *endpoints, seed=0):
        self.clock = VirtualClock()
        self.random = random.Random(seed)
        self.lock = threading.RLock()
        self.executor = Containers()
        self.notes = []
        self.charged = {}
        self.base_url = "http://127.0.0.1:8460"
        self.endpoints = {endpoint.id: endpoint for endpoint in endpoints}

    def endpoint(self, endpoint_id):
        return self.endpoints.get(endpoint_id)

    def endpoint_ids(self):
        return list(self.endpoints)

    def cap_workers(self, endpoint_id, workers_max):
        self.change(endpoint_id, workers_max=workers_max)

    def note(self, what, detail):
        self.notes.append((what, detail))

    def charge(self, endpoint, since, until):
        seconds = (until - since).total_seconds()
        self.charged[endpoint.id] = self.charged.get(endpoint.id, 0) + seconds

    def accepts(self, key):
        return key == KEY

    def change(self, endpoint_id, **values):
        self.endpoints[endpoint_id] = self.endpoints[endpoint_id]._replace(**values)


def endpoint(endpoint_id="ep1", **values) -> Endpoint:
    """An endpoint that starts no workers by itself unless told to."""
    given = {"created_at": START, "workers_max": 0, "image": "podtune/worker:1", **values}
    return Endpoint(endpoint_id, **given)


class ServerlessDesk:
    """Client and workers of a cloud of endpoints, without any socket."""

    def __init__(self, *endpoints, options=None, seed=0):
        self.posted = []
        self.post_answers = []
        self.host = ServerlessHost(*(endpoints or [endpoint(workers_max=3)]), seed=seed)
        self.serverless = Serverless(self.host, options or ServerlessOptions(), self._post)
        self._table = RouteTable()
        self._table.add(ClientRoutes(self.serverless).routes())
        self._table.add(WorkerRoutes(self.serverless).routes())

    @property
    def now(self) -> datetime:
        return self.host.clock.now()

    def advance(self, seconds):
        self.host.clock.advance(seconds)
        self.serverless.tick()

    def ask(self, method, path, body=None, key=KEY, **query):
        """The answer as it is now, which may be one that is still to come."""
        content = b"" if body is None else msgspec.json.encode(body)
        return self.send(method, path, content, {"authorization": key}, **query)

    def send(self, method, path, content, headers, **query):
        url = f"{BASE_PATH}/{path}" + (f"?{urlencode(query)}" if query else "")
        request = Request.of(method, url, headers, content)
        match = self._table.find(request.method, request.path)
        assert match.route is not None, f"{method} {path} has no route"
        return match.route.answer(Call(request, match.params, Caller("")))

    def get(self, path, **query):
        return self.ask("GET", path, **query)

    def post(self, path, body=None, **query):
        return self.ask("POST", path, body, **query)

    def run(self, given=None, endpoint_id="ep1", **fields):
        """Submit a job; its id."""
        answer = self.post(f"{endpoint_id}/run", {"input": given or {"x": 1}, **fields})
        assert answer.status == 200, answer.json()
        return answer.json()["id"]

    def status(self, job_id, endpoint_id="ep1"):
        return self.get(f"{endpoint_id}/status/{job_id}").json()

    def take(self, worker="w1", endpoint_id="ep1"):
        return self.get(f"{endpoint_id}/job-take/{worker}", gpu="X", job_in_progress="0")

    def done(self, job_id, body, worker="w1", endpoint_id="ep1"):
        return self.post(f"{endpoint_id}/job-done/{worker}/{job_id}", body, isStream="false")

    def ping(self, worker="w1", endpoint_id="ep1", **query):
        return self.get(f"{endpoint_id}/ping/{worker}", **query)

    def settle(self, answer, seconds, step=1.0):
        """What a held answer becomes, with the clock moving on; None if it is still held then."""
        while answer.later is not None:
            settled = answer.later()
            if settled is not None:
                return settled
            if seconds <= 0:
                return None
            self.advance(step)
            seconds -= step
        return answer

    def _post(self, url, body, done):
        self.posted.append((self.now, url, msgspec.json.decode(body)))
        done(self.post_answers.pop(0) if self.post_answers else True)
