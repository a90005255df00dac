//! The filter itself, over lines that lie side by side: a recursion forth and back for each pole.
//!
//! Unser, Aldroubi, Eden 1991. It starts so that the border mode holds exactly, with a sum over the whole line whose
//! weights fall geometrically: it is left as soon as no further term can change a bit of it.

use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::memory::CollectVec;

/// What SciPy's filter of one order does to a line of one length: the poles in their order, each with the power of
/// it that the start needs.
pub(crate) struct Filter {
    gain: f64,
    /// Pole, and its power at the far end of the line.
    poles: Vec<(f64, f64)>,
    start: Start,
    len: usize,
}

/// The samples that the line goes on with, as the filter knows them.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    Mirror,
    Reflect,
    Wrap,
}

impl Filter {
    /// The filter with these poles for lines of `len` samples; modes without one of their own take another's.
    pub(crate) fn new(poles: &[f64], border: Border, len: usize) -> Self {
        let start = match border {
            Border::GridWrap => Start::Wrap,
            Border::Nearest | Border::Reflect => Start::Reflect,
            _ => Start::Mirror,
        };
        let power = if start == Start::Mirror { len.saturating_sub(1) } else { len };
        let gain = poles.iter().fold(1.0, |gain, z| gain * ((1.0 - z) * (1.0 - 1.0 / z)));
        Self { gain, poles: poles.iter().map(|z| (*z, z.powf(power as f64))).collect_vec(), start, len }
    }

    /// What samples are multiplied by before they are filtered; while they are read that takes no time.
    pub(super) fn gain(&self) -> f64 {
        // SciPy leaves a single sample alone.
        if self.len < 2 { 1.0 } else { self.gain }
    }

    /// Filter the lines in `samples`, whose next sample is `width` further on.
    pub(crate) fn run(&self, samples: &mut [f64], width: usize) {
        samples.iter_mut().for_each(|sample| *sample *= self.gain());
        self.run_on_multiplied(samples, width);
    }

    /// As [`run`](Self::run), of samples that were multiplied by the [`gain`](Self::gain).
    pub(super) fn run_on_multiplied(&self, samples: &mut [f64], width: usize) {
        dispatch(Recursion { filter: self, samples, width });
    }

    /// The length of its lines.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Estimated nanoseconds of a sample.
    pub(super) fn cost(&self) -> usize {
        1 + self.poles.len()
    }
}

struct Recursion<'a> {
    filter: &'a Filter,
    /// Multiplied by the gain.
    samples: &'a mut [f64],
    width: usize,
}

impl Kernel for Recursion<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { filter, samples, width } = self;
        if filter.len < 2 {
            return;
        }
        let mut lines = Lines { samples, width, column: 0, len: filter.len };
        while width - lines.column >= 32 {
            filter_lines::<32>(&mut lines, filter);
        }
        while width - lines.column >= 8 {
            filter_lines::<8>(&mut lines, filter);
        }
        while lines.column < width {
            filter_lines::<1>(&mut lines, filter);
        }
    }
}

/// The lines from `column` on.
struct Lines<'a> {
    samples: &'a mut [f64],
    width: usize,
    column: usize,
    len: usize,
}

impl Lines<'_> {
    /// Sample `i` of `N` lines.
    #[inline(always)]
    fn at<const N: usize>(&self, i: usize) -> &[f64; N] {
        self.samples[i * self.width + self.column..].first_chunk().expect("the row has as many")
    }

    #[inline(always)]
    fn at_mut<const N: usize>(&mut self, i: usize) -> &mut [f64; N] {
        self.samples[i * self.width + self.column..].first_chunk_mut().expect("the row has as many")
    }
}

/// Filter `N` lines, and step behind them.
#[inline(always)]
fn filter_lines<const N: usize>(lines: &mut Lines<'_>, filter: &Filter) {
    let n = lines.len;
    let mut most = [0.0_f64; N];
    for i in 0..n {
        let c = lines.at::<N>(i);
        for k in 0..N {
            // NaN is passed over: it makes its whole line NaN, whatever the start is.
            most[k] = most[k].max(c[k].abs());
        }
    }
    for &(z, far) in &filter.poles {
        let mut before = match filter.start {
            Start::Mirror => start_mirror::<N>(lines, z, far, &most),
            Start::Reflect => start_reflect::<N>(lines, z, far, &most),
            Start::Wrap => start_wrap::<N>(lines, z, &most),
        };
        *lines.at_mut(0) = before;
        for i in 1..n {
            let c = lines.at_mut::<N>(i);
            for k in 0..N {
                before[k] = c[k] + z * before[k];
            }
            *c = before;
        }
        let mut after = match filter.start {
            Start::Mirror => turn_mirror::<N>(lines, z),
            Start::Reflect => turn_reflect::<N>(lines, z),
            Start::Wrap => turn_wrap::<N>(lines, z, &most),
        };
        *lines.at_mut(n - 1) = after;
        for i in (0..n - 1).rev() {
            let c = lines.at_mut::<N>(i);
            for k in 0..N {
                after[k] = z * (after[k] - c[k]);
            }
            *c = after;
        }
        // The forward pass gives at most 1 / (1 - |z|) / (1 - z^2) times what it gets, the way back |z| / (1 - |z|)
        // times that: below 1.7, even for the pole farthest from zero.
        most.iter_mut().for_each(|most| *most *= 2.0);
    }
    lines.column += N;
}

/// Whether adding terms cannot change a bit of `sum` any more, if none is above `power` times four times `most`.
///
/// A term below a quarter of the last place is lost. `|sum| * 2^-55` is below that, also where it is rounded to a
/// denormal number. NaN on either side is never settled, and infinite samples are neither: a later one may make a NaN.
#[inline(always)]
fn is_settled<const N: usize>(sum: &[f64; N], most: &[f64; N], power: f64) -> bool {
    let term = 4.0 * power.abs();
    let mut settled = true;
    for k in 0..N {
        settled &= (most[k] * term <= sum[k].abs() * (0.5_f64).powi(55)) & (most[k] < f64::INFINITY);
    }
    settled
}

/// How many terms are added between two looks at whether that is enough.
const STRIDE: usize = 16;

/// Add the terms `1..end`, and say what the power of `z` behind the last is, or would be as far as `1 - power` tells.
#[inline(always)]
fn add_terms<const N: usize>(
    sum: &mut [f64; N],
    z: f64,
    end: usize,
    most: &[f64; N],
    mut term: impl FnMut(usize, f64, &mut [f64; N]),
) -> f64 {
    let mut power = z;
    let mut i = 1;
    while i < end {
        let stop = (i + STRIDE).min(end);
        while i < stop {
            term(i, power, sum);
            power *= z;
            i += 1;
        }
        // Below 2^-54 one less the power is one.
        if power.abs() < (0.5_f64).powi(60) && is_settled(sum, most, power) {
            break;
        }
    }
    power
}

#[inline(always)]
fn start_mirror<const N: usize>(lines: &Lines<'_>, z: f64, far: f64, most: &[f64; N]) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(0);
    let last = lines.at::<N>(n - 1);
    for k in 0..N {
        sum[k] += far * last[k];
    }
    add_terms(&mut sum, z, n - 1, most, |i, power, sum| {
        let (near, mirrored) = (lines.at::<N>(i), lines.at::<N>(n - 1 - i));
        for k in 0..N {
            sum[k] += power * (near[k] + far * mirrored[k]);
        }
    });
    sum.iter_mut().for_each(|sum| *sum /= 1.0 - far * far);
    sum
}

#[inline(always)]
fn turn_mirror<const N: usize>(lines: &Lines<'_>, z: f64) -> [f64; N] {
    let n = lines.len;
    let (before, last) = (lines.at::<N>(n - 2), lines.at::<N>(n - 1));
    let mut turned = *last;
    for k in 0..N {
        turned[k] = (z * before[k] + last[k]) * z / (z * z - 1.0);
    }
    turned
}

#[inline(always)]
fn start_wrap<const N: usize>(lines: &Lines<'_>, z: f64, most: &[f64; N]) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(0);
    let power = add_terms(&mut sum, z, n, most, |i, power, sum| {
        let wrapped = lines.at::<N>(n - i);
        for k in 0..N {
            sum[k] += power * wrapped[k];
        }
    });
    sum.iter_mut().for_each(|sum| *sum /= 1.0 - power);
    sum
}

#[inline(always)]
fn turn_wrap<const N: usize>(lines: &Lines<'_>, z: f64, most: &[f64; N]) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(n - 1);
    // One term more than there are weights: it begins with the first sample.
    let power = add_terms(&mut sum, z, n, most, |i, power, sum| {
        let value = lines.at::<N>(i - 1);
        for k in 0..N {
            sum[k] += power * value[k];
        }
    });
    let factor = z / (power - 1.0);
    sum.iter_mut().for_each(|sum| *sum *= factor);
    sum
}

#[inline(always)]
fn start_reflect<const N: usize>(lines: &Lines<'_>, z: f64, far: f64, most: &[f64; N]) -> [f64; N] {
    let n = lines.len;
    let (first, last) = (lines.at::<N>(0), lines.at::<N>(n - 1));
    let mut sum = *first;
    for k in 0..N {
        sum[k] += far * last[k];
    }
    add_terms(&mut sum, z, n, most, |i, power, sum| {
        let near = lines.at::<N>(i);
        // The last step reads the sum itself in place of the first sample, as SciPy 1.17 does.
        let mirrored = if i == n - 1 { *sum } else { *lines.at::<N>(n - 1 - i) };
        for k in 0..N {
            sum[k] += power * (near[k] + far * mirrored[k]);
        }
    });
    let factor = z / (1.0 - far * far);
    for k in 0..N {
        sum[k] = sum[k] * factor + first[k];
    }
    sum
}

#[inline(always)]
fn turn_reflect<const N: usize>(lines: &Lines<'_>, z: f64) -> [f64; N] {
    let mut turned = *lines.at::<N>(lines.len - 1);
    let factor = z / (z - 1.0);
    turned.iter_mut().for_each(|turned| *turned *= factor);
    turned
}
