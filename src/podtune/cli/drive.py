"""`podtune drive`: the loop that brings jobs to their end, in the foreground."""

import os

from podtune.cli.console import err, plain, print_line


def drive() -> None:
    """Drive the jobs of this home beside other drivers, until Ctrl-C.

    No command needs it: each starts a driver where one is missing, which goes when nothing is left to
    do. This one stays. It suits a service manager: SIGTERM makes it leave, and what it drove is taken
    over by the next driver, on this machine or on another that shares the job store.
    """
    from podtune.app import driver, settings, wiring

    loaded = settings.load().settings
    places = (
        "this machine and RunPod"
        if wiring.account_of(settings.runpod_access())
        else "this machine; RUNPOD_API_KEY is not set"
    )
    told = f"process {os.getpid()} drives the jobs of {plain(str(loaded.home))} on {places}"
    print_line(err(), f"{told} [dim](Ctrl-C leaves; no job stops)[/]")
    is_left = driver.stand(loaded)
    if is_left:
        print_line(err(), "left; jobs are unfinished, and another driver goes on with them")
        print_line(err(), "[bold]next[/]  podtune jobs")
    else:
        print_line(err(), "left; nothing is unfinished")
