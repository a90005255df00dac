"""What the outputs of a detector mean: declared once, kept with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from offgraph.core.errors import ArgumentError, OffgraphError

__all__ = ["DetectionOutputs"]

Column = Literal["box", "score", "scores", "label", "points", "skip"]
_COLUMNS = get_args(Column)
_FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx", "yxhw", "cyxhw", "coco", "yolo", "voc")
_SPELLED = {"center_xywh": "cxcywh", "center_yxhw": "cyxhw"}
_USUAL = {
    "boxes": ("boxes", "detection_boxes"),
    "scores": ("scores", "confidence", "detection_scores"),
    "labels": ("labels", "classes", "detection_classes"),
    "count": ("num_detections",),
}
"""Names that detectors give their outputs, looked for where none is said."""


@dataclass(frozen=True)
class DetectionOutputs:
    """What the outputs of a detector mean.

    Outputs are named as the model names them: keys of a dictionary, names of a Keras model's last layers, or their number. Where a
    name is not said, the usual ones are looked for: ``boxes``, ``detection_boxes``; ``scores``, ``confidence``,
    ``detection_scores``; ``labels``, ``classes``, ``detection_classes``; ``num_detections``.

    Parameters
    ----------
    boxes : str, int or None
        The output of boxes, (B, N, 4), or of all columns that `columns` names. By default the usual name, or the only output;
        None for a model of keypoints alone.
    scores : str or int, optional
        Of (B, N), the probability of each box; or (B, N, K), that of each class, of which the likeliest is the box's.
    labels : str or int, optional
        The class number of each box, (B, N).
    points : str or int, optional
        Keypoints: (B, N, P, 2) of each box, or (B, P, 2) of the image where there are no boxes; with a third number, their score.
    count : str or int, optional
        How many of the N boxes count, (B,) or (B, 1); the others are padding. So is, in any case, a box of a score of at most 0 and
        one of a label below the first class.
    format : str
        What the four numbers of a box are: ``"xyxy"`` (left, upper, right, lower edge), ``"xywh"`` (left, upper edge, width,
        height), ``"cxcywh"`` (centre, width, height), ``"yxyx"``, or a format of annotations: ``"coco"`` (as xywh), ``"yolo"`` (cxcywh in
        shares), ``"voc"`` (pixels counted from 1, the last one inside). Keras' names ``"center_xywh"`` and ``"rel_yxyx"`` are
        understood, and capitals. Points are (x, y), with a format that begins with y they are (y, x).
    unit : {"pixels", "shares"}
        Whether they are pixels of the image that the model is given, or shares of its width and height.
    origin : {"edge", "centre"}
        Where 0 is: at the image's own edge, as in box formats, or at the centre of its first pixel, as in arrays, half a pixel
        further. Not for ``"voc"`` and shares, which say it themselves.
    columns : sequence of str, optional
        Of one output that holds all, what its columns are: ``"box"`` (four), ``"score"``, ``"label"``, ``"skip"`` (one each), and
        ``"scores"`` or ``"points"``, which take those that are left. YOLO's raw outputs are ``("box", "scores")``, with objectness
        ``("box", "score", "scores")`` (both are multiplied), with suppression in the graph ``("box", "score", "label")``.
    transposed : bool
        Whether that output is (B, columns, N), as some exports have it.
    activation : {"none", "sigmoid", "softmax"}
        What turns the scores into probabilities; ``"none"`` where they are.
    background : {"none", "first", "last"}
        Whether a class of no object is among the classes: as number 0, so that classes are counted from 1, or after the others.
    point_count : int, optional
        How many keypoints the column ``"points"`` holds; their number of numbers follows. By default they have three.
    pairs : sequence of (int, int), optional
        Numbers of keypoints that a mirror image exchanges, such as those of the left and the right eye.

    Raises
    ------
    ArgumentError
        For values that are none of these, or do not fit one another.

    Examples
    --------
    >>> DetectionOutputs(format="rel_yxyx").unit
    'shares'
    >>> DetectionOutputs(columns=("box", "scores"), transposed=True, format="cxcywh").format
    'cxcywh'
    """

    boxes: str | int | None = ""
    scores: str | int | None = ""
    labels: str | int | None = ""
    points: str | int | None = None
    count: str | int | None = ""
    format: str = "xyxy"
    unit: Literal["pixels", "shares"] = "pixels"
    origin: Literal["edge", "centre"] = "edge"
    columns: tuple[Column, ...] | None = None
    transposed: bool = False
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    background: Literal["none", "first", "last"] = "none"
    point_count: int | None = None
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("boxes", "scores", "labels", "points", "count"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, str | int | None):
                raise ArgumentError(f"{name}={value!r:.80}: give the name of an output, or its number")
        self._parse_format()
        for name, known in (
            ("unit", ("pixels", "shares")),
            ("origin", ("edge", "centre")),
            ("activation", ("none", "sigmoid", "softmax")),
            ("background", ("none", "first", "last")),
            ("transposed", (False, True)),
        ):
            if getattr(self, name) not in known:
                raise ArgumentError(
                    f"{name}={getattr(self, name)!r:.80}: choose {' or '.join(map(repr, known))}"
                )
        if self.origin == "centre" and (self.unit == "shares" or self.format == "voc"):
            said = "shares" if self.unit == "shares" else "the format voc"
            raise ArgumentError(f"origin='centre': {said} says where 0 is; leave origin out")
        if self.boxes is None and self.points is None:
            raise ArgumentError("boxes=None: of keypoints alone; say which output they are, points=")
        self._parse_columns()
        self._parse_pairs()

    def _parse_format(self) -> None:
        name = self.format.lower() if isinstance(self.format, str) else ""
        if name.startswith("rel_"):
            name = name.removeprefix("rel_")
            object.__setattr__(self, "unit", "shares")
        name = _SPELLED.get(name, name)
        if name not in _FORMATS:
            raise ArgumentError(
                f"format={self.format!r:.80}: known are {', '.join(_FORMATS)}, center_xywh, and rel_ before them"
            )
        if name == "yolo":
            object.__setattr__(self, "unit", "shares")
            name = "cxcywh"
        if name == "voc" and self.unit == "shares":
            raise ArgumentError("unit='shares': the format voc counts pixels")
        object.__setattr__(self, "format", "xywh" if name == "coco" else name)

    def _parse_columns(self) -> None:
        if self.columns is None:
            if self.transposed:
                raise ArgumentError("transposed=True: of an output of several columns; say which, columns=")
            return
        given = (self.columns,) if isinstance(self.columns, str) else self.columns
        if not isinstance(given, Sequence) or not all(one in _COLUMNS for one in given):
            raise ArgumentError(f"columns={self.columns!r:.120}: give some of {', '.join(_COLUMNS)}")
        object.__setattr__(self, "columns", tuple(given))
        named = [one for one in given if one != "skip"]
        if len(set(named)) < len(named) or "box" not in named:
            raise ArgumentError(f"columns={self.columns!r:.120}: 'box' is needed, and each once")
        if "scores" in named and "points" in named and self.point_count is None:
            raise ArgumentError("columns=: with 'scores' beside 'points', say how many, point_count=")
        if self.point_count is not None and (
            "points" not in named or type(self.point_count) is not int or self.point_count < 1
        ):
            raise ArgumentError(f"point_count={self.point_count!r:.80}: a number of the column 'points'")

    def _parse_pairs(self) -> None:
        try:
            pairs = tuple((int(left), int(right)) for left, right in self.pairs)
        except (TypeError, ValueError):
            pairs = ((0, 0),)
        numbers = [number for pair in pairs for number in pair]
        if len(set(numbers)) < len(numbers) or min(numbers, default=0) < 0:
            raise ArgumentError(
                f"pairs={self.pairs!r:.80}: give pairs of keypoints, such as [(0, 1)], each of them once"
            )
        object.__setattr__(self, "pairs", pairs)

    @property
    def has_points(self) -> bool:
        """Whether the model gives keypoints."""
        return self.points is not None or "points" in (self.columns or ())

    @property
    def main(self) -> str:
        """The output that everything else belongs to, once names are resolved."""
        return str(self.points if self.boxes is None else self.boxes)

    def check_shape(self, shape: Sequence[int | None], model: str) -> None:
        """Refuse a model whose main output cannot be what is declared; lengths that are None are open.

        Raises
        ------
        OffgraphError
        """
        if self.boxes is None:
            wanted, fits = "(batch, points, 2 or 3)", len(shape) == 3 and shape[2] in (None, 2, 3)
        elif self.columns is None:
            wanted, fits = "(batch, boxes, 4)", len(shape) == 3 and shape[2] in (None, 4)
        else:
            wanted, fits = "(batch, boxes, columns)", len(shape) == 3
        if not fits:
            said = (
                ""
                if self.columns is not None or self.boxes is None
                else "; of one output that holds all, say columns="
            )
            raise OffgraphError(
                f"{model}: task='detect': {self.main!r} gives {tuple(shape)}, a detector gives {wanted}{said}"
            )

    def resolved(self, names: Sequence[str]) -> DetectionOutputs:
        """Return the same with the names of a model's outputs, in place of numbers and of what was not said.

        Raises
        ------
        ArgumentError
            Where the model has no such output, or which one holds the boxes is in doubt.
        """
        found: dict[str, str | None] = {}
        for field in ("boxes", "scores", "labels", "points", "count"):
            found[field] = self._named(field, getattr(self, field), names)
        if found["boxes"] is None and self.boxes is not None:
            raise ArgumentError(
                f"which output holds the boxes is not said: the model has {', '.join(map(repr, names))}; say "
                f"detection=DetectionOutputs(boxes={names[0]!r}, …)"
            )
        if self.columns is not None:
            for field, column in (("scores", "scores"), ("labels", "label"), ("points", "points")):
                if found[field] is not None and {column, column[:5]} & set(self.columns):
                    if getattr(self, field):
                        raise ArgumentError(f"{field}=: the columns have {column!r} already")
                    found[field] = None
        return replace(self, **found)  # type: ignore[arg-type]  # names

    def _named(self, field: str, value: str | int | None, names: Sequence[str]) -> str | None:
        if value is None:
            return None
        if value == "":
            usual = [name for name in _USUAL[field] if name in names]
            if usual or field != "boxes":
                return usual[0] if usual and self.boxes is not None else None
            return names[0] if len(names) == 1 else None
        if isinstance(value, int):
            if not 0 <= value < len(names):
                raise ArgumentError(f"{field}={value}: the model has {len(names)} outputs, counted from 0")
            return names[value]
        if value not in names:
            raise ArgumentError(
                f"{field}={value!r:.80}: the model has {'the outputs' if len(names) > 1 else 'one output,'} "
                f"{', '.join(map(repr, names))}"
            )
        return value

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **plain,
            "columns": None if self.columns is None else list(self.columns),
            "pairs": [list(pair) for pair in self.pairs],
        }

    @classmethod
    def from_dict(cls, given: Any) -> DetectionOutputs:
        """Read what `to_dict` wrote.

        Raises
        ------
        ArgumentError
            For anything else.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(given, Mapping) or not set(given) <= known:
            raise ArgumentError(f"{given!r:.120} says not what a detector's outputs are")
        columns = given.get("columns")
        return cls(**{**given, "columns": tuple(columns) if isinstance(columns, list) else columns})
