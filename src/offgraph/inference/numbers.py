"""Outcomes of regression models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offgraph.inference.measures import Errors, Kept
from offgraph.inference.outcome import ON_PAGE, Outcome, Shown, figures_of, rounded
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.views import charts
from offgraph.views.html import NONE, Report

__all__ = ["NumberOutcome"]


class NumberOutcome(Outcome):
    """Of a model that gives each image one number or several."""

    def __init__(self, run: Predictions, folder: Path) -> None:
        super().__init__(run, folder)
        names = run.target_names
        self.columns = ("path", *names, *(f"true({name})" for name in names))
        self.errors = Errors(names)
        self._first: Kept[Shown] = Kept(ON_PAGE)

    def take(self, prediction: Prediction) -> dict[str, Any]:
        self.count += 1
        values, truth = prediction.values or (), prediction.true_values
        self._first.add(0.0, Shown(prediction.index, prediction.summary))
        if truth is not None:
            self.errors.add(prediction.index, truth, values)
        names = self.run.target_names
        return {
            "values": {name: rounded(value) for name, value in zip(names, values)},
            "true_values": None if truth is None else dict(zip(names, truth)),
        }

    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        true = entry["true_values"]
        known = [None] * len(entry["values"]) if true is None else true.values()
        return (entry["path"], *entry["values"].values(), *known)

    def found(self) -> dict[str, Any]:
        return {"errors": tuple(self.errors.scores())}

    def overview(self, page: Report) -> None:
        scores = self.errors.scores()
        facts: list[tuple[str, object]] = [("images", self.count)]
        facts += [(f"mean error of {score.name}", score.mean) for score in scores[:4]]
        page.facts([*facts, ("files set aside", len(self.run.quarantined))])
        if not scores:
            return
        page.table(
            ["number", "mean error", "root mean square", "bias", "R²"],
            [(s.name, s.mean, s.root, s.bias, NONE if s.explained is None else s.explained) for s in scores],
            "Errors in the unit of the number. Bias: the mean of predicted minus true. R²: the share of the true values' "
            "variance that is explained.",
        )
        page.charts(
            [charts.scatter(true, predicted, name) for name, true, predicted in self.errors.columns()]
        )

    def images(self, page: Report) -> None:
        worst = self.errors.worst(ON_PAGE)
        if not worst:
            page.section("Images")
            if self._first.offered > len(self._first):
                page.text(
                    f"The first {len(self._first)} of {self._first.offered:,}; predictions.csv lists all."
                )
            page.figures(figures_of(self.run, self._first.highest()), columns=5)
            return
        columns = self.errors.columns()
        shown = []
        for place in worst:
            index = self.errors.indices[place]
            text = "; ".join(
                f"{name} {predicted[place]:.5g}, true {true[place]:.5g}" for name, true, predicted in columns
            )
            shown.append(Shown(index, text))
        page.section("Largest errors first")
        if len(self.errors.indices) > len(shown):
            page.text(f"{len(shown)} of {len(self.errors.indices):,}; predictions.csv lists all of them.")
        page.figures(figures_of(self.run, shown), columns=5)
