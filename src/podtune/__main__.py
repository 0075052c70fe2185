"""`python -m podtune`: the command line."""

from podtune.cli import main

if __name__ == "__main__":
    main()
