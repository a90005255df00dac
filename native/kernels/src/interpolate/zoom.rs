//! Zoom and shift: each output axis reads one input axis, so positions and weights are tabulated once per axis.
//!
//! A sample is the sum over all taps, in C order, of a pixel times its weight on the first axis, times that on the
//! second, and so on. For one choice of taps on the leading axes the first factors are the same along a row: the
//! input row is scaled by them once, then every output pixel takes its taps from the scaled row.

mod approx;
mod axis_table;
mod tiles;

use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut, are_finite};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::bilinear::{BLOCK, Part, Points};
use crate::interpolate::spline::{MAX_ORDER, spline_filter1d};
use crate::interpolate::warp::{Options, blends_to_the_end};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{
    Axes, Pixels, ReadRow, RowMaker, RowWorker, advance, carry_along, cut_planes, least_moving, let_move,
    make_rows,
};
use axis_table::Line;
use ndarray::ArrayViewMutD;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the pixels of one output axis come from: `x = (o + shift) * zoom`, or `(o + shift + ½) * zoom - ½`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AxisMap {
    /// Added to the output position first.
    pub shift: Option<f64>,
    /// Multiplied with the result.
    pub zoom: Option<f64>,
    /// Whether the zoom is about the pixels' outer edges instead of their centres.
    pub grid: bool,
}

impl AxisMap {
    fn coordinate(self, position: usize, pad: usize) -> f64 {
        let mut x = position as f64;
        if let Some(shift) = self.shift {
            x += shift;
        }
        if let Some(zoom) = self.zoom {
            if self.grid {
                x += 0.5;
                x *= zoom;
                x -= 0.5;
            } else {
                x *= zoom;
            }
        }
        x + pad as f64
    }
}

/// Resample the spatial axes of `input` into `output`, one map an axis.
///
/// Both arrays have the axes `[outer…, spatial…, inner…]`, as many spatial axes as `maps`, and equal planes.
pub fn zoom(
    input: &View<'_>,
    mut output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Result<()> {
    let axes = Axes { outer, spatial: maps.len() };
    options.check(input.shape(), output.shape(), axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    let every_axis = (outer..outer + maps.len()).collect_vec();
    let (still, moving) = still_axes(input, output.shape(), outer, maps, options);
    // What is no finite number shows in the results: in those of its own plane, if they are of a type that holds it.
    let is_float = matches!(input, View::F32(_) | View::F64(_));
    let shows = is_float && options.order == 1 && matches!(output, ViewMut::F32(_) | ViewMut::F64(_));
    if !still.is_empty() && (shows || options.order == 0 || input.is_finite()) {
        let is_finite = AtomicBool::new(true);
        let watched = shows.then_some(&is_finite);
        zoom_axes(input, output.reborrow(), outer, maps, (still, moving), options, watched);
        if is_finite.into_inner() {
            return Ok(());
        }
    }
    zoom_axes(input, output, outer, maps, (Vec::new(), every_axis), options, None);
    Ok(())
}

/// Resample the moving axes, and carry the others along as planes.
///
/// `is_finite` becomes false if a result is no finite number.
fn zoom_axes(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    (still, moving): (Vec<usize>, Vec<usize>),
    options: &Options,
    is_finite: Option<&AtomicBool>,
) {
    let (order, axes) = carry_along(outer, still, &moving, input.ndim());
    let maps: Vec<AxisMap> = moving.iter().map(|axis| maps[axis - outer]).collect_vec();
    let recipe = Recipe { axes, maps: &maps, options, is_finite };
    zoom_planes(&input.view().permuted(&order), output.permuted(&order), recipe);
}

/// How an output is made, of arrays with these axes, all of which move but the planes.
#[derive(Clone, Copy)]
struct Recipe<'a> {
    axes: Axes,
    /// One for each spatial axis.
    maps: &'a [AxisMap],
    options: &'a Options,
    /// Becomes false if a result is no finite number.
    is_finite: Option<&'a AtomicBool>,
}

/// Resample all spatial axes, and some planes after the other if rows are too wide with all of them.
fn zoom_planes(input: &View<'_>, output: ViewMut<'_>, recipe: Recipe<'_>) {
    let Recipe { axes, options, .. } = recipe;
    if let Some(axis) = cut_planes(output.shape(), axes).or_else(|| cut_planes(input.shape(), axes)) {
        let middle = output.shape()[axis] / 2;
        let (inputs, outputs) = (input.view().split_at(axis, middle), output.split_at(axis, middle));
        zoom_planes(&inputs.0, outputs.0, recipe);
        zoom_planes(&inputs.1, outputs.1, recipe);
        return;
    }
    macro_rules! by_order {
        ($($taps:literal)*) => {
            match options.order + 1 {
                $($taps => run::<$taps>(input, output, recipe),)*
                _ => unreachable!("the order was checked"),
            }
        };
    }
    const { assert!(MAX_ORDER == 5) };
    by_order!(1 2 3 4 5 6);
}

/// As [`zoom`], of an image that is filtered along its spatial axes first: orders 2 to 5.
///
/// The coefficients go to `room`, which has the shape of `input` and lies in C order.
pub fn zoom_filtered(
    input: &View<'_>,
    mut room: ArrayViewMutD<'_, f64>,
    output: ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Result<()> {
    let axes = Axes { outer, spatial: maps.len() };
    options.check(input.shape(), output.shape(), axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    if room.shape() != input.shape() || !room.is_standard_layout() {
        return Err(KernelError::shape(format!("coefficients of {:?} in {:?}", input.shape(), room.shape())));
    }
    let guessed = approx::guessed_axes(input.shape(), &output, outer, maps, options);
    let mut source = Some(input);
    for axis in outer..outer + guessed.unwrap_or(maps.len()) {
        let target = ViewMut::F64(room.view_mut());
        spline_filter1d(source.take(), target, axis, options.order, options.border)?;
    }
    let Some(guessed) = guessed else {
        return zoom(&View::F64(room.view()), output, outer, maps, options);
    };
    let coefficients = &room.view();
    match options.order {
        2 => approx::run::<3>(coefficients, output, outer, guessed, maps, options),
        3 => approx::run::<4>(coefficients, output, outer, guessed, maps, options),
        4 => approx::run::<5>(coefficients, output, outer, guessed, maps, options),
        _ => approx::run::<6>(coefficients, output, outer, guessed, maps, options),
    }
    Ok(())
}

/// The spatial axes along which every pixel stays where it is, and the others; one at least counts as moving.
///
/// On an axis that stays, a sample is its own pixel times one, plus its neighbour times zero: the axis can be carried
/// along as one of planes, unless zero times the neighbour is no number.
fn still_axes(
    input: &View<'_>,
    output: &[usize],
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> (Vec<usize>, Vec<usize>) {
    let stays = |axis: &usize| {
        let len = output[*axis];
        let map = maps[axis - outer];
        input.shape()[*axis] == len && (0..len).all(|o| map.coordinate(o, options.pad) == o as f64)
    };
    let mut still: Vec<usize> = (outer..outer + maps.len()).filter(stays).collect_vec();
    if options.order > 1 || (options.order == 1 && !options.fill.is_finite()) {
        still.clear();
    }
    let_move(&mut still, maps.len(), least_moving(maps.len()), |axis| output[axis]);
    let moving = (outer..outer + maps.len()).filter(|axis| !still.contains(axis)).collect_vec();
    (still, moving)
}

fn run<const TAPS: usize>(input: &View<'_>, output: ViewMut<'_>, recipe: Recipe<'_>) {
    let Recipe { axes, maps, options, .. } = recipe;
    let first = axes.outer;
    let lens = (memory::copy(&input.shape()[first..]), memory::copy(&output.shape()[first..]));
    let to_the_end = blends_to_the_end(!matches!(input, View::F32(_) | View::F64(_)), options);
    let line = |axis: usize, positions| Line::new(maps[axis], lens.0[axis], positions, to_the_end, options);
    match_dtype!(View, input, array => {
        if tiles::are_picked(array, &output, axes) {
            tiles::run::<_, TAPS>(array, output, recipe, line);
        } else {
            let lines: Vec<Line<TAPS>> = (0..maps.len()).map(|axis| line(axis, 0..lens.1[axis])).collect_vec();
            let lines: Vec<&Line<TAPS>> = lines.iter().collect_vec();
            let pixels = Pixels::new(array.view(), axes);
            make_rows(output, axes, cost::<TAPS>(axes), &Zoom::new(&pixels, &lines, recipe));
        }
    });
}

/// Estimated nanoseconds of a sample.
fn cost<const TAPS: usize>(axes: Axes) -> usize {
    TAPS.saturating_pow(axes.spatial as u32).saturating_mul(2)
}

/// Two by two neighbours inside a flat image, for order 1: where columns of the output have theirs.
struct Flat {
    columns: Points,
    /// The weights of those inside.
    weights: Vec<[f64; 2]>,
    /// The other columns that are not just the fill value.
    edge: Vec<usize>,
}

impl Flat {
    fn new<const TAPS: usize>(pixels: &dyn ReadRow, lines: &[&Line<TAPS>]) -> Option<Self> {
        let ([_, columns], [_, (width, stride)], 2) = (lines, pixels.spatial(), TAPS) else {
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

/// The image, or what was picked of it, and what the output is made of on each spatial axis.
struct Zoom<'a, const TAPS: usize> {
    pixels: &'a dyn ReadRow,
    lines: &'a [&'a Line<TAPS>],
    flat: Option<Flat>,
    fill: f64,
    /// See [`Recipe`].
    is_finite: Option<&'a AtomicBool>,
}

impl<'a, const TAPS: usize> Zoom<'a, TAPS> {
    fn new(pixels: &'a dyn ReadRow, lines: &'a [&'a Line<TAPS>], recipe: Recipe<'a>) -> Self {
        let Recipe { options, is_finite, .. } = recipe;
        Self { pixels, lines, flat: Flat::new(pixels, lines), fill: options.fill, is_finite }
    }

    /// Look at results while they are in a near cache.
    fn watch<O: Sample>(&self, results: &[O]) {
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

/// One choice of taps on the leading axes.
struct LeadTaps {
    /// Where the input row begins; `None` where a tap is the fill value.
    start: Option<usize>,
    weights: Vec<f64>,
}

struct ZoomWorker<'a, const TAPS: usize> {
    zoom: &'a Zoom<'a, TAPS>,
    rows: Vec<LeadTaps>,
    row: Vec<usize>,
    outside: bool,
    /// How far behind the first row of their neighbours the points of this row lie.
    down: [f64; BLOCK],
    /// A pixel on the edge, and one of its taps.
    pixel: Vec<f64>,
    /// One input row, scaled; behind it the scaled fill value.
    scaled: Vec<f64>,
}

impl<const TAPS: usize> RowWorker for ZoomWorker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        let lines = &self.zoom.lines[..row.len()];
        self.row.clear();
        memory::extend_from_slice(&mut self.row, row);
        if let Some((_, down)) = self.flat_row() {
            self.down.fill(down);
            return;
        }
        self.rows.clear();
        self.outside = lines.iter().zip(row).any(|(line, position)| line.outside[*position]);
        if self.outside {
            return;
        }
        let shape = memory::filled(TAPS, row.len());
        let mut tap = memory::zeros(row.len());
        loop {
            let mut start = Some(0);
            let mut weights = memory::with_capacity(row.len());
            for (axis, (line, position)) in lines.iter().zip(row).enumerate() {
                let (len, stride) = self.zoom.pixels.spatial()[axis];
                let index = line.taps[*position][tap[axis]];
                start = start.filter(|_| index < len).map(|start| start + index * stride);
                memory::push(&mut weights, line.weights[*position][tap[axis]]);
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
            && self.fill_flat(outer, to, |start, points, to| pixels.blend_bytes(start, points, to))
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        let pixels = self.zoom.pixels;
        self.fill_flat(outer, to, |start, points, to| pixels.blend_floats(start, points, to))
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let Zoom { pixels, lines, fill, .. } = self.zoom;
        if self.fill_flat(outer, to, |start, points, to| pixels.blend(start, points, to)) {
            return;
        }
        if self.outside {
            to.fill(*fill);
            return;
        }
        let planes = pixels.planes();
        let line = &lines[lines.len() - 1];
        let plane_start = pixels.outer_offset(outer);
        to.fill(0.0);
        for LeadTaps { start, weights } in &self.rows {
            let end = self.scaled.len() - planes;
            let (row, behind) = self.scaled.split_at_mut(end);
            behind.fill(*fill);
            match start {
                Some(start) => pixels.read(plane_start + start, row),
                None => row.fill(*fill),
            }
            dispatch(AddRow { line, weights, scaled: &mut self.scaled, planes, to });
        }
        for (pixel, _) in line.outside.iter().enumerate().filter(|(_, outside)| **outside) {
            to[pixel * planes..(pixel + 1) * planes].fill(*fill);
        }
        self.zoom.watch(to);
    }
}

impl<const TAPS: usize> ZoomWorker<'_, TAPS> {
    /// The first row of the neighbours of this row's points, if they have them; and how far behind it they lie.
    fn flat_row(&self) -> Option<(usize, f64)> {
        let (_, rows) = (self.zoom.flat.as_ref()?, &self.zoom.lines[0]);
        rows.between.get(self.row[0].checked_sub(rows.inside.start)?).copied()
    }

    /// Fill a row whose points have their neighbours, by `blend` where these lie inside; false if it is another row.
    fn fill_flat<O: Sample>(
        &mut self,
        outer: &[usize],
        to: &mut [O],
        blend: impl FnOnce(usize, Part<'_>, &mut [O]),
    ) -> bool {
        let Zoom { pixels, lines, flat, fill, .. } = self.zoom;
        let (Some(flat), Some((first, _))) = (flat, self.flat_row()) else { return false };
        let (planes, base, columns) = (pixels.planes(), pixels.outer_offset(outer), &lines[1].inside);
        to[..columns.start * planes].fill(O::from_f64_rounded(*fill));
        to[columns.end * planes..].fill(O::from_f64_rounded(*fill));
        let inside = &mut to[columns.start * planes..columns.end * planes];
        let start = base + first * pixels.spatial()[0].1;
        blend(start, flat.columns.level_part(columns.clone(), &self.down, &flat.weights), inside);
        for column in &flat.edge {
            self.fill_edge(base, *column);
            let to = to[column * planes..(column + 1) * planes].iter_mut();
            to.zip(&self.pixel).for_each(|(to, from)| *to = O::from_f64_rounded(*from));
        }
        self.zoom.watch(to);
        true
    }

    /// Put the planes of one pixel of this row of a flat image into the first half of `pixel`.
    fn fill_edge(&mut self, base: usize, column: usize) {
        let Zoom { pixels, lines, fill, .. } = self.zoom;
        let [(height, down), (width, right)] = pixels.spatial() else { return };
        let (sum, tap) = self.pixel.split_at_mut(pixels.planes());
        sum.fill(0.0);
        let taps = |axis: usize, at: usize| lines[axis].taps[at].into_iter().zip(lines[axis].weights[at]);
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

/// Scale an input row, and add to every output pixel its taps from it.
struct AddRow<'a, const TAPS: usize> {
    line: &'a Line<TAPS>,
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
                let taps = self.line.taps.iter().zip(&self.line.weights);
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
        for (to, (taps, weights)) in to.iter_mut().zip(self.line.taps.iter().zip(&self.line.weights)) {
            let mut sum = *to;
            for (tap, weight) in taps.iter().zip(weights) {
                let from = &scaled[*tap];
                (0..PLANES).for_each(|plane| sum[plane] += from[plane] * weight);
            }
            *to = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use crate::exec::simd::{Level, force, level};
    use crate::interpolate::spline::weights;
    use crate::interpolate::warp::{place, tap_index};
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// Order 1 of one sample, from the definition.
    fn plain(image: &ArrayD<f64>, at: [f64; 2], plane: usize, options: &Options) -> f64 {
        let axis = |axis: usize| {
            let len = image.shape()[axis];
            let (start, x) = place::<2>(at[axis], len, options.border)?;
            let indices = [start, start + 1].map(|tap| tap_index(tap, len, options.border));
            Some((indices, weights::<2>(x)))
        };
        let (Some((rows, down)), Some((columns, right))) = (axis(0), axis(1)) else { return options.fill };
        let mut sum = 0.0;
        for (row, row_weight) in rows.into_iter().zip(down) {
            for (column, weight) in columns.into_iter().zip(right) {
                let value = row.zip(column).map_or(options.fill, |(row, column)| image[[row, column, plane]]);
                sum += value * row_weight * weight;
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn rows_of_blocks_equal_the_definition(
            size in (1_usize..9, 1_usize..80, 1_usize..=5),
            to in (1_usize..7, 1_usize..80),
            border in 0_i32..7,
            fill in prop_oneof![Just(0.0), Just(2.5), Just(300.0)],
            shift in prop_oneof![Just(None), (-9..9_i32).prop_map(|n| Some(f64::from(n) / 4.0))],
            grid in any::<bool>(),
            seed in any::<u32>(),
        ) {
            let border = Border::from_code(border).unwrap();
            let options = Options { order: 1, border, fill, pad: 0 };
            let step = |from: usize, to: usize| from as f64 / to as f64;
            let maps = [
                AxisMap { shift, zoom: Some(step(size.0, to.0)), grid },
                AxisMap { shift, zoom: Some(step(size.1, to.1)), grid },
            ];
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Flat stretches, and values one apart, put sums on rounding edges.
                if state >> 30 == 0 { 7 + (state >> 29 & 1) as u8 } else { (state >> 20) as u8 }
            };
            let bytes = ArrayD::from_shape_fn(vec![size.0, size.1, size.2], |_| next());
            let image = bytes.mapv(f64::from);
            let shape = vec![to.0, to.1, size.2];
            let sums = ArrayD::from_shape_fn(shape.clone(), |at| {
                let point = [maps[0].coordinate(at[0], 0), maps[1].coordinate(at[1], 0)];
                plain(&image, point, at[2], &options)
            });
            let before = level();
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut found = ArrayD::<u8>::zeros(shape.clone());
                zoom(&View::U8(bytes.view()), ViewMut::U8(found.view_mut()), 0, &maps, &options).unwrap();
                prop_assert_eq!(found, sums.mapv(u8::from_f64_rounded));
                let floats = bytes.mapv(f32::from);
                let mut found = ArrayD::<f32>::zeros(shape.clone());
                zoom(&View::F32(floats.view()), ViewMut::F32(found.view_mut()), 0, &maps, &options).unwrap();
                prop_assert_eq!(found, sums.mapv(f32::from_f64_rounded));
            }
            force(before);
        }
    }
}
