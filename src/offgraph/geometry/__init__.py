"""Coordinate maps, one file each: where every output pixel comes from, and the way back to the original grid."""

from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap, compose, map_from_json
from offgraph.geometry.chain_map import ChainMap
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.geometry.frame import Frame
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.inverse_map import InverseMap
from offgraph.geometry.orientation import orientation_map
from offgraph.geometry.projective_map import ProjectiveMap
from offgraph.geometry.radial_map import RadialMap
from offgraph.geometry.reading import read, read_labels
from offgraph.geometry.resampling import BorderMode, Leg, Resampling
from offgraph.geometry.tile_map import TileMap

__all__ = [
    "AffineMap",
    "BorderMode",
    "ChainMap",
    "CoordinateMap",
    "DisplacementMap",
    "Frame",
    "GridMap",
    "InverseMap",
    "Leg",
    "ProjectiveMap",
    "RadialMap",
    "Resampling",
    "TileMap",
    "compose",
    "map_from_json",
    "orientation_map",
    "read",
    "read_labels",
]
