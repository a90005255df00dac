//! Spline interpolation at coordinates: affine maps, and lists of points.
//!
//! A sample is the sum over all taps, in C order, of a pixel times its weight on the first axis, times that on the
//! second, and so on. Coordinates are worked out once a row and shared by all planes. Where the image is flat (two
//! spatial axes), the pixels of a row whose taps all lie inside are one interval, computed without a border test.

use crate::bilinear::{Locate, Points};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::gather::{AxisTaps, Corner, FILL, GatherCorners, GatherTaps, sum_taps};
use crate::rows::{Axes, Pixels, RowMaker, RowWorker, carry_along, check_planes, make_rows};
use crate::sample::{Sample, to_i64_like_x86};
use crate::simd::{Kernel, dispatch};
use crate::spline::{MAX_ORDER, weights};
use crate::view::{View, ViewMut};
use ndarray::ArrayViewD;

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

/// The first tap and the mapped coordinate on an axis; `None` where the result is the fill value.
#[inline(always)]
pub(crate) fn place<const TAPS: usize>(x: f64, len: usize, border: Border) -> Option<(i64, f64)> {
    let order = TAPS - 1;
    let tap_by_tap = matches!(border, Border::Nearest | Border::GridConstant);
    let x = if tap_by_tap { x } else { border.coordinate(x, len) };
    // No sample can stand in on an empty axis. NaN is not above -1 either.
    if !(tap_by_tap || x > -1.0) || (len == 0 && border != Border::GridConstant) {
        return None;
    }
    let middle = if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
    Some((to_i64_like_x86(middle).wrapping_sub(order as i64 / 2), x))
}

/// The pixel that a tap reads; `None` where it is the fill value.
#[inline(always)]
pub(crate) fn tap_index(tap: i64, len: usize, border: Border) -> Option<usize> {
    if (0..len as i64).contains(&tap) {
        return Some(tap as usize);
    }
    let border = match border {
        Border::GridConstant => return None,
        // These have no extension of their own for taps.
        Border::Constant | Border::Wrap => Border::Mirror,
        other => other,
    };
    // From coordinates near the ends of int64 a map may come back outside, where SciPy reads foreign memory.
    let inside = to_i64_like_x86(border.coordinate(tap as f64, len));
    Some(inside.clamp(0, len as i64 - 1) as usize)
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
        return resample(input, output, axes, Map::Affine { matrix, offset }, options);
    }
    let moving: Vec<usize> = (0..rank).filter(|axis| !still.contains(axis)).collect();
    let entry = |at: usize| matrix[moving[at / moving.len()] * columns + moving[at % moving.len()]];
    let matrix: Vec<f64> = (0..moving.len() * moving.len()).map(entry).collect();
    let offset: Vec<f64> = moving.iter().map(|row| offset[*row]).collect();
    let on_array = |axes: Vec<usize>| axes.into_iter().map(|axis| outer + axis).collect::<Vec<usize>>();
    let (order, axes) = carry_along(outer, on_array(still), &on_array(moving), input.ndim());
    let map = Map::Affine { matrix: &matrix, offset: &offset };
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
    let mut still: Vec<usize> = (0..rank).filter(stays).collect();
    if still.len() == rank {
        still.pop();
    }
    if !still.is_empty() && options.order == 1 && !(options.fill.is_finite() && input.is_finite()) {
        still.clear();
    }
    still
}

/// Resample `input` at the points `coordinates[:, o]` for every position `o` of `output`.
pub fn at_points(
    input: &View<'_>,
    output: ViewMut<'_>,
    coordinates: ArrayViewD<'_, f64>,
    options: &Options,
) -> Result<()> {
    if coordinates.ndim() < 2
        || coordinates.shape()[0] != input.ndim()
        || coordinates.shape()[1..] != *output.shape()
    {
        return Err(KernelError::shape(format!("coordinates of shape {:?}", coordinates.shape())));
    }
    let axes = Axes { outer: 0, spatial: output.ndim() };
    resample(input, output, axes, Map::Points(coordinates), options)
}

enum Map<'a> {
    Affine { matrix: &'a [f64], offset: &'a [f64] },
    Points(ArrayViewD<'a, f64>),
}

impl Map<'_> {
    /// Number of spatial axes of the input.
    fn rank(&self) -> usize {
        match self {
            Self::Affine { offset, .. } => offset.len(),
            Self::Points(coordinates) => coordinates.shape()[0],
        }
    }

    /// The coordinates of a row on one input axis.
    fn row(&self, axis: usize, row: &[usize], pad: usize, to: &mut [f64]) {
        match self {
            Self::Affine { matrix, offset } => {
                let factors = &matrix[axis * (row.len() + 1)..][..row.len() + 1];
                // One addition after another, the offset first: SciPy's order.
                let mut start = offset[axis];
                for (position, factor) in row.iter().zip(factors) {
                    start += *position as f64 * factor;
                }
                dispatch(Ramp { start, step: factors[row.len()], pad: pad as f64, to });
            }
            Self::Points(coordinates) => {
                let mut line = coordinates.view();
                line.index_axis_inplace(ndarray::Axis(0), axis);
                for position in row {
                    line.index_axis_inplace(ndarray::Axis(0), *position);
                }
                to.iter_mut().zip(line.iter()).for_each(|(to, from)| *to = from + pad as f64);
            }
        }
    }
}

/// `start + x * step + pad` for x = 0, 1, 2, ….
struct Ramp<'a> {
    start: f64,
    step: f64,
    pad: f64,
    to: &'a mut [f64],
}

impl Kernel for Ramp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (x, to) in self.to.iter_mut().enumerate() {
            *to = (self.start + x as f64 * self.step) + self.pad;
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
    macro_rules! gather {
        ($array:expr, $($taps:literal)*) => {
            match options.order + 1 {
                $($taps => run::<_, $taps>(Pixels::new($array, input_axes), output, axes, map, options),)*
                _ => unreachable!("the order was checked"),
            }
        };
    }
    // Pixels of the common types are gathered as they are, for the low orders, which are not filtered before. All
    // others are made f64 first, which SciPy does with each pixel it reads.
    match (options.order, input) {
        (0 | 1, View::U8(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::U16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I16(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::I32(array)) => gather!(array.view(), 1 2),
        (0 | 1, View::F32(array)) => gather!(array.view(), 1 2),
        (_, View::F64(array)) => gather!(array.view(), 1 2 3 4 5 6),
        (_, other) => gather!(other.to_f64().view(), 1 2 3 4 5 6),
    }
    Ok(())
}

fn run<T: Sample, const TAPS: usize>(
    pixels: Pixels<'_, T>,
    output: ViewMut<'_>,
    axes: Axes,
    map: Map<'_>,
    options: &Options,
) {
    let cost = 4 + 2 * TAPS.pow(pixels.spatial.len().min(4) as u32);
    let width = output.shape()[axes.outer + axes.spatial - 1];
    make_rows(output, axes, cost, &Resampler::<'_, '_, T, TAPS> { pixels, map, options: *options, width });
}

struct Resampler<'p, 'm, T: Sample, const TAPS: usize> {
    pixels: Pixels<'p, T>,
    map: Map<'m>,
    options: Options,
    width: usize,
}

impl<T: Sample, const TAPS: usize> RowMaker for Resampler<'_, '_, T, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker {
            resampler: self,
            coordinates: vec![0.0; self.width * self.pixels.spatial.len()],
            alive: 0..0,
            inside: 0..0,
            points: Points::new(if TAPS == 2 { self.width } else { 0 }),
            corners: vec![
                Corner { start: 0, weights: [[0.0; TAPS]; 2] };
                if TAPS == 2 { 0 } else { self.width }
            ],
            edge: Vec::new(),
            taps: Vec::new(),
        })
    }
}

struct Worker<'w, 'p, 'm, T: Sample, const TAPS: usize> {
    resampler: &'w Resampler<'p, 'm, T, TAPS>,
    /// One row of coordinates for each axis.
    coordinates: Vec<f64>,
    /// The pixels of the row beyond which there is nothing but the fill value.
    alive: std::ops::Range<usize>,
    /// Those of them that `points` serves for order 1, and `corners` for the others.
    inside: std::ops::Range<usize>,
    points: Points,
    corners: Vec<Corner<TAPS>>,
    /// The others, with the place of their taps in `taps`; `None` is the fill value.
    edge: Vec<(usize, Option<usize>)>,
    /// Taps of these pixels, one entry an axis.
    taps: Vec<AxisTaps<TAPS>>,
}

impl<T: Sample, const TAPS: usize> RowWorker for Worker<'_, '_, '_, T, TAPS> {
    fn start(&mut self, row: &[usize]) {
        let Resampler { pixels, map, options, width } = self.resampler;
        for (axis, to) in self.coordinates.chunks_exact_mut(*width).enumerate() {
            map.row(axis, row, options.pad, to);
        }
        (self.alive, self.inside) = (0..*width, 0..0);
        if let Map::Affine { .. } = map {
            if options.border == Border::Constant {
                for ((len, _), coordinates) in
                    pixels.spatial.iter().zip(self.coordinates.chunks_exact(*width))
                {
                    self.alive = intersect(self.alive.clone(), alive_on(coordinates, *len));
                }
            }
            self.find_inside();
        }
        self.edge.clear();
        self.taps.clear();
        let inside =
            if self.inside.is_empty() { self.alive.start..self.alive.start } else { self.inside.clone() };
        for pixel in (self.alive.start..inside.start).chain(inside.end..self.alive.end) {
            let first = self.taps.len();
            let found = self.find_taps(pixel).is_some();
            if !found {
                self.taps.truncate(first);
            }
            self.edge.push((pixel, found.then_some(first)));
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let pixels = &self.resampler.pixels;
        let planes = pixels.inner.len();
        let base = pixels.outer_offset(outer);
        let fill = self.resampler.options.fill;
        to[..self.alive.start * planes].fill(fill);
        to[self.alive.end * planes..].fill(fill);
        if !self.inside.is_empty() {
            let inside = &mut to[self.inside.start * planes..self.inside.end * planes];
            if TAPS == 2 {
                pixels.blend(base, self.points.part(self.inside.clone()), inside);
            } else {
                let (down, right) = (pixels.spatial[0].1, pixels.spatial[1].1);
                let corners = &self.corners[self.inside.clone()];
                dispatch(GatherCorners { pixels, base, down, right, corners, to: inside });
            }
        }
        dispatch(GatherTaps { pixels, base, fill, points: &self.edge, taps: &self.taps, to });
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let pixels = &self.resampler.pixels;
        let planes = pixels.inner.len();
        if TAPS != 2 || !pixels.blends_bytes() {
            return false;
        }
        let base = pixels.outer_offset(outer);
        let fill = self.resampler.options.fill;
        to[..self.alive.start * planes].fill(u8::from_f64_rounded(fill));
        to[self.alive.end * planes..].fill(u8::from_f64_rounded(fill));
        if !self.inside.is_empty() {
            let points = self.points.part(self.inside.clone());
            pixels.blend_bytes(base, points, &mut to[self.inside.start * planes..self.inside.end * planes]);
        }
        for (pixel, first) in &self.edge {
            for (plane, to) in to[pixel * planes..(pixel + 1) * planes].iter_mut().enumerate() {
                let taps = |first: &usize| &self.taps[*first..first + 2];
                let sum = |first| sum_taps(pixels.elements(), base + plane, taps(first), fill);
                *to = u8::from_f64_rounded(first.as_ref().map_or(fill, sum));
            }
        }
        true
    }
}

impl<T: Sample, const TAPS: usize> Worker<'_, '_, '_, T, TAPS> {
    /// Find the pixels of a flat image whose taps all lie inside, and where these begin.
    fn find_inside(&mut self) {
        let Resampler { pixels, options, width, .. } = self.resampler;
        let [(height, down), (length, right)] = pixels.spatial[..] else { return };
        let (y, x) = self.coordinates.split_at(*width);
        if TAPS != 2 {
            self.inside = intersect(inside_of::<TAPS>(y, height), inside_of::<TAPS>(x, length));
            let range = self.inside.clone();
            let (y, x, corners) = (&y[range.clone()], &x[range.clone()], &mut self.corners[range]);
            dispatch(FindCorners { y, x, down, right, corners });
            return;
        }
        if pixels.elements().len() > i32::MAX as usize {
            return;
        }
        let to_the_end = blends_to_the_end(T::FINITE, options);
        self.inside = intersect(blended_on(y, height, to_the_end), blended_on(x, length, to_the_end));
        let range = self.inside.clone();
        dispatch(Locate {
            y: &y[range.clone()],
            x: &x[range.clone()],
            lens: [height, length],
            strides: [down, right],
            starts: &mut self.points.starts[range.clone()],
            down: &mut self.points.down[range.clone()],
            right: &mut self.points.right[range],
        });
    }

    /// Append the taps of a pixel on every axis; `None` where it is the fill value.
    #[inline]
    fn find_taps(&mut self, pixel: usize) -> Option<()> {
        let Resampler { pixels, options, width, .. } = self.resampler;
        for ((len, stride), coordinates) in pixels.spatial.iter().zip(self.coordinates.chunks_exact(*width)) {
            let (start, x) = place::<TAPS>(coordinates[pixel], *len, options.border)?;
            let mut taps = AxisTaps { offsets: [FILL; TAPS], weights: weights::<TAPS>(x) };
            for (tap, offset) in taps.offsets.iter_mut().enumerate() {
                if let Some(index) = tap_index(start.wrapping_add(tap as i64), *len, options.border) {
                    *offset = index * stride;
                }
            }
            self.taps.push(taps);
        }
        Some(())
    }
}

/// The positions from the first to the last sample of an axis, in coordinates that only rise, or only fall.
///
/// All positions if there are coordinates that are no numbers.
fn alive_on(coordinates: &[f64], len: usize) -> std::ops::Range<usize> {
    let (Some(first), Some(last)) = (coordinates.first(), coordinates.last()) else { return 0..0 };
    let last_sample = len as f64 - 1.0;
    if !(first.is_finite() && last.is_finite()) {
        0..coordinates.len()
    } else if first <= last {
        coordinates.partition_point(|x| *x < 0.0)..coordinates.partition_point(|x| *x <= last_sample)
    } else {
        coordinates.partition_point(|x| *x > last_sample)..coordinates.partition_point(|x| *x >= 0.0)
    }
}

/// Whether two by two neighbours serve a point on the last sample too, where the next one has the weight zero.
///
/// It is the last but one in these modes; in the others that may stand in for it if zero times any value is nothing.
pub(crate) fn blends_to_the_end(always_finite: bool, options: &Options) -> bool {
    match options.border {
        Border::Constant | Border::Mirror | Border::Wrap => true,
        // The next one is the fill value, whatever the type of the samples.
        Border::GridConstant => always_finite && options.fill.is_finite(),
        _ => always_finite,
    }
}

/// The positions of points between two samples of an axis, in coordinates that only rise, or only fall.
pub(crate) fn blended_on(coordinates: &[f64], len: usize, to_the_end: bool) -> std::ops::Range<usize> {
    let finite = |x: Option<&f64>| x.is_some_and(|x| x.is_finite());
    if len < 2 || !finite(coordinates.first()) || !finite(coordinates.last()) {
        0..0
    } else if to_the_end {
        alive_on(coordinates, len)
    } else {
        inside_of::<2>(coordinates, len)
    }
}

/// The positions whose taps all lie on an axis of this length, in coordinates that only rise, or only fall.
fn inside_of<const TAPS: usize>(coordinates: &[f64], len: usize) -> std::ops::Range<usize> {
    let (Some(first), Some(last)) = (coordinates.first(), coordinates.last()) else { return 0..0 };
    let order = TAPS - 1;
    if !(first.is_finite() && last.is_finite()) || len < TAPS {
        return 0..0;
    }
    let middle = |x: f64| if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
    let below = |x: f64| x < 0.0 || middle(x) < (order / 2) as f64;
    let above = |x: f64| x > len as f64 - 1.0 || middle(x) - (order / 2) as f64 + order as f64 >= len as f64;
    if first <= last {
        coordinates.partition_point(|x| below(*x))..coordinates.partition_point(|x| !above(*x))
    } else {
        coordinates.partition_point(|x| above(*x))..coordinates.partition_point(|x| !below(*x))
    }
}

fn intersect(a: std::ops::Range<usize>, b: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let range = a.start.max(b.start)..a.end.min(b.end);
    if range.is_empty() { 0..0 } else { range }
}

/// First elements and weights of points whose taps all lie inside.
struct FindCorners<'a, const TAPS: usize> {
    y: &'a [f64],
    x: &'a [f64],
    down: usize,
    right: usize,
    corners: &'a mut [Corner<TAPS>],
}

impl<const TAPS: usize> Kernel for FindCorners<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let order = TAPS - 1;
        let start = |x: f64| {
            let middle = if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
            middle as usize - order / 2
        };
        for (corner, (y, x)) in self.corners.iter_mut().zip(self.y.iter().zip(self.x)) {
            corner.start = start(*y) * self.down + start(*x) * self.right;
            corner.weights = [weights::<TAPS>(*y), weights::<TAPS>(*x)];
        }
    }
}
