"""Plans of rented jobs, and what every card would mean for one. Rents nothing itself."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from podtune.app import planner
from podtune.app import settings as environment
from podtune.app.offers import Market, Shop, furnished
from podtune.app.settings import Settings
from podtune.core.errors import SpecError
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.core.spec import Place, WhereSpec
from podtune.intake.defaults import DEFAULT_BASE_MODEL
from podtune.intake.resolve import parse_assignment, resolve
from podtune.planning import gpu_choice, ladder
from podtune.planning import plan as planning
from podtune.planning.plan import PlanInput
from podtune.planning.survey import Verdict, survey
from podtune.providers.runpod.client import RunPodClient
from podtune.storage.places import volume_refused


class Cards(NamedTuple):
    """What is offered, and for a job: what it would take on each."""

    verdicts: tuple[Verdict, ...]
    has_job: bool
    warnings: tuple[str, ...]

    @property
    def usable(self) -> tuple[Verdict, ...]:
        """Those on which the job runs; without a job, those that nothing speaks against."""
        return tuple(v for v in self.verdicts if not v.reason)


@contextmanager
def shop(settings: Settings) -> Generator[Shop]:
    """RunPod's shop for one command; a missing key is told before any data is read.

    Raises:
        CredentialsError: RUNPOD_API_KEY is not set.
    """
    client = RunPodClient(environment.runpod_access())
    try:
        yield Shop(settings, client)
    finally:
        client.close()


def plan(given: PlanInput, shop: Shop) -> Plan:
    """The priced plan of a rented job.

    Raises:
        PodtuneError: nothing fits, nothing is affordable, no ceiling, or RunPod cannot be asked.
    """
    if given.spec.deliver.store == "volume":
        raise volume_refused()
    if given.spec.where.on.has_queue:
        from podtune.app import endpoint_renting

        given = given._replace(warnings=(*given.warnings, *_about_the_key()))
        return endpoint_renting.plan(given, shop.client, shop.settings)
    given, market = _at_market(given, shop)
    given = given._replace(warnings=(*given.warnings, *_about_the_key(), *_about_the_store(given)))
    return ladder.rented(given, market.offers, market.wishes, shop.limits)


def asked(
    source: str | None, model: str | None, sets: Sequence[str] | None
) -> TrainingRequest | None:
    """The job that cards are looked at for; None for none.

    Raises:
        SpecError: fields without data to train on, or a field that is none.
    """
    stated = dict(parse_assignment(text) for text in sets or ())
    if model is not None:
        stated = {"base_model.name": model, **stated}
    if source is not None:
        return planner.source_request(source, {"where.on": Place.RUNPOD.value, **stated})
    if stated:
        raise SpecError(
            "--model and --set are about a job",
            hint="say which data it is trained on: --fits FILE",
        )
    return None


def cards(settings: Settings, shop: Shop, request: TrainingRequest | None) -> Cards:
    """Every card that is offered; with a request, what that job would take on each.

    Raises:
        PodtuneError: bad spec or data, or RunPod cannot be asked.
    """
    if request is None:
        market = shop.market(WhereSpec(on=Place.RUNPOD))
        found = [Verdict(o, gpu_choice.refusal(o, market.wishes)) for o in market.offers]
        return Cards(tuple(found), False, market.warnings)
    request, words = _with_model(request)
    spec, notes = resolve(request)
    given, market = _at_market(planner.gather(request, spec, notes, settings), shop)
    gpu_choice.refuse_unknown(market.offers, market.wishes.where)
    verdicts = survey(given, planning.decided(given), market.offers, market.wishes)
    return Cards(verdicts, True, (*words, *given.warnings))


def _with_model(request: TrainingRequest) -> tuple[TrainingRequest, tuple[str, ...]]:
    """The request with a model: looking costs nothing, so the default one will do where none is named."""
    if request.stated.get("base_model.name") or request.stated.get("base_model"):
        return request, ()
    stated = {**request.stated, "base_model.name": DEFAULT_BASE_MODEL}
    words = f"no --model was named: time and cost are those of {DEFAULT_BASE_MODEL}"
    return request.model_copy(update={"stated": stated}), (words,)


def _at_market(given: PlanInput, shop: Shop) -> tuple[PlanInput, Market]:
    """The plan's input with image and disk settled, and the offers for them."""
    spec = furnished(given.spec, given.notes, given.facts)
    market = shop.market(spec.where)
    return given._replace(spec=spec, warnings=(*given.warnings, *market.warnings)), market


def _about_the_key() -> tuple[str, ...]:
    odd = environment.runpod_access().odd_key
    return (odd,) if odd else ()


def _about_the_store(given: PlanInput) -> tuple[str, ...]:
    """What a store cannot do without a token of the pod's own."""
    if given.spec.deliver.store != "hf" or environment.pod_hub_token() is not None:
        return ()
    return (
        "PODTUNE_POD_HF_TOKEN is not set: this machine does the transfers with the Hub, and must "
        "stay on until the adapter is picked up",
    )
