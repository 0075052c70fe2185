"""One module asks the machine for time and chance; a simulation replaces both by handing in others.

Read from the syntax, by the names that imports give. What is not looked for: a wait with a time limit on
something that may happen (an event that is set, a process, a socket), and names of temporary folders.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

WHOLE: Final = frozenset({"time", "random", "secrets"})
"""Modules of which nothing is used but `random.Random(seed)`, which asks the machine for nothing."""

ASKING: Final = frozenset(
    {f"datetime.datetime.{verb}" for verb in ("now", "utcnow", "today")}
    | {f"uuid.uuid{version}" for version in (1, 4, 6, 7, 8)}
    | {"datetime.date.today", "os.urandom", "os.getrandom", "os.times", "uuid.getnode"}
    | {"asyncio.sleep", "anyio.sleep", "trio.sleep"}
)
STARS: Final = WHOLE | {name.partition(".")[0] for name in ASKING}

FRESH_WAIT: Final = "threading.Event().wait"
"""An event that nobody can set: a sleep by another name."""

THE_MODULE: Final = "core/clock.py"

OUTSIDE_WORLD: Final = {
    "testing/asgi.py": ({"asyncio.sleep"}, "delays and drips of answers on real sockets"),
    "testing/clock.py": ({"datetime.datetime.now"}, "`RealClock`, beside `VirtualClock`"),
    "testing/container_init.py": (
        {"time.sleep", "time.monotonic"},
        "a program of its own, standard library only, that waits for real processes",
    ),
    "testing/containers.py": ({"time.monotonic"}, "the load of real processes, per second"),
    "testing/dev.py": ({"secrets.randbelow"}, "a seed where a person gave none"),
    "testing/process_pods.py": ({"uuid.uuid4"}, "a mark that finds real processes of one cloud"),
    "testing/transport.py": ({"time.sleep"}, "delays of a stand-in that runs on real time"),
}
"""Shells of the stand-in around the real world: what each uses, and why."""


class Ask(ast.NodeVisitor):
    """Where a module asks the machine: line and full name."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[int, str]] = []
        self.names = dict(imported(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and (full := self.full(node.value)):
                self.names |= {t.id: full for t in node.targets if isinstance(t, ast.Name)}
        self.visit(tree)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module in STARS and node.names[0].name == "*":
            self.found.append((node.lineno, f"{node.module}.*"))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)  # a type asks for nothing

    def visit_arg(self, node: ast.arg) -> None:
        """A parameter's type asks for nothing."""

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_all(*node.decorator_list, node.args, *node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = self.full(node.func)
        if called == "random.Random" and (node.args or node.keywords):
            self.visit_all(*node.args, *node.keywords)
            return
        match node:
            case ast.Call(func=ast.Attribute(attr="wait", value=ast.Call(func=made))):
                if self.full(made) == "threading.Event":
                    self.found.append((node.lineno, FRESH_WAIT))
            case ast.Call(args=[ast.Constant(value=str(name)), *_]):
                if called in {"importlib.import_module", "__import__"} and name in WHOLE:
                    self.found.append((node.lineno, f"{name}.*"))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self.tell(node):
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.tell(node)

    def visit_all(self, *nodes: ast.AST) -> None:
        for node in nodes:
            self.visit(node)

    def tell(self, node: ast.expr) -> bool:
        """Note an expression that asks; whether it did."""
        full = self.full(node)
        asks = full is not None and (full in ASKING or full.partition(".")[0] in WHOLE)
        if asks:
            self.found.append((node.lineno, full))
        return asks

    def full(self, node: ast.expr) -> str | None:
        """The full name of what an expression means, as far as imports tell it."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id if node.id == "__import__" else None)
        if isinstance(node, ast.Attribute):
            base = self.full(node.value)
            return f"{base}.{node.attr}" if base else None
        return None


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that imports bind anywhere in a module, each with its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, whole
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def asked(source: str) -> list[tuple[int, str]]:
    """Where a text asks the machine for time or chance."""
    return Ask(ast.parse(source)).found


def test_only_the_clock_asks_the_machine(root):
    package = root / "src" / "podtune"
    found = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        allowed = OUTSIDE_WORLD.get(name, (set(), ""))[0]
        if name != THE_MODULE:
            found += [
                f"{name}:{line} {full}"
                for line, full in asked(path.read_text(encoding="utf-8"))
                if full not in allowed
            ]
    assert found == [], "take a parameter, with what core/clock.py gives as its default"


@pytest.mark.parametrize("name", OUTSIDE_WORLD)
def test_what_is_allowed_is_used(name, root):
    source = (root / "src" / "podtune" / name).read_text(encoding="utf-8")
    assert {full for _, full in asked(source)} == OUTSIDE_WORLD[name][0]


def test_the_module_itself_is_seen_to_ask(root):
    source = (root / "src" / "podtune" / THE_MODULE).read_text(encoding="utf-8")
    assert {full for _, full in asked(source)} == {
        "datetime.datetime.now",
        "random.Random",
        "secrets.choice",
        "secrets.token_bytes",
        "time.CLOCK_BOOTTIME",
        "time.CLOCK_MONOTONIC",
        "time.clock_gettime",
        "time.monotonic",
        "time.sleep",
    }


@pytest.mark.parametrize(
    ("source", "full"),
    [
        ("import time\ntime.time()", "time.time"),
        ("import time\ntime.time_ns()", "time.time_ns"),
        ("import time\ntime.monotonic()", "time.monotonic"),
        ("import time\ntime.perf_counter()", "time.perf_counter"),
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("from time import sleep\nsleep(1)", "time.sleep"),
        ("from time import sleep as rest\nrest(1)", "time.sleep"),
        ("import time as watch\nwatch.sleep(1)", "time.sleep"),
        ("def f():\n    import time\n    time.time()", "time.time"),
        ("import time\nnow = time.time", "time.time"),
        ("import time\nwatch = time", "time"),
        ("from time import *", "time.*"),
        ("from datetime import *", "datetime.*"),
        ("from random import *", "random.*"),
        ("import importlib\nimportlib.import_module('time')", "time.*"),
        ("__import__('random')", "random.*"),
        ("import time\ndef f(clock=time.monotonic): ...", "time.monotonic"),
        ("import time\ndef f(*, sleep: object = time.sleep): ...", "time.sleep"),
        ("import time\nasync def f(clock=time.time): ...", "time.time"),
        ("import time\nclass A:\n    sleep: object = time.sleep", "time.sleep"),
        ("import time\nf = lambda: time.time()", "time.time"),
        ("import time\nf(default_factory=time.time)", "time.time"),
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", "datetime.datetime.now"),
        ("from datetime import datetime\ndatetime.utcnow()", "datetime.datetime.utcnow"),
        ("from datetime import datetime\ndatetime.today()", "datetime.datetime.today"),
        ("from datetime import date\ndate.today()", "datetime.date.today"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now"),
        ("import datetime as dt\ndt.date.today()", "datetime.date.today"),
        ("from datetime import datetime\nday = datetime\nday.now()", "datetime.datetime.now"),
        ("import datetime as d\ndef f(): k.today()\nk = d.date", "datetime.date.today"),
        (
            "from datetime import datetime\ndef f(c=lambda: datetime.now()): ...",
            "datetime.datetime.now",
        ),
        ("import random\nrandom.random()", "random.random"),
        ("import random\nrandom.Random()", "random.Random"),
        ("from random import Random\nRandom()", "random.Random"),
        ("import random\nrandom.Random(random.random())", "random.random"),
        ("import random\nrandom.SystemRandom()", "random.SystemRandom"),
        ("from random import choice as pick\npick(x)", "random.choice"),
        ("import secrets\nsecrets.token_hex(4)", "secrets.token_hex"),
        ("from secrets import token_bytes\ntoken_bytes(4)", "secrets.token_bytes"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
        ("from uuid import uuid1\nuuid1()", "uuid.uuid1"),
        ("import asyncio\nasync def f():\n    await asyncio.sleep(1)", "asyncio.sleep"),
        ("from asyncio import sleep\nsleep(1)", "asyncio.sleep"),
        ("import os\nos.urandom(8)", "os.urandom"),
        ("from os import urandom\nurandom(8)", "os.urandom"),
        ("import threading\nthreading.Event().wait(1)", FRESH_WAIT),
        ("from threading import Event\nEvent().wait(1)", FRESH_WAIT),
    ],
)
def test_each_form_is_caught(source, full):
    assert [name for _, name in asked(source)] == [full]


@pytest.mark.parametrize(
    "source",
    [
        "from podtune.core.clock import utc_now\ndef f(clock=utc_now): return clock()",
        "from podtune.core import clock\nclock.sleep(1)",
        "def f(time, sleep):\n    sleep(time.now())",
        "from datetime import time\ntime(12, 30)",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
        "import random\ndef f(chance: random.Random | None = None) -> random.Random: ...",
        "import random\nclass A:\n    chance: random.Random",
        "import random\nrandom.Random(7)",
        "import uuid\nuuid.UUID(int=1, version=4)",
        "import asyncio\nasyncio.run(f())",
        "import threading\nstop = threading.Event()\nstop.wait(1)",
        '"""time.time() in a text."""',
    ],
)
def test_what_asks_for_nothing_may_stand(source):
    assert asked(source) == []
