"""`python -m app`: the `gatecast` command, where no script of that name is installed."""

from app.cli.main import main

if __name__ == "__main__":
    main()
