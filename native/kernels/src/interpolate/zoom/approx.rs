//! Zoom and shift of order 2 and above: guessed axis by axis, repaired where in doubt.
//!
//! SciPy sums `TAPS ^ axes` products a sample. Weighing one axis after the other takes `TAPS * axes` of them and gives
//! the same but for rounding. A second sum, of absolute values, bounds what rounding may have done; a guess whose
//! neighbourhood of that width does not round to a single element is computed again in SciPy's order.
//!
//! An image's last axis may stay where it is, as channels do. SciPy filters and samples it all the same, which changes
//! nothing but bits: the guess leaves both out, the repair filters the few lines it needs. Types of 64 bits show every
//! bit: there all is repair.

use super::AxisMap;
use super::axis_table::Line;
use crate::array::sample::Sample;
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::spline::{Filter, poles};
use crate::interpolate::warp::Options;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{Axes, LONGEST_ROW, RowMaker, RowWorker, advance, make_rows};
use ndarray::ArrayViewD;

/// Channels at most: a repair filters the lines of all taps.
const MOST_CHANNELS: usize = 8;

/// How many of the spatial axes a guess weighs, if there can be one.
///
/// All of them, or all but the last if that stays where it is.
pub(super) fn guessed_axes(
    input: &[usize],
    output: &ViewMut<'_>,
    outer: usize,
    maps: &[AxisMap],
    options: &Options,
) -> Option<usize> {
    let repaired = matches!(output, ViewMut::Bool(_) | ViewMut::U64(_) | ViewMut::I64(_) | ViewMut::F64(_));
    let spatial = &input[outer..outer + maps.len()];
    let channels = *spatial.last()?;
    // The other modes add samples on both sides, or filter so that sampling at the samples does not give them back.
    let gives_back =
        matches!(options.border, Border::Mirror | Border::Constant | Border::Wrap | Border::GridWrap);
    let last = maps.len() - 1;
    let stays = last > 0
        && input.len() == outer + maps.len()
        && channels <= MOST_CHANNELS
        && output.shape()[outer + last] == channels
        && options.pad == 0
        && gives_back
        && (0..channels).all(|o| maps[last].coordinate(o, 0) == o as f64);
    let axes = if stays { last } else { last + 1 };
    // Blocks of more than two axes are kept from one row to the next, of one plane.
    let planes: usize = input[..outer].iter().product();
    let fits = spatial.iter().all(|len| *len > 0) && (axes < 3 || planes == 1);
    // Rows are guessed as a whole, with their errors.
    let row = |shape: &[usize]| shape[outer + axes - 1..].iter().product::<usize>() <= LONGEST_ROW;
    ((stays || !repaired) && fits && row(input) && row(output.shape())).then_some(axes)
}

/// Sample `coefficients`, in C order and filtered along the first `weighed` of the spatial axes.
pub(super) fn run<const TAPS: usize>(
    coefficients: &ArrayViewD<'_, f64>,
    output: ViewMut<'_>,
    outer: usize,
    weighed: usize,
    maps: &[AxisMap],
    options: &Options,
) {
    let cost = 4 * TAPS * weighed;
    let axes = Axes { outer, spatial: weighed };
    let guess = Guess::<TAPS>::new(coefficients, output.shape(), outer, weighed, maps, options);
    match output {
        ViewMut::U8(_) => make_rows(output, axes, cost, &guess.storing::<u8>()),
        ViewMut::I8(_) => make_rows(output, axes, cost, &guess.storing::<i8>()),
        ViewMut::U16(_) => make_rows(output, axes, cost, &guess.storing::<u16>()),
        ViewMut::I16(_) => make_rows(output, axes, cost, &guess.storing::<i16>()),
        ViewMut::U32(_) => make_rows(output, axes, cost, &guess.storing::<u32>()),
        ViewMut::I32(_) => make_rows(output, axes, cost, &guess.storing::<i32>()),
        ViewMut::F32(_) => make_rows(output, axes, cost, &guess.storing::<f32>()),
        // Between two values that are stored as one boolean others may lie, and 64 bits leave nothing to guess.
        _ => make_rows(output, axes, 10 * cost, &Storing { guess, find_doubtful: None }),
    }
}

/// How far a guess may lie from SciPy's value, as a multiple of the sum of the absolute values of its products.
///
/// With u = 2^-53, m axes weighed, n of all, and t taps an axis, to first order in u:
///
/// * SciPy multiplies n times and adds t^n - 1 times: (t^n + n) u of the sum of its absolute products.
/// * The guess multiplies once and adds less than t times an axis: m t u. Where a tap is the fill value, it takes the
///   weights of the axes before for one, which their sum is to t u: another m t u.
/// * Along a channel axis SciPy filters each line of coefficients p, all at most P in size, and samples the result C
///   where that gives p back, with weights off by less than 16 u: t 16 u |C|. |C| is at most G P, with
///   G = Π ((1 + |z|) / (1 - |z|))², the filter's sum of absolute values; so its own sums are G times ours as well.
///   And C is itself rounded by at most E u P, see below. P is at most the sum over the channels, which is ours.
///
/// E goes through the filter step by step, b the size of what there is and e its error, both for P = 1. The gain gives
/// b = g, e = 8 g. For each pole: forth, sizes are at most c = b / (1 - |z|); the sum at the start rounds at most once
/// for each of eight samples, and three times in each product, at most 64 c in all, and a step rounds three times,
/// the pole's own error counted: e' = 2.3 e / (1 - |z|) + (64 + 3 / (1 - |z|)) c. The factor 2.3 is one for the steps
/// and 1.3 for the start, which is divided by 1 - z² or more. Back, sizes are at most d = c |z| / (1 - |z|), and in
/// the same way e = 2 e' |z| / (1 - |z|) + (64 + 3 / (1 - |z|)) d, b = d.
///
/// Adding the error to the guess, and taking it off, rounds once: 2 u. Our own sum of absolute values is rounded as
/// well, and so is what is left out here: a hundredth more covers both.
fn relative_error(taps: usize, weighed: usize, channels: bool) -> f64 {
    let (t, m) = (taps as f64, weighed as f64);
    let n = if channels { m + 1.0 } else { m };
    let mut of_scipy = t.powf(n) + n;
    let mut of_channels = 0.0;
    if channels {
        let poles = poles(taps - 1);
        let mut size: f64 = poles.iter().map(|z| (1.0 - z) * (1.0 - 1.0 / z)).product();
        let mut error = 8.0 * size;
        for z in poles.iter().map(|z| z.abs()) {
            let rounding = 64.0 + 3.0 / (1.0 - z);
            let forth = size / (1.0 - z);
            let forth_error = 2.3 * error / (1.0 - z) + rounding * forth;
            size = forth * z / (1.0 - z);
            error = 2.0 * forth_error * z / (1.0 - z) + rounding * size;
        }
        of_scipy *= size;
        of_channels = 16.0 * t * size + error;
    }
    1.01 * (of_scipy + 2.0 * m * t + of_channels + 2.0) * (f64::EPSILON / 2.0)
}

/// Products below the normal numbers lose their relative error: this covers what they lose.
const LEAST_ERROR: f64 = 1e-300;

/// A value less this and the value with it added are not both stored as zero in `f32`.
const LEAST_ERROR_NOT_ZERO: f64 = 1e-44;

/// From here on SciPy's filter may have run into infinity where the guess has not.
const MOST_ERROR: f64 = 1e250;

/// An axis that stays, behind those that are weighed.
struct Channels<const TAPS: usize> {
    filter: Filter,
    table: Line<TAPS>,
}

struct Guess<'a, const TAPS: usize> {
    elements: &'a [f64],
    /// Distance of neighbours along each outer axis.
    outer: Vec<usize>,
    /// For each weighed axis its samples, their distance, and what is read for each position of the output.
    axes: Vec<(usize, usize, Line<TAPS>)>,
    channels: Option<Channels<TAPS>>,
    error: f64,
    fill: f64,
    /// The fill value and its size, in place of a row.
    fill_rows: [Vec<f64>; 2],
}

impl<'a, const TAPS: usize> Guess<'a, TAPS> {
    fn new(
        coefficients: &'a ArrayViewD<'_, f64>,
        output: &[usize],
        outer: usize,
        weighed: usize,
        maps: &[AxisMap],
        options: &Options,
    ) -> Self {
        let shape = coefficients.shape();
        let behind = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let table = |axis: usize| Line::new(maps[axis - outer], shape[axis], 0..output[axis], false, options);
        let last = outer + weighed;
        let channels = (weighed < maps.len()).then(|| Channels {
            filter: Filter::new(poles(options.order), options.border, shape[last]),
            table: table(last),
        });
        let row = if options.border == Border::GridConstant { behind(outer) } else { 0 };
        Self {
            elements: coefficients.as_slice().expect("coefficients in C order"),
            outer: (0..outer).map(behind).collect_vec(),
            axes: (outer..last).map(|axis| (shape[axis], behind(axis), table(axis))).collect_vec(),
            error: relative_error(TAPS, weighed, channels.is_some()),
            channels,
            fill: options.fill,
            fill_rows: [memory::filled(options.fill, row), memory::filled(options.fill.abs(), row)],
        }
    }

    /// In these types a value between two that are stored as one element is stored as that, too.
    fn storing<T: Sample>(self) -> Storing<'a, TAPS> {
        let find = |values: &[f64], errors: &[f64]| dispatch(Doubtful::<T>::new(values, errors));
        Storing { guess: self, find_doubtful: Some(find) }
    }

    fn last(&self) -> &(usize, usize, Line<TAPS>) {
        &self.axes[self.axes.len() - 1]
    }

    fn worker(&self) -> Worker<'_, TAPS> {
        let leading = self.axes.len() - 1;
        let (_, planes, _) = self.last();
        // One block for each leading axis; one even without, as there is always something to weigh the last axis of.
        let mut blocks: Vec<Block> = (0..leading.max(1))
            .map(|axis| {
                let (len, behind, _) = &self.axes[axis];
                let samples = if leading == 0 { len * behind } else { *behind };
                Block { values: memory::zeros(samples), sizes: memory::zeros(samples), ..Block::default() }
            })
            .collect_vec();
        let last = blocks.len() - 1;
        let samples = blocks[last].values.len();
        memory::resize(&mut blocks[last].values, samples + planes, self.fill);
        memory::resize(&mut blocks[last].sizes, samples + planes, self.fill.abs());
        let (row, errors, leads, lines) = Default::default();
        Worker { guess: self, row, outside: false, blocks, errors, leads, lines }
    }
}

/// The values that their errors leave in doubt.
type FindDoubtful = fn(&[f64], &[f64]) -> Vec<usize>;

/// A guess for one type of elements; without a way to find what is in doubt, everything is.
struct Storing<'a, const TAPS: usize> {
    guess: Guess<'a, TAPS>,
    find_doubtful: Option<FindDoubtful>,
}

impl<const TAPS: usize> RowMaker for Storing<'_, TAPS> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(StoringWorker { worker: self.guess.worker(), find_doubtful: self.find_doubtful })
    }
}

struct StoringWorker<'a, const TAPS: usize> {
    worker: Worker<'a, TAPS>,
    find_doubtful: Option<FindDoubtful>,
}

impl<const TAPS: usize> RowWorker for StoringWorker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        self.worker.start(row);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        if self.worker.outside {
            to.fill(self.worker.guess.fill);
            return;
        }
        let base = outer.iter().zip(&self.worker.guess.outer).map(|(index, stride)| index * stride).sum();
        let (_, planes, _) = self.worker.guess.last();
        let doubtful = match self.find_doubtful {
            Some(find) => {
                self.worker.guess_row(base, to);
                find(to, &self.worker.errors)
            }
            None => (0..to.len()).collect_vec(),
        };
        let mut done = None;
        for value in doubtful {
            let pixel = value / planes;
            if self.worker.guess.channels.is_none() {
                to[value] = self.worker.sample(base, pixel, value % planes);
            } else if done.replace(pixel) != Some(pixel) {
                self.worker.sample_channels(base, pixel, &mut to[pixel * planes..][..*planes]);
            }
        }
    }
}

/// The taps of the axes so far weighed and added, and the same for absolute values.
#[derive(Default)]
struct Block {
    values: Vec<f64>,
    sizes: Vec<f64>,
    /// The plane and the positions on the leading axes that it was made for.
    made_for: Option<(usize, Vec<usize>)>,
}

/// One choice of taps on the leading axes.
struct LeadTaps {
    /// Where what lies behind begins; `None` where a tap is the fill value.
    start: Option<usize>,
    weights: Vec<f64>,
}

struct Worker<'a, const TAPS: usize> {
    guess: &'a Guess<'a, TAPS>,
    row: Vec<usize>,
    outside: bool,
    blocks: Vec<Block>,
    errors: Vec<f64>,
    /// Made for a row at its first doubtful value.
    leads: Vec<LeadTaps>,
    /// The lines along the channels through the taps of a pixel.
    lines: Vec<f64>,
}

impl<const TAPS: usize> Worker<'_, TAPS> {
    fn start(&mut self, row: &[usize]) {
        self.row.clear();
        memory::extend_from_slice(&mut self.row, row);
        self.leads.clear();
        self.outside =
            self.guess.axes.iter().zip(row).any(|((_, _, table), position)| table.outside[*position]);
    }

    /// Put the guesses for this row of the plane at `base` into `to`, and how far they may be off into `errors`.
    fn guess_row(&mut self, base: usize, to: &mut [f64]) {
        let Guess { elements, axes, fill_rows, .. } = self.guess;
        if self.row.is_empty() {
            let Block { values, sizes, .. } = &mut self.blocks[0];
            let (len, planes, _) = &axes[0];
            let line = &elements[base..][..len * planes];
            values[..line.len()].copy_from_slice(line);
            sizes.iter_mut().zip(line).for_each(|(size, value)| *size = value.abs());
        }
        for axis in 0..self.row.len() {
            let wanted = Some((base, memory::copy(&self.row[..=axis])));
            if self.blocks[axis].made_for == wanted {
                continue;
            }
            let (len, behind, table) = &axes[axis];
            let (made, block) = self.blocks.split_at_mut(axis);
            // The first axis is weighed straight from the coefficients, whose sizes are taken on the way.
            let line = &elements[base..][..if axis == 0 { len * behind } else { 0 }];
            let from = made.last().map_or([line, line], |block| [&block.values, &block.sizes]);
            let position = self.row[axis];
            let rows = |of: usize| {
                table.taps[position].map(|tap| match tap {
                    tap if tap == *len => &fill_rows[of][..*behind],
                    tap => &from[of][tap * behind..][..*behind],
                })
            };
            dispatch(Weigh {
                values: rows(0),
                sizes: rows(1),
                weights: &table.weights[position],
                to: (&mut block[0].values[..*behind], &mut block[0].sizes[..*behind]),
            });
            block[0].made_for = wanted;
        }
        let (_, planes, table) = self.guess.last();
        let block = &self.blocks[self.blocks.len() - 1];
        memory::resize(&mut self.errors, to.len(), 0.0);
        dispatch(WeighRow {
            table,
            block,
            planes: *planes,
            error: self.guess.error,
            together: self.guess.channels.is_some(),
            to,
            errors: &mut self.errors,
        });
        for (pixel, _) in table.outside.iter().enumerate().filter(|(_, outside)| **outside) {
            to[pixel * planes..][..*planes].fill(self.guess.fill);
            self.errors[pixel * planes..][..*planes].fill(0.0);
        }
    }

    /// The choices of taps on the leading axes, in SciPy's order.
    fn find_leads(&mut self) {
        if !self.leads.is_empty() {
            return;
        }
        let mut tap = memory::zeros(self.row.len());
        let shape = memory::filled(TAPS, self.row.len());
        loop {
            let mut lead = LeadTaps { start: Some(0), weights: memory::with_capacity(self.row.len()) };
            for (((len, behind, table), position), tap) in self.guess.axes.iter().zip(&self.row).zip(&tap) {
                let index = table.taps[*position][*tap];
                lead.start = lead.start.filter(|_| index < *len).map(|start| start + index * behind);
                memory::push(&mut lead.weights, table.weights[*position][*tap]);
            }
            memory::push(&mut self.leads, lead);
            if !advance(&mut tap, &shape) {
                break;
            }
        }
    }

    /// One value of this row, as SciPy computes it.
    fn sample(&mut self, base: usize, pixel: usize, plane: usize) -> f64 {
        self.find_leads();
        let Guess { elements, fill, .. } = self.guess;
        let (len, planes, table) = self.guess.last();
        if table.outside[pixel] {
            return *fill;
        }
        let mut sum = 0.0;
        for LeadTaps { start, weights } in &self.leads {
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
        self.find_leads();
        let Guess { elements, fill, channels: Some(channels), .. } = self.guess else { return };
        let (_, planes, table) = self.guess.last();
        if table.outside[pixel] {
            to.fill(*fill);
            return;
        }
        let width = self.leads.len() * TAPS;
        memory::resize(&mut self.lines, planes * width, 0.0);
        for (lead, at) in self.leads.iter().zip((0..).step_by(TAPS)) {
            // No mode with channels has fill values for taps.
            let start = base + lead.start.unwrap_or(0);
            for (tap, line) in table.taps[pixel].iter().zip(at..) {
                for (plane, value) in elements[start + tap * planes..][..*planes].iter().enumerate() {
                    self.lines[plane * width + line] = *value;
                }
            }
        }
        channels.filter.run(&mut self.lines, width);
        for line in self.lines.chunks_exact_mut(width) {
            for (taps, lead) in line.as_chunks_mut::<TAPS>().0.iter_mut().zip(&self.leads) {
                for (value, last) in taps.iter_mut().zip(&table.weights[pixel]) {
                    *value = lead.weights.iter().fold(*value, |value, weight| value * weight) * last;
                }
            }
        }
        // The channels' sums are added to in turn: each is a chain of its own.
        to.fill(0.0);
        let Line { taps, weights, .. } = &channels.table;
        for line in 0..width {
            for tap in 0..TAPS {
                for ((to, taps), weights) in to.iter_mut().zip(taps).zip(weights) {
                    *to += self.lines[taps[tap] * width + line] * weights[tap];
                }
            }
        }
    }
}

/// Weigh and add rows.
struct Weigh<'a, const TAPS: usize> {
    values: [&'a [f64]; TAPS],
    sizes: [&'a [f64]; TAPS],
    weights: &'a [f64; TAPS],
    to: (&'a mut [f64], &'a mut [f64]),
}

impl<const TAPS: usize> Kernel for Weigh<'_, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { values, sizes, weights, to: (to, to_sizes) } = self;
        let len = to.len().min(to_sizes.len());
        let (values, sizes) = (values.map(|row| &row[..len]), sizes.map(|row| &row[..len]));
        for at in 0..len {
            let (mut sum, mut size) = (0.0, 0.0);
            for tap in 0..TAPS {
                sum += values[tap][at] * weights[tap];
                size += sizes[tap][at].abs() * weights[tap].abs();
            }
            to[at] = sum;
            to_sizes[at] = size;
        }
    }
}

/// Weigh and add pixels along a row.
struct WeighRow<'a, const TAPS: usize> {
    table: &'a Line<TAPS>,
    block: &'a Block,
    planes: usize,
    error: f64,
    /// Whether the planes of a pixel have one error, that of their sum.
    together: bool,
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
                let Self { table, block, error, together, to, errors, .. } = self;
                let pixels = to.chunks_exact_mut(planes).zip(errors.chunks_exact_mut(planes));
                for ((to, errors), (taps, weights)) in pixels.zip(table.taps.iter().zip(&table.weights)) {
                    to.fill(0.0);
                    errors.fill(0.0);
                    for (tap, weight) in taps.iter().zip(weights) {
                        let values = &block.values[tap * planes..][..planes];
                        let sizes = &block.sizes[tap * planes..][..planes];
                        to.iter_mut().zip(values).for_each(|(to, value)| *to += value * weight);
                        errors.iter_mut().zip(sizes).for_each(|(to, size)| *to += size * weight.abs());
                    }
                    if together {
                        let sum: f64 = errors.iter().sum();
                        errors.fill(sum);
                    }
                    errors.iter_mut().for_each(|to| *to = *to * error + LEAST_ERROR);
                }
            }
        }
    }
}

impl<const TAPS: usize> WeighRow<'_, TAPS> {
    #[inline(always)]
    fn weigh<const PLANES: usize>(self) {
        let (values, _) = self.block.values.as_chunks::<PLANES>();
        let (sizes, _) = self.block.sizes.as_chunks::<PLANES>();
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (errors, _) = self.errors.as_chunks_mut::<PLANES>();
        let taps = self.table.taps.iter().zip(&self.table.weights);
        for ((to, to_errors), (taps, weights)) in to.iter_mut().zip(errors).zip(taps) {
            let (mut sum, mut size) = ([0.0; PLANES], [0.0; PLANES]);
            for tap in 0..TAPS {
                let (value, value_size) = (&values[taps[tap]], &sizes[taps[tap]]);
                let (weight, weight_size) = (weights[tap], weights[tap].abs());
                for plane in 0..PLANES {
                    sum[plane] += value[plane] * weight;
                    size[plane] += value_size[plane] * weight_size;
                }
            }
            *to = sum;
            if self.together {
                size = [size.iter().sum(); PLANES];
            }
            for plane in 0..PLANES {
                to_errors[plane] = size[plane] * self.error + LEAST_ERROR;
            }
        }
    }
}

/// Finds the values that may round to more than one element.
struct Doubtful<'a, T> {
    values: &'a [f64],
    errors: &'a [f64],
    element: std::marker::PhantomData<T>,
}

impl<'a, T> Doubtful<'a, T> {
    fn new(values: &'a [f64], errors: &'a [f64]) -> Self {
        Self { values, errors, element: std::marker::PhantomData }
    }
}

impl<T: Sample> Kernel for Doubtful<'_, T> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run(self) -> Vec<usize> {
        let is_known = |value: f64, error: f64| {
            let round = |value: f64| T::from_f64_rounded(value);
            // Zeros of both signs are equal, but not one answer. Where no product is above zero, nor is the sum below.
            let sign_is_known =
                T::FINITE | (value.abs() >= error) | (error > LEAST_ERROR_NOT_ZERO) | (error == LEAST_ERROR);
            // NaN is no error either.
            (round(value - error) == round(value + error)) & (error < MOST_ERROR) & sign_is_known
        };
        let mut found = Vec::new();
        for (piece, (values, errors)) in self.values.chunks(64).zip(self.errors.chunks(64)).enumerate() {
            let all = values.iter().zip(errors);
            // Looked at piece by piece: a loop that may stop at every value is not vectorized.
            if !all.clone().fold(true, |known, (value, error)| known & is_known(*value, *error)) {
                let here = all.enumerate().filter(|(_, (value, error))| !is_known(**value, **error));
                memory::extend(&mut found, here.map(|(at, _)| piece * 64 + at));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
