"""Build the wheel and the source distribution, install the wheel into a new environment and use it.

    python tools/check_wheel.py                      # with the dependencies of this environment
    python tools/check_wheel.py --with-dependencies  # installs the pinned dependencies too (1 GB)

The new environment contains the wheel and nothing else of this repository. By default it reads the
dependencies from the environment that runs this script, which saves a download of TensorFlow for
each check; `--with-dependencies` starts from an empty environment, as a user does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "eyetune"
DISTRIBUTIONS = ROOT / "dist"
NOT_IN_WHEEL = "testing"
SMALL_NETWORK = ["--set", "model.blocks=[4]", "--set", "model.dense=[8]"]
# Each command uses package data: migrations, boards, report templates, firmware templates.
COMMANDS = [
    ["--version"],
    ["--help"],
    ["train", "--data", "digits", "--epochs", "1", *SMALL_NETWORK],
    ["runs"],
    ["boards"],
    ["fit-check", "latest", "--board", "esp-eye"],
    ["report", "latest", "--output", "report.html"],
    ["export", "latest", "--board", "esp-eye", "--output", "firmware"],
]


def build() -> Path:
    """Build the wheel and the source distribution in dist/ and return the wheel."""
    for path in DISTRIBUTIONS.glob("eyetune-*"):
        path.unlink()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(DISTRIBUTIONS)]
    subprocess.run([*command, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (_,) = DISTRIBUTIONS.glob("eyetune-*.tar.gz")
    (wheel,) = DISTRIBUTIONS.glob("eyetune-*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Raise SystemExit if the wheel lacks a file of the package or holds one too many."""
    expected = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected = {name for name in expected if not name.startswith(f"eyetune/{NOT_IN_WHEEL}/")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    if missing := sorted(expected - names):
        sys.exit(f"The wheel lacks {', '.join(missing)}: see package-data in pyproject.toml.")
    if surplus := sorted(names - expected):
        sys.exit(f"The wheel must not contain {', '.join(surplus)}.")


def install(wheel: Path, environment: Path, *, with_dependencies: bool) -> Path:
    """Install the wheel into a new environment and return the environment's Python."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if with_dependencies:
        pinned = ROOT / "requirements" / "runtime.txt"
        subprocess.run([*pip, "--require-hashes", "-r", str(pinned)], check=True)
    else:
        # A line of a .pth file extends the path, and .pth files of that folder are not read: the
        # editable installation of eyetune in it stays invisible.
        site = subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        dependencies = sysconfig.get_path("purelib")
        Path(site, "dependencies.pth").write_text(dependencies + "\n", encoding="utf-8")
    subprocess.run([*pip, "--no-deps", "--force-reinstall", str(wheel)], check=True)
    return python


def use(python: Path, folder: Path) -> None:
    """Run the commands with the installed package, in a folder outside of the repository."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "EYETUNE_WORKSPACE": str(folder / "runs"),
        "EYETUNE_CACHE": str(folder / "cache"),
    }

    def run(arguments: list[str]) -> str:
        command = [str(python), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    location = Path(run(["-c", "import eyetune; print(eyetune.__file__)"]).strip())
    if not location.is_relative_to(python.parent.parent):
        sys.exit(f"The new environment imports eyetune from {location}, not from the wheel.")
    for arguments in COMMANDS:
        run(["-m", "eyetune", *arguments])
        print(f"  eyetune {' '.join(arguments)}")


def main() -> None:
    """Build, check and use the wheel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--with-dependencies", action="store_true")
    options = parser.parse_args()
    wheel = build()
    check_contents(wheel)
    print(f"Built {wheel.name}. In a new environment:")
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        python = install(wheel, environment, with_dependencies=options.with_dependencies)
        use(python, Path(folder))
    print("The wheel works.")


if __name__ == "__main__":
    main()
