"""The entry point of the command line: its commands, and how errors are reported."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from cyclopts import App, CycloptsError, Group

# No module of the command line imports anything heavy: Keras, SQLAlchemy, NumPy and the like are
# imported by the command that needs them.
from eyetune.cli import (
    boards,
    completion,
    data,
    deploy,
    doctor,
    explain,
    export,
    gap,
    import_studies,
    inspect,
    lab,
    labs,
    lr_find,
    predict,
    report,
    runs,
    serve,
    shrink,
    study,
    techniques,
    train,
    tune_help,
)
from eyetune.cli.common import INTERRUPTED, command_group
from eyetune.cli.trust_prompt import trust_option
from eyetune.errors import EyetuneError, EyetuneWarning, UsageError
from eyetune.values import display

_OPTIONS = Group("Options", sort_key=90)
_python_format = warnings.formatwarning

app = command_group(
    "eyetune",
    """Tune image classifiers so that they are accurate and fit a microcontroller board.

Start with:

    eyetune train --data digits

It takes half a minute and downloads nothing. `eyetune COMMAND --help` explains a command.
""",
)
app.suppress_keyboard_interrupt = False
app["--help"].group = app["--version"].group = _OPTIONS
app["--help"].help = "Show this help."
app["--version"].help = "Show the version."

# Imported when it is called: its options are made from those of a study.
_TUNE = "eyetune.cli.tune:tune"
# Groups and their commands, in the order in which they are used.
_COMMANDS = {
    "Look at data": (data.app,),
    "Train and compare": (
        train.train,
        lr_find.lr_find,
        train.recipe,
        inspect.show,
        inspect.evaluate,
        predict.predict,
        inspect.plot,
        explain.explain,
        inspect.compare,
        gap.gap,
        report.report,
    ),
    "Search": (
        techniques.techniques,
        lab.lab,
        _TUNE,
        study.study,
        import_studies.app,
    ),
    "Bring a network to a board": (
        boards.boards,
        boards.fit_check,
        shrink.shrink,
        deploy.deploy,
        export.export,
        export.verify,
        export.flash,
    ),
    "See everything in a browser": (serve.serve,),
    "List and clean up": (runs.app, labs.app, study.app, doctor.doctor, completion.completion),
}
# Commands that may load Keras in this process.
_WITH_KERAS = (
    *("train", "lr-find", "evaluate", "predict", "plot", "explain", "gap"),
    *("tune", "fit-check", "shrink", "deploy", "export", "verify"),
)
for _position, (_title, _members) in enumerate(_COMMANDS.items()):
    _group = Group(_title, sort_key=_position)
    for _order, _member in enumerate(_members):
        if isinstance(_member, App):
            _member.group = _group
            _member.sort_key = _order
            app.command(_member)
        elif _member is _TUNE:
            app.command(
                _TUNE, name="tune", help=tune_help.DESCRIPTION, group=_group, sort_key=_order
            )
        else:
            app.command(_member, group=_group, sort_key=_order)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status.

    The status is 0 for success, 1 for a failure, 2 for a usage error and 130 after Ctrl-C.
    """
    warnings.formatwarning = _format_warning
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _temporary_files(given):
        status = run(given)
    if status == INTERRUPTED and "tensorflow" in sys.modules:
        # TensorFlow's threads still call Python to fetch images, which would crash while the
        # interpreter shuts down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


@contextmanager
def _temporary_files(arguments: Sequence[str]) -> Iterator[None]:
    """Keep what TensorFlow writes for a command in a folder that does not outlive the command."""
    with ExitStack() as stack:
        if arguments and arguments[0] in _WITH_KERAS:
            from eyetune._scratch import temporary_files_in_scratch

            with suppress(OSError):  # most commands need no temporary files
                stack.enter_context(temporary_files_in_scratch())
        yield


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    is_debugging = "--debug" in arguments
    try:
        with trust_option(arguments):
            status = app(
                arguments, exit_on_error=False, print_error=False, result_action="return_value"
            )
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except CycloptsError as error:
        fix = f"Read its usage: eyetune {_command(arguments)}--help"
        _report(arguments, UsageError.__name__, str(error), {"fix": fix})
        return UsageError.exit_status
    except EyetuneError as error:
        if is_debugging:
            raise
        _report(arguments, type(error).__name__, error.message, error.details())
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if is_debugging:
            raise
        message = f"Internal error, please report it: {type(error).__name__}: {error}"
        fix = "Run the command again with --debug and report its output."
        _report(arguments, type(error).__name__, message, {"fix": fix})
        return 1


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return a warning as text: one of eyetune without the file and line that raised it."""
    if issubclass(category, EyetuneWarning):
        return f"warning: {display.lines(str(message))}\n"
    return _python_format(message, category, filename, lineno, line)


def _command(arguments: Sequence[str]) -> str:
    """Return the command that was meant with a space after it, or an empty text."""
    name = arguments[0] if arguments else ""
    return f"{name} " if name in set(app) else ""


def _report(arguments: Sequence[str], kind: str, message: str, details: dict[str, str]) -> None:
    """Print an error on standard error, and with --json also as an object on standard output."""
    if "--json" in arguments:
        # "what" is the former name of the message.
        error = {"type": kind, "message": message, "what": message, **details}
        print(json.dumps({"error": error}))
    lines = [f"error: {message}"]
    for name, value in details.items():
        lines.append(f"  {name + ':':<9} {value}")
    print(display.lines("\n".join(lines)), file=sys.stderr)
