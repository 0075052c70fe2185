"""The parser of requests: seconds to import, milliseconds a sentence."""

import json
import subprocess
import sys
import time
from datetime import datetime

import measure

REQUESTS = (
    "Fine-tune Mistral on my support tickets for better customer service responses",
    "Trainiere bitte Qwen3 8B auf ./daten/rows.jsonl, drei Epochen, höchstens 5 Euro, nichts hochladen",
    "Entraîne un LoRA de Gemma 2 2B sur rows.csv, 3 époques, pas plus de 12 euros, garde-le privé",
    "secure cloud, RTX A5000, 24GB, Qwen/Qwen3-8B, 8-bit, r=32, alpha=32, dropout .05, 3 epochs, bs 2, grad accum 8, lr 4e-5, 100 warmup steps, data acme/rows",
    "between 5 and 10 dollars, A100 or H100, spot is fine, llama 3.1 8b, rows.csv, by tomorrow 9am, strip emails first",
    "what's happening with job 12-a?",
)
IMPORT = "import time; t = time.process_time(); import podtune.intake.words.parse; print(time.process_time() - t)"


def main() -> None:
    from podtune.intake.words.parse import parse

    now = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time
    imports = sorted(
        float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout)
        for _ in range(6)
    )  # fmt: skip
    for request in REQUESTS:
        parse(request, now)
    spent = []
    for _ in range(100):
        for request in REQUESTS:
            begun = time.process_time()
            parse(request, now)
            spent.append(1000 * (time.process_time() - begun))
    spent.sort()
    figures = {
        "import_cpu_s_median": round(imports[2], 3),
        "cpu_ms_median": round(spent[len(spent) // 2], 2),
        "cpu_ms_p95": round(spent[int(len(spent) * 0.95)], 2),
    }
    print(json.dumps(figures))
    measure.write("words", figures)


if __name__ == "__main__":
    main()
