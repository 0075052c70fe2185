"""What the phases of a rented job do to the world: order, hand over, follow, bring home, end.

Everything may run twice. What a machine does not answer yet is no failure here: the effect says what
it heard, and `workflow.rented` decides how long that is good enough.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from podtune.app import incoming, pod_order, staged_bundle
from podtune.app.checkpoint_pulls import CheckpointPulls
from podtune.app.pod_logs import PodLogs
from podtune.app.pod_news import PodNews
from podtune.app.pod_view import PodView
from podtune.app.rented_effects import RentedJobEffects, RentedTools
from podtune.app.settings import Settings, pod_hub_token
from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import ConflictError, DoubtfulError, PodtuneError, UnavailableError
from podtune.core.handover import DeliverByPut, HandOver, NamedAddress
from podtune.core.job import Instance, Job, TerminationProof
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.places import StoreKey
from podtune.storage.pod_port import PodPort
from podtune.workflow.ordering import REFUSED
from podtune.workflow.rental import offer_of
from podtune.workflow.steps import Heard

log = logging.getLogger(__name__)

SLICE_S: Final = 15.0
"""How long one effect sends or fetches before the workflow looks again: a wish to cancel waits no
longer than this."""

RENEW_EVERY: Final = timedelta(minutes=30)
"""Supabase's upload addresses live 2 hours (reference/test-peers.md 2, 2026-11-22)."""

_BEGUN: Final = ("installing", "checking", "training")
_OVER: Final = ("finished", "delivering", "delivered", "failed", "held")
"""Phases of a machine (`podtune.core.handover.PodPhase`) on which its work is under way, and over."""


@dataclass(frozen=True)
class Tools(RentedTools):
    """What the effects work with besides the provider; tests give others."""

    port: Callable[[str, SecretStr], PodPort] = PodPort
    """A client of a machine's port, by address and token."""
    monotonic: Monotonic = monotonic


class PodEffects(RentedJobEffects):
    """The effects of jobs on RunPod's pods."""

    def __init__(
        self,
        settings: Settings,
        provider: RunPodProvider,
        client: RunPodClient,
        access: RunPodAccess,
        tools: Tools,
    ) -> None:
        """Nothing is asked yet."""
        super().__init__(settings, tools)
        self._provider, self._client, self._access = provider, client, access
        self._tools: Tools = tools
        logs = PodLogs(client, tools.clock, monotonic=tools.monotonic)
        self._view = PodView(settings.jobs, provider, logs, tools.clock)
        self._news = PodNews(settings, logs, tools.clock)
        self._checkpoints = CheckpointPulls(
            settings.jobs, self._view, tools.clock, within_s=SLICE_S, confirm=tools.confirm
        )
        self._ports: dict[str, PodPort] = {}
        self._renewed: dict[str, datetime] = {}

    def launch(self, job: Job) -> Instance:
        """Order the machine under the job's name, or adopt it.

        Raises:
            ProviderError: see `podtune.providers.base.Provider.launch`.
        """
        self._view.show(job, "starting", f"ordering {offer_of(job).name}")
        home, folder = self._settings.home, self._folder(job).path
        request = pod_order.request(home, folder, job, self._settings)
        request = request._replace(confirm=lambda: self._tools.confirm(job))
        try:
            made = self._provider.launch(request)
        except REFUSED as error:
            # A refusal now says nothing of an order before it whose answer was lost.
            if OrderBook(folder).open_since(request.name) is None:
                raise
            raise DoubtfulError(
                f"{request.name} may exist, and cannot be looked for: {error.message}",
                hint=error.hint,
            ) from error
        self._view.show(job, "starting", f"pod {made.id} is starting")
        return made

    def hand_over(self, job: Job) -> Heard:
        """Say what is to be done and send the bundle, for some seconds at a time.

        Raises:
            ConflictError: the machine is another attempt's.
        """
        port = self._port(job)
        try:
            status = port.status()
        except UnavailableError:
            return self._view.boot(job)
        self._view.status(job, status)
        if status.phase in _BEGUN or status.phase in _OVER:
            return Heard(accepted=True, at=self._tools.clock())
        try:
            sent = self._send(job, port)
        except UnavailableError as error:
            log.info("job %s: hand-over: %s", job.id, error.message)
            return Heard(at=self._tools.clock())
        except ConflictError as error:
            # A driver that was frozen in mid-sending may have sent the last piece between ours.
            if error.code == "pod_another" or not _has_begun(error, port):
                raise
            sent = True
        return Heard(accepted=sent, at=self._tools.clock())

    def pull(self, job: Job) -> Heard:
        """Bring events, output and figures here: by the port, or by the log stream."""
        port = self._port(job)
        try:
            status = port.status()
            self._news.read(job, port, status)
            self._view.status(job, status)
            if status.phase == "training":
                self._checkpoints.now_and_then(job, port)
        except UnavailableError:
            heard = self._news.by_stream(job, self._store(job))
            return heard._replace(requote=self._requote(job))
        return Heard(at=self._tools.clock(), requote=self._requote(job))

    def salvage(self, job: Job) -> Heard:
        """Have the worker save and end; bring its last words and its newest checkpoint here."""
        port = self._port(job)
        try:
            status = port.status()
            self._view.status(job, status)
            if status.phase not in _OVER:
                port.cancel()
                return Heard(at=self._tools.clock())
            self._news.read(job, port, status)
            whole = self._checkpoints.newest(job, port)
        except UnavailableError:
            return Heard(saved=self._checkpoints.left_in(self._store(job), job))
        return Heard(at=self._tools.clock(), saved=whole)

    def fetch(self, job: Job) -> bool | Heard:
        """Bring the artifact and the newest checkpoint here, for some seconds at a time.

        True once they are; else what was heard of the machine, False where it did not answer.

        Raises:
            ArtifactError: what came is not what the machine has.
        """
        port = self._port(job)
        try:
            status = port.status()
            self._view.status(job, status)
            self._news.read(job, port, status)
            if status.phase == "delivering":
                self._renew(job, port)
                is_here = False
            elif status.phase == "delivered":
                is_here = self._fetch_from_store(job)
            else:
                is_here = self._fetch_by_port(job, port)
            return is_here or Heard(at=self._tools.clock())
        except UnavailableError as error:
            if error.code == "disk_full":
                self._view.show(job, "finished", error.message)
                return Heard(at=self._tools.clock())
            return self._is_here(job) or self._fetch_from_store(job)

    def release(self, job: Job) -> None:
        """Tell the machine that it may end; it is ended from here in any case."""
        try:
            self._port(job).release()
        except PodtuneError as error:
            log.info("job %s: release: %s", job.id, error.message)

    def terminate(self, job: Job) -> TerminationProof | None:
        """End the machine and everything of its name; proof of absence, or None (call again)."""
        in_doubt = self._in_doubt_since(job)
        proof = self._provider.terminate(job.instance_name or "", self._instance(job))
        if proof is None:
            self._view.show(job, "ending", "waiting for the proof that it is gone")
            return None
        proof = self._as_sought(job, proof, in_doubt)
        self._forget_bundle(job)
        self._tidy(job)
        self._news.forget(job)
        port = self._ports.pop(job.instance_id or "", None)
        if port is not None:
            port.close()
        self._view.show(job, "gone", proof.method)
        return proof

    def _as_sought(
        self, job: Job, proof: TerminationProof, in_doubt: datetime | None
    ) -> TerminationProof:
        """The proof, with whether a machine of a doubtful order could have ended before anybody looked.

        One that is handed no work ends itself at its boot limit; who looks later sees nothing either way.
        """
        if in_doubt is None or proof.ended or job.instance_id is not None:
            return proof
        ordered = min(in_doubt, job.intent_at or in_doubt)
        late = (proof.absent_at - ordered).total_seconds() > self._settings.boot_limit_s
        return proof.model_copy(update={"unsought": late})

    def _send(self, job: Job, port: PodPort) -> bool:
        """Hand over and send what is missing; whether all of it is there."""
        folder = self._folder(job).path
        packed, facts = folder / staged_bundle.FILE, staged_bundle.staged(job, folder)
        store, key = self._store(job), StoreKey(job.id, job.attempt)
        until = job.deadline or self._tools.clock()
        ticket = store.send(
            packed,
            facts.sha256,
            key,
            until,
            self._view.progress(job, "waiting", "bringing the work to its store"),
        )
        port.hand_over(
            HandOver(
                job=job.id,
                attempt=job.attempt,
                bundle=ticket,
                deliver=store.ticket(key, until),
                secrets=pod_order.secrets(job, pod_hub_token()),
                event_key=pod_order.event_key(self._settings.home, job),
                deadline=int(job.deadline.timestamp()) if job.deadline else None,
            )
        )
        if ticket.via != "port":
            return True
        return port.send_bundle(
            packed,
            within_s=SLICE_S,
            on_progress=self._view.progress(job, "receiving", "sending the work"),
        )

    def _fetch_by_port(self, job: Job, port: PodPort) -> bool:
        files = port.files()
        progress = self._view.progress(job, "finished", "fetching the adapter")
        if not files:
            return False
        if not self._is_here(job):
            folder = self._folder(job)
            arriving = incoming.of(folder.path, job)
            if not port.fetch_files(arriving, files, within_s=SLICE_S, on_progress=progress):
                return False
            self._tools.confirm(job)
            incoming.move_in(arriving, [file.name for file in files], folder.artifact)
            incoming.clear(arriving)
        try:
            return self._checkpoints.newest(job, port)
        except (PodtuneError, OSError) as error:  # the adapter is here: a checkpoint is a comfort
            log.info("job %s: no checkpoint: %s", job.id, error)
            return True

    def _renew(self, job: Job, port: PodPort) -> None:
        """Give the machine fresh addresses: some stores' live for 2 hours only."""
        now = self._tools.clock()
        if now - self._renewed.get(job.id, now - RENEW_EVERY) < RENEW_EVERY:
            return
        key = StoreKey(job.id, job.attempt)
        ticket = self._store(job).ticket(key, job.deadline or now)
        if isinstance(ticket, DeliverByPut):
            archive, result, checkpoint = ticket.archive, ticket.result, ticket.checkpoint
            port.renew(NamedAddress(name="archive", url=archive.url, headers=archive.headers))
            port.renew(NamedAddress(name="result", url=result.url, headers=result.headers))
            if checkpoint is not None:
                headers = checkpoint.headers
                port.renew(NamedAddress(name="checkpoint", url=checkpoint.url, headers=headers))
        self._renewed[job.id] = now

    def _instance(self, job: Job) -> str | None:
        """The machine's id, also of an order that was answered after the job had begun to leave."""
        if job.instance_id is not None:
            return job.instance_id
        name = job.instance_name or ""
        for order in self._tools.orders(job.id):
            if order.name == name and order.absent_at is None and order.instance_id:
                return order.instance_id
        try:
            since = OrderBook(self._folder(job).path).open_since(name)
        except OSError:  # nobody can tell: as if it was ordered just now
            since = self._tools.clock()
        if since is not None:
            self._provider.doubt(name, since)
        return None

    def _port(self, job: Job) -> PodPort:
        pod = job.instance_id or ""
        if pod not in self._ports:
            url = self._access.port_url(pod, pod_order.PORT)
            token = pod_order.token(self._settings.home, job)
            self._ports[pod] = self._tools.port(url, token)
        return self._ports[pod]


def _has_begun(refusal: ConflictError, port: PodPort) -> bool:
    """Whether a machine refused our bundle because it has it."""
    return refusal.code == "pod_begun" or port.status().phase in (*_BEGUN, *_OVER)
