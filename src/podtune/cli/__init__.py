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
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        sys.exit(0)
