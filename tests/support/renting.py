"""Offers and jobs for tests of what rented machines cost. For tests only."""

from collections.abc import Sequence

from podtune.core.offer import Offer, Stock
from podtune.core.plan import BaseModelFacts, Plan
from podtune.core.request import TrainingRequest
from podtune.data.lengths import estimated
from podtune.data.split import by_question
from podtune.intake.resolve import resolve
from podtune.planning import ladder
from podtune.planning import plan as planning
from podtune.planning.gpu_choice import Wishes
from podtune.planning.model_facts import facts_from_config
from podtune.planning.plan import PlanInput
from podtune.planning.survey import Verdict, survey
from support import build

QWEN3_8B: BaseModelFacts = facts_from_config(
    {
        "model_type": "qwen3", "hidden_size": 4096, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 12_288, "vocab_size": 151_936, "max_position_embeddings": 40_960,
        "tie_word_embeddings": False,
    },
    name="Qwen/Qwen3-8B", revision="0" * 40, source="hub", location=None,
    download_bytes=16_400_000_000,
)  # fmt: skip

OFFERS: tuple[Offer, ...] = tuple(
    build.offer(gpu, vram, usd, stock=stock, regions=regions, cuda=("12.4", "12.8"))
    for gpu, vram, usd, stock, regions in (
        ("NVIDIA RTX A4000", 16, "0.25", Stock.MEDIUM, ("EU-RO-1",)),
        ("NVIDIA RTX A5000", 24, "0.26", Stock.HIGH, ("EU-RO-1", "US-KS-2")),
        ("NVIDIA A40", 48, "0.40", Stock.HIGH, ("CA-MTL-1", "US-KS-2")),
        ("NVIDIA RTX A6000", 48, "0.49", Stock.MEDIUM, ("US-KS-2",)),
        ("NVIDIA GeForce RTX 4090", 24, "0.69", Stock.HIGH, ("US-KS-2",)),
        ("NVIDIA A100 80GB PCIe", 80, "1.64", Stock.MEDIUM, ("US-KS-2",)),
        ("NVIDIA H100 80GB HBM3", 80, "2.99", Stock.LOW, ("EUR-IS-1",)),
        ("NVIDIA B200", 180, "5.98", Stock.NONE, ()),
        ("AMD Instinct MI300X OAM", 192, "2.49", Stock.HIGH, ("EU-RO-1",)),
    )
)
"""Made up after prices seen in 2026; no price list."""


def given(
    stated: dict[str, object] | None = None,
    *,
    rows: int = 400,
    facts: BaseModelFacts = QWEN3_8B,
    **changes: object,
) -> PlanInput:
    """What a rented job's plan follows from; a ceiling of 5 dollars unless stated."""
    fields: dict[str, object] = {
        "data.source": "/data/support.jsonl",
        "base_model.name": facts.name,
        "where.on": "runpod",
        "where.max_usd": 5,
    }
    spec, notes = resolve(TrainingRequest(stated=fields | (stated or {})))
    train, validation = by_question(build.conversations(rows), spec.data.validation)
    return PlanInput(
        spec=spec,
        notes=notes,
        report=build.report(rows),
        validation_report=None,
        facts=facts,
        device=build.device(),
        lengths=estimated(train, validation),
        train_rows=len(train),
        validation_rows=len(validation),
        packable=True,
        reached_speeds={},
        minutes=None,
        warnings=(),
    )._replace(**changes)


def wishes(job: PlanInput, **changes: object) -> Wishes:
    """The wishes of a job on the stock image."""
    return Wishes(job.spec.where, "12.8")._replace(**changes)


def plan(job: PlanInput | None = None, offers: Sequence[Offer] = OFFERS) -> Plan:
    """A priced plan."""
    job = job or given()
    return ladder.rented(job, offers, wishes(job))


def verdicts(job: PlanInput | None = None, offers: Sequence[Offer] = OFFERS) -> tuple[Verdict, ...]:
    """Every offer with what the job takes on it."""
    job = job or given()
    return survey(job, planning.decided(job), offers, wishes(job))
