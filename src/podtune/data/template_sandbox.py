"""The closed room in which a chat template runs: jinja2 as transformers sets it up.

A template is code from a stranger: the immutable sandbox is the reason it may run at all. Names
and filters are those of transformers' `apply_chat_template` (5.23, `utils/chat_template_utils.py`).
"""

import json
from datetime import datetime
from typing import Any, Final, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

TRAINING_DAY: Final = datetime(2024, 7, 26, 12)  # noqa: DTZ001 - a day to print, no moment
"""The day that templates are told while a model is trained: the one Llama 3.1's falls back to.

Some templates write the day into the system text (Llama 3.2, gpt-oss). With the clock's, a plan
and its job, or a job and its resumption after midnight, would train on different tokens.
"""

FAULTS: Final = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template's own expressions can raise; it is a stranger's code."""


class _GenerationBlock(Extension):
    """`{% generation %}` marks answers in some templates; here it only has to vanish."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Dict:
    """`dict` without the attributes of a class."""

    def __call__(self, *args: Any, **pairs: Any) -> dict[Any, Any]:
        return dict(*args, **pairs)

    def fromkeys(self, keys: Any, value: Any = None) -> dict[Any, Any]:
        return dict.fromkeys(keys, value)


class _Namespace(Namespace):
    """Jinja's `namespace`, which would also store `__names__` that lead out of the sandbox."""

    def __init__(*args: Any, **pairs: Any) -> None:
        self, *given = args
        names = dict(*given, **pairs)
        for name in names:
            _refuse_hidden(name)
        Namespace.__init__(self, names)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_hidden(name)
        super().__setitem__(name, value)


class _Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's own, quicker to say that `loop.first` may be read (a sixth of all rendering)."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As jinja2 decides; of a loop, whatever is not hidden by an underscore."""
        if type(obj) is LoopContext:
            return not attr.startswith("_")
        return super().is_safe_attribute(obj, attr, value)


def environment(today: datetime) -> ImmutableSandboxedEnvironment:
    """An environment whose `strftime_now` tells a given day."""

    def strftime_now(pattern: str) -> str:
        return today.strftime(pattern)

    made = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    made.filters["tojson"] = _to_json
    offered: dict[str, Any] = {
        "raise_exception": _refuse,
        "strftime_now": strftime_now,
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    made.globals.update(offered)
    return made


def _refuse_hidden(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError("a namespace holds no names that begin with an underscore")


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
