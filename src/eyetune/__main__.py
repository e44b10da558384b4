"""Entry point of `python -m eyetune`."""

from eyetune.cli.main import main

if __name__ == "__main__":
    main()
