import pytest
import torch

import checkpoints
from failures import DiskFullError, LossNotFiniteError
from support import trainings


def save(folder, step, *, sealed=True):
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights %d" % step)
    if sealed:
        checkpoints.seal(made)
    return made


def test_the_newest_complete_checkpoint_is_found(tmp_path):
    save(tmp_path, 9)
    newest = save(tmp_path, 10)
    assert checkpoints.last_complete(tmp_path) == newest
    assert checkpoints.step_of(newest) == 10


def test_a_checkpoint_killed_in_mid_save_is_passed_over(tmp_path):
    whole = save(tmp_path, 5)
    save(tmp_path, 10, sealed=False)
    assert checkpoints.last_complete(tmp_path) == whole


def test_a_changed_checkpoint_is_passed_over(tmp_path):
    whole = save(tmp_path, 5)
    changed = save(tmp_path, 10)
    (changed / "adapter_model.safetensors").write_bytes(b"something else")
    assert checkpoints.last_complete(tmp_path) == whole


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoints.last_complete(tmp_path / "absent") is None


def write(folder, step, weights=None):
    """As the Trainer writes into `incoming`."""
    from safetensors.torch import save_file

    made = checkpoints.incoming(folder) / f"checkpoint-{step}"
    made.mkdir(parents=True)
    save_file({"a": torch.ones(3) if weights is None else weights}, made / "adapter.safetensors")
    (made / "deeper").mkdir()
    (made / "deeper" / "state.bin").write_bytes(b"state")
    return made


def test_a_finished_one_is_put_in_place_whole_and_older_ones_go(tmp_path):
    for step in (5, 10, 15):
        kept = checkpoints.keep(write(tmp_path, step), tmp_path)
        assert kept == tmp_path / f"checkpoint-{step}"
        assert checkpoints.is_complete(kept)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-10", "checkpoint-15", "incoming",
    ]  # fmt: skip
    assert (tmp_path / "checkpoint-15" / "deeper" / "state.bin").read_bytes() == b"state"


def test_older_ones_stay_until_the_new_one_is_sealed(tmp_path, monkeypatch):
    for step in (5, 10):
        checkpoints.keep(write(tmp_path, step), tmp_path)

    def full(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "seal", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.keep(write(tmp_path, 15), tmp_path)
    monkeypatch.undo()
    assert {p.name for p in tmp_path.glob("checkpoint-*")} == {"checkpoint-5", "checkpoint-10"}
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-10"


def test_a_step_saved_again_after_a_restart_replaces_the_first(tmp_path):
    checkpoints.keep(write(tmp_path, 5), tmp_path)
    (tmp_path / "checkpoint-5" / "adapter.safetensors").write_bytes(b"damaged")
    assert checkpoints.last_complete(tmp_path) is None
    checkpoints.keep(write(tmp_path, 5), tmp_path)
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-5"


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_not_kept(tmp_path, bad):
    written = write(tmp_path, 5, torch.tensor([1.0, bad]))
    with pytest.raises(LossNotFiniteError, match=r"weights of a .* step 5"):
        checkpoints.keep(written, tmp_path)
    assert checkpoints.last_complete(tmp_path) is None


def test_what_was_never_finished_is_dropped(tmp_path):
    whole = save(tmp_path, 5)
    save(tmp_path, 10, sealed=False)
    write(tmp_path, 15)
    checkpoints.drop_unsealed(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def test_a_seal_is_broken_by_a_file_in_a_folder_below(tmp_path):
    kept = checkpoints.keep(write(tmp_path, 5), tmp_path)
    (kept / "deeper" / "state.bin").write_bytes(b"other")
    assert not checkpoints.is_complete(kept)


def test_the_room_that_is_needed_holds_what_is_written(tiny, tmp_path):
    """Against a real training: two checkpoints and the weights of the artifact."""
    model = trainings.adapted(tiny)
    trained = checkpoints.trained_bytes(model)
    assert trained == 4 * sum(w.numel() for w in trainings.weights(model).values())
    trainings.run(tmp_path, trainings.trainer(tmp_path, model, max_steps=4))
    written = sum(p.stat().st_size for p in (tmp_path / "checkpoints").rglob("*") if p.is_file())
    assert 2 * 3 * trained < written + trained < checkpoints.needed_bytes(trained)


def test_a_disk_without_room_is_refused_with_both_figures(tmp_path):
    needed = checkpoints.needed_bytes(100 << 20)
    with pytest.raises(DiskFullError, match=r"300 MiB free.*708 MiB") as caught:
        checkpoints.refuse_small_disk(tmp_path, 100 << 20, free=lambda _: 300 << 20)
    assert "podtune resume" in (caught.value.hint or "")
    tight = checkpoints.refuse_small_disk(tmp_path, 100 << 20, free=lambda _: needed)
    assert "little room" in (tight or "")
    assert checkpoints.refuse_small_disk(tmp_path, 100 << 20, free=lambda _: 2 * needed) is None


def test_what_checkpoints_occupy_counts_as_room(tmp_path):
    kept = checkpoints.keep(write(tmp_path, 5), tmp_path)
    (kept / "ballast").write_bytes(bytes(9 << 20))
    assert checkpoints.refuse_small_disk(tmp_path, 1000, free=lambda _: 0)


def test_without_room_the_newest_one_only_is_kept_while_the_next_is_written(tmp_path):
    for step in (5, 10):
        checkpoints.keep(write(tmp_path, step), tmp_path)
    checkpoints.drop_older(tmp_path, 1000, free=lambda _: 1 << 30)
    assert len(list(tmp_path.glob("checkpoint-*"))) == 2
    checkpoints.drop_older(tmp_path, 1000, free=lambda _: 1000)
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-10"]
