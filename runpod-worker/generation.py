"""Greedy answers and next-token logits: what the before/after samples and the proof are made of."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from podtune.data.template import TokenizerFolder

MAX_NEW_TOKENS = 80
BATCH = 4


def answers(
    model: Any,
    folder: TokenizerFolder,
    prompts: Sequence[str],
    on_answer: Callable[[int, int], None],
) -> list[str]:
    """Answer rendered prompts greedily, in small batches padded on the left."""
    texts: list[str] = []
    on_answer(0, len(prompts))
    for start in range(0, len(prompts), BATCH):
        batch = prompts[start : start + BATCH]
        ids, mask = _padded(folder, batch, model.device)
        with torch.no_grad():
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=MAX_NEW_TOKENS,
                do_sample=False,
                num_beams=1,
                eos_token_id=sorted(folder.stop_ids),
                pad_token_id=min(folder.stop_ids),
            )
        for row in output[:, ids.shape[1] :].tolist():
            texts.append(decode(folder, row))
        on_answer(len(texts), len(prompts))
    return texts


def decode(folder: TokenizerFolder, ids: Sequence[int]) -> str:
    """Ids up to the first stop token as text."""
    end = next((i for i, token in enumerate(ids) if token in folder.stop_ids), len(ids))
    return folder.tokenizer.decode(list(ids[:end]), skip_special_tokens=True).strip()


def next_token_logits(model: Any, folder: TokenizerFolder, prompts: Sequence[str]) -> torch.Tensor:
    """Logits after each prompt, float32 [prompts, vocabulary], one prompt at a time."""
    rows: list[torch.Tensor] = []
    for prompt in prompts:
        ids = torch.tensor([folder.tokenizer.encode(prompt, add_special_tokens=False).ids])
        with torch.no_grad():
            output = model(input_ids=ids.to(model.device), use_cache=False, logits_to_keep=1)
        rows.append(output.logits[0, -1].float().cpu())
    return torch.stack(rows)


def _padded(
    folder: TokenizerFolder, prompts: Sequence[str], device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = [folder.tokenizer.encode(p, add_special_tokens=False).ids for p in prompts]
    width = max(len(ids) for ids in encoded)
    pad = min(folder.stop_ids)
    rows = [[pad] * (width - len(ids)) + ids for ids in encoded]
    mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded]
    return torch.tensor(rows, device=device), torch.tensor(mask, device=device)
