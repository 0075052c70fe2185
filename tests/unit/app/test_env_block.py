import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import env_block
from podtune.app.env_block import KEY, URL, block, check, commands, merged, values, write
from podtune.core.errors import ConflictError, SpecError, StateError

REAL = {URL: "https://train.example.org", KEY: "ptk_abc_def"}
PLACEHOLDERS = values("")


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def test_the_block_is_specification_bs_with_the_gateways_address():
    assert block(REAL) == (
        "# GPU Cluster Configuration\n"
        "GPU_CLUSTER_API_URL=https://train.example.org\n"
        "GPU_CLUSTER_API_KEY=ptk_abc_def\n"
    )
    assert commands(REAL) == (
        "supabase secrets set GPU_CLUSTER_API_URL=https://train.example.org GPU_CLUSTER_API_KEY=ptk_abc_def",
        "supabase functions deploy process-training-jobs",
    )


def test_what_is_not_known_is_a_placeholder_that_says_so():
    assert PLACEHOLDERS == {
        URL: "https://your-podtune-gateway.example",
        KEY: "ptk_your-gateway-key",
    }
    assert values("https://g.example.org")[URL] == "https://g.example.org"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", block(REAL).encode()),
        (b"A=1", b"A=1\n" + block(REAL).encode()),
        (b"A=1\r\n", b"A=1\r\n" + block(REAL).replace("\n", "\r\n").encode()),
        (
            b"# top\nGPU_CLUSTER_API_URL=old\n\nB = 'x'\nexport GPU_CLUSTER_API_KEY=old\n",
            b"# top\nGPU_CLUSTER_API_URL=https://train.example.org\n\nB = 'x'\n"
            b"GPU_CLUSTER_API_KEY=ptk_abc_def\n",
        ),
        (
            b"GPU_CLUSTER_API_KEY=a\nGPU_CLUSTER_API_KEY=b\n",
            b"GPU_CLUSTER_API_KEY=ptk_abc_def\nGPU_CLUSTER_API_KEY=ptk_abc_def\n"
            b"GPU_CLUSTER_API_URL=https://train.example.org\n",
        ),
    ],
)
def test_our_two_lines_alone_are_changed(before, after):
    assert merged(before, REAL) == after
    assert merged(after, REAL) == after


def test_lines_inside_a_value_of_several_lines_are_nobodys():
    text = b'PEM="-----BEGIN\nGPU_CLUSTER_API_KEY=inside\n-----END"\nGPU_CLUSTER_API_URL=x\n'
    done = merged(text, REAL)
    assert b"GPU_CLUSTER_API_KEY=inside\n" in done
    assert done.endswith(b"GPU_CLUSTER_API_KEY=ptk_abc_def\n")


def test_a_placeholder_replaces_runpods_own_values_and_nothing_better():
    theirs = b"GPU_CLUSTER_API_URL=https://api.runpod.ai/v2/abc\nGPU_CLUSTER_API_KEY=rpa_abcdefgh\n"
    assert merged(theirs, PLACEHOLDERS) == (
        f"{URL}={PLACEHOLDERS[URL]}\n{KEY}={PLACEHOLDERS[KEY]}\n".encode()
    )
    mine = f'{URL}="https://mine.example.org"\n{KEY}=ptk_mine_x\n'.encode()
    assert merged(mine, PLACEHOLDERS) == mine


@given(st.binary(max_size=300))
def test_every_other_byte_stays(text):
    done = merged(text, REAL)
    kept = [line for line in text.splitlines(keepends=True) if b"GPU_CLUSTER" not in line]
    assert b"".join(kept).rstrip(b"\r\n") in done
    assert merged(done, REAL) == done


def test_the_file_is_written_whole_for_its_owner_alone(tmp_path):
    path = tmp_path / ".env.local"
    path.write_bytes(b"A=1\n")
    path.chmod(0o644)
    assert write(path, REAL) == (URL, KEY)
    assert path.read_bytes() == b"A=1\n" + block(REAL).encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [".env.local"]
    before = path.stat().st_ino
    write(path, REAL)
    assert path.stat().st_ino == before


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", REAL)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("# GPU")


def test_a_file_that_git_ignores_is_taken(repository):
    (repository / ".gitignore").write_text(".env*.local\n")
    write(repository / ".env.local", REAL)
    assert (repository / ".env.local").is_file()


def test_a_file_that_git_would_take_is_refused(repository):
    path = repository / ".env.local"
    with pytest.raises(ConflictError) as caught:
        write(path, REAL)
    assert caught.value.code == "git_tracked"
    assert ".gitignore" in (caught.value.hint or "")
    assert not path.exists()


def test_a_file_that_git_has_is_refused_even_where_it_is_ignored(repository):
    path = repository / ".env.local"
    path.write_text("A=1\n")
    git(repository, "add", "-f", ".env.local")
    (repository / ".gitignore").write_text(".env.local\n")
    with pytest.raises(ConflictError, match="git tracks") as caught:
        write(path, REAL)
    assert "git rm --cached" in (caught.value.hint or "")
    assert path.read_text() == "A=1\n"


def test_a_repository_that_git_cannot_read_is_refused(tmp_path):
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(ConflictError) as caught:
        check(tmp_path / ".env.local")
    assert caught.value.code == "git_unclear"


def test_what_is_no_file_of_variables_is_refused(tmp_path):
    with pytest.raises(SpecError, match="no file"):
        check(tmp_path)
    with pytest.raises(SpecError, match="not there"):
        check(tmp_path / "no" / ".env.local")
    (tmp_path / "large").write_bytes(b"x" * (env_block.LARGEST + 1))
    with pytest.raises(SpecError, match="no file"):
        check(tmp_path / "large")


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs a folder that takes no file, even of root"
)
def test_a_folder_that_cannot_be_written_says_so():
    with pytest.raises(StateError, match="cannot be written") as caught:
        write(Path("/proc/self/.env.local"), REAL)
    assert "--write-env" in (caught.value.hint or "")
