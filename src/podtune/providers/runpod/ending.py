"""Ending a machine, and the proof that it is gone.

One absence proves nothing: lists lag, and a pod just ordered answers 404 for a while. So the proof is
absence from at least two lists, `proof_window_s` apart, and 404 for every id that is known.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from podtune.core.clock import Clock
from podtune.core.errors import NotFoundError, PodtuneError, ProviderError
from podtune.core.job import TerminationProof
from podtune.core.limits import Limits
from podtune.providers.runpod import wire
from podtune.providers.runpod.client import RunPodClient, pod_path
from podtune.providers.runpod.listing import TERMINATED, Listing


@dataclass
class Ending:
    """How far the end of one name has come; begins anew after a restart of ours, and so does the window."""

    name: str
    since: datetime
    """When this began, or the newest DELETE was answered: older lists say nothing."""
    ids: set[str] = field(default_factory=set[str])
    """Every id that was recorded or seen under the name."""
    asked: set[str] = field(default_factory=set[str])
    """Of them, those whose DELETE was answered."""
    ended: set[str] = field(default_factory=set[str])
    """Of them, those that were there to be ended: a list showed them, or a DELETE was taken. The answer to a
    DELETE can be lost, and what was there has cost."""
    absent: list[datetime] = field(default_factory=list[datetime])
    """Moments of the lists without it, in order."""
    is_alone: bool = False
    """Whether only the ids are ended: another machine of the same name may be wanted."""

    def look(self, listing: Listing) -> list[str]:
        """Take in a list; the ids that are still there."""
        there = [] if self.is_alone else [pod.id for pod in listing.named(self.name)]
        there += [i for i in sorted(self.ids) if i in listing.pods and i not in there]
        self.ids.update(there)
        if there:
            self.absent.clear()
        elif not self.absent or listing.asked_at > self.absent[-1]:
            self.absent.append(listing.asked_at)
        return there

    def is_long_enough(self, window: timedelta) -> bool:
        """Whether it was missing from enough lists, over long enough."""
        return len(self.absent) >= 2 and self.absent[-1] - self.absent[0] >= window


class Terminator:
    """Ends what carries one name."""

    def __init__(self, client: RunPodClient, limits: Limits, clock: Clock) -> None:
        """`clock` gives aware UTC."""
        self._client = client
        self._limits = limits
        self._clock = clock

    def delete(self, ending: Ending, pod_id: str) -> None:
        """Ask for a pod's end. That RunPod does not know it is no failure, and no proof either.

        Raises:
            PodtuneError: it could not be asked for.
        """
        try:
            self._client.delete(pod_path(pod_id))
        except NotFoundError:
            pass
        else:
            ending.ended.add(pod_id)
        ending.asked.add(pod_id)
        ending.since = self._clock()

    def check_unlisted(self, ending: Ending, pod_id: str) -> None:
        """See that a pod that no list shows is not called otherwise by now: somebody keeps it then.

        Raises:
            ProviderError: it is; nothing is asked of it.
            PodtuneError: RunPod could not be asked.
        """
        try:
            found = self._client.get(pod_path(pod_id), wire.Pod)
        except NotFoundError:
            return
        _check_name(ending.name, found.name or ending.name, pod_id)

    def end(self, ending: Ending, listing: Listing) -> None:
        """Ask for the end of all that a list still shows; one that fails keeps none of the others.

        Raises:
            ProviderError: a listed id is of another name; it is left alone.
            PodtuneError: the end of at least one could not be asked for.
        """
        problem: PodtuneError | None = None
        for pod_id in ending.look(listing):
            try:
                _check_name(ending.name, listing.pods[pod_id].name, pod_id)
                ending.ended.add(pod_id)
                self.delete(ending, pod_id)
            except PodtuneError as error:
                problem = error
        if problem is not None:
            raise problem

    def proof(self, ending: Ending, recorded: str | None) -> TerminationProof | None:
        """The proof, when the lists and every id agree; None while it needs time.

        Raises:
            PodtuneError: RunPod could not be asked.
        """
        window = timedelta(seconds=self._limits.proof_window_s)
        if not ending.is_long_enough(window):
            return None
        for pod_id in sorted(ending.ids):
            if self._exists(pod_id):
                ending.absent.clear()
                self.delete(ending, pod_id)
                return None
        lists, span = len(ending.absent), ending.absent[-1] - ending.absent[0]
        asked = f"{len(ending.ids)} ids" if len(ending.ids) > 1 else "its id"
        by_id = f"; GET of {asked} answered 404" if ending.ids else ""
        return TerminationProof(
            instance_id=recorded,
            ended=len(ending.ended),
            absent_at=ending.absent[-1],
            method=f"absent from {lists} lists over {span.total_seconds():.0f} s{by_id}",
        )

    def _exists(self, pod_id: str) -> bool:
        try:
            return self._client.get(pod_path(pod_id), wire.Pod).status != TERMINATED
        except NotFoundError:
            return False


def _check_name(name: str, found: str, pod_id: str) -> None:
    if found != name:
        raise ProviderError(
            f"pod {pod_id} is called {found!r}, not {name!r}: it is left running",
            code="foreign_machine",
            hint="podtune runpod audit shows whose it is",
        )
