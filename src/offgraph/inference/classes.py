"""Outcomes of classification models: one class per image, or several labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from offgraph.inference.measures import Kept, Scores
from offgraph.inference.outcome import ON_PAGE, Outcome, Shown, figures_of, rounded, share
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.views import charts
from offgraph.views.html import Report

__all__ = ["ClassOutcome", "LabelOutcome"]

_MATRIX = 200  # classes up to which their matrix is drawn
_MISTAKES = 20  # kinds of mistake that are listed
_LEAST = 12  # correct images on the page, if there are this many


class _Counted(Outcome):
    """What models of one class and of several labels per image share."""

    def __init__(self, run: Predictions, folder: Path) -> None:
        super().__init__(run, folder)
        self.scores = Scores(run.class_names)
        self.predicted: Counter[str] = Counter()
        self._wrong: Kept[Shown] = Kept(ON_PAGE)
        self._other: Kept[Shown] = Kept(ON_PAGE)

    def found(self) -> dict[str, Any]:
        return {
            "classes": dict(self.predicted.most_common()),
            "accuracy": self.scores.exact,
            "scores": tuple(self.scores.classes()) if self.scores.count else (),
        }

    def count_one(self, truth: tuple[int, ...] | None, predicted: tuple[int, ...]) -> None:
        """Count one image, by class numbers."""
        self.count += 1
        self.predicted.update(self.run.class_names[number] for number in predicted)
        if truth is not None:
            self.scores.add(truth, predicted)

    def table(self, page: Report, what: str) -> None:
        """Add the table of all classes."""
        if not self.scores.count:
            rows = [(name, n, share(n / max(self.count, 1))) for name, n in self._all()]
            page.table(["class", what, "share"], rows)
            return
        page.table(
            ["class", "true", "predicted", "correct", "precision", "recall"],
            [
                (s.name, s.true, s.predicted, s.correct, share(s.precision), share(s.recall))
                for s in self.scores.classes()
            ],
            "Precision: share of the predictions of a class that are correct. Recall: share of the images of a class that "
            "were predicted as it."
            + ("" if self.scores.count == self.count else f" The class of {self.scores.count:,} is known."),
        )

    def _all(self) -> list[tuple[str, int]]:
        """Every class and how often it was predicted, the most frequent first."""
        counted = [(name, self.predicted[name]) for name in self.run.class_names]
        return sorted(counted, key=lambda entry: -entry[1])

    def images(self, page: Report) -> None:
        if self.scores.count:
            wrong = self._wrong.highest()
            others = self._other.highest()[: max(_LEAST, ON_PAGE - len(wrong))]
            wrong = wrong[: ON_PAGE - min(len(others), _LEAST)]
            page.section("Mistakes")
            if not wrong:
                page.text("None.")
            self._first(page, len(wrong), self._wrong.offered, "the surest first")
            page.figures(figures_of(self.run, wrong), columns=5)
            page.section("Correct")
            self._first(page, len(others), self._other.offered, "the least sure first")
            page.figures(figures_of(self.run, others), columns=5)
            return
        page.section("Images")
        self._first(page, len(self._other), self._other.offered, "in the order of the source")
        page.figures(figures_of(self.run, self._other.highest()), columns=5)

    def _first(self, page: Report, shown: int, of: int, order: str) -> None:
        if of > shown:
            page.text(f"{shown} of {of:,}, {order}; predictions.csv lists all of them.")


class ClassOutcome(_Counted):
    """Of a model that gives each image one class."""

    def __init__(self, run: Predictions, folder: Path) -> None:
        super().__init__(run, folder)
        self.columns = (
            "path", "class", "probability", "true_class", *(f"p({name})" for name in run.class_names)
        )  # fmt: skip

    def take(self, prediction: Prediction) -> dict[str, Any]:
        values = [rounded(value) for value in prediction.probabilities]
        label = prediction.label or 0
        truth = prediction.true_labels
        truth = truth if truth is not None and len(truth) == 1 else None
        self.count_one(truth, (label,))
        name = prediction.item.name
        caption = f"{prediction.class_name} {prediction.probability:.1%}"
        sure = prediction.probability or 0.0
        if truth is None:
            self._other.add(1.0, Shown(prediction.index, caption))
        elif truth[0] == label:
            self._other.add(1 - sure, Shown(prediction.index, caption, mark="right"))
        else:
            true = f"is {prediction.class_names[truth[0]]}; {name}"
            self._wrong.add(sure, Shown(prediction.index, caption, true, "wrong"))
        return {
            "class": prediction.class_name,
            "label": prediction.label,
            "probability": values[label],
            "true_class": prediction.true_class,
            "probabilities": values,
        }

    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        named = (entry["path"], entry["class"], entry["probability"], entry["true_class"])
        return (*named, *entry["probabilities"])

    def overview(self, page: Report) -> None:
        facts: list[tuple[str, object]] = [("images", self.count)]
        if self.scores.exact is not None:
            facts.append(("correct", f"{self.scores.exact:.2%}"))
        page.facts([*facts, ("files set aside", len(self.run.quarantined))])
        self.table(page, "images")
        if self.scores.count and len(self.run.class_names) <= _MATRIX:
            page.charts([charts.confusion_matrix(*self.scores.pairs(), self.run.class_names)])
        mistakes = self.scores.mistakes()
        if mistakes:
            more = f" The first {_MISTAKES} of {len(mistakes):,}." if len(mistakes) > _MISTAKES else ""
            page.table(
                ["is", "predicted as", "images"], mistakes[:_MISTAKES], "The most frequent mistakes." + more
            )


class LabelOutcome(_Counted):
    """Of a model that gives each image any number of labels."""

    def __init__(self, run: Predictions, folder: Path) -> None:
        super().__init__(run, folder)
        self.columns = ("path", "labels", "true_labels", *(f"p({name})" for name in run.class_names))

    def take(self, prediction: Prediction) -> dict[str, Any]:
        labels, truth = prediction.labels or (), prediction.true_labels
        self.count_one(truth, labels)
        names = prediction.class_names
        values = prediction.probabilities.tolist()
        # Distance of the closest decision from the threshold.
        margin = min((abs(value - self.run.threshold) for value in values), default=0.0)
        if truth is None:
            self._other.add(1.0, Shown(prediction.index, prediction.summary))
        elif truth == labels:
            self._other.add(1 - margin, Shown(prediction.index, prediction.summary, mark="right"))
        else:
            wrong = set(truth) ^ set(labels)
            missed = ", ".join(names[number] for number in truth if number in wrong)
            false = ", ".join(names[number] for number in labels if number in wrong)
            text = "; ".join(
                [f"missed: {missed}"] * bool(missed)
                + [f"false: {false}"] * bool(false)
                + [prediction.item.name]
            )
            rank = len(wrong) + max(abs(values[number] - self.run.threshold) for number in wrong)
            self._wrong.add(rank, Shown(prediction.index, prediction.summary, text, "wrong"))
        return {
            "labels": list(labels),
            "label_names": list(prediction.labelled),
            "true_labels": None if truth is None else [names[number] for number in truth],
            "probabilities": [rounded(value) for value in values],
        }

    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        true = entry["true_labels"]
        named = (entry["path"], "|".join(entry["label_names"]), None if true is None else "|".join(true))
        return (*named, *entry["probabilities"])

    def overview(self, page: Report) -> None:
        facts: list[tuple[str, object]] = [("images", self.count), ("labels", self.predicted.total())]
        if self.scores.exact is not None:
            facts.append(("with exactly the true labels", f"{self.scores.exact:.2%}"))
        page.facts([*facts, ("files set aside", len(self.run.quarantined))])
        self.table(page, "images")
