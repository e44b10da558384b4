"""What the documents say is true: their examples run, their commands parse, the files that they
name exist.
"""

from __future__ import annotations

import random
import re
import shlex
import statistics
from pathlib import Path
from typing import Any, get_args

import pytest

from eyetune.cli.main import app
from eyetune.device.boards.profiles import boards, load_board
from eyetune.recipe import Recipe
from eyetune.records.study import SamplerName, SchedulerName
from eyetune.space.presets import BUILT_IN, recipe_space
from eyetune.space.space import Space
from eyetune.tuning.objectives import BEFORE_TRAINING
from eyetune.tuning.schedulers import make_scheduler

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCE = ROOT / "src" / "eyetune"
TUNING = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
RUNS = "<!-- tests/test_docs.py runs this example"  # above the examples that are run


def commands() -> list[str]:
    """Every `eyetune ...` in backticks or in an indented block, of all documents."""
    found: list[str] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        found += re.findall(r"`(eyetune [^`]+)`", text) + re.findall(
            r"^    (?:\$ )?(eyetune .+)$", text, re.M
        )
    return sorted({command for command in found if "..." not in command})


@pytest.mark.parametrize("command", commands())
def test_every_command_in_the_documents_parses(command: str) -> None:
    words = shlex.split(command.partition(" > ")[0].partition("  #")[0])[1:]
    if set(words) & {"--help", "--version"}:
        return
    app.parse_args(words, exit_on_error=False, print_error=False)


def examples(path: Path) -> list[str]:
    """Return the Python examples of a document that are to run."""
    return re.findall(
        rf"{RUNS}[^\n]*-->\n```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S
    )


def saved(name: str) -> str:
    """Return the text of a file that docs/tuning.md shows."""
    found = re.search(rf"saves this as {re.escape(name)} -->\n```\w+\n(.*?)```", TUNING, re.S)
    assert found is not None
    return found[1]


def test_the_readmes_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example, _ = examples(ROOT / "README.md")
    assert len(example.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["baseline"].validation_accuracy > names["slower"].validation_accuracy > 0.2
    assert names["baseline"].test_accuracy > 0.9
    assert names["baseline"].verdict.level != "chance"
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files of docs/tuning.md lie, as if somebody had saved them."""
    (tmp_path / "model.py").write_text(saved("model.py"))
    (tmp_path / "space.toml").write_text(saved("space.toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(tmp_path / "work"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_examples_of_tuning_run_one_after_the_other(at_home: Path) -> None:
    search, drop_in, plan, own_space = examples(ROOT / "docs" / "tuning.md")
    _, short = examples(ROOT / "README.md")
    names: dict[str, Any] = {}
    exec(compile(search, "tuning.md", "exec"), names)
    study, tuned = names["study"], names["tuned"]
    assert study.best_value > 0.5
    assert (at_home / "parallel.png").stat().st_size > 10_000
    assert len(names["table"]) == len(study.trials) == 5
    assert study.best_recipe.with_(fit=tuned.recipe.fit) == tuned.recipe
    exec(compile(drop_in, "tuning.md", "exec"), names)
    assert set(names["best"].values) >= {"conv_layers", "filters_0", "units", "learning_rate"}
    assert names["model"].compiled
    exec(compile(plan, "tuning.md", "exec"), names)
    exec(compile(own_space, "tuning.md", "exec"), names)
    assert 1e-4 <= names["study"].best_recipe.optimizer.learning_rate <= 1e-2
    exec(compile(short, "README.md", "exec"), names)
    assert (at_home / "trials.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_example_of_the_board_runs(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples(ROOT / "docs" / "board.md")
    names: dict[str, Any] = {}
    exec(compile(example, "board.md", "exec"), names)
    assert names["proof"].passed
    assert names["proof"].int8_accuracy > 0.5
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "True"
    assert said[-1].startswith(f"{names['export'].manifest.flash_bytes:,} bytes")


def test_the_board_of_the_document_is_one(tmp_path: Path) -> None:
    found = re.search(
        r"```toml\n(.*?)```", (ROOT / "docs" / "board.md").read_text(encoding="utf-8"), re.S
    )
    assert found is not None
    (tmp_path / "mine.toml").write_text(found[1])
    assert load_board(tmp_path / "mine.toml").max_arena_bytes == 204_800


def test_the_space_of_the_document_shows_every_key_and_can_be_searched(at_home: Path) -> None:
    space = Space.load(at_home / "space.toml")
    recipe_space(str(at_home / "space.toml"), Recipe())
    assert len(space) == 6
    assert Space.from_toml(space.to_toml()) == space
    for key in ("values", "ordered", "low", "high", "step", "sampling", "default", "when"):
        assert re.search(rf"^{key} = ", saved("space.toml"), re.M), key


def rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the tables below a heading of docs/tuning.md by the code word that each
    begins with.
    """
    section = TUNING.partition(f"## {heading}")[2].partition("\n## ")[0]
    return {
        row[0]: row[1:] for row in re.findall(r"^\| `(\w[\w-]*)`([^|]*)\|(.*)\|$", section, re.M)
    }


def test_the_tables_of_tuning_name_all_that_there_is() -> None:
    assert set(rows("Which sampler")) == set(get_args(SamplerName))
    assert set(rows("Which scheduler")) == set(get_args(SchedulerName))
    assert set(rows("Spaces of recipes")) == set(BUILT_IN)
    better = TUNING.partition("## What is better")[2].partition("\n## ")[0]
    for name in (*BEFORE_TRAINING, *(one.name for one in boards())):
        assert f"`{name}`" in better, name


@pytest.mark.parametrize("name", get_args(SchedulerName))
def test_what_a_schedule_costs_is_what_the_table_says(name: Any) -> None:
    said = [
        int(re.search(r"\d+", cell)[0]) for cell in rows("Which scheduler")[name][-1].split("|")
    ]  # type: ignore[index]
    planned = name == "hyperband"
    outcomes = [simulated(name, None if planned else 30, seed) for seed in range(20)]
    for told, found in zip(said, zip(*outcomes, strict=True), strict=True):
        assert statistics.fmean(found) == pytest.approx(
            told, rel=0 if name in ("full", "hyperband") else 0.1
        )


def simulated(name: SchedulerName, num_trials: int | None, seed: int) -> tuple[int, int, int]:
    """Return trials, trials trained to the end and epochs of a study whose trials are as good as
    chance has it.
    """
    schedule = make_scheduler(
        name, max_epochs=10, num_trials=num_trials, iterations=None if num_trials else 1
    )
    chance = random.Random(seed)
    quality: list[float] = []
    epochs: dict[int, int] = {}
    while (grant := schedule.next()) is not None:
        trial = len(quality) if grant.trial is None else grant.trial
        quality += [chance.random()] if grant.trial is None else []
        schedule.start(trial, grant)
        epochs[trial] = grant.epochs
        schedule.report(trial, (quality[trial] + 0.3 * chance.random() / grant.epochs,))
    return len(quality), sum(count == 10 for count in epochs.values()), sum(epochs.values())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def map_rows() -> list[str]:
    """Return the path of each module that the tables of docs/architecture.md explain."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = text.partition("\n## Packages")[2]
    paths: list[str] = []
    package = ""
    for line in packages.splitlines():
        if line.startswith("### "):
            heading = re.match(r"### `([\w/]+/)`", line)
            package = heading[1] if heading else ""
        elif row := re.match(r"\| `([\w/]+\.py)` \| .+ \|$", line):
            paths.append(package + row[1])
    return paths


def test_map_explains_each_module_once() -> None:
    modules = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if "migrations" not in path.parts and path.name not in ("__init__.py", "__main__.py")
    ]
    assert sorted(map_rows()) == sorted(modules)


def test_map_names_existing_paths_only() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    references = text.partition("\n## Packages")[0]
    paths = re.findall(r"`([\w/.]+(?:/|\.py|\.md|\.toml|\.ipynb))`", references)
    assert len(paths) > 50
    for path in paths:
        assert (SOURCE / path).exists() or (ROOT / path).exists(), path


def test_decisions_are_listed_with_date_and_status() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(folder.glob("[0-9]*.md"))
    assert len(records) > 20
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: \w+", text, re.M), path.name
        assert f"]({path.name})" in index, path.name
    for target in re.findall(
        r"`([a-z_]+/[\w/]*(?:\.py|/))`", "".join(p.read_text() for p in records)
    ):
        assert (SOURCE / target).exists() or (ROOT / target).exists(), target
