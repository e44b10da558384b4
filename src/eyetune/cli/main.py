"""The entry of the command line: its commands, and what becomes of an error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from eyetune.cli import (
    boards,
    data,
    deploy,
    explain,
    export,
    import_studies,
    inspect,
    lab,
    lr_find,
    report,
    runs,
    study,
    techniques,
    train,
    tune,
)
from eyetune.cli.common import INTERRUPTED
from eyetune.errors import EyetuneError

app = App(
    name="eyetune",
    suppress_keyboard_interrupt=False,
    help="Tune image classifiers until they are as accurate as they can be and still fit the boards.\n\n"
    "Begin with:  eyetune train --data digits   (half a minute, needs no download)",
    help_format="plaintext",
)
# The modules below import nothing heavy: Keras, SQLAlchemy and the like come with the command that
# needs them.
for command in (
    train.train,
    lr_find.lr_find,
    lab.lab,
    tune.tune,
    boards.fit_check,
    export.export,
    export.verify,
    export.flash,
    deploy.deploy,
    boards.boards,
    study.study,
    inspect.show,
    inspect.evaluate,
    inspect.plot,
    inspect.compare,
    report.report,
    inspect.predict,
    explain.explain,
    train.recipe,
    techniques.techniques,
):
    app.command(command)
app.command(runs.app)
app.command(study.app)
app.command(import_studies.app)
app.command(data.app)


def main(words: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit status: 0 done, 1 the work failed, 2 the words were
    wrong.
    """
    given = list(sys.argv[1:] if words is None else words)
    status = run(given)
    if status == INTERRUPTED and "tensorflow" in sys.modules:
        # Its threads still fetch images, by calling Python, which crashes while the interpreter is
        # taken down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def run(words: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except CycloptsError as error:
        _report(words, str(error), {}, f"eyetune {_command(words)}--help shows what it takes.")
        return 2
    except EyetuneError as error:
        if "--debug" in words:
            raise
        _report(words, error.what, error.details(), None)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "--debug" in words:
            raise
        what = f"Something that should not happen: {type(error).__name__}: {error}"
        _report(words, what, {"fix": "Run it again with --debug and report what it prints."}, None)
        return 1


def _command(words: Sequence[str]) -> str:
    """Return the command that was meant, with a space behind it, for a hint."""
    first = words[0] if words else ""
    return f"{first} " if first in set(app) else ""


def _report(words: Sequence[str], what: str, details: dict[str, str], hint: str | None) -> None:
    """Say what went wrong on standard error, and with --json also as an object on standard output."""
    if "--json" in words:
        print(json.dumps({"error": {"what": what, **details}}))
    lines = [f"error: {what}"] + [f"  {name + ':':<9} {value}" for name, value in details.items()]
    if hint:
        lines.append(f"  {'fix:':<9} {hint}")
    print("\n".join(lines), file=sys.stderr)
