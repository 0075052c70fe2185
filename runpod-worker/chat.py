"""Talk to a trained adapter: a program that speaks JSON lines, for `podtune chat`.

Usage: chat.py ARTIFACT_FOLDER --models DIR. Reads `{"say": text}`, `{"adapter": true|false}` or
`{"forget": true}` a line on stdin; writes `{"ready": true}`, then for each saying `{"piece": text}`
... `{"end": true}`, and `{"error": text}` where something failed.

`{"complete": {"messages": [...], "max_tokens", "temperature", "top_p", "seed", "stop"}}` answers a whole
conversation that nobody remembers: pieces, then `{"end": true, "finish_reason", "prompt_tokens",
"completion_tokens"}`; where it cannot be answered, `{"refused": text}` instead, and the program goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

MAX_NEW_TOKENS = 400


class RefusedError(ValueError):
    """What was asked cannot be answered; something else can."""


class Options(NamedTuple):
    """How an answer is made."""

    max_tokens: int = MAX_NEW_TOKENS
    temperature: float = 0.0
    """0 takes the likeliest token every time."""
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Texts before which the answer ends."""


class Answer(NamedTuple):
    """What came."""

    text: str
    finish_reason: str
    """`stop`, or `length` where the tokens were used up."""
    prompt_tokens: int
    completion_tokens: int


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
        self._messages.append({"role": "user", "content": text})
        answer = self._answer(self._messages, Options())
        self._messages.append({"role": "assistant", "content": answer.text})
        return answer.text

    def complete(self, messages: Sequence[Mapping[str, Any]], options: Options) -> Answer:
        """Answer a whole conversation, writing the pieces as they come; nothing is remembered.

        Raises:
            RefusedError: the template or the model cannot take it.
        """
        from podtune.core.errors import SpecError

        begun = [dict(one) for one in messages]
        if self._system and all(one["role"] != "system" for one in begun):
            begun.insert(0, {"role": "system", "content": self._system})
        self.adapter = True
        try:
            return self._answer(begun, options)
        except SpecError as error:
            raise RefusedError(error.message) from error

    def _answer(self, messages: Sequence[Mapping[str, Any]], options: Options) -> Answer:
        """The next turn of a conversation."""
        import torch
        from transformers import TextIteratorStreamer

        prompt = self._folder.template.render(messages, open_answer=True)
        ids = self._folder.tokenizer.encode(prompt, add_special_tokens=False).ids
        self._refuse_long(len(ids), options.max_tokens)
        inputs = torch.tensor([ids], device=self._model.device)
        streamer: Any = TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True
        )
        failure: list[BaseException] = []
        made: list[int] = []
        model = self._model if self.adapter or self._plain is None else self._plain
        if options.seed is not None:
            torch.manual_seed(options.seed)

        def generate() -> None:
            try:
                with torch.no_grad():
                    out = model.generate(
                        input_ids=inputs,
                        attention_mask=torch.ones_like(inputs),
                        streamer=streamer,
                        max_new_tokens=options.max_tokens,
                        eos_token_id=sorted(self._folder.stop_ids),
                        pad_token_id=min(self._folder.stop_ids),
                        **self._choice(options),
                    )
                made.extend(out[0, len(ids) :].tolist())
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                failure.append(error)
                streamer.end()

        cut = Cut(options.stop)
        if self.adapter or self._plain is not None:
            text = self._stream(generate, streamer, cut)
        else:
            with self._model.disable_adapter():
                text = self._stream(generate, streamer, cut)
        if failure:
            raise failure[0]
        ended = cut.is_over or (bool(made) and made[-1] in self._folder.stop_ids)
        return Answer(text, "stop" if ended else "length", len(ids), len(made))

    def _choice(self, options: Options) -> dict[str, Any]:
        """How `generate` takes the next token."""
        chosen: dict[str, Any] = {"do_sample": False}
        if options.temperature > 0:
            # top_k 0: the hosted API has no such bound, transformers' default is 50
            chosen = {
                "do_sample": True,
                "temperature": options.temperature,
                "top_p": options.top_p,
                "top_k": 0,
            }
        if options.stop:
            chosen |= {"stop_strings": list(options.stop), "tokenizer": self._tokenizer}
        return chosen

    def _refuse_long(self, prompt: int, wanted: int) -> None:
        most = getattr(self._model.config, "max_position_embeddings", None)
        if most is not None and prompt + wanted > most:
            raise RefusedError(
                f"the conversation has {prompt} tokens, and with {wanted} for the answer that is over the "
                f"model's {most}"
            )

    def _stream(self, generate: Any, streamer: Any, cut: "Cut") -> str:
        thread = Thread(target=generate)
        thread.start()
        pieces: list[str] = []
        for piece in streamer:
            pieces.append(_told(cut.add(piece)))
        thread.join()
        pieces.append(_told(cut.rest()))
        return "".join(pieces).strip()


class Cut:
    """An answer as it comes, ended before the first stop text; its beginning may be at the end of a piece."""

    def __init__(self, stop: Sequence[str]) -> None:
        """Nothing has come yet."""
        self._stop = stop
        self._held = ""
        self.is_over = False
        """Whether a stop text came."""

    def add(self, piece: str) -> str:
        """What may be told now."""
        if self.is_over:
            return ""
        text = self._held + piece
        found = [at for word in self._stop if (at := text.find(word)) >= 0]
        if found:
            self.is_over, self._held = True, ""
            return text[: min(found)]
        begun = [n for word in self._stop for n in range(1, len(word)) if text.endswith(word[:n])]
        sure = len(text) - max(begun, default=0)
        self._held = text[sure:]
        return text[:sure]

    def rest(self) -> str:
        """What was held back and belongs to the answer after all."""
        held, self._held = self._held, ""
        return held


def _told(piece: str) -> str:
    if piece:
        _write(piece=piece)
    return piece


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
        if "complete" in message:
            _complete(chat, message["complete"])
            continue
        if "say" in message:
            chat.say(str(message["say"]))
        _write(end=True)


def _complete(chat: Chat, asked: dict[str, Any]) -> None:
    """Answer one conversation, or say why not."""
    messages = asked.pop("messages")
    asked["stop"] = tuple(asked.get("stop") or ())
    try:
        answer = chat.complete(messages, Options(**asked))
    except RefusedError as error:
        _write(refused=str(error))
        return
    _write(
        end=True,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


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
