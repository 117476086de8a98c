"""The command `secondpost`, also as `python -m secondpost`.

Rule: whoever has installed the library only is told what is missing, and how to get it.
"""

import sys


def main() -> None:
    """The entry point."""
    try:
        from secondpost.cli import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "secondpost":
            raise
        sys.exit(f"secondpost: {error.name} is missing, and the gateway needs it: pip install 'secondpost[server]'")
    run()


if __name__ == "__main__":
    main()
