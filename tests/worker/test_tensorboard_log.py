"""Event files that TensorBoard's own classes read; a resumed training takes its later steps back."""

import struct
import subprocess
import sys

import pytest

import tensorboard_log
from tensorboard_log import EventFile


def events(path):
    """The file's events, every length and checksum verified by tensorboardX."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        head, (length,) = content[at : at + 8], struct.unpack("<Q", content[at : at + 8])
        assert content[at + 8 : at + 12] == struct.pack("<I", masked_crc32c(head))
        message = content[at + 12 : at + 12 + length]
        assert content[at + 12 + length : at + 16 + length] == struct.pack(
            "<I", masked_crc32c(message)
        )
        found.append(Event.FromString(message))
        at += 16 + length
    return found


def scalars(found):
    return [
        (e.step, {v.tag: v.simple_value for v in e.summary.value})
        for e in found
        if e.HasField("summary")
    ]


def only(folder):
    (path,) = folder.iterdir()
    return path


def test_what_was_written_is_what_tensorboard_reads(tmp_path):
    file = EventFile(tmp_path / "a", clock=lambda: 1_700_000_000.25)
    file.write({"train/loss": 2.5, "train/learning_rate": 0.125}, 1)
    file.write({"train/löss": -1.0}, 2**40)
    file.close()
    found = events(only(tmp_path / "a"))
    assert found[0].file_version == "brain.Event:2"
    assert {e.wall_time for e in found} == {1_700_000_000.25}
    assert scalars(found) == [
        (1, {"train/loss": 2.5, "train/learning_rate": 0.125}),
        (2**40, {"train/löss": -1.0}),
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [(float("inf"), float("inf")), (1e300, float("inf")), (-1e300, float("-inf")), (0, 0.0)],
)
def test_values_at_the_edge_are_kept(tmp_path, value, read):
    file = EventFile(tmp_path)
    file.write({"x": value}, 1)
    file.close()
    assert scalars(events(only(tmp_path))) == [(1, {"x": read})]


def test_a_loss_that_is_no_number_stays_none(tmp_path):
    file = EventFile(tmp_path)
    file.write({"x": float("nan")}, 1)
    file.close()
    value = scalars(events(only(tmp_path)))[0][1]["x"]
    assert value != value


@pytest.mark.parametrize("length", [0, 1, 127, 128, 300, 70_000])
def test_long_tags_keep_the_frame(tmp_path, length):
    file = EventFile(tmp_path)
    file.write({"t" * length: 1.0}, 1)
    file.close()
    assert scalars(events(only(tmp_path))) == [(1, {"t" * length: 1.0})]


def test_each_record_is_there_before_the_process_ends(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from tensorboard_log import EventFile\n"
        "EventFile(Path(sys.argv[1])).write({'x': 1.0}, 3); os._exit(9)"
    )
    folder = tensorboard_log.__file__.rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=folder, check=False)
    assert done.returncode == 9
    assert scalars(events(only(tmp_path))) == [(3, {"x": 1.0})]


def test_a_resumed_training_takes_its_later_steps_back(tmp_path):
    first = EventFile(tmp_path, clock=lambda: 1_700_000_000.0)
    second = EventFile(tmp_path, step=6, clock=lambda: 1_700_000_000.0)
    first.close()
    second.close()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == 2
    start = events(tmp_path / names[1])[1]
    assert (start.step, start.session_log.status) == (7, start.session_log.START)
    assert not any(e.HasField("session_log") for e in events(tmp_path / names[0]))


def test_no_file_names_the_machine(tmp_path):
    import socket

    EventFile(tmp_path).close()
    assert socket.gethostname() not in only(tmp_path).name


def test_the_artifact_gets_a_copy_where_there_are_curves(tmp_path):
    (tmp_path / "artifact").mkdir()
    tensorboard_log.keep(tmp_path / "work", tmp_path / "artifact")
    assert not list((tmp_path / "artifact").iterdir())
    EventFile(tmp_path / "work" / tensorboard_log.FOLDER).close()
    tensorboard_log.keep(tmp_path / "work", tmp_path / "artifact")
    assert len(events(only(tmp_path / "artifact" / "tensorboard"))) == 1


class State:
    """What the Trainer tells its callbacks."""

    def __init__(self, step, *, first=True):
        self.global_step, self.is_world_process_zero = step, first


def test_the_trainers_logs_become_transformers_own_tags(tmp_path):
    from transformers.integrations.integration_utils import rewrite_logs

    curves = tensorboard_log.callback(tmp_path)
    logs = {"loss": 2.0, "grad_norm": 0.5, "eval_loss": 1.5, "note": "text", "flag": True}
    curves.on_train_begin(None, State(0), None)
    curves.on_log(None, State(1), None, logs=logs)
    curves.on_log(None, State(1), None, logs={"note": "text"})
    curves.on_train_end(None, State(1), None)
    numbers = {k: v for k, v in logs.items() if k not in ("note", "flag")}
    assert scalars(events(only(tmp_path))) == [(1, rewrite_logs(numbers))]


def test_one_process_of_several_writes(tmp_path):
    curves = tensorboard_log.callback(tmp_path / "curves")
    curves.on_train_begin(None, State(0, first=False), None)
    curves.on_log(None, State(1, first=False), None, logs={"loss": 1.0})
    curves.on_train_end(None, State(1, first=False), None)
    assert not (tmp_path / "curves").exists()


def test_a_real_trainer_writes_every_step(tmp_path):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                    num_attention_heads=2, num_key_value_heads=2)
    )  # fmt: skip
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=3, use_cpu=True, bf16=False, report_to="none",
        logging_steps=1, save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    row = {"input_ids": torch.arange(8), "labels": torch.arange(8)}
    trainer = Trainer(model=model, args=arguments, train_dataset=[row] * 8)
    trainer.add_callback(tensorboard_log.callback(tmp_path / "curves"))
    trainer.train()
    written = scalars(events(only(tmp_path / "curves")))
    losses = [(e["step"], e["loss"]) for e in trainer.state.log_history if "loss" in e]
    assert [step for step, _ in losses] == [1, 2, 3]
    assert [(s, v["train/loss"]) for s, v in written if "train/loss" in v] == [
        (step, pytest.approx(loss, rel=1e-6)) for step, loss in losses
    ]
    assert "train/train_loss" in written[-1][1]
