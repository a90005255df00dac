//! Spline interpolation at coordinates: affine maps, and lists of points.
//!
//! A sample is the sum over all taps, in C order, of a pixel times its weight on the first axis, times that on the
//! second, and so on. Coordinates are worked out once a row and shared by all planes. Where the image is flat (two
//! spatial axes), the pixels of a row whose taps all lie inside are one interval, computed without a border test.

mod approx;
pub(crate) mod edges;
mod general;
mod inside;
mod linear_points;
mod row;
mod tiles;

use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut, read_line};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch, prefetch};
use crate::interpolate::affine2d::{Flat, Small};
use crate::interpolate::spline::MAX_ORDER;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{
    Axes, LONGEST_ROW, Pixels, RowMaker, carry_along, check_planes, cut_planes, least_moving, let_move,
    make_rows,
};
use edges::{Edges, SumEdges};
pub(crate) use edges::{place, tap_index};
pub(crate) use row::{blended_on, blends_to_the_end};
use std::ops::Range;
use tiles::Part;

/// What every interpolating function needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Spline order, 0 to 5.
    pub order: usize,
    /// What lies outside.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
    /// Samples by which the input was extended at its beginning; added to every coordinate.
    pub pad: usize,
}

impl Options {
    /// Refuse an order, or shapes, that do not fit.
    pub(crate) fn check(
        &self,
        input: &[usize],
        output: &[usize],
        input_axes: Axes,
        output_axes: Axes,
    ) -> Result<()> {
        if self.order > MAX_ORDER {
            return Err(KernelError::parameter(format!("spline order {}; at most {MAX_ORDER}", self.order)));
        }
        check_planes(input, output, input_axes, output_axes)
    }
}

/// Resample `input` at `matrix @ o + offset` for every position `o` of `output`.
///
/// The arrays have the axes `[outer…, spatial…, inner…]` with equal planes; `offset` has an entry for each spatial
/// axis of the input, `matrix` a row for each, with a column for each spatial axis of the output.
pub fn affine(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    matrix: &[f64],
    offset: &[f64],
    options: &Options,
) -> Result<()> {
    if offset.is_empty() || matrix.is_empty() || !matrix.len().is_multiple_of(offset.len()) {
        return Err(KernelError::shape(format!("{} matrix entries for {} axes", matrix.len(), offset.len())));
    }
    let columns = matrix.len() / offset.len();
    let (rank, axes) = (offset.len(), Axes { outer, spatial: columns });
    options.check(input.shape(), output.shape(), Axes { outer, spatial: rank }, axes)?;
    let still = still_axes(input, output.shape(), outer, matrix, offset, options);
    if still.is_empty() {
        return resample(input, output, axes, Map::affine(matrix, offset), options);
    }
    let moving: Vec<usize> = (0..rank).filter(|axis| !still.contains(axis)).collect_vec();
    let entry = |at: usize| matrix[moving[at / moving.len()] * columns + moving[at % moving.len()]];
    let matrix: Vec<f64> = (0..moving.len() * moving.len()).map(entry).collect_vec();
    let offset: Vec<f64> = moving.iter().map(|row| offset[*row]).collect_vec();
    let on_array = |axes: Vec<usize>| axes.into_iter().map(|axis| outer + axis).collect_vec();
    let (order, axes) = carry_along(outer, on_array(still), &on_array(moving), input.ndim());
    let map = Map::affine(&matrix, &offset);
    resample(&input.view().permuted(&order), output.permuted(&order), axes, map, options)
}

/// The spatial axes along which every pixel stays where it is, and which move no other; one axis always counts as moving.
///
/// On such an axis a sample is its own pixel times one, plus its neighbour times zero, and it adds zero to the other
/// coordinates: it can be carried along as one of planes, unless zero times something is no number.
fn still_axes(
    input: &View<'_>,
    output: &[usize],
    outer: usize,
    matrix: &[f64],
    offset: &[f64],
    options: &Options,
) -> Vec<usize> {
    let rank = offset.len();
    let finite = matrix.iter().chain(offset).all(|number| number.is_finite());
    if rank * rank != matrix.len() || options.order > 1 || options.pad != 0 || !finite {
        return Vec::new();
    }
    let unit = |at: usize, axis: usize, other: usize| matrix[at] == f64::from(u8::from(axis == other));
    let stays = |axis: &usize| {
        input.shape()[outer + axis] == output[outer + axis]
            && offset[*axis] == 0.0
            && (0..rank).all(|k| unit(axis * rank + k, *axis, k) && unit(k * rank + axis, *axis, k))
    };
    let mut still: Vec<usize> = (0..rank).filter(stays).collect_vec();
    let_move(&mut still, rank, least_moving(rank), |axis| output[outer + axis]);
    if !still.is_empty() && options.order == 1 && !(options.fill.is_finite() && input.is_finite()) {
        still.clear();
    }
    still
}

/// Points of a list that are taken for a row.
const LIST_ROW: usize = 512;

/// Points of a row that is joined with others.
const SHORT_ROW: usize = 64;

/// Resample `input` at the points `coordinates[:, o]` for every position `o` of `output`.
pub fn at_points(
    input: &View<'_>,
    output: ViewMut<'_>,
    coordinates: &View<'_>,
    options: &Options,
) -> Result<()> {
    let shape = coordinates.shape();
    if shape.len() < 2 || shape[0] != input.ndim() || shape[1..] != *output.shape() {
        return Err(KernelError::shape(format!("coordinates of shape {shape:?}")));
    }
    let on = |spatial| Axes { outer: 0, spatial };
    let (rank, count) = (shape[0], output.len());
    let is_in_one_piece = coordinates.is_in_one_piece() && output.is_in_one_piece();
    if !is_in_one_piece || tiles::are_taken(input, &output, options.order) {
        // Points near each other on the axes of the output may lie near each other in the image, too: these are kept, but
        // for rows too short to be worth their start.
        let mut shape = memory::copy(output.shape());
        while is_in_one_piece && shape.len() > 1 && shape[shape.len() - 1] < SHORT_ROW {
            let last = shape.pop().unwrap_or(1);
            *shape.last_mut().expect("there were two") *= last;
        }
        let axes = on(shape.len());
        let points = std::iter::once(rank).chain(shape.iter().copied()).collect_vec();
        let points =
            if is_in_one_piece { coordinates.view().into_shape(&points)? } else { coordinates.view() };
        let output = if is_in_one_piece { output.into_shape(&shape)? } else { output };
        return resample(input, output, axes, Map::Points(points), options);
    }
    let list = coordinates.view().into_shape(&[rank, count])?;
    // Neighbours in a row have nothing in common, so that rows may be of any length.
    let rest = count % LIST_ROW;
    let (rows, last_row) = output.into_shape(&[count])?.split_at(0, count - rest);
    let (list, last) = list.split_at(1, count - rest);
    let rows = rows.into_shape(&[count / LIST_ROW, LIST_ROW])?;
    resample(input, rows, on(2), Map::of_list(&list), options)?;
    resample(input, last_row, on(1), Map::of_list(&last), options)
}

/// Resample every plane of `input` at the points `coordinates[:, o]` for every position `o` on the spatial axes of
/// `output`; all planes share them.
///
/// The arrays have the axes `[outer…, spatial…, inner…]` with equal planes.
pub fn at_grid(
    input: &View<'_>,
    output: ViewMut<'_>,
    outer: usize,
    coordinates: &View<'_>,
    options: &Options,
) -> Result<()> {
    let shape = coordinates.shape();
    let spatial = shape.len().saturating_sub(1);
    let fits = spatial > 0
        && output.ndim() >= outer + spatial
        && shape[1..] == output.shape()[outer..outer + spatial];
    if !fits {
        return Err(KernelError::shape(format!("coordinates of shape {shape:?}")));
    }
    resample(input, output, Axes { outer, spatial }, Map::Points(coordinates.view()), options)
}

/// Where the pixels of the output lie in the input.
enum Map<'a> {
    Affine {
        matrix: &'a [f64],
        offset: &'a [f64],
        /// What to add to the positions of a row: the output may be a part of another; nothing if empty.
        origin: Vec<usize>,
    },
    /// The coordinates of each position, behind an axis for the axes of the input.
    Points(View<'a>),
    /// The same with all positions in one line, cut into rows of equal length, of another type than `f64`.
    List(View<'a>),
    /// The same of `f64`: on each axis the coordinates lie side by side as they are needed.
    Lines(Vec<&'a [f64]>),
}

impl<'a> Map<'a> {
    /// The points `matrix @ o + offset`.
    fn affine(matrix: &'a [f64], offset: &'a [f64]) -> Self {
        Self::Affine { matrix, offset, origin: Vec::new() }
    }

    /// The points whose coordinates on each axis are a row of `list`.
    fn of_list(list: &'a View<'_>) -> Self {
        if let View::F64(rows) = list {
            let lines = rows.outer_iter().map_while(|row| row.to_slice()).collect_vec();
            if lines.len() == rows.len_of(ndarray::Axis(0)) {
                return Self::Lines(lines);
            }
        }
        Self::List(list.view())
    }

    /// Number of spatial axes of the input.
    fn rank(&self) -> usize {
        match self {
            Self::Affine { offset, .. } => offset.len(),
            Self::Points(coordinates) | Self::List(coordinates) => coordinates.shape()[0],
            Self::Lines(lines) => lines.len(),
        }
    }

    /// Whether the coordinates of a row only rise, or only fall, on each axis.
    fn only_rises_or_falls(&self) -> bool {
        matches!(self, Self::Affine { .. })
    }

    /// As [`row`](Self::row), where they lie in memory; `None` if they do not lie there as they are needed. Looking at
    /// them while they come from beyond the caches takes less time than to wait for a copy.
    fn row_in_place(&self, axis: usize, row: &[usize], pad: usize, width: usize) -> Option<&[f64]> {
        let (Self::Lines(lines), 0) = (self, pad) else { return None };
        Some(&lines[axis][row.first().map_or(0, |row| row * width)..][..width])
    }

    /// Ask for the coordinates of the row after this one: they come from beyond the caches.
    fn ask_for_next(&self, row: &[usize], width: usize) {
        let (Self::Lines(lines), [row]) = (self, row) else { return };
        for line in lines {
            for at in ((row + 1) * width..(row + 2) * width).step_by(8) {
                prefetch(line, at);
            }
        }
    }

    /// The coordinates of a row on one input axis.
    fn row(&self, axis: usize, row: &[usize], pad: usize, to: &mut [f64]) {
        match self {
            Self::Affine { matrix, offset, origin } => {
                let factors = &matrix[axis * (row.len() + 1)..][..row.len() + 1];
                // One addition after another, the offset first: SciPy's order.
                let mut start = offset[axis];
                for (at, (position, factor)) in row.iter().zip(factors).enumerate() {
                    start += (position + origin.get(at).unwrap_or(&0)) as f64 * factor;
                }
                let first = *origin.last().unwrap_or(&0);
                dispatch(Ramp { start, step: factors[row.len()], first, pad: pad as f64, to });
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
struct Ramp<'a> {
    start: f64,
    step: f64,
    first: usize,
    pad: f64,
    to: &'a mut [f64],
}

impl Kernel for Ramp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (x, to) in self.to.iter_mut().enumerate() {
            *to = (self.start + (self.first + x) as f64 * self.step) + self.pad;
        }
    }
}

fn resample(
    input: &View<'_>,
    output: ViewMut<'_>,
    axes: Axes,
    map: Map<'_>,
    options: &Options,
) -> Result<()> {
    let input_axes = Axes { outer: axes.outer, spatial: map.rank() };
    options.check(input.shape(), output.shape(), input_axes, axes)?;
    if output.is_empty() {
        return Ok(());
    }
    if let Some(axis) = cut_planes(output.shape(), axes) {
        // As far from the last axis in both.
        let of_input = axis + input.ndim() - output.ndim();
        let middle = output.shape()[axis] / 2;
        let spatial = &output.shape()[axes.outer..axes.outer + axes.spatial];
        let same = map.part(&memory::zeros(axes.spatial), spatial);
        let (input, other_input) = input.view().split_at(of_input, middle);
        let (output, other_output) = output.split_at(axis, middle);
        resample(&input, output, axes, same, options)?;
        return resample(&other_input, other_output, axes, map, options);
    }
    let is_list = matches!(map, Map::List(_) | Map::Lines(_));
    let width = output.shape()[axes.outer + axes.spatial - 1];
    if !is_list && (width > LONGEST_ROW || tiles::are_taken(input, &output, options.order)) {
        tiles::resample(input, output, axes, &map, options);
    } else {
        make(input, None, output, axes, map, options);
    }
    Ok(())
}

/// Make the output from an image, or a part of one.
fn make(
    image: &View<'_>,
    part: Option<Part<'_>>,
    mut output: ViewMut<'_>,
    axes: Axes,
    map: Map<'_>,
    options: &Options,
) {
    let image_axes = Axes { outer: axes.outer, spatial: map.rank() };
    let is_narrow = matches!(output, ViewMut::U8(_) | ViewMut::F32(_));
    let is_part = part.is_some();
    macro_rules! gather {
        ($array:expr, $($taps:literal)*) => {{
            let pixels = Pixels::new($array, image_axes);
            let width = output.shape()[axes.outer + axes.spatial - 1];
            let cost = cost(options.order, pixels.spatial.len());
            if let (Map::Affine { matrix, offset, .. }, false) = (&map, is_part)
                && let Some(flat) = Flat::new(&pixels, matrix, offset, options, width)
            {
                let small = if axes.outer == 0 { Small::new(&flat, output.len()) } else { None };
                match (small, output.bytes_in_one_piece()) {
                    (Some(mut small), Some(bytes)) => small.fill(&flat, 0, bytes),
                    _ => make_rows(output, axes, cost, &flat),
                }
                return;
            }
            let warp = Warp { pixels, part, map, options: *options, width };
            let maker: &dyn RowMaker = match options.order + 1 {
                2 if (is_part || !warp.map.only_rises_or_falls()) && warp.is_flat() => &linear_points::Linear(warp),
                $($taps => &general::Taps::<_, $taps>::new(warp, is_narrow),)*
                _ => unreachable!("the order was checked"),
            };
            make_rows(output, axes, cost, maker);
        }};
    }
    // Pixels of the common types are gathered as they are, for the low orders, which are not filtered before. All
    // others are made f64 first, which SciPy does with each pixel it reads.
    match (options.order, image) {
        (0 | 1, View::U8(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::U16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I32(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::F32(array)) => gather!(array.view(), 1 2),
        (_, View::F64(array)) => gather!(array.view(), 1 2 3 4 5 6),
        (_, other) => {
            let copy = other.to_f64();
            gather!(copy.view(), 1 2 3 4 5 6)
        }
    }
}

/// Whether [`make`] gathers elements of this type as they are.
fn is_gathered(image: &View<'_>, order: usize) -> bool {
    let common = matches!(image, View::U8(_) | View::U16(_) | View::I16(_) | View::I32(_) | View::F32(_));
    common && order <= 1 || matches!(image, View::F64(_))
}

/// Estimated nanoseconds of a sample.
fn cost(order: usize, rank: usize) -> usize {
    (order + 1).saturating_pow(rank as u32).saturating_mul(2).saturating_add(4)
}

/// What the rows of an output are made from.
struct Warp<'p, 'm, T: Sample> {
    /// The image, or a part of it.
    pixels: Pixels<'p, T>,
    /// Which part it is.
    part: Option<Part<'p>>,
    map: Map<'m>,
    options: Options,
    /// Pixels of a row.
    width: usize,
}

impl<T: Sample> Warp<'_, '_, T> {
    /// Length of each spatial axis of the image, and what to multiply positions with for [`Edges`].
    fn spatial(&self) -> &[(usize, usize)] {
        self.part.as_ref().map_or(&self.pixels.spatial, |part| part.whole.spatial())
    }

    /// The samples of the image along a spatial axis that are in memory.
    fn samples(&self, axis: usize) -> Range<usize> {
        let first = self.part.as_ref().map_or(0, |part| part.first[axis]);
        first..first + self.pixels.spatial[axis].0
    }

    /// How far the first of them lies behind that of number 0.
    fn skipped(&self, axis: usize) -> usize {
        self.samples(axis).start * self.pixels.spatial[axis].1
    }

    /// Whether there are two spatial axes, with offsets of elements below 2^31.
    fn is_flat(&self) -> bool {
        let end = |axis: usize| self.samples(axis).end.saturating_mul(self.pixels.spatial[axis].1);
        self.pixels.spatial.len() == 2
            && end(0).saturating_add(end(1)) <= i32::MAX as usize
            && self.pixels.elements().len() <= i32::MAX as usize
    }

    /// Put the sums of what lies at an edge, of one outer plane, where they belong in a row.
    fn sum_edges<O: Sample, const TAPS: usize>(&self, edges: &Edges<TAPS>, outer: &[usize], to: &mut [O]) {
        let fill = self.options.fill;
        match &self.part {
            Some(Part { whole, .. }) => {
                let image = *whole;
                dispatch(SumEdges { edges, image, base: image.outer_offset(outer), fill, to });
            }
            None => {
                let image = &self.pixels;
                dispatch(SumEdges { edges, image, base: image.outer_offset(outer), fill, to });
            }
        }
    }
}
