"""`python -m eyetune`: the command line."""

from eyetune.cli.main import main

if __name__ == "__main__":
    main()
