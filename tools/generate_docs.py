"""Writes docs/reference/ from the code: the command line, the spec, settings, error codes.

And the table of faults in the README, from `bench/results/`.

`make format` writes them; with --check (`make check`) differing pages are an error.
"""

import argparse
import ast
import inspect
import re
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by tools/generate_docs.py; do not edit. -->\n"


def cli_page() -> str:
    """Help of every command, at a fixed width."""
    import typer

    from podtune.__main__ import mount
    from podtune.cli.app import app

    mount(app)
    group = typer.main.get_command(app)
    parts = ["# Command line\n"]
    for name, command in sorted(group.commands.items()):
        if not hasattr(command, "list_commands"):
            parts += command_lines(name, command)
            continue
        parts.append(f"## podtune {name}\n\n{command.help}\n")
        # asked for by name: `podtune dev` looks its commands up only then
        for verb in sorted(command.list_commands(None)):
            parts += command_lines(f"{name} {verb}", command.get_command(None, verb), "###")
    return "\n".join(parts)


def command_lines(name: str, command: object, heading: str = "##") -> list[str]:
    """One command's help and its options as a table."""
    lines = [f"{heading} podtune {name}\n\n{command.help}\n\n| option | meaning |\n|---|---|"]
    for parameter in command.params:
        names = ", ".join(f"`{o}`" for o in parameter.opts)
        shown = (
            names
            if parameter.param_type_name == "option"
            else f"`{(parameter.metavar or parameter.name).upper()}`"
        )
        text = (getattr(parameter, "help", None) or "").replace("|", "or")
        lines.append(f"| {shown} | {text} |")
    return [*lines, ""]


def field_docs(model: type) -> dict[str, str]:
    """The text under each field of a pydantic model."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    texts: dict[str, str] = {}
    body = tree.body
    for statement, following in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            value = following.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                texts[statement.target.id] = " ".join(value.value.split())
    return texts


def spec_page() -> str:
    """Every field of the spec with default, meaning and the reason of the default."""
    from podtune.core.spec import SpecPart, TrainingSpec
    from podtune.intake.defaults import DEFAULT_BASE_MODEL, WHY

    parts = [
        "# The spec\n\nAny field can be stated in a YAML file, or with `--set section.field=value`. "
        "What is not stated is assumed; `podtune plan` shows value and reason.\n",
        "| field | default | meaning | why this default |\n|---|---|---|---|",
    ]
    for section, field in TrainingSpec.model_fields.items():
        kind = field.annotation
        if not (isinstance(kind, type) and issubclass(kind, SpecPart)):
            parts.append(f"| `{section}` | `{field.default}` | | {WHY.get(section, '')} |")
            continue
        texts = field_docs(kind)
        for name, inner in kind.model_fields.items():
            default = (
                "required"
                if inner.is_required()
                else f"`{_plain(inner.get_default(call_default_factory=True))}`"
            )
            path = f"{section}.{name}"
            if path == "base_model.name":
                default = f"`{DEFAULT_BASE_MODEL}`"
            decided = "" if inner.is_required() else "the plan decides and says why"
            why = WHY.get(path, decided)
            parts.append(f"| `{path}` | {default} | {texts.get(name, '')} | {why} |")
    return "\n".join(parts).replace(" | | ", " |  | ") + "\n"


def settings_page() -> str:
    """Settings and the vendors' variables."""
    from podtune.app.settings import ENVIRONMENT_ONLY, VENDOR_KEYS, Settings
    from podtune.core.limits import Limits
    from podtune.storage.hub import environment_names

    texts = field_docs(Limits) | field_docs(Settings)
    parts = [
        "# Settings\n\nEnvironment first, then `podtune.toml` in the current folder, then the default. "
        "`podtune doctor` shows which came from where.\n",
        "| setting | variable | default | meaning |\n|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        variable = f"PODTUNE_{name.upper()}"
        parts.append(f"| `{name}` | `{variable}` | `{field.default}` | {texts.get(name, '')} |")
    parts.append("\nIn the environment only:\n\n| variable | meaning |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT_ONLY.items()]
    parts.append("\nHonoured as their owners define them:\n\n| variable | for |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, meaning in environment_names().items()]
    parts.append(
        "\nShown masked by `podtune doctor`: " + ", ".join(f"`{k}`" for k in VENDOR_KEYS) + "."
    )
    return "\n".join(parts) + "\n"


def errors_page() -> str:
    """Every error code in the source, with its class and exit code."""
    from podtune.core import errors

    rows = set(_codes(errors))
    parts = [
        "# Errors\n\nCodes are stable. Exit codes: 0 done, 1 another error, 2 bad request, 3 credentials, "
        "4 provider, 5 training, 6 artifact, 7 stored state.\n",
        "| code | kind | exit |\n|---|---|---|",
    ]
    for code, kind in sorted(rows):
        parts.append(f"| `{code}` | {kind} | {errors.exit_code(getattr(errors, kind)(''))} |")
    parts.append(
        "\n## Failures of a training\n\nWhatever happens, the last sealed checkpoint stays and "
        "`podtune resume JOB` goes on from it.\n\n"
        "| code | what | what the worker does itself | advice |\n|---|---|---|---|"
    )
    sys.path.insert(0, str(ROOT / "runpod-worker"))
    import failures

    for code, advice in failures.ADVICE.items():
        parts.append(f"| `{code}` | {advice.message} | {advice.tried} | {advice.advice} |")
    return "\n".join(parts) + "\n"


def troubleshooting_page() -> str:
    """What goes wrong with rented training."""
    from podtune.core.troubleshooting import TROUBLES

    parts = [
        "# Troubleshooting\n\nEvery row is provoked in a test. All codes: [errors](errors.md).\n",
        "| code | what you see | why | what podtune does | what you do |\n|---|---|---|---|---|",
    ]
    for row in TROUBLES:
        code = f"`{row.code}`" if row.code else ""
        parts.append(f"| {code} | {row.symptom} | {row.cause} | {row.done} | {row.remedy} |")
    return "\n".join(parts) + "\n"


def data_page() -> str:
    """What `podtune data` reads, finds and mends."""
    from podtune.data.containers.opening import CONTAINERS
    from podtune.data.findings import CODES
    from podtune.data.formats.registry import EXPLAINED
    from podtune.data.names import SUFFIXES
    from podtune.data.repairs import REPAIRS

    parts = ["# Data\n\n`podtune data check SOURCE` tells all of this by itself.\n"]
    parts.append("## Formats\n\n| format | what it is |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, meaning in EXPLAINED.items()]
    parts.append("\n## Containers\n\n| container | what it is |\n|---|---|")
    parts += [f"| `{name}` | {meaning} |" for name, meaning in CONTAINERS.items()]
    parts.append(
        "\nAny of the text ones compressed as `.gz` or `.zst`. Text in UTF-8, UTF-16, UTF-32, Windows and "
        "ISO code pages, Shift JIS and other East Asian encodings. A folder or pattern takes files "
        f"ending in {', '.join(f'`{s}`' for s in SUFFIXES)}. Addresses: `https://`, `s3://bucket/key`, "
        "`hf://org/name`."
    )
    parts.append(
        "\n## Repairs\n\nMade with `--fix NAME` or `--fix all`, never unasked.\n\n| name | what it does |\n|---|---|"
    )
    parts += [f"| `{name}` | {meaning} |" for name, meaning in REPAIRS.items()]
    parts.append(
        "\n## Findings\n\nAn error keeps a row out; a warning and a note do not.\n\n| code | severity | what | what to do |\n|---|---|---|---|"
    )
    for code, entry in CODES.items():
        parts.append(
            f"| `{entry.shown_as or code}` | {entry.severity} | {entry.message} | "
            f"{entry.advice.replace('|', 'or')} |"
        )
    return "\n".join(parts) + "\n"


def base_models_page() -> str:
    """Which repository of the Hub a model named in words means, and what cannot be trained."""
    from podtune.intake.releases import READ_ON, RELEASES, UNTRAINED

    parts = [
        "# Base models\n\nWhich repository of the Hub a name in words means (`podtune ask`). The first of a family is "
        "suggested where several fit, and every choice stands in the plan as assumed, with its reason. Any other "
        "repository of a type that is built is named as `org/name`; the plan reads its own `config.json`.\n\n"
        f"Written on {READ_ON} from model tables of public projects and the publishers' cards, and not read on the "
        "Hub itself: licences and terms are for you to read there. Terms: `asked` where the Hub asks, or once asked, to "
        "accept them, and then wants a token (`HF_TOKEN`, on a pod `PODTUNE_POD_HF_TOKEN`).\n",
        "| family | version | for | repository | billion parameters | tokens | licence | terms | chat template | why |\n"
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in RELEASES:
        parts.append(
            f"| {row.family} | {row.version} | {row.variant} | `{row.name}` | {row.parameters_b:g} | {row.context} | "
            f"{row.licence} | {'asked' if row.gated else ''} | {row.template} | {row.why} |"
        )
    parts.append(
        "\n## Named, and not trained here\n\nWhoever names one is told why and asked for another; nothing is "
        "replaced unasked.\n\n| named | why not | what can be |\n|---|---|---|"
    )
    parts += [f"| {name} | {row.why} | `{row.instead}` |" for name, row in UNTRAINED.items()]
    return "\n".join(parts).replace("|  |", "| |") + "\n"


BY_WAY_OF = {"HttpError": "RequestError"}
"""Classes outside core that others are derived from (`gateway/errors.py`)."""


def _class_codes(node, known):
    """The code of an error class that stands outside core."""
    bases = [BY_WAY_OF.get(name, name) for base in node.bases if (name := getattr(base, "id", ""))]
    kind = next((base for base in bases if base in known), None)
    for part in node.body:
        if isinstance(part, ast.Assign) and getattr(part.targets[0], "id", "") == "code" and kind:
            yield part.value.value, kind


def _codes(errors):
    """(code, class) of every raise or construction of our errors, and of the classes themselves."""
    known = {name for name, value in vars(errors).items() if isinstance(value, type)}
    for name in known:
        if issubclass(getattr(errors, name), errors.PodtuneError):
            yield getattr(errors, name).code, name
    for folder in ("src/podtune", "runpod-worker"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield from _class_codes(node, known)
                if isinstance(node, ast.Call):
                    called = (
                        node.func.attr
                        if isinstance(node.func, ast.Attribute)
                        else getattr(node.func, "id", "")
                    )
                    for keyword in node.keywords:
                        if (
                            called in known
                            and keyword.arg == "code"
                            and isinstance(keyword.value, ast.Constant)
                        ):
                            yield str(keyword.value.value), called


def figures_page() -> str:
    """The benchmarks' results, with what they depend on."""
    sys.path.insert(1, str(ROOT / "bench"))
    import figures

    return (
        "# Figures\n\nMeasured by `make bench`; each line is from one run on one machine, which "
        "matters more than any figure.\nRatios compare recipes of the same run, with the same model, "
        "data and steps; CPU seconds are of one thread.\nThe multiple of specification A follows from "
        "the chats' length (median about 160 tokens, padded to 2,048 there): longer chats make it "
        "smaller.\nTRL's packing is its best setting for these data (rows as short as the longest "
        "chat, no checkpointing, fp32); its DPO has no packing in this release, and on a CPU one pair at "
        "a time is its fastest.\nEvery recipe of the comparison is in `bench/recipes_compared/`. "
        "Nothing here was measured on a GPU yet.\n\n"
        f"{figures.table()}\n\n## Where and when\n\n{figures.circumstances()}\n"
    )


README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- make faults -->\n).*?(<!-- end -->)", re.DOTALL)


def readme() -> str:
    """The README with the table of faults as it was measured last."""
    sys.path.insert(1, str(ROOT / "bench"))
    import figures

    text, count = BLOCK.subn(
        lambda found: found[1] + figures.faults() + found[2], README.read_text(encoding="utf-8")
    )
    if count != 1:
        raise SystemExit("README.md has no place for the table of faults: <!-- make faults -->")
    return text


def _plain(value: object) -> str:
    text = str(getattr(value, "value", value))
    return re.sub(r"\s+", " ", text)


PAGES = {
    "cli.md": cli_page,
    "spec.md": spec_page,
    "settings.md": settings_page,
    "data.md": data_page,
    "base-models.md": base_models_page,
    "errors.md": errors_page,
    "troubleshooting.md": troubleshooting_page,
    "figures.md": figures_page,
}


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    REFERENCE.mkdir(parents=True, exist_ok=True)
    pages = {REFERENCE / name: NOTE + make() for name, make in PAGES.items()} | {README: readme()}
    for path, text in pages.items():
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(path.relative_to(ROOT).as_posix())
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"stale: {', '.join(stale)}; run make format")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
