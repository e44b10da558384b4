"""The documents are correct: examples run, commands parse, and paths exist."""

from __future__ import annotations

import json
import random
import re
import shlex
import statistics
from pathlib import Path
from typing import Any, get_args

import pytest
from cyclopts.exceptions import MissingArgumentError

from eyetune.cli.main import app
from eyetune.device.boards.profiles import boards, load_board
from eyetune.recipe import Recipe
from eyetune.records.study import SamplerName, SchedulerName
from eyetune.space.portfolio import Portfolio, portfolios
from eyetune.space.presets import BUILT_IN, recipe_space
from eyetune.space.space import Space
from eyetune.tuning.executors import InProcessExecutor
from eyetune.tuning.objectives import BEFORE_TRAINING
from eyetune.tuning.schedulers import make_scheduler

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCE = ROOT / "src" / "eyetune"
TUNING = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
EXECUTED = "<!-- tests/test_docs.py runs this example"  # above each example that the tests run


def documented_commands() -> list[str]:
    """Return each `eyetune ...` in backticks or in an indented block of the documents."""
    commands: list[str] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        commands += re.findall(r"`(eyetune [^`]+)`", text)
        commands += re.findall(r"^    (?:\$ )?(eyetune .+)$", text, re.M)
    return sorted({command for command in commands if "..." not in command})


@pytest.mark.parametrize("command", documented_commands())
def test_documented_command_parses(command: str) -> None:
    arguments = shlex.split(command.partition(" > ")[0].partition("  #")[0])[1:]
    if {"--help", "--version"} & set(arguments):
        return
    try:
        app.parse_args(arguments, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        assert is_name_of_command(arguments)  # a text may name a command without its arguments


def is_name_of_command(names: list[str]) -> bool:
    """Return whether these are the names of a group and a command in it, or of one command."""
    group = app
    for name in names:
        if name not in set(group):
            return False
        group = group[name]
    return True


def executed_examples(path: Path) -> list[str]:
    """Return the Python examples of a document that the tests run."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"{EXECUTED}[^\n]*-->\n```python\n(.*?)```", text, re.S)


def shown_file(name: str) -> str:
    """Return the text of a file that docs/tuning.md shows."""
    match = re.search(rf"saves this as {re.escape(name)} -->\n```\w+\n(.*?)```", TUNING, re.S)
    assert match is not None
    return match[1]


@pytest.mark.usefixtures("no_pictures")
def test_readme_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example, _ = executed_examples(ROOT / "README.md")
    assert len(example.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["baseline"].validation_accuracy > names["slower"].validation_accuracy > 0.2
    assert names["baseline"].test_accuracy > 0.9
    assert names["baseline"].verdict.level != "chance"
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.usefixtures("no_pictures")
def test_trackers_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries, own = executed_examples(ROOT / "docs" / "trackers.md")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(libraries, "trackers.md", "exec"), names)
    assert (tmp_path / "mlflow.db").is_file()
    assert (tmp_path / "logs" / names["run"].id).is_dir()
    exec(compile(own, "trackers.md", "exec"), names)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["id"] for line in lines} == {names["run"].id}
    assert [line.get("epoch") for line in lines] == [1, 2, None]
    assert lines[-1]["state"] == "COMPLETE"


@pytest.fixture
def example_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with the files that docs/tuning.md shows."""
    (tmp_path / "model.py").write_text(shown_file("model.py"))
    (tmp_path / "space.toml").write_text(shown_file("space.toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EYETUNE_WORKSPACE", str(tmp_path / "work"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:workers=0")  # what this process costs
def test_tuning_examples_run_in_order(
    example_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Most of the time of these short studies is the start of their workers: the first has one, and
    # the others train here.
    monkeypatch.setattr("eyetune.tuning.executors.local.usable_cores", lambda: 1)
    search, drop_in, plan, own_space = executed_examples(ROOT / "docs" / "tuning.md")
    _, short = executed_examples(ROOT / "README.md")
    names: dict[str, Any] = {}
    exec(compile(search, "tuning.md", "exec"), names)
    study, tuned = names["study"], names["tuned"]
    assert study.to_json()["report"] is not None
    monkeypatch.setattr("eyetune.api.tune.make_executor", lambda *_, **__: InProcessExecutor())
    # One report is enough: it takes longer than the trainings of a short study.
    monkeypatch.setattr("eyetune.api.tune.draw", lambda *_, **__: None)
    assert study.best_value > 0.5
    assert (example_folder / "parallel.png").stat().st_size > 10_000
    assert len(names["table"]) == len(study.trials) == 5
    assert study.best_recipe.with_(fit=tuned.recipe.fit) == tuned.recipe
    exec(compile(drop_in, "tuning.md", "exec"), names)
    assert set(names["best"].values) >= {"conv_layers", "filters_0", "units", "learning_rate"}
    assert names["model"].compiled
    exec(compile(plan, "tuning.md", "exec"), names)
    exec(compile(own_space, "tuning.md", "exec"), names)
    assert 1e-4 <= names["study"].best_recipe.optimizer.learning_rate <= 1e-2
    exec(compile(short, "README.md", "exec"), names)
    assert (example_folder / "trials.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
def test_board_example_runs(example_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = executed_examples(ROOT / "docs" / "board.md")
    names: dict[str, Any] = {}
    exec(compile(example, "board.md", "exec"), names)
    assert names["proof"].passed
    assert names["proof"].int8_accuracy > 0.5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "True"
    assert lines[-1].startswith(f"{names['export'].manifest.flash_bytes:,} bytes")


def test_documented_board_profile_is_valid(tmp_path: Path) -> None:
    match = re.search(
        r"```toml\n(.*?)```", (ROOT / "docs" / "board.md").read_text(encoding="utf-8"), re.S
    )
    assert match is not None
    (tmp_path / "mine.toml").write_text(match[1])
    assert load_board(tmp_path / "mine.toml").max_arena_bytes == 204_800


def test_documented_space_shows_each_key_and_is_valid(example_folder: Path) -> None:
    space = Space.load(example_folder / "space.toml")
    recipe_space(str(example_folder / "space.toml"), Recipe())
    assert len(space) == 6
    assert Space.from_toml(space.to_toml()) == space
    for key in ("values", "ordered", "low", "high", "step", "sampling", "default", "when"):
        assert re.search(rf"^{key} = ", shown_file("space.toml"), re.M), key


def table_rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the tables under a heading of docs/tuning.md by their first word."""
    section = TUNING.partition(f"## {heading}")[2].partition("\n## ")[0]
    return {
        row[0]: row[1:] for row in re.findall(r"^\| `(\w[\w-]*)`([^|]*)\|(.*)\|$", section, re.M)
    }


def test_tuning_tables_are_complete() -> None:
    assert set(table_rows("Which sampler")) == set(get_args(SamplerName))
    assert set(table_rows("Which scheduler")) == set(get_args(SchedulerName))
    assert set(table_rows("Spaces of recipes")) == set(BUILT_IN)
    better = TUNING.partition("## What is better")[2].partition("\n## ")[0]
    for name in (*BEFORE_TRAINING, *(board.name for board in boards())):
        assert f"`{name}`" in better, name


@pytest.mark.parametrize("portfolio", portfolios(), ids=lambda portfolio: portfolio.name)
def test_tuning_shows_the_portfolio(portfolio: Portfolio) -> None:
    section = TUNING.partition("\n## The portfolio")[2].partition("\n## ")[0]
    for entry in portfolio.entries:
        accuracy = ", ".join(f"{epochs}: {value:.1%}" for epochs, value in entry.accuracy.items())
        costs = " | ".join(
            f"{cost:,}"
            for cost in (entry.parameters, entry.macs, entry.flash_bytes, entry.arena_bytes)
        )
        row = f"| `{portfolio.name}` | `{entry.name}` | {accuracy} | {costs} "
        row += f"| {entry.epoch_seconds:g} s | {entry.source} |"
        assert row in section
    assert portfolio.measured_on in section.replace("\n ", "")


@pytest.mark.parametrize("name", get_args(SchedulerName))
def test_documented_cost_of_scheduler(name: SchedulerName) -> None:
    documented = []
    for cell in table_rows("Which scheduler")[name][-1].split("|"):
        number = re.search(r"\d+", cell)
        assert number is not None
        documented.append(int(number[0]))
    num_trials = None if name == "hyperband" else 30  # hyperband has its own number of trials
    outcomes = [simulated_study(name, num_trials, seed) for seed in range(20)]
    tolerance = 0 if name in ("full", "hyperband") else 0.1
    for expected, simulated in zip(documented, zip(*outcomes, strict=True), strict=True):
        assert statistics.fmean(simulated) == pytest.approx(expected, rel=tolerance)


def simulated_study(name: SchedulerName, num_trials: int | None, seed: int) -> tuple[int, int, int]:
    """Return trials, completely trained trials and epochs of a study with random trials."""
    iterations = None if num_trials else 1
    scheduler = make_scheduler(name, max_epochs=10, num_trials=num_trials, iterations=iterations)
    generator = random.Random(seed)
    quality: list[float] = []
    epochs: dict[int, int] = {}
    while (promotion := scheduler.next()) is not None:
        trial = promotion.trial
        if trial is None:
            trial = len(quality)
            quality.append(generator.random())
        scheduler.start(trial, promotion)
        epochs[trial] = promotion.epochs
        noise = 0.3 * generator.random() / promotion.epochs
        scheduler.report(trial, (quality[trial] + noise,))
    num_complete = sum(count == 10 for count in epochs.values())
    return len(quality), num_complete, sum(epochs.values())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_document_exist(path: Path) -> None:
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
        for target in re.findall(r"`([a-z_]+/[\w/]*(?:\.py|/))`", text):
            assert (SOURCE / target).exists() or (ROOT / target).exists(), target


def test_callback_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = executed_examples(ROOT / "docs" / "training.md")
    names: dict[str, Any] = {}
    exec(compile(example, "training.md", "exec"), names)
    assert names["recording"].run.validation_accuracy > 0
