"""What goes wrong with rented training, as data: symptom, cause, and what is done about it.

The rows are those of the two founding documents and what was met besides. Each code is an error
that podtune itself gives, so that whoever sees one finds its row; `tests/unit/core/test_troubleshooting.py` names for each the test that
provokes it.
"""

from typing import Final, NamedTuple


class Trouble(NamedTuple):
    """One thing that goes wrong."""

    code: str
    """The error it shows as; empty where it is no error."""
    symptom: str
    """What somebody sees, in the words they would search for."""
    cause: str
    done: str
    """What podtune does by itself; empty where nothing can be done without asking."""
    remedy: str
    """What remains for the person."""


TROUBLES: Final[tuple[Trouble, ...]] = (
    Trouble(
        "token_rejected",
        "401 Unauthorized from the Hub",
        "HF_TOKEN is not valid any more, or was copied in part",
        "found before anything is rented; nothing is made public to get around it",
        "make a new token with read rights and set HF_TOKEN",
    ),
    Trouble(
        "gated_model",
        "401 or 403 from the Hub for one model",
        "its owner gives access on request only",
        "found before anything is rented",
        "ask for access on the model's page, then set HF_TOKEN; for a pod PODTUNE_POD_HF_TOKEN",
    ),
    Trouble(
        "model_not_found",
        "404 Repository Not Found",
        "the name is spelled otherwise, the repository is private, or it holds GGUF files only",
        "found before anything is rented; the nearest names on the Hub are shown",
        "copy the name from the model's page: org/name, with safetensors weights",
    ),
    Trouble(
        "install_failed",
        "ModuleNotFoundError: transformers; conflicts with what the image brings",
        "libraries of the image and of the training contradict each other",
        "the training's own libraries lie in a folder of their own, exact versions by hash; the "
        "image gives Python and torch only",
        "read the last lines of `podtune logs JOB`; an own image needs pip and a way to the index",
    ),
    Trouble(
        "image_unfit",
        "import errors, CUDA errors or a crash in the first seconds",
        "the image's Python, torch or CUDA do not fit the training",
        "one tiny training step is tried before the data is touched; it fails within a minute",
        "leave where.image at auto, or use an image with Python 3.11, torch 2.6 and pip",
    ),
    Trouble(
        "no_cuda",
        "no CUDA device on a machine with a GPU; OCI runtime create failed",
        "the host's driver is older than the image's CUDA, or the host is broken",
        "hosts are asked for by the image's CUDA version; the card is tried before training; the next "
        "machine of the plan's ladder is taken",
        "`podtune resume JOB` takes another machine; avoid the card with --set where.gpu_avoid=...",
    ),
    Trouble(
        "boot_timeout",
        "the pod stays in initialising",
        "no GPU behind the offer, a bad host, or an image that cannot be pulled",
        "ended after PODTUNE_BOOT_LIMIT_S, with proof that it is gone; then the next machine of the "
        "plan's ladder is taken",
        "`podtune resume JOB` takes another machine; --set where.region=... tries another data centre",
    ),
    Trouble(
        "crash_loop",
        "the pod's log shows the same start of the container again and again",
        "the image does not fit the host, or its command ends at once; RunPod starts it again and bills",
        "ended at the third start without a word, with proof that it is gone; then the next machine "
        "of the plan's ladder is taken",
        "leave where.image at auto; `podtune logs JOB` shows the log",
    ),
    Trouble(
        "price_rose",
        "a pod costs more than the plan said",
        "RunPod's prices changed between the plan and the order",
        "a dearer machine is kept where the ceiling pays for it until its deadline; else it is ended at "
        "once, with proof, and the next machine of the plan's ladder is taken",
        "submit it again: the plan is made anew, with the prices of then",
    ),
    Trouble(
        "no_capacity",
        "There are no longer any instances available; No GPU available",
        "every card of the plan is taken now",
        "the plan's whole ladder is tried in order, each failure told; nothing was spent",
        "`podtune runpod gpus --fits SPEC` shows what is free; try again later, or allow more cards",
    ),
    Trouble(
        "insufficient_balance",
        "402, or pods end by themselves",
        "the account cannot pay an hour, or the job's ceiling",
        "the balance is compared with the ceiling before anything is rented",
        "add credit at console.runpod.io, or lower --budget",
    ),
    Trouble(
        "missing_key",
        "401 from RunPod, or no key at all",
        "RUNPOD_API_KEY is not set",
        "nothing is sent without one",
        "make a key at console.runpod.io; podtune dev cloud needs none",
    ),
    Trouble(
        "rejected_key",
        "401 Unauthorized from RunPod",
        "RUNPOD_API_KEY was revoked, or copied in part",
        "found before anything is rented",
        "make a new key at console.runpod.io, Settings, API Keys",
    ),
    Trouble(
        "worker_lost",
        "the pod ran and ended without a result",
        "the machine was taken away, ran out of memory, or somebody ended it",
        "the machine is ended, with proof; another one goes on from the last sealed checkpoint, "
        "PODTUNE_MAX_RECOVERIES times at most, within ceiling and hours",
        "nothing; after that `podtune resume JOB` goes on from the last checkpoint",
    ),
    Trouble(
        "timed_out",
        "the training is cut off",
        "where.max_hours have passed",
        "a checkpoint is saved before the end",
        "`podtune resume JOB` goes on; plan with where.max_hours as the plan's p90 says",
    ),
    Trouble(
        "over_budget",
        "the training ends before its last step, near the ceiling",
        "what the ceiling pays is used up, but for what is kept back for the machine's end",
        "said at four fifths of the ceiling, and as soon as measured steps show it; a checkpoint is "
        "saved before the end",
        "submit it again with a higher --budget, as the plan's p90 says",
    ),
    Trouble(
        "out_of_memory",
        "CUDA out of memory",
        "rows are longer or the card is fuller than the plan counts on",
        "the micro batch is halved, then checkpointing is switched on; the effective batch stays",
        "--set adapter.kind=qlora, shorter rows, or a card with more memory",
    ),
    Trouble(
        "volume_elsewhere",
        "Invalid mount config, or no instance for a volume",
        "a mount without a path, or a volume in another data centre than the machine",
        "the path is always sent (/workspace); the volume's data centre decides for the pod",
        "leave where.region away, or name the volume's own data centre",
    ),
    Trouble(
        "crash_loop",
        "Endpoint shows Unhealthy; its jobs stay IN_QUEUE while workers start again and again",
        "the worker's container ends as it starts: a wrong image or architecture, too little disk or "
        "memory, a driver older than the image's CUDA",
        "told apart from a lack of free cards by the workers' states, within a minute; the workers' own "
        "last log lines are shown, without keys; the job is taken back",
        "do what the last lines say; `podtune runpod image` builds the image anew, `podtune runpod "
        "deploy` hands it out, `podtune runpod verify` tries it",
    ),
    Trouble(
        "workers_max_0",
        "Endpoint is Ready, and a job stays IN_QUEUE for ever",
        "RunPod has set its workers to none, as it does after 7 days without a job",
        "no job is sent to it",
        "`podtune runpod deploy` with the same options sets them again",
    ),
    Trouble(
        "model_not_found",
        "Model loading fails on a serverless worker; the model is missing on the volume",
        "the volume is not attached to the endpoint, was filled under another path, or holds another model",
        "/runpod-volume, /workspace, MODEL_PATH and the caches are looked at, whichever path a variable "
        "names; the error lists every place, and whether a volume is attached",
        "`podtune runpod cache MODEL` fills a volume and checks every file; `podtune runpod deploy "
        "--volume ID` attaches it",
    ),
    Trouble(
        "",
        "the download shows no progress",
        "bars begin with the first bytes of a file",
        "downloads are reported in bytes from the first second; silence is told after a minute",
        "`podtune watch JOB`",
    ),
)
"""In the order somebody meets them. One error may have several causes, and then a row for each."""
