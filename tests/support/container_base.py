"""A small base image made of this machine's own Python, for builds of the worker's Dockerfile by buildah.

It stands in for RunPod's image, which no registry gives here: Python with pip, a shell, the few programs that
the RUN lines call, the libraries all of them are linked with, certificates. No torch and no CUDA.
"""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = (
    "bash", "sh", "cat", "chmod", "chown", "grep", "id", "ls", "mkdir", "mktemp", "rm", "test", "uname", "useradd",
)  # fmt: skip
WHEELS_NEED = (
    "libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libstdc++.so.6",
    "libutil.so.1",
)  # fmt: skip
"""What wheels for Linux may take for granted and Python itself is not linked with (PEP 600)."""
FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/nsswitch.conf", "/etc/login.defs")
SECRET = "pip-index-password-0451"
"""Planted in pip's configuration."""
SKIPPED = ("site-packages", "test", "idlelib", "tkinter", "lib2to3", "__pycache__")


def missing() -> str | None:
    """Why no image can be built here; None where one can."""
    if sys.platform != "linux":
        return "containers are built on Linux only"
    if shutil.which("buildah") is None:
        return "buildah is not installed (apt-get install buildah)"
    if os.geteuid() != 0:
        return "buildah without root needs user namespaces; the build is tried as root only"
    return None


class Buildah:
    """buildah with a store of its own in a folder, as a machine without privileges can run it."""

    def __init__(self, folder: Path, registries: str = "") -> None:
        self.folder = folder
        (folder / ".config" / "containers").mkdir(parents=True)
        for name, text in {
            "registries.conf": registries,
            "auth.json": "{}",
            ".config/containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
        }.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        }
        self._store("overlay")
        if not self._mounts():
            self._store(
                "vfs"
            )  # copies every layer whole: several times slower, and works everywhere

    def _store(self, driver: str) -> None:
        text = f'[storage]\ndriver = "{driver}"\n'
        for name in ("graphroot", "runroot"):
            text += f'{name} = "{self.folder / driver / name}"\n'
        (self.folder / "storage.conf").write_text(text, encoding="utf-8")

    def _mounts(self) -> bool:
        """Whether this kernel lets us put layers over each other where the store is."""
        words = ("buildah", "from", "--name", "try", "scratch"), ("buildah", "mount", "try")
        tried = [
            subprocess.run(one, env=self.environment, capture_output=True, timeout=60, check=False)
            for one in (*words, ("buildah", "rm", "try"))
        ]
        return not any(done.returncode for done in tried)

    def __call__(self, *words: str) -> str:
        """What buildah answers; its complaint is the error's text."""
        done = subprocess.run(
            ["buildah", *words], env=self.environment, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def make_base(self, name: str, folder: Path) -> None:
        """An image of this machine's Python, under a name."""
        fill(folder)
        container = self("from", "scratch").strip()
        self("add", "--quiet", container, str(folder), "/")
        self("commit", "--quiet", "--rm", container, name)


def fill(folder: Path) -> None:
    """The files of the base, below a folder."""
    prefix = Path(sys.base_prefix).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = prefix / "bin" / version
    for part in (
        "tmp",
        "etc",
        "root",
        "usr/bin",
        "usr/sbin",
        "proc",
        "sys",
        "dev",
        "run",
        "var/tmp",
        "var/log",
    ):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    for name in ("bin", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    library = folder / "opt" / "python" / "lib" / version
    shutil.copytree(prefix / "lib" / version, library, ignore=_left_out, symlinks=True)
    (library / "site-packages").mkdir()
    import pip

    shutil.copytree(Path(pip.__file__).parent, library / "site-packages" / "pip", ignore=_left_out)
    _place(program, folder / "opt/python/bin" / version)
    for name in ("python", "python3"):
        (folder / "usr/bin" / name).symlink_to(f"/opt/python/bin/{version}")
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        assert found, name
        _place(Path(found), folder / "usr" / ("sbin" if name == "useradd" else "bin") / name)
    linked = [program, *(folder / "usr").rglob("*"), *library.rglob("*.so")]
    files = [path for path in linked if path.is_file() and not path.is_symlink()]
    for shared in sorted(_libraries(files) | _known(WHEELS_NEED)):
        _place(Path(shared), folder / shared.lstrip("/"))
    for path in FILES:
        if Path(path).is_file():
            _place(Path(path), folder / path.lstrip("/"))
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (folder / "etc/group").write_text("root:x:0:\n", encoding="utf-8")


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in SKIPPED or name.endswith((".a", ".pyc"))}


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source.resolve(), target)


def _libraries(files: list[Path]) -> set[str]:
    """Paths of the shared libraries that programs and libraries are linked with, the loader included."""
    done = subprocess.run(
        ["ldd", *map(str, files)], capture_output=True, text=True, timeout=60, check=False
    )
    return set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE))


def _known(names: tuple[str, ...]) -> set[str]:
    """Paths of shared libraries by their names, as the loader finds them for this architecture."""
    done = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.findall(r"^\s+(\S+) \(.*x86-64.*\) => (\S+)", done.stdout, re.MULTILINE)
    return {path for name, path in found if name in names}


def pip_configuration(path):
    """This machine's own way to the package index, as one file; bytecode is left to the first import."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    known = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    config = configparser.RawConfigParser()
    config.read_dict({"global": {}, "install": {"no-compile": "true"}})
    for name, value in sorted(known.items(), reverse=True):  # `:env:` comes last and counts most
        config["global"][name.rpartition(".")[2]] = str(ast.literal_eval(value))
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f"# {SECRET}\n")
        config.write(stream)
    return path


def has_index(folder):
    """Whether packages can be had here at all."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest",
         folder, "runpod==1.12.0"], capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    return done.returncode == 0
