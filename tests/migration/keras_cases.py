"""Fixed arguments of Keras' layers, for which nothing is drawn but what leaves the image as it is."""

from __future__ import annotations

from typing import Any

CASES: list[tuple[str, dict[str, Any]]] = [
    ("Rescaling", {"scale": 1 / 127.5, "offset": -1}),
    ("Rescaling", {"scale": [0.1, 0.2, 0.3], "offset": [1, 2, 3]}),
    ("Normalization", {"mean": [100.0, 110.0, 120.0], "variance": [400.0, 500.0, 600.0]}),
    ("Resizing", {"height": 150, "width": 180}),
    ("Resizing", {"height": 401, "width": 500}),
    ("Resizing", {"height": 400, "width": 500, "interpolation": "bicubic"}),
    ("Resizing", {"height": 97, "width": 101, "interpolation": "nearest"}),
    ("Resizing", {"height": 100, "width": 100, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 100, "width": 100, "pad_to_aspect_ratio": True, "fill_value": 9}),
    ("Resizing", {"height": 100, "width": 120, "antialias": True}),
    ("CenterCrop", {"height": 101, "width": 200}),
    ("RandomRotation", {"factor": (0.1, 0.1)}),
    ("RandomRotation", {"factor": (-0.04, -0.04), "fill_mode": "nearest"}),
    ("RandomRotation", {"factor": (0.07, 0.07), "fill_mode": "constant", "fill_value": 30}),
    ("RandomRotation", {"factor": (0.07, 0.07), "fill_mode": "wrap"}),
    ("RandomZoom", {"height_factor": (0.2, 0.2)}),
    ("RandomZoom", {"height_factor": (-0.2, -0.2), "width_factor": (0.1, 0.1), "fill_mode": "constant"}),
    ("RandomTranslation", {"height_factor": (0.1, 0.1), "width_factor": (-0.07, -0.07)}),
    ("RandomTranslation", {"height_factor": (0.0, 0.0), "width_factor": (0.2, 0.2), "fill_mode": "constant"}),
    ("RandomBrightness", {"factor": (0.2, 0.2)}),
    ("RandomBrightness", {"factor": (-0.3, -0.3)}),
    ("RandomSaturation", {"factor": (0.3, 0.3)}),
    ("RandomGrayscale", {"factor": 1.0}),
    ("RandomInvert", {"factor": (1.0, 1.0)}),
    ("RandomPosterization", {"factor": (3, 3)}),
    ("Solarization", {"threshold_factor": (0.0, 0.0)}),
    ("Equalization", {}),
    ("AutoContrast", {}),
    ("RandomColorDegeneration", {"factor": (0.4, 0.4)}),
    ("RandomShear", {"x_factor": (0.0, 0.0), "y_factor": (0.0, 0.0)}),
]
"""Name and arguments."""
