//! Zoom and shift of order 2 and above: a cheaper sum with an error bound, and SciPy's sum as fallback.
//!
//! ```text
//! sum, size = weigh one axis after another, and the same with absolute values   # taps * axes products
//! error = relative_error * size
//! if cast(sum - error) == cast(sum + error): that is the result
//! else: sum over all taps in SciPy's order                                      # taps ^ axes products
//! ```
//!
//! An image's last axis may be an identity axis, as channels are. SciPy filters and samples it all the same, which only
//! changes rounding: the cheaper sum skips both, and the fallback filters the few lines it needs. Types of 64 bits show
//! every bit, so there everything is recomputed.

use crate::array::axes::{Axes, MAX_ROW_LEN};
use crate::array::index::advance;
use crate::array::sample::Sample;
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::options::Options;
use crate::interpolate::spline::{Filter, poles};
use crate::interpolate::zoom::axis_table::{AxisTable, LeadTaps};
use crate::interpolate::zoom::plan::AxisMap;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{RowMaker, RowWorker, make_rows};
use ndarray::ArrayViewD;

/// Most channels: the fallback filters the lines of all taps.
const MAX_CHANNELS: usize = 8;

/// How many spatial axes the cheaper sum weighs, if it is applicable.
///
/// All of them, or all but the last if that is an identity axis. More than two are weighed for one plane at a time.
pub(super) fn approximated_axes(
    input: &[usize],
    output: &ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Option<usize> {
    let recomputed_only =
        matches!(output, ViewMut::Bool(_) | ViewMut::U64(_) | ViewMut::I64(_) | ViewMut::F64(_));
    let spatial = &input[outer..outer + maps.len()];
    let channels = *spatial.last()?;
    // The other modes extend the line, or filter so that sampling at the samples does not reproduce them.
    let reproduces_samples =
        matches!(options.border, Border::Mirror | Border::Constant | Border::Wrap | Border::GridWrap);
    let last = maps.len() - 1;
    let is_identity = last > 0
        && input.len() == outer + maps.len()
        && channels <= MAX_CHANNELS
        && output.shape()[outer + last] == channels
        && options.pad == 0
        && reproduces_samples
        && (0..channels).all(|o| maps[last].coordinate(o, 0) == o as f64);
    let axes = if is_identity { last } else { last + 1 };
    let fits = spatial.iter().all(|len| *len > 0);
    // Whole rows are computed, with their errors.
    let row = |shape: &[usize]| shape[outer + axes - 1..].iter().product::<usize>() <= MAX_ROW_LEN;
    ((is_identity || !recomputed_only) && fits && row(input) && row(output.shape())).then_some(axes)
}

/// Sample `coefficients`, a C-ordered array that is filtered along the first `weighted` of the spatial axes.
pub(super) fn run<const TAPS: usize>(
    coefficients: &ArrayViewD<'_, f64>,
    output: ViewMut<'_>,
    outer: usize,
    weighted: usize,
    maps: &[AxisMap],
    options: &Options,
) {
    let cost = 4 * TAPS * weighted;
    let axes = Axes { outer, spatial: weighted };
    let approx = ApproxZoom::<TAPS>::new(coefficients, output.shape(), outer, weighted, maps, options);
    match output {
        ViewMut::U8(_) => make_rows(output, axes, cost, &approx.storing::<u8>()),
        ViewMut::I8(_) => make_rows(output, axes, cost, &approx.storing::<i8>()),
        ViewMut::U16(_) => make_rows(output, axes, cost, &approx.storing::<u16>()),
        ViewMut::I16(_) => make_rows(output, axes, cost, &approx.storing::<i16>()),
        ViewMut::U32(_) => make_rows(output, axes, cost, &approx.storing::<u32>()),
        ViewMut::I32(_) => make_rows(output, axes, cost, &approx.storing::<i32>()),
        ViewMut::F32(_) => make_rows(output, axes, cost, &approx.storing::<f32>()),
        // Between two values stored as one boolean there may be others, and 64 bits show every rounding.
        _ => make_rows(output, axes, 10 * cost, &StoreApprox { approx, find_uncertain: None }),
    }
}

/// How far the cheaper sum may be from SciPy's, as a multiple of the sum of the absolute values of its products.
///
/// With u = 2^-53, m weighted axes, n axes in all, and t taps per axis, to first order in u:
///
/// * SciPy multiplies n times and adds t^n - 1 times: (t^n + n) u of the sum of its absolute products.
/// * The cheaper sum multiplies once and adds less than t times per axis: m t u. Where a tap is the fill value, it
///   takes the weights of the axes before it for one, which their sum is up to t u: another m t u.
/// * Along a channel axis SciPy filters each line of coefficients p, all of size at most P, and samples the result C
///   where that reproduces p, with weights off by less than 16 u: t 16 u |C|. |C| is at most G P, where
///   G = Π ((1 + |z|) / (1 - |z|))² is the filter's sum of absolute values; so its own sums are G times ours as well.
///   And C itself is rounded by at most E u P, see below. P is at most the sum over the channels, which is ours.
///
/// E follows the filter step by step, with b the size of the values and e their error, both for P = 1. The gain gives b
/// = g, e = 8 g. For each pole, forward: sizes are at most c = b / (1 - |z|). The initial sum rounds at most once for
/// each of eight samples and three times in each product, at most 64 c in total. A step rounds three times, counting
/// the pole's own error: e' = 2.3 e / (1 - |z|) + (64 + 3 / (1 - |z|)) c. The factor 2.3 is one for the steps and 1.3
/// for the initial value, which is divided by 1 - z² or more. Backward: sizes are at most d = c |z| / (1 - |z|), and in
/// the same way e = 2 e' |z| / (1 - |z|) + (64 + 3 / (1 - |z|)) d, b = d.
///
/// Adding and subtracting the error rounds once each: 2 u. Our own sum of absolute values is rounded as well, and
/// higher-order terms are left out: one percent more covers both.
fn relative_error(taps: usize, weighted: usize, channels: bool) -> f64 {
    let (t, m) = (taps as f64, weighted as f64);
    let n = if channels { m + 1.0 } else { m };
    let mut of_scipy = t.powf(n) + n;
    let mut of_channels = 0.0;
    if channels {
        let poles = poles(taps - 1);
        let mut magnitude: f64 = poles.iter().map(|z| (1.0 - z) * (1.0 - 1.0 / z)).product();
        let mut error = 8.0 * magnitude;
        for z in poles.iter().map(|z| z.abs()) {
            let rounding = 64.0 + 3.0 / (1.0 - z);
            let forth = magnitude / (1.0 - z);
            let forth_error = 2.3 * error / (1.0 - z) + rounding * forth;
            magnitude = forth * z / (1.0 - z);
            error = 2.0 * forth_error * z / (1.0 - z) + rounding * magnitude;
        }
        of_scipy *= magnitude;
        of_channels = 16.0 * t * magnitude + error;
    }
    1.01 * (of_scipy + 2.0 * m * t + of_channels + 2.0) * (f64::EPSILON / 2.0)
}

/// Covers products below the normal numbers, which lose their relative error.
const MIN_ERROR: f64 = 1e-300;

/// From this error on, a value minus it and the value plus it are not both stored as zero in `f32`.
const MIN_NONZERO_ERROR: f64 = 1e-44;

/// From here on SciPy's filter may have overflowed where the cheaper sum has not.
const MAX_ERROR: f64 = 1e250;

/// An identity axis after the weighted ones.
struct Channels<const TAPS: usize> {
    filter: Filter,
    table: AxisTable<TAPS>,
}

struct ApproxZoom<'a, const TAPS: usize> {
    elements: &'a [f64],
    /// Stride of each outer axis.
    outer: Vec<usize>,
    /// For each weighted axis its length, its stride, and the table of its positions.
    axes: Vec<(usize, usize, AxisTable<TAPS>)>,
    channels: Option<Channels<TAPS>>,
    error: f64,
    fill: f64,
    /// A row of fill values, and of their absolute values.
    fill_rows: [Vec<f64>; 2],
}

impl<'a, const TAPS: usize> ApproxZoom<'a, TAPS> {
    fn new(
        coefficients: &'a ArrayViewD<'_, f64>,
        output: &[usize],
        outer: usize,
        weighted: usize,
        maps: &[AxisMap],
        options: &Options,
    ) -> Self {
        let shape = coefficients.shape();
        let inner_len = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let table =
            |axis: usize| AxisTable::new(maps[axis - outer], shape[axis], 0..output[axis], false, options);
        let last = outer + weighted;
        let channels = (weighted < maps.len()).then(|| Channels {
            filter: Filter::new(poles(options.order), options.border, shape[last]),
            table: table(last),
        });
        let row = if options.border == Border::GridConstant { inner_len(outer) } else { 0 };
        Self {
            elements: coefficients.as_slice().expect("coefficients in C order"),
            outer: (0..outer).map(inner_len).collect_vec(),
            axes: (outer..last).map(|axis| (shape[axis], inner_len(axis), table(axis))).collect_vec(),
            error: relative_error(TAPS, weighted, channels.is_some()),
            channels,
            fill: options.fill,
            fill_rows: [memory::filled(options.fill, row), memory::filled(options.fill.abs(), row)],
        }
    }

    /// In these types, a value between two that are stored as one element is stored as that element too.
    fn storing<T: Sample>(self) -> StoreApprox<'a, TAPS> {
        let find = |values: &[f64], errors: &[f64]| dispatch(FindUncertain::<T>::new(values, errors));
        StoreApprox { approx: self, find_uncertain: Some(find) }
    }

    fn last(&self) -> &(usize, usize, AxisTable<TAPS>) {
        &self.axes[self.axes.len() - 1]
    }

    fn worker(&self) -> ApproxWorker<'_, TAPS> {
        let leading = self.axes.len() - 1;
        let (_, planes, _) = self.last();
        // One block per leading axis; at least one, to weigh the last axis from.
        let mut blocks: Vec<PartialSums> = (0..leading.max(1))
            .map(|axis| {
                let (len, inner_len, _) = &self.axes[axis];
                let samples = if leading == 0 { len * inner_len } else { *inner_len };
                PartialSums {
                    values: memory::zeros(samples),
                    magnitudes: memory::zeros(samples),
                    ..PartialSums::default()
                }
            })
            .collect_vec();
        let last = blocks.len() - 1;
        let samples = blocks[last].values.len();
        memory::resize(&mut blocks[last].values, samples + planes, self.fill);
        memory::resize(&mut blocks[last].magnitudes, samples + planes, self.fill.abs());
        let (row, errors, lead_taps, lines) = Default::default();
        ApproxWorker { approx: self, row, outside: false, blocks, errors, lead_taps, lines }
    }
}

/// Returns the indices of the values that their errors leave uncertain.
type FindUncertainFn = fn(&[f64], &[f64]) -> Vec<usize>;

/// The cheaper sum for one element type; without `find_uncertain`, everything is recomputed.
struct StoreApprox<'a, const TAPS: usize> {
    approx: ApproxZoom<'a, TAPS>,
    find_uncertain: Option<FindUncertainFn>,
}

impl<const TAPS: usize> RowMaker for StoreApprox<'_, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(StoreApproxWorker { worker: self.approx.worker(), find_uncertain: self.find_uncertain })
    }
}

struct StoreApproxWorker<'a, const TAPS: usize> {
    worker: ApproxWorker<'a, TAPS>,
    find_uncertain: Option<FindUncertainFn>,
}

impl<const TAPS: usize> RowWorker for StoreApproxWorker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        self.worker.start(row);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        if self.worker.outside {
            to.fill(self.worker.approx.fill);
            return;
        }
        let base = outer.iter().zip(&self.worker.approx.outer).map(|(index, stride)| index * stride).sum();
        let (_, planes, _) = self.worker.approx.last();
        let uncertain = match self.find_uncertain {
            Some(find) => {
                self.worker.approx_row(base, to);
                find(to, &self.worker.errors)
            }
            None => (0..to.len()).collect_vec(),
        };
        let mut done = None;
        for value in uncertain {
            let pixel = value / planes;
            if self.worker.approx.channels.is_none() {
                to[value] = self.worker.sample(base, pixel, value % planes);
            } else if done.replace(pixel) != Some(pixel) {
                self.worker.sample_channels(base, pixel, &mut to[pixel * planes..][..*planes]);
            }
        }
    }
}

/// The sums over the axes weighed so far, and the same for absolute values.
#[derive(Default)]
struct PartialSums {
    values: Vec<f64>,
    magnitudes: Vec<f64>,
    /// The plane and the positions on the leading axes that it holds.
    made_for: Option<(usize, Vec<usize>)>,
}

struct ApproxWorker<'a, const TAPS: usize> {
    approx: &'a ApproxZoom<'a, TAPS>,
    row: Vec<usize>,
    outside: bool,
    blocks: Vec<PartialSums>,
    errors: Vec<f64>,
    /// Computed at the first uncertain value of a row.
    lead_taps: Vec<LeadTaps>,
    /// The channel lines through the taps of a pixel.
    lines: Vec<f64>,
}

impl<const TAPS: usize> ApproxWorker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        self.row.clear();
        memory::extend_from_slice(&mut self.row, row);
        self.lead_taps.clear();
        self.outside =
            self.approx.axes.iter().zip(row).any(|((_, _, table), position)| table.outside[*position]);
    }

    /// Compute this row of the plane at `base`, and how far each value may be off.
    fn approx_row(&mut self, base: usize, to: &mut [f64]) {
        let ApproxZoom { elements, axes, fill_rows, .. } = self.approx;
        if self.row.is_empty() {
            let PartialSums { values, magnitudes, .. } = &mut self.blocks[0];
            let (len, planes, _) = &axes[0];
            let line = &elements[base..][..len * planes];
            values[..line.len()].copy_from_slice(line);
            magnitudes.iter_mut().zip(line).for_each(|(magnitude, value)| *magnitude = value.abs());
        }
        for axis in 0..self.row.len() {
            let wanted = Some((base, memory::copy(&self.row[..=axis])));
            if self.blocks[axis].made_for == wanted {
                continue;
            }
            let (len, inner_len, table) = &axes[axis];
            let (made, block) = self.blocks.split_at_mut(axis);
            // The first axis is weighed directly from the coefficients, taking absolute values on the way.
            let line = &elements[base..][..if axis == 0 { len * inner_len } else { 0 }];
            let from = made.last().map_or([line, line], |block| [&block.values, &block.magnitudes]);
            let position = self.row[axis];
            let rows = |of: usize| {
                table.taps[position].map(|tap| match tap {
                    tap if tap == *len => &fill_rows[of][..*inner_len],
                    tap => &from[of][tap * inner_len..][..*inner_len],
                })
            };
            dispatch(Weigh {
                values: rows(0),
                magnitudes: rows(1),
                weights: &table.weights[position],
                to: (&mut block[0].values[..*inner_len], &mut block[0].magnitudes[..*inner_len]),
            });
            block[0].made_for = wanted;
        }
        let (_, planes, table) = self.approx.last();
        let block = &self.blocks[self.blocks.len() - 1];
        memory::resize(&mut self.errors, to.len(), 0.0);
        dispatch(WeighRow {
            table,
            block,
            planes: *planes,
            error: self.approx.error,
            shared_error: self.approx.channels.is_some(),
            to,
            errors: &mut self.errors,
        });
        for (pixel, _) in table.outside.iter().enumerate().filter(|(_, outside)| **outside) {
            to[pixel * planes..][..*planes].fill(self.approx.fill);
            self.errors[pixel * planes..][..*planes].fill(0.0);
        }
    }

    /// All choices of taps on the leading axes, in SciPy's order.
    fn find_lead_taps(&mut self) {
        if !self.lead_taps.is_empty() {
            return;
        }
        let mut tap = memory::zeros(self.row.len());
        let shape = memory::filled(TAPS, self.row.len());
        loop {
            let mut lead = LeadTaps { start: Some(0), weights: memory::with_capacity(self.row.len()) };
            for (((len, inner_len, table), position), tap) in self.approx.axes.iter().zip(&self.row).zip(&tap)
            {
                let index = table.taps[*position][*tap];
                lead.start = lead.start.filter(|_| index < *len).map(|start| start + index * inner_len);
                memory::push(&mut lead.weights, table.weights[*position][*tap]);
            }
            memory::push(&mut self.lead_taps, lead);
            if !advance(&mut tap, &shape) {
                break;
            }
        }
    }

    /// One value of this row, as SciPy computes it.
    fn sample(&mut self, base: usize, pixel: usize, plane: usize) -> f64 {
        self.find_lead_taps();
        let ApproxZoom { elements, fill, .. } = self.approx;
        let (len, planes, table) = self.approx.last();
        if table.outside[pixel] {
            return *fill;
        }
        let mut sum = 0.0;
        for LeadTaps { start, weights } in &self.lead_taps {
            for (tap, last) in table.taps[pixel].iter().zip(&table.weights[pixel]) {
                let value = match start {
                    Some(start) if tap < len => elements[base + start + tap * planes + plane],
                    _ => *fill,
                };
                sum += weights.iter().fold(value, |value, weight| value * weight) * last;
            }
        }
        sum
    }

    /// All channels of one pixel of this row, as SciPy computes them.
    fn sample_channels(&mut self, base: usize, pixel: usize, to: &mut [f64]) {
        self.find_lead_taps();
        let ApproxZoom { elements, fill, channels: Some(channels), .. } = self.approx else { return };
        let (_, planes, table) = self.approx.last();
        if table.outside[pixel] {
            to.fill(*fill);
            return;
        }
        let width = self.lead_taps.len() * TAPS;
        memory::resize(&mut self.lines, planes * width, 0.0);
        for (lead, at) in self.lead_taps.iter().zip((0..).step_by(TAPS)) {
            // No mode that allows channels reads the fill value for a tap.
            let start = base + lead.start.unwrap_or(0);
            for (tap, line) in table.taps[pixel].iter().zip(at..) {
                for (plane, value) in elements[start + tap * planes..][..*planes].iter().enumerate() {
                    self.lines[plane * width + line] = *value;
                }
            }
        }
        channels.filter.run(&mut self.lines, width);
        for line in self.lines.chunks_exact_mut(width) {
            for (taps, lead) in line.as_chunks_mut::<TAPS>().0.iter_mut().zip(&self.lead_taps) {
                for (value, last) in taps.iter_mut().zip(&table.weights[pixel]) {
                    *value = lead.weights.iter().fold(*value, |value, weight| value * weight) * last;
                }
            }
        }
        // Add to the channels in turn, since each sum is a dependency chain.
        to.fill(0.0);
        let AxisTable { taps, weights, .. } = &channels.table;
        for line in 0..width {
            for tap in 0..TAPS {
                for ((to, taps), weights) in to.iter_mut().zip(taps).zip(weights) {
                    *to += self.lines[taps[tap] * width + line] * weights[tap];
                }
            }
        }
    }
}

/// Weighted sum of rows.
struct Weigh<'a, const TAPS: usize> {
    values: [&'a [f64]; TAPS],
    magnitudes: [&'a [f64]; TAPS],
    weights: &'a [f64; TAPS],
    to: (&'a mut [f64], &'a mut [f64]),
}

impl<const TAPS: usize> Kernel for Weigh<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { values, magnitudes, weights, to: (to, to_magnitudes) } = self;
        let len = to.len().min(to_magnitudes.len());
        let (values, magnitudes) = (values.map(|row| &row[..len]), magnitudes.map(|row| &row[..len]));
        for at in 0..len {
            let (mut sum, mut magnitude) = (0.0, 0.0);
            for tap in 0..TAPS {
                sum += values[tap][at] * weights[tap];
                magnitude += magnitudes[tap][at].abs() * weights[tap].abs();
            }
            to[at] = sum;
            to_magnitudes[at] = magnitude;
        }
    }
}

/// Weighted sums along a row.
struct WeighRow<'a, const TAPS: usize> {
    table: &'a AxisTable<TAPS>,
    block: &'a PartialSums,
    planes: usize,
    error: f64,
    /// Whether the planes of a pixel share one error, that of their sum.
    shared_error: bool,
    to: &'a mut [f64],
    errors: &'a mut [f64],
}

impl<const TAPS: usize> Kernel for WeighRow<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.planes {
            1 => self.weigh::<1>(),
            2 => self.weigh::<2>(),
            3 => self.weigh::<3>(),
            4 => self.weigh::<4>(),
            planes => {
                let Self { table, block, error, shared_error, to, errors, .. } = self;
                let pixels = to.chunks_exact_mut(planes).zip(errors.chunks_exact_mut(planes));
                for ((to, errors), (taps, weights)) in pixels.zip(table.taps.iter().zip(&table.weights)) {
                    to.fill(0.0);
                    errors.fill(0.0);
                    for (tap, weight) in taps.iter().zip(weights) {
                        let values = &block.values[tap * planes..][..planes];
                        let magnitudes = &block.magnitudes[tap * planes..][..planes];
                        to.iter_mut().zip(values).for_each(|(to, value)| *to += value * weight);
                        errors
                            .iter_mut()
                            .zip(magnitudes)
                            .for_each(|(to, magnitude)| *to += magnitude * weight.abs());
                    }
                    if shared_error {
                        let sum: f64 = errors.iter().sum();
                        errors.fill(sum);
                    }
                    errors.iter_mut().for_each(|to| *to = *to * error + MIN_ERROR);
                }
            }
        }
    }
}

impl<const TAPS: usize> WeighRow<'_, TAPS> {
    #[inline(always)]
    fn weigh<const PLANES: usize>(self) {
        let (values, _) = self.block.values.as_chunks::<PLANES>();
        let (magnitudes, _) = self.block.magnitudes.as_chunks::<PLANES>();
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (errors, _) = self.errors.as_chunks_mut::<PLANES>();
        let taps = self.table.taps.iter().zip(&self.table.weights);
        for ((to, to_errors), (taps, weights)) in to.iter_mut().zip(errors).zip(taps) {
            let (mut sum, mut magnitude) = ([0.0; PLANES], [0.0; PLANES]);
            for tap in 0..TAPS {
                let (value, value_magnitude) = (&values[taps[tap]], &magnitudes[taps[tap]]);
                let (weight, weight_magnitude) = (weights[tap], weights[tap].abs());
                for plane in 0..PLANES {
                    sum[plane] += value[plane] * weight;
                    magnitude[plane] += value_magnitude[plane] * weight_magnitude;
                }
            }
            *to = sum;
            if self.shared_error {
                magnitude = [magnitude.iter().sum(); PLANES];
            }
            for plane in 0..PLANES {
                to_errors[plane] = magnitude[plane] * self.error + MIN_ERROR;
            }
        }
    }
}

/// Finds the values that may round to more than one element.
struct FindUncertain<'a, T> {
    values: &'a [f64],
    errors: &'a [f64],
    element: std::marker::PhantomData<T>,
}

impl<'a, T> FindUncertain<'a, T> {
    fn new(values: &'a [f64], errors: &'a [f64]) -> Self {
        Self { values, errors, element: std::marker::PhantomData }
    }
}

impl<T: Sample> Kernel for FindUncertain<'_, T> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run(self) -> Vec<usize> {
        let is_certain = |value: f64, error: f64| {
            let round = |value: f64| T::from_f64_rounded(value);
            // Zeros of both signs compare equal but are different results. Without positive products no sum is
            // positive.
            let sign_is_known =
                T::FINITE | (value.abs() >= error) | (error > MIN_NONZERO_ERROR) | (error == MIN_ERROR);
            // A NaN error is uncertain, too.
            (round(value - error) == round(value + error)) & (error < MAX_ERROR) & sign_is_known
        };
        let mut found = Vec::new();
        for (piece, (values, errors)) in self.values.chunks(64).zip(self.errors.chunks(64)).enumerate() {
            let all = values.iter().zip(errors);
            // In chunks: a loop that may exit at every value is not vectorized.
            if !all.clone().fold(true, |known, (value, error)| known & is_certain(*value, *error)) {
                let here = all.enumerate().filter(|(_, (value, error))| !is_certain(**value, **error));
                memory::extend(&mut found, here.map(|(at, _)| piece * 64 + at));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
