"""`python -m secondpost` is the command `secondpost`."""

from secondpost.cli import main

if __name__ == "__main__":
    main()
