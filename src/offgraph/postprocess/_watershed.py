"""Shared by the watersheds: summits that stand out by more than `h`, and the flood from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.engine.segmentation import h_maxima, watershed
from offgraph.postprocess._labels import first_places, neighbours

__all__ = ["flooded", "markers", "renumbered"]


def flooded(height: np.ndarray, seeds: np.ndarray, inside: np.ndarray, connectivity: int) -> np.ndarray:
    """Return the basin of each seed: pixels inside go to the seed that the highest path leads to, from high to low.

    Parameters
    ----------
    height : ndarray of floats
        Seeds lie on its summits.
    seeds : ndarray of int32
        Numbers from 1, 0 elsewhere.
    inside : ndarray of bool
        What is flooded.
    connectivity : int

    Returns
    -------
    ndarray of int32
    """
    if not seeds.any():
        return np.zeros(seeds.shape, np.int32)
    neighbours(ndimage, height.ndim, connectivity)  # says what is wrong with it
    return watershed(_order(height, seeds, inside), seeds, inside, connectivity)


def _order(height: np.ndarray, seeds: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the order in which pixels are flooded, the highest first, and of equally high ones seeds, by their places.

    scikit-image takes seeds of one height as its queue happens to hold them, which depends on all other seeds. In this order
    an object is flooded alike whatever else is in the image. Pixels without a seed keep the order in which they are reached.
    """
    flat = inside.ravel()
    _, rank = np.unique(-height.ravel()[flat], return_inverse=True)
    rank = rank.astype(np.float64)
    seeded = np.flatnonzero(seeds.ravel()[flat])
    rank[seeded] -= 0.5 - np.arange(len(seeded)) / (2 * len(seeded))
    order = np.zeros(height.size)
    order[flat] = rank
    return order.reshape(height.shape)


def markers(
    height: np.ndarray, inside: np.ndarray, h: float, min_distance: int, connectivity: int
) -> np.ndarray:
    """Return numbered summits of each connected component, at least one of each.

    Parameters
    ----------
    height : ndarray of floats
        Positive inside, 0 elsewhere.
    inside : ndarray of bool
    h : float
        Summits from which a way leads to one as high or higher, and never down by more than this, are one with it; 0 takes every
        summit.
    min_distance : int
        Of summits whose centres are nearer along every axis, in one component, the highest stays.
    connectivity : int

    Returns
    -------
    ndarray of int32
        Numbers from 1, in no certain order.

    Notes
    -----
    The h-maxima transform cuts every summit off by `h`, and those of one plateau then are one: scikit-image's `h_maxima`, which looks
    for what was cut off by all of `h`, keeps summits of equal height apart however shallow the dip between them.
    """
    if not inside.any():
        return np.zeros(inside.shape, np.int32)
    structure = neighbours(ndimage, height.ndim, connectivity)
    summits = h_maxima(height, h, connectivity) & inside
    pieces: Any = ndimage.label(inside, structure)
    found: Any = ndimage.label(summits, structure)
    seeds, count = found[0].astype(np.int32), found[1]
    if min_distance > 1 and count > 1:
        seeds = _spaced(seeds, count, height, pieces[0], min_distance)
    without = np.ones(pieces[1] + 1, np.bool_)
    without[0] = False
    without[pieces[0][seeds > 0]] = False
    if without.any():  # too low to be a summit
        top: Any = ndimage.maximum(height, pieces[0], np.arange(pieces[1] + 1))
        highest = without[pieces[0]] & (height == np.asarray(top)[pieces[0]])
        seeds = np.where(highest, count + pieces[0], seeds).astype(np.int32)
    return seeds


def _spaced(
    seeds: np.ndarray, count: int, height: np.ndarray, pieces: np.ndarray, min_distance: int
) -> np.ndarray:
    """Take away seeds that lie near a higher one of the same piece; of equal ones the first stays."""
    from scipy.spatial import KDTree

    places = np.argwhere(seeds > 0)
    number = seeds[tuple(places.T)] - 1
    area = np.bincount(number, minlength=count)
    centres = np.stack(
        [np.bincount(number, axis, minlength=count) / area for axis in places.T.astype(float)], axis=-1
    )
    first = np.full(count, len(places))
    np.minimum.at(first, number, np.arange(len(places)))
    first = tuple(places[first].T)
    tops, piece = height[first], pieces[first]
    pairs = KDTree(centres).query_pairs(min_distance, p=np.inf, output_type="ndarray")
    near = np.abs(centres[pairs[:, 0]] - centres[pairs[:, 1]]).max(axis=1, initial=0) < min_distance
    pairs = pairs[near & (piece[pairs[:, 0]] == piece[pairs[:, 1]])]
    rank = np.empty(count, int)
    rank[np.argsort(-tops, kind="stable")] = np.arange(count)
    higher = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    lower = pairs.sum(axis=1) - higher
    gone = np.zeros(count + 1, np.bool_)
    for one, other in zip(
        *(each[np.argsort(rank[higher], kind="stable")].tolist() for each in (higher, lower))
    ):
        if not gone[one + 1]:
            gone[other + 1] = True
    return np.where(gone[seeds], 0, seeds)


def renumbered(basins: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the basins numbered from 1, label after label, and those of a label by their first pixels."""
    count = int(basins.max(initial=0))
    first = first_places(basins, count)
    there = np.flatnonzero(first < basins.size)
    order = there[np.lexsort((first[there], labels.ravel()[first[there]]))]
    numbers = np.zeros(count + 1, np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[basins]
