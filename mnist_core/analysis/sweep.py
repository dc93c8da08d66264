"""A search over settings of a design: what to try next, and how much each setting matters.

A grid tries every combination, in a random order so that a part of it is a fair sample of the
whole. A search lets Optuna propose: its tree-structured Parzen estimator (Bergstra et al. 2011)
looks where trials were good. Optuna is imported when a search begins, and not before.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mnist_core.design.spec import RunSpec
from mnist_core.design.variations import SETTINGS, applicable, varied

ROOT = Path(__file__).resolve().parents[2]
METHODS = {
    "grid": "Every combination of the values, in random order.",
    "search": "Optuna proposes values, of numbers also those between, where trials were good.",
}
SECONDS = (5, 1800)  # the least and the most that a sweep may take
MOST_SETTINGS = 5
MOST_TRIALS = 300
FEWEST_TO_WEIGH = 4  # trials, before anything can be said of importance

Values = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: its values, and its validation accuracy (0…1) once it has finished."""

    run: str
    values: Values
    score: float | None


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do: `values` names the settings and what to try of each; `seconds` is its
    budget of training time, `seed` decides the order of a grid and Optuna's guesses."""

    base: RunSpec
    values: Mapping[str, tuple[Any, ...]] = field(hash=False)
    method: str = "grid"
    seconds: float = 60.0
    seed: int = 0

    @property
    def combinations(self) -> int:
        """Of the values that were named."""
        return int(np.prod([len(options) for options in self.values.values()]))

    def problems(self) -> list[str]:
        """Why it cannot begin, in plain sentences."""
        found = [str(p) for p in self.base.problems() if p.blocking]
        if not 1 <= len(self.values) <= MOST_SETTINGS:
            found.append(f"Choose one to {MOST_SETTINGS} settings to vary.")
        for name in self.values:
            if name not in applicable(self.base):
                found.append(f"This design has no setting {name!r}: choose another.")
            elif len(set(self.values[name])) < 2:
                found.append(f"{SETTINGS[name].label}: choose two values or more.")
        if self.method not in METHODS:
            found.append(f"A sweep is one of {', '.join(METHODS)}.")
        low, high = SECONDS
        if not low <= self.seconds <= high:
            found.append(f"The budget is {low} to {high:,} seconds.")
        return found

    def to_body(self) -> dict[str, Any]:
        """As JSON values."""
        return {"base": self.base.to_query(), "method": self.method, "seconds": self.seconds,
                "seed": self.seed, "values": {k: list(v) for k, v in self.values.items()}}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Plan:
        """What `to_body` wrote; other keys are passed over."""
        values = {name: tuple(options) for name, options in body["values"].items()}
        return cls(RunSpec.from_query(body["base"]), values, body["method"], body["seconds"],
                   body["seed"])  # fmt: skip

    def design(self, values: Mapping[str, Any]) -> RunSpec:
        return varied(self.base, values)

    def read(self, spec: RunSpec) -> Values:
        """The values that a trial's design was made with."""
        return {name: SETTINGS[name].get(spec) for name in self.values}


class Searcher(Protocol):
    """Proposes values, and hears what became of them."""

    def ask(self) -> Values | None:
        """The next values to try, None if nothing is left."""

    def tell(self, values: Values, score: float | None) -> None:
        """What they scored; None if they could not be tried to the end."""


def searcher(plan: Plan, done: Sequence[Trial] = ()) -> Searcher:
    """The searcher of a plan that knows what was done before."""
    return Grid(plan, done) if plan.method == "grid" else Search(plan, done)


class Grid:
    """Every combination once."""

    def __init__(self, plan: Plan, done: Sequence[Trial] = ()) -> None:
        tried = [trial.values for trial in done if trial.score is not None]
        every = [dict(zip(plan.values, found, strict=True))
                 for found in itertools.product(*plan.values.values())]  # fmt: skip
        order = np.random.default_rng(plan.seed).permutation(len(every))
        self._left = [every[i] for i in order if every[i] not in tried]

    def ask(self) -> Values | None:
        return self._left.pop(0) if self._left else None

    def tell(self, values: Values, score: float | None) -> None:
        pass


class Search:
    """Optuna's proposals, none of them twice: to train the same design again teaches nothing."""

    TRIES = 50  # for values that are new

    def __init__(self, plan: Plan, done: Sequence[Trial] = ()) -> None:
        optuna = _optuna()
        self._optuna, self._plan = optuna, plan
        self._known: dict[tuple, float | None] = {}
        self._open: dict[tuple, Any] = {}
        self._space = {name: _distribution(optuna, name, v) for name, v in plan.values.items()}
        sampler = optuna.samplers.TPESampler(seed=plan.seed, n_startup_trials=8)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in _frozen(optuna, plan, done):
            self._study.add_trial(trial)
        self._known |= {_key(t.values): t.score for t in done if t.score is not None}

    def ask(self) -> Values | None:
        for _ in range(self.TRIES):
            trial = self._study.ask(self._space)
            values = self._plan.read(self._plan.design(_tidy(trial.params)))
            if (key := _key(values)) not in self._known:
                self._known[key], self._open[key] = None, trial
                return values
            self._finish(trial, self._known[key])
        return None

    def tell(self, values: Values, score: float | None) -> None:
        self._known[_key(values)] = score
        self._finish(self._open.pop(_key(values)), score)

    def _finish(self, trial: Any, score: float | None) -> None:
        failed = None if score is not None else self._optuna.trial.TrialState.FAIL
        self._study.tell(trial, score, state=failed)


def _key(values: Values) -> tuple:
    return tuple(sorted(values.items()))


def _tidy(values: Values) -> Values:
    """Numbers with three digits: more of them only make names long."""
    return {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in values.items()}


def _optuna() -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, name: str, options: Sequence[Any]) -> Any:
    setting, kinds = SETTINGS[name], optuna.distributions
    low, high = min(options), max(options)
    if setting.step:
        step = setting.step
        return kinds.IntDistribution(low, low + (high - low) // step * step, step=step)
    if setting.scale and not (setting.scale == "log" and low <= 0):
        return kinds.FloatDistribution(float(low), float(high), log=setting.scale == "log")
    return kinds.CategoricalDistribution(list(options))


def _frozen(optuna: Any, plan: Plan, trials: Sequence[Trial]) -> list[Any]:
    """Finished trials as Optuna's own."""
    space = {name: _distribution(optuna, name, v) for name, v in plan.values.items()}
    return [
        optuna.trial.create_trial(
            value=trial.score, distributions=space,
            params={name: _within(space[name], value) for name, value in trial.values.items()},
        )
        for trial in trials if trial.score is not None
    ]  # fmt: skip


def _within(space: Any, value: Any) -> Any:
    """Rounding may have put a number beyond its end."""
    return min(max(value, space.low), space.high) if hasattr(space, "low") else value


# --------------------------------------------------------------------- importance


def importance(plan: Plan, trials: Sequence[Trial]) -> dict[str, float]:
    """How much each setting matters, the most important first; empty while there are too few
    trials, or all score alike.

    Of a whole grid: the share of the variance of the scores that the setting's values explain alone
    (η², the main effects of an analysis of variance). Else Optuna's functional analysis of
    variance over a random forest (Hutter et al. 2014): what was left out would mix the effects.
    """
    ended = scored(trials)
    if len(ended) < FEWEST_TO_WEIGH or np.ptp([score for _, score in ended]) == 0:
        return {}
    found = (_explained if whole(plan, trials) else _by_forest)(plan, [t for t, _ in ended])
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def weighed(plan: Plan, trials: Sequence[Trial]) -> dict[str, float]:
    """As `importance`, but the forest grows in a process of its own: scikit-learn would stay in
    this one for good with some 100 MB. Raises OSError or RuntimeError if that process fails."""
    if whole(plan, trials):
        return importance(plan, trials)
    asked = json.dumps([plan.to_body(), [asdict(trial) for trial in trials]])
    done = subprocess.run(
        [sys.executable, "-m", "mnist_core.analysis.sweep"], input=asked, capture_output=True,
        text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"The settings could not be weighed: {done.stderr[-3000:]}")
    return json.loads(done.stdout)


def whole(plan: Plan, trials: Sequence[Trial]) -> bool:
    """Whether the trials are a grid without a gap."""
    scored = sum(trial.score is not None for trial in trials)
    return plan.method == "grid" and scored == plan.combinations


def _explained(plan: Plan, trials: Sequence[Trial]) -> dict[str, float]:
    scores = np.array([trial.score for trial in trials])
    total = ((scores - scores.mean()) ** 2).sum()
    return {
        name: float(_between([trial.values[name] for trial in trials], scores) / total)
        for name in plan.values
    }


def _between(values: Sequence[Any], scores: np.ndarray) -> float:
    """The sum of squares between the values: Σ n (mean − overall mean)²."""
    groups = [scores[[v == value for v in values]] for value in set(values)]
    return sum(len(group) * (group.mean() - scores.mean()) ** 2 for group in groups)


def _by_forest(plan: Plan, trials: Sequence[Trial]) -> dict[str, float]:
    optuna = _optuna()
    study = optuna.create_study(direction="maximize")
    study.add_trials(_frozen(optuna, plan, trials))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=plan.seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(found.get(name, 0.0)) for name in plan.values}


def best(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the highest score."""
    top = max(scored(trials), key=lambda pair: pair[1], default=None)
    return top and top[0]


def scored(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """Those that have a score, each with it."""
    return [(trial, trial.score) for trial in trials if trial.score is not None]


if __name__ == "__main__":
    body, given = json.load(sys.stdin)
    found = importance(Plan.from_body(body), [Trial(**trial) for trial in given])
    sys.stdout.write(json.dumps(found))
