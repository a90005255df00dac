"""The main job on real images, in three scenes: `make demo`, or `python examples/demo [OUT]`.

1. Coins: half a photograph → masks → network → the coins of the other half, counted and drawn.
2. Digits: files of which some are broken → dataset → CNN → predictions, with the recipe kept in the model.
3. Nuclei: images with instance masks → U-Net → probabilities → a watershed tells touching nuclei apart → an error report.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import coins
import digits
import nuclei
import numpy as np
import speed

import offgraph as og
from offgraph.views import charts, draw
from offgraph.views.html import Figure, Report

MARK = ".offgraph-demo"


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out")
    start_again(out)
    began = time.perf_counter()
    make_repeatable()

    say("Scene 1: the coins of half a photograph → a network → the coins of the other half")
    segmented = coins.run(out)
    say("Scene 2: 1,797 digits and some photographs as files, five of them broken → a dataset → a CNN")
    classified = digits.run(out)
    say("Scene 3: drawn nuclei of which many touch → a U-Net → nuclei one by one, and where it is wrong")
    counted = nuclei.run(out)

    measured = speed.measure(out)

    page = write_page(classified, segmented, counted, out / "report.html")
    tell(classified, segmented, counted, page, time.perf_counter() - began)
    print(f"\n{measured}", flush=True)
    if classified.accuracy < digits.GOAL:
        raise SystemExit(f"the digits came out at {classified.accuracy:.1%}, below {digits.GOAL:.0%}")
    if abs(segmented.found - segmented.typed) > 1 or segmented.right < segmented.typed - 1:
        raise SystemExit(
            f"{segmented.found} coins were found, {segmented.right} of {segmented.typed} in their place"
        )
    gain = counted.report.masks.gain if counted.report.masks else None
    if gain is None or gain < nuclei.GOAL:
        raise SystemExit(f"the watershed changed the nuclei's AP by {gain}, and not by {nuclei.GOAL} or more")


def start_again(out: Path) -> None:
    """Empty an earlier demo's folder, and no other one."""
    if out.exists():
        if not (out / MARK).exists():
            raise SystemExit(f"{out} is there already and was not made by this demo: name another folder")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARK).touch()


def make_repeatable() -> None:
    """The same weights on every run of this machine."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    tf.config.experimental.enable_op_determinism()


def say(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def write_page(
    classified: digits.Classified, segmented: coins.Segmented, counted: nuclei.Counted, path: Path
) -> Path:
    """Everything on one page."""
    page = Report(
        "Offgraph: the main job, on real images",
        "Files → SciPy's transforms → a dataset → a trained network → its predictions",
    )
    found = segmented.prediction
    drawn = coins.drawn(found)
    page.section("Coins: found on the half that the network has never seen")
    page.facts(
        [
            ("coins found", segmented.found),
            ("digits and photographs", len(classified.source)),
            ("digits correct", f"{classified.accuracy:.1%}"),
        ]
    )
    page.text(
        f"{segmented.found} coins were found; {segmented.right} of the {segmented.typed} typed centres lie in a separate coin."
    )
    page.figures(
        [
            Figure(draw.fit(draw.to_rgb(found.image), drawn.shape[1]), "the lower half, as it is"),
            Figure(drawn, "predicted, post-processed, counted, drawn on the original"),
        ],
        columns=1,
    )
    page.charts(charts.training_curves(segmented.history))

    page.section(
        "Digits: what the recipe makes of an image",
        "The image as the file has it, then three draws of the training recipe.",
    )
    by_class = {item.label: index for index, item in enumerate(classified.source) if "digit" in item.name}
    for index in list(by_class.values())[1::2]:
        sample = classified.source.read(index)
        drawn = [
            digits.RECIPE(image=sample.image, key=og.Key(digits.SEED, epoch, index)) for epoch in range(3)
        ]
        figures = [Figure(enlarged(sample.image.array), classified.source[index].name)]
        figures += [
            Figure(enlarged(result.image), f"draw {epoch + 1}", drawn_values(result))
            for epoch, result in enumerate(drawn)
        ]
        page.figures(figures, columns=4, pixels=True)

    page.section(
        "Digits: files that were set aside",
        "No file is dropped silently: each is listed with its reason, and the build continues.",
    )
    page.table(["file", "why"], classified.set_aside)

    page.section("Digits: training", f"{classified.accuracy:.1%} of the held-out images are correct.")
    page.charts(charts.training_curves(classified.history))
    names = classified.class_names
    true = [p.item.label for p in classified.predictions]
    told = [p.label for p in classified.predictions]
    page.charts([charts.confusion_matrix(true, told, names)])
    wrong = [p for p in classified.predictions if p.label != p.item.label]
    right = [p for p in classified.predictions if p.label == p.item.label]
    chosen = wrong[:8] + right[:: max(1, len(right) // 8)][:8]
    page.figures(
        [
            Figure(
                enlarged(p.image),
                f"{names[p.item.label]} → {names[p.label]}",
                f"{p.probabilities.max():.0%} sure",
                mark="right" if p.label == p.item.label else "wrong",
            )
            for p in chosen
        ],
        columns=8,
        pixels=True,
    )
    add_nuclei(page, counted)
    return page.save(path)


def add_nuclei(page: Report, counted: nuclei.Counted) -> None:
    """Held-out nuclei before and after the watershed, and what it is worth."""
    masks = counted.report.masks
    assert masks is not None and masks.instances is not None and masks.against is not None
    page.section("Nuclei: objects that touch, told apart")
    page.facts(
        [
            ("true nuclei", masks.instances.true),
            ("found", masks.instances.predicted),
            ("AP at IoU 0.5", f"{masks.instances.average_precision:.3f}"),
            ("AP of connected components", f"{masks.against.average_precision:.3f}"),
        ]
    )
    page.text(
        "Held-out images; their true masks; connected components of what the U-Net takes for nuclei; and those after the "
        f"watershed. {counted.report.path.name if counted.report.path else 'The error report'} shows the worst of them."
    )
    page.figures([Figure(image, said, name) for image, said, name in nuclei.drawn(counted)], columns=1)
    page.charts(charts.training_curves(counted.history))


def enlarged(image: np.ndarray) -> np.ndarray:
    """A small image for eyes: without a last axis of one channel, at least 96 pixels wide."""
    rgb = draw.to_rgb(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)
    return draw.fit(rgb, 128)


def drawn_values(result: og.Result) -> str:
    """What was drawn, in a few words."""
    values = {
        k: v
        for step in result.record["steps"]
        for k, v in step["params"].items()
        if step["step"] in ("Rotate", "Affine")
    }
    return ", ".join(f"{k} {v:.2f}" for k, v in values.items() if isinstance(v, float) and v)


def tell(
    classified: digits.Classified,
    segmented: coins.Segmented,
    counted: nuclei.Counted,
    page: Path,
    seconds: float,
) -> None:
    """Where each result lies, and what to try next."""
    out = page.parent
    masks = counted.report.masks
    assert masks is not None and masks.instances is not None and masks.against is not None
    say("Set aside, with the reason:")
    for name, reason in classified.set_aside:
        print(f"  {name}: {reason}")
    print(
        f"""
Coins   {segmented.found} found, {segmented.right} of {segmented.typed} in their place
Digits  {classified.accuracy:.1%} of {len(classified.predictions)} held-out images are correct
Nuclei  AP at IoU 0.5 is {masks.instances.average_precision:.3f} by the watershed, {masks.against.average_precision:.3f} by connected components
Took    {seconds:.0f} s

Look at                         {page}
Where the U-Net is wrong        {counted.report.path}
The files it began with         {classified.images}
Datasets (plain TFRecords)      {out / "digits-dataset"}, {out / "coins-dataset"}
Models with their recipes       {classified.model}, {segmented.model}, {counted.model}
The coins as tables and masks   {segmented.tables}

Try next
  offgraph predict {classified.model} {classified.images} -o {out / "predicted"}
  offgraph report {classified.model} {classified.images} -o {out / "digits-errors.html"}
  offgraph doctor {classified.images}
  offgraph compare {out / "coins" / "lower" / "coins.png"} --vary MedianFilter.size=1,3,5,7 -o {out / "by-eye.html"}
  offgraph steps"""
    )


if __name__ == "__main__":
    main()
