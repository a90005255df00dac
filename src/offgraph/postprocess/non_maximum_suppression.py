"""Of boxes that say the same object several times, the likeliest."""

from __future__ import annotations

import numpy as np

from offgraph.postprocess._boxes import BoxStep
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Count, NonNegativeNumber, Share
from offgraph.targets.boxes import Boxes
from offgraph.targets.suppression import kept_boxes

__all__ = ["NonMaximumSuppression"]


@step
class NonMaximumSuppression(BoxStep):
    """Keep the likeliest box of each object, and leave out those that overlap it too much.

    A result step on a detector's boxes, which have their scores in the column ``"score"``; boxes without it, such as annotated ones,
    stay, and so does the image. Those that stay are in the order of falling scores. Exactness: the boxes of `offgraph.non_maximum_suppression`, TensorFlow's
    `tf.image.non_max_suppression` in float64.

    Parameters
    ----------
    iou : float
        Boxes that share more than this, from 0 to 1, of what both cover together are one object.
    min_score : float
        Boxes with a lower score are left out.
    max_boxes : int, optional
        At most so many stay in an image.
    by_class : bool
        Whether boxes of different labels never suppress one another.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> found = og.Boxes(
    ...     [[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 9, 9]], size=(10, 12), labels=[0, 0, 1], extra={"score": [0.8, 0.9, 0.5]}
    ... )
    >>> out = og.Compose([og.NonMaximumSuppression()])(image=np.zeros((10, 12), np.uint8), boxes=found)
    >>> out.boxes.array.tolist()
    [[0.0, 0.0, 4.0, 5.0], [6.0, 6.0, 9.0, 9.0]]
    """

    iou: Share = 0.5
    min_score: NonNegativeNumber = 0.0
    max_boxes: Count | None = None
    by_class: bool = True

    def refined(self, boxes: Boxes, scores: np.ndarray) -> Boxes:
        """Keep the rows of the definition, by falling score."""
        kinds = np.zeros(len(boxes), np.int64)
        if self.by_class and boxes.labels is not None:
            kinds = np.unique(boxes.labels, return_inverse=True)[1]
        kept = kept_boxes(boxes.edges, scores, kinds, self.iou, self.min_score, self.max_boxes)
        return boxes.taken(kept, "a likelier box says the same object, or its score is too low")
