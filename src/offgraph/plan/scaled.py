"""Images whose file is decoded at another scale, for the resize that their recipe begins with: ``decode="scaled"``.

The native core decides on the scale, and works out the weights (`native/plan/src/scaled.rs`); here is what begins it for an
image that runs alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.engine.files import open_image
from offgraph.engine.native_plan import native_file_target, run_plan
from offgraph.plan.lower import PlannedOp
from offgraph.plan.native import native_op
from offgraph.steps.ops import Grid, Resize
from offgraph.targets.image import Image

__all__ = ["begin_scaled"]


def begin_scaled(ops: Sequence[PlannedOp], image: Image) -> tuple[Sequence[PlannedOp], Image]:
    """Run the resize that operations begin with on the file of an image, decoded at another scale.

    Parameters
    ----------
    ops : sequence of PlannedOp
    image : Image

    Returns
    -------
    sequence of PlannedOp
        Those that are left.
    Image
        What they are run on: the same one, where nothing is known of its file, where the core does not decode it, and
        where no resize stands at the beginning, but for crops and flips.
    """
    count = next((number for number, planned in enumerate(ops) if not isinstance(planned.op, Grid)), len(ops))
    if image.contents is None or count == len(ops) or not isinstance(ops[count].op, Resize):
        return ops, image
    first, last = ops[0].before, ops[count].after
    if first.shape != image.array.shape or first.axes not in ("YX", "YXC") or first.dtype != "uint8":
        return ops, image
    encoded = open_image(image.contents)
    is_rgb = first.axes == "YXC"
    if encoded is None or (encoded.header[2] > 1 and not is_rgb):
        return ops, image
    output = np.empty(last.shape, last.dtype)
    try:
        natives = [native_op(planned.op, planned.before) for planned in ops[: count + 1]]
        target = native_file_target(
            encoded, output, [op for op in natives if op is not None], is_rgb=is_rgb, decoding="scaled"
        )
        run_plan([target])
    except Exception:  # whatever it is, it is raised again where the pixels are run
        return ops, image
    return ops[count + 1 :], image.with_array(output)
