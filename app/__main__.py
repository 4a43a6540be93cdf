"""`python -m app`: the `gatecast` command, where no script of that name is installed."""

from app.cli import main

if __name__ == "__main__":
    main()
