//! The recursive prefilter (Unser, Aldroubi, Eden 1991) over interleaved lines: for each pole a causal and an
//! anticausal pass.
//!
//! Their initial values make the border mode exact. They are sums over the whole line with geometrically falling
//! weights, so the sum stops as soon as no further term can change a bit of it.

use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::memory::CollectVec;

/// SciPy's prefilter of one order for lines of one length.
pub(crate) struct Filter {
    gain: f64,
    /// Each pole, and its power that the initial value needs at the far end of the line.
    poles: Vec<(f64, f64)>,
    start: LineExtension,
    len: usize,
}

/// How the filter extends a line.
#[derive(Clone, Copy, PartialEq)]
enum LineExtension {
    Mirror,
    Reflect,
    Wrap,
}

impl Filter {
    /// The filter with these poles for lines of `len` samples; modes without their own filter use another's.
    pub(crate) fn new(poles: &[f64], border: Border, len: usize) -> Self {
        let start = match border {
            Border::GridWrap => LineExtension::Wrap,
            Border::Nearest | Border::Reflect => LineExtension::Reflect,
            _ => LineExtension::Mirror,
        };
        let power = if start == LineExtension::Mirror { len.saturating_sub(1) } else { len };
        let gain = poles.iter().fold(1.0, |gain, z| gain * ((1.0 - z) * (1.0 - 1.0 / z)));
        Self { gain, poles: poles.iter().map(|z| (*z, z.powf(power as f64))).collect_vec(), start, len }
    }

    /// The factor for samples before they are filtered; applying it while they are read is free.
    pub(super) fn gain(&self) -> f64 {
        // SciPy does not change a single sample.
        if self.len < 2 { 1.0 } else { self.gain }
    }

    /// Filter interleaved lines; the next sample of a line is `width` elements further on.
    pub(crate) fn run(&self, samples: &mut [f64], width: usize) {
        samples.iter_mut().for_each(|sample| *sample *= self.gain());
        self.run_scaled(samples, width);
    }

    /// [`run`](Self::run) for samples that are already multiplied by the [`gain`](Self::gain).
    pub(super) fn run_scaled(&self, samples: &mut [f64], width: usize) {
        dispatch(Recursion { filter: self, samples, width });
    }

    /// The length of the lines.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Estimated nanoseconds per sample.
    pub(super) fn cost(&self) -> usize {
        1 + self.poles.len()
    }
}

struct Recursion<'a> {
    filter: &'a Filter,
    /// Already multiplied by the gain.
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
        let mut lines = InterleavedLines { samples, width, column: 0, len: filter.len };
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

/// Interleaved lines, from `column` on.
struct InterleavedLines<'a> {
    samples: &'a mut [f64],
    width: usize,
    column: usize,
    len: usize,
}

impl InterleavedLines<'_> {
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

/// Filter `N` lines, and advance past them.
#[inline(always)]
fn filter_lines<const N: usize>(lines: &mut InterleavedLines<'_>, filter: &Filter) {
    let n = lines.len;
    let mut max_abs = [0.0_f64; N];
    for i in 0..n {
        let c = lines.at::<N>(i);
        for k in 0..N {
            // NaN is skipped: it makes its whole line NaN, whatever the initial value is.
            max_abs[k] = max_abs[k].max(c[k].abs());
        }
    }
    for &(z, pole_power) in &filter.poles {
        let mut before = match filter.start {
            LineExtension::Mirror => causal_init_mirror::<N>(lines, z, pole_power, &max_abs),
            LineExtension::Reflect => causal_init_reflect::<N>(lines, z, pole_power, &max_abs),
            LineExtension::Wrap => causal_init_wrap::<N>(lines, z, &max_abs),
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
            LineExtension::Mirror => anticausal_init_mirror::<N>(lines, z),
            LineExtension::Reflect => anticausal_init_reflect::<N>(lines, z),
            LineExtension::Wrap => anticausal_init_wrap::<N>(lines, z, &max_abs),
        };
        *lines.at_mut(n - 1) = after;
        for i in (0..n - 1).rev() {
            let c = lines.at_mut::<N>(i);
            for k in 0..N {
                after[k] = z * (after[k] - c[k]);
            }
            *c = after;
        }
        // The causal pass amplifies by at most 1 / (1 - |z|) / (1 - z^2), the anticausal by |z| / (1 - |z|): together
        // by less than 1.7, even for the largest pole.
        max_abs.iter_mut().for_each(|max_abs| *max_abs *= 2.0);
    }
    lines.column += N;
}

/// Whether no further term can change a bit of `sum`, if terms are at most `4 * power * max_abs`.
///
/// A term below a quarter ulp is lost. `|sum| * 2^-55` is below that, also where it rounds to a subnormal number. A sum
/// with a NaN is never final, nor is one with infinite samples, since a later one may make it NaN.
#[inline(always)]
fn is_final<const N: usize>(sum: &[f64; N], max_abs: &[f64; N], power: f64) -> bool {
    let term = 4.0 * power.abs();
    let mut settled = true;
    for k in 0..N {
        settled &= (max_abs[k] * term <= sum[k].abs() * (0.5_f64).powi(55)) & (max_abs[k] < f64::INFINITY);
    }
    settled
}

/// Terms that are added between two checks whether the sum is final.
const STRIDE: usize = 16;

/// Add the terms `1..end`. Return the power of `z` after the last, or one that `1 - power` cannot tell from it.
#[inline(always)]
fn add_terms<const N: usize>(
    sum: &mut [f64; N],
    z: f64,
    end: usize,
    max_abs: &[f64; N],
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
        // Below 2^-54, one minus the power is one.
        if power.abs() < (0.5_f64).powi(60) && is_final(sum, max_abs, power) {
            break;
        }
    }
    power
}

#[inline(always)]
fn causal_init_mirror<const N: usize>(
    lines: &InterleavedLines<'_>,
    z: f64,
    pole_power: f64,
    max_abs: &[f64; N],
) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(0);
    let last = lines.at::<N>(n - 1);
    for k in 0..N {
        sum[k] += pole_power * last[k];
    }
    add_terms(&mut sum, z, n - 1, max_abs, |i, power, sum| {
        let (near, mirrored) = (lines.at::<N>(i), lines.at::<N>(n - 1 - i));
        for k in 0..N {
            sum[k] += power * (near[k] + pole_power * mirrored[k]);
        }
    });
    sum.iter_mut().for_each(|sum| *sum /= 1.0 - pole_power * pole_power);
    sum
}

#[inline(always)]
fn anticausal_init_mirror<const N: usize>(lines: &InterleavedLines<'_>, z: f64) -> [f64; N] {
    let n = lines.len;
    let (before, last) = (lines.at::<N>(n - 2), lines.at::<N>(n - 1));
    let mut turned = *last;
    for k in 0..N {
        turned[k] = (z * before[k] + last[k]) * z / (z * z - 1.0);
    }
    turned
}

#[inline(always)]
fn causal_init_wrap<const N: usize>(lines: &InterleavedLines<'_>, z: f64, max_abs: &[f64; N]) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(0);
    let power = add_terms(&mut sum, z, n, max_abs, |i, power, sum| {
        let wrapped = lines.at::<N>(n - i);
        for k in 0..N {
            sum[k] += power * wrapped[k];
        }
    });
    sum.iter_mut().for_each(|sum| *sum /= 1.0 - power);
    sum
}

#[inline(always)]
fn anticausal_init_wrap<const N: usize>(
    lines: &InterleavedLines<'_>,
    z: f64,
    max_abs: &[f64; N],
) -> [f64; N] {
    let n = lines.len;
    let mut sum = *lines.at::<N>(n - 1);
    // One more term than in the causal sum, starting at the first sample.
    let power = add_terms(&mut sum, z, n, max_abs, |i, power, sum| {
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
fn causal_init_reflect<const N: usize>(
    lines: &InterleavedLines<'_>,
    z: f64,
    pole_power: f64,
    max_abs: &[f64; N],
) -> [f64; N] {
    let n = lines.len;
    let (first, last) = (lines.at::<N>(0), lines.at::<N>(n - 1));
    let mut sum = *first;
    for k in 0..N {
        sum[k] += pole_power * last[k];
    }
    add_terms(&mut sum, z, n, max_abs, |i, power, sum| {
        let near = lines.at::<N>(i);
        // In the last step SciPy 1.17 reads the sum itself instead of the first sample.
        let mirrored = if i == n - 1 { *sum } else { *lines.at::<N>(n - 1 - i) };
        for k in 0..N {
            sum[k] += power * (near[k] + pole_power * mirrored[k]);
        }
    });
    let factor = z / (1.0 - pole_power * pole_power);
    for k in 0..N {
        sum[k] = sum[k] * factor + first[k];
    }
    sum
}

#[inline(always)]
fn anticausal_init_reflect<const N: usize>(lines: &InterleavedLines<'_>, z: f64) -> [f64; N] {
    let mut turned = *lines.at::<N>(lines.len - 1);
    let factor = z / (z - 1.0);
    turned.iter_mut().for_each(|turned| *turned *= factor);
    turned
}
