"""``python -m beadctl`` is the ``beadctl`` command."""

from beadctl.cli.main import main

if __name__ == "__main__":
    main()
