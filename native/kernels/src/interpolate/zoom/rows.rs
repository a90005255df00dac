//! The rows of a zoomed image.

use crate::array::axes::Axes;
use crate::array::index::advance;
use crate::array::sample::Sample;
use crate::array::view::are_finite;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::bilinear::points::{BLOCK, Points, PointsSlice};
use crate::interpolate::read_row::ReadRow;
use crate::interpolate::zoom::axis_table::{AxisTable, LeadTaps};
use crate::interpolate::zoom::plan::ZoomPlan;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{RowMaker, RowWorker};
use std::sync::atomic::{AtomicBool, Ordering};

/// Estimated nanoseconds per sample.
pub(super) fn cost<const TAPS: usize>(axes: Axes) -> usize {
    TAPS.saturating_pow(axes.spatial as u32).saturating_mul(2)
}

/// For order 1 with two spatial axes: the columns of the output whose 2 × 2 neighbours lie inside the image.
struct ZoomPlane {
    columns: Points,
    /// The weights of the interior columns.
    weights: Vec<[f64; 2]>,
    /// The other columns, except those that have the fill value.
    edge: Vec<usize>,
}

impl ZoomPlane {
    fn new<const TAPS: usize>(pixels: &dyn ReadRow, tables: &[&AxisTable<TAPS>]) -> Option<Self> {
        let ([_, columns], [_, (width, stride)], 2) = (tables, pixels.spatial(), TAPS) else {
            return None;
        };
        if u32::try_from(width.saturating_mul(*stride)).is_err() {
            return None;
        }
        let (inside, count) = (columns.inside.clone(), columns.outside.len());
        let mut points = Points::new(count);
        for (position, (first, right)) in inside.clone().zip(&columns.between) {
            (points.starts[position], points.right[position]) = ((first * stride) as u32, *right);
        }
        let edge = |position: &usize| !inside.contains(position) && !columns.outside[*position];
        let edge = (0..count).filter(edge).collect_vec();
        let weights = points.weights(inside);
        Some(Self { columns: points, weights, edge })
    }
}

/// Fewest output pixels, on average, that read the same samples along the last axis: fewer do not fill a register.
const LEAST_RUN: usize = 8;

/// An enlarged row: runs of output pixels that read the same samples.
struct EnlargedRow<const TAPS: usize> {
    /// Where each run begins, and what it reads.
    runs: Vec<(usize, [usize; TAPS])>,
    /// The weights of all output pixels, one tap after another.
    weights: Vec<f64>,
}

impl<const TAPS: usize> EnlargedRow<TAPS> {
    /// `None` if runs are short.
    fn new(table: &AxisTable<TAPS>) -> Option<Self> {
        let count = table.taps.len();
        let is_start = |at: usize| at == 0 || table.taps[at] != table.taps[at - 1];
        let starts = (0..count).filter(|at| is_start(*at)).collect_vec();
        (starts.len() * LEAST_RUN <= count).then(|| Self {
            runs: starts.into_iter().map(|at| (at, table.taps[at])).collect_vec(),
            weights: (0..TAPS * count).map(|at| table.weights[at % count][at / count]).collect_vec(),
        })
    }
}

/// The image, or the part of it that was gathered, and the tables of its spatial axes.
pub(super) struct Zoom<'a, const TAPS: usize> {
    pixels: &'a dyn ReadRow,
    tables: &'a [&'a AxisTable<TAPS>],
    plane: Option<ZoomPlane>,
    /// For one plane.
    enlarged: Option<EnlargedRow<TAPS>>,
    fill: f64,
    /// See [`ZoomPlan`].
    is_finite: Option<&'a AtomicBool>,
}

impl<'a, const TAPS: usize> Zoom<'a, TAPS> {
    pub fn new(pixels: &'a dyn ReadRow, tables: &'a [&'a AxisTable<TAPS>], plan: ZoomPlan<'a>) -> Self {
        let ZoomPlan { options, is_finite, .. } = plan;
        let enlarged = if pixels.planes() == 1 { EnlargedRow::new(tables[tables.len() - 1]) } else { None };
        Self {
            pixels,
            tables,
            plane: ZoomPlane::new(pixels, tables),
            enlarged,
            fill: options.fill,
            is_finite,
        }
    }

    /// Check results while they are in a near cache.
    pub fn watch<O: Sample>(&self, results: &[O]) {
        if let Some(is_finite) = self.is_finite
            && !are_finite(results)
        {
            is_finite.store(false, Ordering::Relaxed);
        }
    }
}

impl<const TAPS: usize> RowMaker for Zoom<'_, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let (len, _) = *self.pixels.spatial().last().expect("at least one spatial axis");
        Box::new(ZoomWorker {
            zoom: self,
            rows: Vec::new(),
            row: Vec::new(),
            outside: false,
            down: [0.0; BLOCK],
            pixel: memory::zeros(2 * self.pixels.planes()),
            scaled: memory::zeros((len + 1) * self.pixels.planes()),
        })
    }
}

struct ZoomWorker<'a, const TAPS: usize> {
    zoom: &'a Zoom<'a, TAPS>,
    rows: Vec<LeadTaps>,
    row: Vec<usize>,
    outside: bool,
    /// The vertical distance of this row's points from their first neighbours.
    down: [f64; BLOCK],
    /// An edge pixel, and one of its taps.
    pixel: Vec<f64>,
    /// One scaled input row, followed by the scaled fill value.
    scaled: Vec<f64>,
}

impl<const TAPS: usize> RowWorker for ZoomWorker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        let tables = &self.zoom.tables[..row.len()];
        self.row.clear();
        memory::extend_from_slice(&mut self.row, row);
        if let Some((_, down)) = self.plane_row() {
            self.down.fill(down);
            return;
        }
        self.rows.clear();
        self.outside = tables.iter().zip(row).any(|(table, position)| table.outside[*position]);
        if self.outside {
            return;
        }
        let shape = memory::filled(TAPS, row.len());
        let mut tap = memory::zeros(row.len());
        loop {
            let mut start = Some(0);
            let mut weights = memory::with_capacity(row.len());
            for (axis, (table, position)) in tables.iter().zip(row).enumerate() {
                let (len, stride) = self.zoom.pixels.spatial()[axis];
                let index = table.taps[*position][tap[axis]];
                start = start.filter(|_| index < len).map(|start| start + index * stride);
                memory::push(&mut weights, table.weights[*position][tap[axis]]);
            }
            memory::push(&mut self.rows, LeadTaps { start, weights });
            if !advance(&mut tap, &shape) {
                break;
            }
        }
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let pixels = self.zoom.pixels;
        pixels.blends_bytes()
            && self.fill_plane_row(outer, to, |start, points, to| pixels.blend_bytes(start, points, to))
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        let pixels = self.zoom.pixels;
        self.fill_plane_row(outer, to, |start, points, to| pixels.blend_floats(start, points, to))
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let Zoom { pixels, tables, fill, .. } = self.zoom;
        if self.fill_plane_row(outer, to, |start, points, to| pixels.blend(start, points, to)) {
            return;
        }
        if self.outside {
            to.fill(*fill);
            return;
        }
        let planes = pixels.planes();
        let table = &tables[tables.len() - 1];
        let plane_start = pixels.outer_offset(outer);
        to.fill(0.0);
        for LeadTaps { start, weights } in &self.rows {
            let end = self.scaled.len() - planes;
            let (row, after) = self.scaled.split_at_mut(end);
            after.fill(*fill);
            match start {
                Some(start) => pixels.read(plane_start + start, row),
                None => row.fill(*fill),
            }
            match &self.zoom.enlarged {
                Some(enlarged) => dispatch(AddSharedTaps { enlarged, weights, scaled: &mut self.scaled, to }),
                None => dispatch(AddRow { table, weights, scaled: &mut self.scaled, planes, to }),
            }
        }
        for (pixel, _) in table.outside.iter().enumerate().filter(|(_, outside)| **outside) {
            to[pixel * planes..(pixel + 1) * planes].fill(*fill);
        }
        self.zoom.watch(to);
    }
}

impl<const TAPS: usize> ZoomWorker<'_, TAPS> {
    /// The first row of this row's neighbours, and the distance from it, if the neighbours lie inside.
    fn plane_row(&self) -> Option<(usize, f64)> {
        let (_, rows) = (self.zoom.plane.as_ref()?, &self.zoom.tables[0]);
        rows.between.get(self.row[0].checked_sub(rows.inside.start)?).copied()
    }

    /// Fill a row whose neighbours lie inside; `blend` computes its interior. False if it is another kind of row.
    fn fill_plane_row<O: Sample>(
        &mut self,
        outer: &[usize],
        to: &mut [O],
        blend: impl FnOnce(usize, PointsSlice<'_>, &mut [O]),
    ) -> bool {
        let Zoom { pixels, tables, plane, fill, .. } = self.zoom;
        let (Some(plane), Some((first, _))) = (plane, self.plane_row()) else { return false };
        let (planes, base, columns) = (pixels.planes(), pixels.outer_offset(outer), &tables[1].inside);
        to[..columns.start * planes].fill(O::from_f64_rounded(*fill));
        to[columns.end * planes..].fill(O::from_f64_rounded(*fill));
        let inside = &mut to[columns.start * planes..columns.end * planes];
        let start = base + first * pixels.spatial()[0].1;
        blend(start, plane.columns.with_constant_row(columns.clone(), &self.down, &plane.weights), inside);
        for column in &plane.edge {
            self.fill_edge(base, *column);
            let to = to[column * planes..(column + 1) * planes].iter_mut();
            to.zip(&self.pixel).for_each(|(to, from)| *to = O::from_f64_rounded(*from));
        }
        self.zoom.watch(to);
        true
    }

    /// Compute all planes of one edge pixel of this row in the first half of `pixel`.
    fn fill_edge(&mut self, base: usize, column: usize) {
        let Zoom { pixels, tables, fill, .. } = self.zoom;
        let [(height, down), (width, right)] = pixels.spatial() else { return };
        let (sum, tap) = self.pixel.split_at_mut(pixels.planes());
        sum.fill(0.0);
        let taps = |axis: usize, at: usize| tables[axis].taps[at].into_iter().zip(tables[axis].weights[at]);
        for (y, row_weight) in taps(0, self.row[0]) {
            for (x, weight) in taps(1, column) {
                if y < *height && x < *width {
                    pixels.read(base + y * down + x * right, tap);
                } else {
                    tap.fill(*fill);
                }
                sum.iter_mut().zip(&*tap).for_each(|(sum, tap)| *sum += tap * row_weight * weight);
            }
        }
    }
}

/// Scale an input row, and add its taps to every output pixel.
struct AddRow<'a, const TAPS: usize> {
    table: &'a AxisTable<TAPS>,
    weights: &'a [f64],
    scaled: &'a mut [f64],
    planes: usize,
    to: &'a mut [f64],
}

impl<const TAPS: usize> Kernel for AddRow<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for weight in self.weights {
            self.scaled.iter_mut().for_each(|value| *value *= weight);
        }
        match self.planes {
            1 => self.add::<1>(),
            2 => self.add::<2>(),
            3 => self.add::<3>(),
            4 => self.add::<4>(),
            planes => {
                let taps = self.table.taps.iter().zip(&self.table.weights);
                for (to, (taps, weights)) in self.to.chunks_exact_mut(planes).zip(taps) {
                    for (tap, weight) in taps.iter().zip(weights) {
                        let from = &self.scaled[tap * planes..(tap + 1) * planes];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += from * weight);
                    }
                }
            }
        }
    }
}

impl<const TAPS: usize> AddRow<'_, TAPS> {
    #[inline(always)]
    fn add<const PLANES: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (scaled, _) = self.scaled.as_chunks::<PLANES>();
        for (to, (taps, weights)) in to.iter_mut().zip(self.table.taps.iter().zip(&self.table.weights)) {
            let mut sum = *to;
            for (tap, weight) in taps.iter().zip(weights) {
                let from = &scaled[*tap];
                (0..PLANES).for_each(|plane| sum[plane] += from[plane] * weight);
            }
            *to = sum;
        }
    }
}

/// [`AddRow`] for one plane whose pixels read the same samples in runs.
struct AddSharedTaps<'a, const TAPS: usize> {
    enlarged: &'a EnlargedRow<TAPS>,
    weights: &'a [f64],
    scaled: &'a mut [f64],
    to: &'a mut [f64],
}

impl<const TAPS: usize> Kernel for AddSharedTaps<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { enlarged: EnlargedRow { runs, weights: by_tap }, weights, scaled, to } = self;
        for weight in weights {
            scaled.iter_mut().for_each(|value| *value *= weight);
        }
        let count = to.len();
        for (run, (start, taps)) in runs.iter().enumerate() {
            let end = runs.get(run + 1).map_or(count, |(end, _)| *end);
            let mut values = [0.0; TAPS];
            let mut lines = [&[][..]; TAPS];
            for tap in 0..TAPS {
                values[tap] = scaled[taps[tap]];
                lines[tap] = &by_tap[tap * count..][*start..end];
            }
            for (pixel, to) in to[*start..end].iter_mut().enumerate() {
                let mut sum = *to;
                for tap in 0..TAPS {
                    sum += values[tap] * lines[tap][pixel];
                }
                *to = sum;
            }
        }
    }
}
