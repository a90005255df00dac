"""Mix an image with changed versions of it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from offgraph.core.distributions import Beta
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec, SpecT
from offgraph.steps.base import Step
from offgraph.steps.counts import Changes, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ImageStep
from offgraph.steps.parameters import Mode, Number, Order, PositiveNumber, WholeNumber
from offgraph.steps.structure import either, member_spec_after
from offgraph.steps.values import as_dtype, held_range
from offgraph.targets.image import Image
from offgraph.transforms.structure._policy import Strength, places, ways

__all__ = ["AugMix"]

Severity = Annotated[int, WholeNumber(1, 10)]
Width = Annotated[int, WholeNumber(1, 10)]
_OTHERS = (4, 5, 6, 9, 11)
"""Numbers of the ways that the paper leaves out: brightness, contrast, saturation, sharpness."""


@step
class AugMix(ImageStep):
    """Average an image with several versions of it, each changed a few times: AugMix, for classifiers that see other cameras.

    A structure step, for images of uint8 and uint16; masks, boxes and points stay, because the versions lie over each other.
    After Hendrycks et al. (2020): ``(1 - m) * image + m * sum(w[i] * version[i])``, with m of Beta(alpha, alpha) and the weights w of
    the Dirichlet distribution of the same alpha. Each version went through some of the ways of `TrivialAugment`, drawn evenly and with
    repetition. Strengths are drawn evenly up to `severity` tenths of: shear 0.3, shift a third of the side, rotation 30 degrees,
    factors 0.9 from 1, posterized to 4 bits, solarized above 0. Exactness: that of the steps that are chosen, whose whole-number results
    are averaged in float64 and rounded half to even.

    Parameters
    ----------
    severity : int
        1 to 10; 3 as in the paper.
    width : int
        How many versions, 1 to 10.
    depth : int or (low, high)
        How many changes of each version, 1 to 14.
    alpha : float
        Of both distributions, above 0: below 1 most images stay nearly as they are, or lose themselves.
    all_ways : bool
        Whether brightness, contrast, saturation and sharpness are among the changes, as in torchvision; the paper leaves them to
        its test set.
    order : int
        Spline order of shear, shift and rotation, 0 to 5: 0 nearest, 1 linear.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    range : float, optional
        The value of white. By default the largest of the dtype; a 12-bit image stored in uint16 says ``range=4095``.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Augment(og.AugMix())])
    >>> out = recipe(image=np.full((32, 32, 3), 90, np.uint8), key=og.Key(seed=7))
    >>> [[part["step"] for part in version] for version in out.record["steps"][0]["params"]["versions"]]
    [['Rotate', 'Shift', 'Identity'], ['ColorJitter', 'Affine'], ['AutoContrast', 'Rotate', 'AutoContrast']]
    """

    kind = "structure"
    dimensions = (2,)

    severity: Severity = 3
    width: Width = 3
    depth: Changes = (1, 3)
    alpha: PositiveNumber = 1.0
    all_ways: bool = True
    order: Order = 1
    mode: Mode = "constant"
    cval: Number = 0.0
    range: PositiveNumber | None = None

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    @property
    def _ways(self) -> tuple[Step, ...]:
        by = self.severity / 10
        strength = Strength(
            0.3 * by,
            f"{100 * by / 3:.4f}%",
            30 * by,
            0.9 * by,
            (8 - round(4 * by), 8),
            (1 - by, 1.0),
            drawn=True,
        )
        names = ("order", "mode", "cval")
        return ways(strength, self.range, tuple((name, getattr(self, name)) for name in names))

    def _places(self, spec: OpenSpec) -> tuple[int, ...]:
        return tuple(place for place in places(spec) if self.all_ways or place + 1 not in _OTHERS)

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; each way has to take such an image."""
        members = self._ways
        either(spec, *(member_spec_after(members[place], spec) for place in self._places(spec)))
        return spec

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `share` of the versions together, `weights` of each, and `versions`: the steps of each, with their values."""
        self.output_spec(spec)
        members, allowed = self._ways, self._places(spec)
        share = draw.value(Beta(self.alpha, self.alpha))
        weights, left = [], 1.0
        for others in reversed(range(self.width)):  # sticks broken off: the Dirichlet distribution
            part = draw.value(Beta(self.alpha, others * self.alpha)) if others else 1.0
            weights.append(left * part)
            left -= weights[-1]
        versions = []
        for number in range(self.width):
            parts = []
            for position in range(drawn_count(draw, self.depth)):
                place = allowed[draw.integer(0, len(allowed) - 1)]
                member = members[place]
                params = member.sample(draw.at(f"{draw.address}/{number}.{position}"), spec)
                parts.append({"number": place + 1, "step": member.name, "params": params})
            versions.append(parts)
        return {"share": share, "weights": weights, "versions": versions}

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each step by itself on each version, then one sum."""
        members, share = self._ways, params["share"]
        total = (1 - share) * image.astype(np.float64)
        for weight, parts in zip(params["weights"], params["versions"]):
            version = Image(image, "YXC")
            for part in parts:
                version = members[part["number"] - 1].apply(version, part["params"])
            total += share * weight * version.array
        return as_dtype(total, image.dtype, held_range(image.dtype.name, self.range))
