"""Programs started by tests hear every signal, though whoever runs the tests ignores some (nohup, `&`)."""

import signal


def hear_all() -> None:
    """To be given as `preexec_fn`: what is ignored is inherited."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
