"""The data doctor on 200 MB of chats, and getting 100,000 short chats ready to train on.

Each figure comes from a process of its own: CPU seconds and the peak of resident memory. The rivals
are what users would pick: the `datasets` loader, and TRL's own preparation.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

MEGABYTES = 200
CHATS = 100_000
PLANTED = (1_001, 20_007, 50_001, 70_002, 100_001, 120_001, 140_001, 160_001)
TEXT = (
    "the order arrived late and I would like to know how to return it because box was damaged "
    "please check your records customer account reset button hold seconds light blue network router "
    "speaker phone list again remove add tell me when shipping invoice address change product "
    "warranty two years battery charge cable screen replace store open monday friday service team"
)
WORDS = TEXT.split()
BAD = (
    '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],}',
    '{"messages": [{"role": "user"',
    '{"messages":[{"content":"x"},{"role":"assistant","content":"y"}]}',
    '{"messages":[]}',
    '{"messages":[{"role":"usr9","content":"x"},{"role":"assistant","content":"y"}]}',
    '{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":""}]}',
    '{"messages":[{"role":"user","content":42},{"role":"assistant","content":"y"}]}',
    '{"messages":[{"role":"user","content":"x"}]}',
)


TRL_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{% if message['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' }}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The base model's own template with the markers TRL asks for; the text is the same."""


def sentence(rng: random.Random, low: int, high: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high))).capitalize()


def chat(rng: random.Random, turns: int, question: tuple[int, int], answer: tuple[int, int]):
    messages = (
        [{"role": "system", "content": "You answer for the shop."}] if rng.random() < 0.5 else []
    )
    for _ in range(turns):
        order = f" Order {rng.randint(10**5, 10**6)}." if rng.random() < 0.4 else ""
        messages += [
            {"role": "user", "content": sentence(rng, *question) + order + "?"},
            {"role": "assistant", "content": sentence(rng, *answer) + "."},
        ]
    return {"messages": messages}


def make_large(path: Path, planted: bool) -> None:
    """200 MB of chats; with eight bad lines, or without (the rival stops at the first)."""
    rng, size, line = random.Random(1), 0, 0
    bad = dict(zip(PLANTED, BAD, strict=True)) if planted else {}
    with path.open("w", encoding="utf-8") as out:
        while size < MEGABYTES * 10**6:
            line += 1
            made = json.dumps(chat(rng, rng.choice((1, 1, 2)), (10, 40), (20, 80)))
            size += out.write(bad.get(line, made) + "\n")


def make_short(path: Path) -> None:
    rng = random.Random(2)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(CHATS):
            out.write(json.dumps(chat(rng, 1, (10, 25), (20, 60))) + "\n")


def ours_check(path: Path, _: Path) -> object:
    from podtune.data import reader

    report = reader.inspect(path).report
    return {
        "rows": report.rows,
        "good": report.good_rows,
        "bad_lines": [f.line for f in report.errors()],
    }


def datasets_load(path: Path, work: Path) -> object:
    import datasets

    loaded = datasets.load_dataset("json", data_files=str(path), cache_dir=str(work))
    return {"rows": len(loaded["train"])}


def _chats(path: Path) -> list[object]:
    from podtune.data import reader

    return list(reader.read(path).conversations)


def ours_prepare(path: Path, _: Path) -> object:
    from memory import base_folder

    from podtune.data import packing
    from podtune.data.masks import encode
    from podtune.data.template import TokenizerFolder

    rows, folder = _chats(path), TokenizerFolder(base_folder())
    begun = time.process_time()
    encoded = encode(rows, folder)
    packed = packing.best_fit_decreasing([len(e.input_ids) for e in encoded.examples], 2048)
    return {
        "cpu_s": time.process_time() - begun,
        "tokens": sum(len(e.input_ids) for e in encoded.examples),
        "rows": len(packed),
    }


def bare_tokenizer(path: Path, _: Path) -> object:
    from memory import base_folder

    from podtune.data.rendering import Renderer
    from podtune.data.template import TokenizerFolder

    folder = TokenizerFolder(base_folder())
    renderer = Renderer(folder)
    texts = [renderer.documents(row)[0].text for row in _chats(path)]
    begun = time.process_time()
    tokens = 0
    for start in range(0, len(texts), 1000):
        batch = folder.tokenizer.encode_batch(texts[start : start + 1000], add_special_tokens=False)
        tokens += sum(len(e.ids) for e in batch)
    return {"cpu_s": time.process_time() - begun, "tokens": tokens}


def trl_prepare(path: Path, work: Path) -> object:
    import datasets
    from memory import base_folder
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    datasets.config.HF_DATASETS_CACHE = work
    rows = datasets.Dataset.from_list([json.loads(line) for line in path.open(encoding="utf-8")])
    tokenizer = AutoTokenizer.from_pretrained(base_folder())
    tokenizer.chat_template = TRL_TEMPLATE
    config = AutoConfig.from_pretrained(base_folder())
    config.num_hidden_layers = 1
    model = AutoModelForCausalLM.from_config(config)
    arguments = SFTConfig(
        output_dir=str(work), use_cpu=True, bf16=False, report_to="none", packing=True,
        packing_strategy="bfd", max_length=2048, assistant_only_loss=True,
    )  # fmt: skip
    begun = time.process_time()
    trainer = SFTTrainer(
        model=model, args=arguments, train_dataset=rows, processing_class=tokenizer
    )
    spent = time.process_time() - begun
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    return {"cpu_s": spent, "tokens": tokens, "rows": len(trainer.train_dataset)}


def alone(task: str, path: Path, work: Path) -> dict[str, object]:
    """Run one task in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, task, str(path), str(work)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def run_task(name: str, path: Path, work: Path) -> None:
    sys.path[:0] = [str(measure.ROOT / "bench"), str(measure.ROOT / "runpod-worker")]
    begun = time.process_time()
    result = globals()[name](path, work)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = {"process_cpu_s": time.process_time() - begun, "peak_rss_mb": used.ru_maxrss / 1024}
    print(json.dumps({**result, **spent}))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        large, clean, short = (work / f"{n}.jsonl" for n in ("large", "clean", "short"))
        make_large(large, planted=True)
        make_large(clean, planted=False)
        make_short(short)
        checked = alone("ours_check", large, work)
        ours_clean = alone("ours_check", clean, work)
        rival = alone("datasets_load", clean, work / "cache")
        prepared = alone("ours_prepare", short, work)
        bare = alone("bare_tokenizer", short, work)
        trl = alone("trl_prepare", short, work / "trl")
    measure.write(
        "data",
        {
            "check_200_mb": {
                "cpu_s": round(checked["process_cpu_s"], 2),
                "peak_rss_mb": round(checked["peak_rss_mb"]),
                "rows": checked["rows"],
                "planted_bad_lines": list(PLANTED),
                "bad_lines_found": checked["bad_lines"],
            },
            "load_200_mb_with_datasets": {
                "cpu_s": round(rival["process_cpu_s"], 2),
                "peak_rss_mb": round(rival["peak_rss_mb"]),
            },
            "datasets_over_check": round(rival["process_cpu_s"] / ours_clean["process_cpu_s"], 2),
            "prepare_100k_chats": {
                "cpu_s": round(prepared["cpu_s"], 2),
                "tokens": prepared["tokens"],
                "packed_rows": prepared["rows"],
                "peak_rss_mb": round(prepared["peak_rss_mb"]),
            },
            "bare_tokenizer_cpu_s": round(bare["cpu_s"], 2),
            "prepare_over_bare_tokenizer": round(prepared["cpu_s"] / bare["cpu_s"], 2),
            "trl_cpu_s": round(trl["cpu_s"], 2),
            "trl_tokens": trl["tokens"],
            "trl_over_prepare": round(trl["cpu_s"] / prepared["cpu_s"], 2),
        },
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_task(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
