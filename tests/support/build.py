"""Small valid values of the core types, made by the real code. For tests only."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from podtune.core.dataset import Conversation, DatasetReport, Message
from podtune.core.job import Job
from podtune.core.offer import Offer, Stock
from podtune.core.plan import BaseModelFacts, Device, Plan, PriceEstimate, Rung
from podtune.core.request import TrainingRequest
from podtune.core.states import Desired, JobPhase
from podtune.core.units import GIB
from podtune.data.lengths import estimated
from podtune.data.split import by_question
from podtune.data.template import TokenizerFolder
from podtune.intake.resolve import resolve
from podtune.planning import plan as planning
from podtune.planning.model_facts import facts_from_config

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""The moment at which every built value was made."""


def device(kind: str = "cpu", memory_gib: float = 16, cores: int = 2, bf16: bool = False) -> Device:
    return Device(
        kind=kind,
        name=f"test {kind}",
        memory_bytes=int(memory_gib * GIB),
        cores=cores,
        bf16=bf16,
        count=cores,
    )


def offer(gpu: str = "NVIDIA A40", vram_gib: float = 48, usd: str = "0.40", **changes) -> Offer:
    """One card in secure cloud."""
    values = {
        "provider": "runpod",
        "gpu": gpu,
        "name": gpu.removeprefix("NVIDIA "),
        "count": 1,
        "vram_gib": vram_gib,
        "usd_per_hour": Decimal(usd),
        "cloud": "secure",
        "stock": Stock.HIGH,
        "fetched_at": NOW,
    }
    return Offer.model_validate({**values, **changes})


def price(*offers: Offer, max_usd: str = "5", max_hours: float = 4) -> PriceEstimate:
    """A ladder of offers, each an hour of work (two at most)."""
    rungs = tuple(
        Rung(
            offer=one,
            device=device("cuda", one.vram_gib, bf16=True),
            hours_p50=1.0,
            hours_p90=2.0,
            usd_p50=one.hourly,
            usd_p90=2 * one.hourly,
        )
        for one in offers or (offer(),)
    )
    return PriceEstimate(ladder=rungs, max_usd=Decimal(max_usd), max_hours=max_hours)


def config(hidden: int = 64, layers: int = 2, vocab: int = 512, **changes) -> dict[str, object]:
    """A `config.json` of a small dense decoder."""
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 2 * hidden,
        "vocab_size": vocab,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        **changes,
    }


def facts(hidden: int = 64, layers: int = 2, vocab: int = 512, **changes) -> BaseModelFacts:
    return facts_from_config(
        config(hidden, layers, vocab, **changes),
        name="test/tiny",
        revision="0" * 40,
        source="hub",
        location=None,
        download_bytes=1_000_000,
    )


def conversation(question: str, answer: str, line: int = 1, system: str | None = None):
    messages = [Message(role="user", content=question), Message(role="assistant", content=answer)]
    if system is not None:
        messages.insert(0, Message(role="system", content=system))
    return Conversation(messages=tuple(messages), line=line, row=line)


def conversations(n: int) -> tuple[Conversation, ...]:
    """`n` conversations with different questions, on the lines 1..n."""
    return tuple(
        conversation(f"How do I reset device number {i}?", f"Hold key {i} for six seconds.", i)
        for i in range(1, n + 1)
    )


def report(n_rows: int = 20, **changes) -> DatasetReport:
    return DatasetReport(
        **{
            "source": "/data/support.jsonl",
            "sha256": "ab" * 32,
            "size_bytes": 100 * n_rows,
            "format": "chat_messages",
            "container": "jsonl",
            "rows": n_rows,
            "good_rows": n_rows,
            **changes,
        }
    )


def plan(stated: dict[str, object] | None = None, n_rows: int = 20, **changes) -> Plan:
    """A plan for `n_rows` conversations on a CPU.

    `stated` are spec paths somebody stated; `changes` replace fields of `PlanInput`.
    """
    request = TrainingRequest(
        stated={"data.source": "/data/support.jsonl", "base_model.name": "test/tiny"}
        | (stated or {})
    )
    spec, notes = resolve(request)
    train, validation = by_question(conversations(n_rows), spec.data.validation)
    given = planning.PlanInput(
        spec=spec,
        notes=notes,
        report=report(n_rows),
        validation_report=None,
        facts=facts(),
        device=device(),
        lengths=estimated(train, validation),
        train_rows=len(train),
        validation_rows=len(validation),
        packable=True,
        reached_speeds={},
        minutes=None,
        warnings=(),
    )
    return planning.plan(given._replace(**changes))


def job(**changes) -> Job:
    """A queued job, first attempt; `plan_digest` follows the plan unless it is given."""
    planned = changes.pop("plan", None) or plan()
    return Job(
        **{
            "id": "demo-abc234",
            "title": "support on tiny",
            "owner": "owner123",
            "desired": Desired.RUN,
            "phase": JobPhase.QUEUED,
            "attempt": 1,
            "plan": planned,
            "plan_digest": planned.digest,
            "created_at": NOW,
            "updated_at": NOW,
            **changes,
        }
    )


# The names that the contract of this module promises besides the short ones.
make_plan = plan
make_job = job

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
"""The plainest chat template there is."""

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)


def tokenizer(*, trim_offsets: bool | None = None) -> Tokenizer:
    """A small byte-level BPE; the special tokens have the ids 0..5 in the order above."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if trim_offsets is not None:
        made.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [m.content for row in conversations(20) for m in row.messages]
    made.train_from_iterator([*texts, "system user assistant"], trainer)
    return made


def tokenizer_folder(
    path: Path,
    template: str | None = CHATML,
    *,
    trim_offsets: bool | None = None,
    files: dict[str, object] | None = None,
) -> TokenizerFolder:
    """A base model's folder without weights; `files` adds JSON files, such as generation_config."""
    path.mkdir(parents=True, exist_ok=True)
    tokenizer(trim_offsets=trim_offsets).save(str(path / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "chat_template": template}
    for name, value in {"tokenizer_config.json": settings, **(files or {})}.items():
        (path / name).write_text(json.dumps(value), encoding="utf-8")
    return TokenizerFolder(path)
