from pathlib import Path

import shared_files
from support import ranks


def test_alone_a_folder_is_its_own(tmp_path):
    assert shared_files.share_folder(tmp_path) == tmp_path
    assert shared_files.share_folder(None) is None
    shared_files.collect(Path("nowhere"))


def test_a_checkpoint_is_gathered_and_reaches_machines_that_lack_it_or_have_another(tmp_path):
    three = ranks.run("other_machines", tmp_path, count=3)
    assert {t["folder"] for t in three} == {"checkpoints/checkpoint-3"}
    collected = {f"random-{rank}": f"of {rank}".encode().hex() for rank in range(3)}
    assert three[0]["files"].keys() == {"weights", "deep/state", "empty", *collected}
    assert collected.items() <= three[0]["files"].items()
    assert three[1]["files"] == three[0]["files"]
    assert three[2]["files"] == three[0]["files"]
