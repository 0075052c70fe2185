"""An artifact in memory: the base model with its adapter, or the whole model that was trained."""

from pathlib import Path
from typing import Any

import base_model
from podtune.core.artifact import MODEL_WEIGHTS, weights_file
from podtune.core.spec import TrainingSpec


def load_base(spec: TrainingSpec, folder: Path, device: str) -> Any:
    """The base model as it was loaded for the training: same precision, same bits."""
    return base_model.load(
        folder,
        precision=str(spec.training.precision),
        bits=int(spec.adapter.bits),
        device=device,
    )


def apply(base: Any, artifact: Path, spec: TrainingSpec, device: str) -> Any:
    """What was trained, ready to answer.

    An adapter is put onto `base` itself and can be switched off there; a whole model is loaded
    from the artifact and `base` is left alone.
    """
    if is_whole(artifact):
        return load_base(spec, artifact, device).eval()
    import expert_adapters

    return expert_adapters.load(base, artifact).eval()


def is_whole(artifact: Path) -> bool:
    """Whether every weight was trained."""
    return weights_file({path.name for path in artifact.iterdir()}) == MODEL_WEIGHTS
