"""The command line: parse, call the service, render."""

import sys


def main() -> None:
    """Run the command line; errors become a message, a hint and an exit code."""
    from podtune.cli.app import app
    from podtune.cli.console import render_error
    from podtune.core.errors import PodtuneError, exit_code

    try:
        app()
    except PodtuneError as error:
        render_error(error, sys.argv)
        sys.exit(exit_code(error))
    except SystemExit as leaving:
        # click answers a reader that went away (`| head`) with 1; for us that is no error
        gone = isinstance(leaving.__context__, BrokenPipeError)
        raise SystemExit(0 if gone else leaving.code) from None
