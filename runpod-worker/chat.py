"""Talk to a trained adapter: a program that speaks JSON lines, for `podtune chat`.

Usage: chat.py ARTIFACT_FOLDER --models DIR. Reads `{"say": text}`, `{"adapter": true|false}` or
`{"forget": true}` a line on stdin; writes `{"ready": true}`, then for each saying `{"piece": text}`
... `{"end": true}`, and `{"error": text}` where something failed.
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

MAX_NEW_TOKENS = 400


class Chat:
    """A conversation with one model whose adapter can be switched off."""

    def __init__(self, artifact: Path, models: Path) -> None:
        """Load base model and adapter."""
        import yaml
        from transformers import PreTrainedTokenizerFast

        import base_model
        import trained_model
        from podtune.core.spec import TrainingSpec
        from podtune.data.template import TokenizerFolder

        spec = TrainingSpec.model_validate(
            yaml.safe_load((artifact / "spec.yaml").read_text(encoding="utf-8"))
        )
        base_model.settle_threads(_cores())
        device = _device(spec.where.gpu)
        base = trained_model.load_base(
            spec, base_model.prepare(_as_here(spec.base_model, artifact), models, None), device
        )
        self._model: Any = trained_model.apply(base, artifact, spec, device)
        self._plain: Any = base if trained_model.is_whole(artifact) else None
        self._folder = TokenizerFolder(artifact, today=datetime.now().astimezone())
        # From the file alone: a tokenizer config could name code to run.
        self._tokenizer: Any = PreTrainedTokenizerFast(
            tokenizer_file=str(artifact / "tokenizer.json")
        )
        self._system = spec.data.system_prompt
        self.adapter = True
        self.forget()

    def forget(self) -> None:
        """Begin a new conversation."""
        self._messages = [{"role": "system", "content": self._system}] if self._system else []

    def say(self, text: str) -> str:
        """Answer, writing the pieces as they come."""
        import torch
        from transformers import TextIteratorStreamer

        self._messages.append({"role": "user", "content": text})
        prompt = self._folder.template.render(self._messages, open_answer=True)
        ids = self._folder.tokenizer.encode(prompt, add_special_tokens=False).ids
        inputs = torch.tensor([ids], device=self._model.device)
        streamer: Any = TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True
        )
        failure: list[BaseException] = []

        model = self._model if self.adapter or self._plain is None else self._plain

        def generate() -> None:
            try:
                with torch.no_grad():
                    model.generate(
                        input_ids=inputs,
                        attention_mask=torch.ones_like(inputs),
                        streamer=streamer,
                        max_new_tokens=MAX_NEW_TOKENS,
                        do_sample=False,
                        eos_token_id=sorted(self._folder.stop_ids),
                        pad_token_id=min(self._folder.stop_ids),
                    )
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                failure.append(error)
                streamer.end()

        if self.adapter or self._plain is not None:
            answer = self._stream(generate, streamer)
        else:
            with self._model.disable_adapter():
                answer = self._stream(generate, streamer)
        if failure:
            raise failure[0]
        self._messages.append({"role": "assistant", "content": answer})
        return answer

    def _stream(self, generate: Any, streamer: Any) -> str:
        thread = Thread(target=generate)
        thread.start()
        pieces: list[str] = []
        for piece in streamer:
            if piece:
                pieces.append(piece)
                _write(piece=piece)
        thread.join()
        return "".join(pieces).strip()


def _write(**message: Any) -> None:
    print(json.dumps(message, ensure_ascii=False), flush=True)  # noqa: T201 - stdout is the channel


def _cores() -> int:
    import os

    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 64
    return max(1, min(allowed, psutil.cpu_count(logical=False) or 1))


def _as_here(asked: Any, artifact: Path) -> Any:
    """A base model that is a folder, where it is on this machine.

    A rented machine had it elsewhere and said so in spec.yaml; the receipt was written here.
    """
    from podtune.core.artifact import RECEIPT
    from podtune.core.spec import ModelSource

    receipt = artifact / RECEIPT
    if asked.source is not ModelSource.PATH or Path(asked.name).is_dir() or not receipt.is_file():
        return asked
    said = json.loads(receipt.read_text(encoding="utf-8"))["receipt"]["spec"]["base_model"]
    return type(asked).model_validate(said)


def _device(planned: str) -> str:
    """The planned device where torch has it, else the CPU; of a rented job, the best there is here."""
    import torch

    if planned not in ("cpu", "mps") and torch.cuda.is_available():
        return "cuda"
    return "mps" if planned != "cpu" and torch.backends.mps.is_available() else "cpu"


def converse(chat: Chat) -> None:
    """Serve stdin until it closes."""
    for line in sys.stdin:
        message = json.loads(line)
        if "adapter" in message:
            chat.adapter = bool(message["adapter"])
        if message.get("forget"):
            chat.forget()
        if "say" in message:
            chat.say(str(message["say"]))
        _write(end=True)


def main() -> int:
    """Parse the arguments, load, converse."""
    import failures

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        chat = Chat(arguments.artifact, arguments.models)
        _write(ready=True)
        converse(chat)
    except Exception as error:  # noqa: BLE001 - the program's last word is a typed failure
        said = failures.describe(error)
        _write(error=said.error_message, advice=said.advice)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
