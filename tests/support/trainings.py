"""Small guarded trainings on a tiny model, in this process or in one of their own.

As a program: trainings.py FOLDER [FAULT] [KEY=VALUE ...] trains in FOLDER until it is done or ends
by the fault; the trained weights are then in FOLDER/weights.safetensors.
"""

import sys
import threading
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, PrinterCallback, TrainingArguments, set_seed

HERE = Path(__file__).resolve().parent
ATTEMPT = 1


def examples(count=24, longest=40):
    """Random documents of different lengths; the second half of each is trained."""
    from podtune.data.masks import IGNORED, Example

    generator = torch.Generator().manual_seed(3)
    made = []
    for number in range(count):
        length = 8 + (number * 7) % (longest - 8)
        ids = torch.randint(0, 250, (length,), generator=generator).tolist()
        labels = [IGNORED] * (length // 2) + ids[length // 2 :]
        made.append(Example(tuple(ids), tuple(labels), number + 1))
    return made


def rows(limit=64, **options):
    """The documents, packed."""
    from packed_trainer import lay_out
    from podtune.data.packing import best_fit_decreasing

    made = examples(**options)
    return lay_out(made, best_fit_decreasing([len(e.input_ids) for e in made], limit))


def adapted(base: Path, *, kind="lora", dropout=0.0):
    """The tiny model with an adapter of a kind; the same weights on each call."""
    import document_attention

    document_attention.register()
    options = {}
    if kind == "qlora":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    model = AutoModelForCausalLM.from_pretrained(
        base, attn_implementation=document_attention.NAME, dtype=torch.float32, **options
    )
    model.requires_grad_(False)
    set_seed(11)
    config = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=dropout, use_dora=kind == "dora", task_type="CAUSAL_LM",
        target_modules=["q_proj", "v_proj", "up_proj"],
    )  # fmt: skip
    return get_peft_model(model, config)


def trainer(folder: Path, model, *, train_rows=None, trainer_class=None, **options):
    """A guarded trainer on the rows; options are those of TrainingArguments."""
    import checkpoints
    from guarded_steps import guarded
    from packed_trainer import PackedTrainer

    torch.set_num_threads(1)  # tiny tensors: a second thread would only be waited for
    settings = {
        "max_steps": 6, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2, "save_steps": 2, "logging_steps": 1,
    } | options  # fmt: skip
    made = (trainer_class or guarded(PackedTrainer))(
        model=model,
        args=TrainingArguments(
            output_dir=str(checkpoints.incoming(folder / "checkpoints")), use_cpu=True,
            bf16=False, report_to="none", disable_tqdm=True, remove_unused_columns=False,
            save_total_limit=None, logging_nan_inf_filter=False, dataloader_pin_memory=False,
            seed=5, activation_checkpointing=settings.pop("checkpointing", False),
            activation_checkpointing_kwargs={"use_reentrant": False}, **settings,
        ),
        train_dataset=train_rows or rows(),
    )  # fmt: skip
    made.remove_callback(PrinterCallback)
    return made


def run(folder: Path, made, *, stop=None, **options):
    """Train with every guard; events go to FOLDER/events.jsonl."""
    import guarded_training
    from progress import EventWriter

    folder.mkdir(exist_ok=True)
    events = EventWriter(folder / "events.jsonl", job="demo", attempt=ATTEMPT)
    place = guarded_training.Place(folder / "checkpoints", folder / "work", ATTEMPT)
    return guarded_training.run(made, place, events, stop=stop, **options)


def weights(model):
    """The trained weights, by name."""
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def events(folder: Path):
    """What the training told."""
    from podtune.core.events import parse_line

    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(parse_line, lines) if event]


def result(folder: Path):
    """The last word of a training in a process of its own."""
    return next(e.result for e in reversed(events(folder)) if e.result)


def _block(made, folder: Path, step: int) -> None:
    """From a step on, the forward pass waits for an event that never comes."""
    forward = made.model.forward

    def blocked(*arguments, **options):
        if made.state.global_step + 1 >= step:
            (folder / "blocked").write_text("")
            threading.Event().wait()
        return forward(*arguments, **options)

    made.model.forward = blocked


def _little_memory(made, mib: int) -> None:
    """For the first step this process gets so much more memory, and an error for what is over it."""
    import resource

    from transformers import TrainerCallback

    status = Path("/proc/self/status").read_text(encoding="utf-8")
    used = next(int(line.split()[1]) for line in status.splitlines() if "VmData" in line)
    limit = (used << 10) + (mib << 20)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))

    class Lifted(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            resource.setrlimit(resource.RLIMIT_DATA, before)

    made.add_callback(Lifted())


def _slow(made, folder: Path) -> None:
    """Each pass waits until somebody has had time to signal, once FOLDER/wait is there."""
    forward = made.model.forward

    def slow(*arguments, **options):
        if made.state.global_step >= 3 and (folder / "wait").exists():
            (folder / "waiting").write_text("")
            threading.Event().wait(60)
        return forward(*arguments, **options)

    made.model.forward = slow


def main() -> int:
    """Train as `train_lora.main` does: typed failure and exit code 5, or weights and 0."""
    from safetensors.torch import save_file

    import failures
    from progress import EventWriter
    from shutdown import Shutdown
    from stall_watch import StallWatch

    folder, base, fault = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    options = dict(pair.split("=") for pair in sys.argv[4:])
    large = "mib" in options
    model = adapted(base, dropout=0.0 if large else 0.1)
    steps = {name: int(options[name]) for name in ("max_steps", "save_steps") if name in options}
    train_rows = rows(2048, count=120, longest=1000) if large else None
    made = trainer(folder, model, train_rows=train_rows, **steps)
    if fault == "hang":
        _block(made, folder, int(options["at"]))
    if fault == "hang-once" and not (folder / "blocked").exists():
        _block(made, folder, int(options["at"]))
    if fault == "slow":
        _slow(made, folder)
    if fault == "little-memory":
        _little_memory(made, int(options["mib"]))
    try:
        with Shutdown() as stop:
            run(
                folder, made, stop=stop,
                watch=lambda stalled, **_: StallWatch(stalled, minimum_s=0.5, first_s=30.0),
            )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the last word is a typed failure
        writer = EventWriter(folder / "events.jsonl", job="demo", attempt=ATTEMPT)
        writer.result(failures.describe(error))
        return 5
    save_file(weights(model), folder / "weights.safetensors")
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent.parent / "runpod-worker"), str(HERE.parent)]
    torch.set_num_threads(1)
    sys.exit(main())
