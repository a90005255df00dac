//! The map of a warp: where the pixels of the output lie in the input.

use crate::array::sample::Sample;
use crate::array::view::{View, read_line};
use crate::exec::simd::{Kernel, dispatch, prefetch};
use crate::interpolate::linear_coords::LinearCoords;
use crate::interpolate::options::Options;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// Where the pixels of the output lie in the input.
pub(super) enum Map<'a> {
    Affine {
        matrix: &'a [f64],
        offset: &'a [f64],
        /// Added to positions, because the output may be a part of a larger one; empty for zeros.
        origin: Vec<usize>,
    },
    /// The coordinates of each position, after an axis for the axes of the input.
    Points(View<'a>),
    /// Coordinates with all positions in one line, split into rows of equal length; not of type `f64`.
    List(View<'a>),
    /// The same for `f64`: the coordinates on each axis are contiguous.
    Lines(Vec<&'a [f64]>),
}

impl<'a> Map<'a> {
    /// The points `matrix @ o + offset`.
    pub fn affine(matrix: &'a [f64], offset: &'a [f64]) -> Self {
        Self::Affine { matrix, offset, origin: Vec::new() }
    }

    /// The points whose coordinates on each axis are a row of `list`.
    pub fn of_list(list: &'a View<'_>) -> Self {
        if let View::F64(rows) = list {
            let lines = rows.outer_iter().map_while(|row| row.to_slice()).collect_vec();
            if lines.len() == rows.len_of(ndarray::Axis(0)) {
                return Self::Lines(lines);
            }
        }
        Self::List(list.view())
    }

    /// The same map.
    pub fn view(&self) -> Map<'_> {
        match self {
            Self::Affine { matrix, offset, origin } => {
                Map::Affine { matrix, offset, origin: memory::copy(origin) }
            }
            Self::Points(points) => Map::Points(points.view()),
            Self::List(list) => Map::List(list.view()),
            Self::Lines(lines) => Map::Lines(memory::copy(lines)),
        }
    }

    /// Number of spatial axes of the input.
    pub fn rank(&self) -> usize {
        match self {
            Self::Affine { offset, .. } => offset.len(),
            Self::Points(coordinates) | Self::List(coordinates) => coordinates.shape()[0],
            Self::Lines(lines) => lines.len(),
        }
    }

    /// Whether the coordinates of a row are monotonic on each axis.
    pub fn is_monotonic(&self) -> bool {
        matches!(self, Self::Affine { .. })
    }

    /// The coordinates of a row on one axis if they are linear, and the position of its first pixel.
    pub fn linear_row(&self, axis: usize, row: &[usize]) -> Option<(LinearCoords, usize)> {
        let Self::Affine { matrix, offset, origin } = self else { return None };
        let factors = &matrix[axis * (row.len() + 1)..][..row.len() + 1];
        // The offset first, then one addition after another: SciPy's order.
        let mut start = offset[axis];
        for (at, (position, factor)) in row.iter().zip(factors).enumerate() {
            start += (position + origin.get(at).unwrap_or(&0)) as f64 * factor;
        }
        Some((LinearCoords { start, step: factors[row.len()] }, *origin.last().unwrap_or(&0)))
    }

    /// [`row`](Self::row) without a copy, if the coordinates are already stored as needed: reading them while they
    /// arrive from memory is faster than waiting for a copy.
    pub fn row_in_place(&self, axis: usize, row: &[usize], pad: usize, width: usize) -> Option<&[f64]> {
        let (Self::Lines(lines), 0) = (self, pad) else { return None };
        Some(&lines[axis][row.first().map_or(0, |row| row * width)..][..width])
    }

    /// Prefetch the coordinates of the next row, which come from main memory.
    pub fn prefetch_next_row(&self, row: &[usize], width: usize) {
        let (Self::Lines(lines), [row]) = (self, row) else { return };
        for line in lines {
            for at in ((row + 1) * width..(row + 2) * width).step_by(8) {
                prefetch(line, at);
            }
        }
    }

    /// The coordinates of a row on one input axis.
    pub fn row(&self, axis: usize, row: &[usize], pad: usize, to: &mut [f64]) {
        match self {
            Self::Affine { .. } => {
                let (coords, first) = self.linear_row(axis, row).expect("those of an affine map are");
                dispatch(WriteLinear { coords, first, pad: pad as f64, to });
                return;
            }
            Self::Points(coordinates) => match_dtype!(View, coordinates, coordinates => {
                let mut line = coordinates.view();
                line.index_axis_inplace(ndarray::Axis(0), axis);
                for position in row {
                    line.index_axis_inplace(ndarray::Axis(0), *position);
                }
                line.iter().zip(&mut *to).for_each(|(from, to)| *to = from.to_f64());
            }),
            Self::List(coordinates) => match_dtype!(View, coordinates, coordinates => {
                let start = row.first().map_or(0, |row| row * to.len());
                let line = coordinates.index_axis(ndarray::Axis(0), axis);
                read_line(line.slice(ndarray::s![start..start + to.len()]), to);
            }),
            Self::Lines(lines) => {
                let start = row.first().map_or(0, |row| row * to.len());
                to.copy_from_slice(&lines[axis][start..start + to.len()]);
            }
        }
        if pad != 0 {
            to.iter_mut().for_each(|x| *x += pad as f64);
        }
    }
}

/// `start + x * step + pad` for x = first, first + 1, ….
struct WriteLinear<'a> {
    coords: LinearCoords,
    first: usize,
    pad: f64,
    to: &'a mut [f64],
}

impl Kernel for WriteLinear<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (x, to) in self.to.iter_mut().enumerate() {
            *to = self.coords.at(self.first + x) + self.pad;
        }
    }
}

impl Map<'_> {
    /// The map of a part of the output that starts at this position.
    pub fn part(&self, first: &[usize], shape: &[usize]) -> Map<'_> {
        match self {
            Self::Affine { matrix, offset, origin } => {
                let first = first.iter().enumerate();
                let origin = first.map(|(axis, first)| first + origin.get(axis).unwrap_or(&0)).collect_vec();
                Map::Affine { matrix, offset, origin }
            }
            Self::Points(points) => {
                let ranges = first.iter().zip(shape).map(|(first, len)| *first..first + len);
                let all = std::iter::once(0..points.shape()[0]);
                Map::Points(points.slice_ranges(&all.chain(ranges).collect_vec()))
            }
            Self::List(_) | Self::Lines(_) => unreachable!("lists are split like the output"),
        }
    }

    /// Roughly which samples on each axis an output of this shape reads, as far as they lie inside.
    pub fn reach(&self, shape: &[usize], lens: &[usize], options: &Options) -> Vec<Range<usize>> {
        let range = |axis: usize| -> (f64, f64) {
            match self {
                Self::Affine { matrix, offset, origin } => {
                    let columns = shape.len();
                    let mut ends = (offset[axis], offset[axis]);
                    for (at, factor) in matrix[axis * columns..][..columns].iter().enumerate() {
                        let first = origin[at] as f64 * factor;
                        let last = (origin[at] + shape[at] - 1) as f64 * factor;
                        ends = (ends.0 + first.min(last), ends.1 + first.max(last));
                    }
                    ends
                }
                Self::Points(points) => points.min_max(axis),
                Self::List(_) | Self::Lines(_) => unreachable!("lists are split like the output"),
            }
        };
        let around = (options.order / 2 + 1) as f64;
        let pad = options.pad as f64;
        let samples = |(axis, len): (usize, &usize)| {
            let (first, last) = range(axis);
            // NaN becomes zero.
            let first = (first + pad - around).floor().max(0.0) as usize;
            let end = (last + pad + around).ceil().max(-1.0) as usize;
            first.min(*len)..end.saturating_add(1).clamp(first.min(*len), *len)
        };
        lens.iter().enumerate().map(samples).collect_vec()
    }
}
