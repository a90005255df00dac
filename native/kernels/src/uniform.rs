//! The mean over a window along one axis.

use crate::border::Border;
use crate::correlate::{filter_bytes, filter_strips, is_bytes};
use crate::error::{KernelError, Result};
use crate::line::Extension;
use crate::simd::{Kernel, dispatch};
use crate::strips::Walk;
use crate::view::{View, ViewMut};

/// The mean of the `size` samples that begin `size / 2 + origin` ahead of the pixel, along `axis`;
/// without an input, of `output` itself.
///
/// The sums are SciPy's: the first window from its first sample to its last; then, sample by sample, the difference
/// of the one that enters and the one that leaves is added. So a NaN stays in the sum until the end of the line.
///
/// # Errors
///
/// For a size of 0, an `origin` that puts the window beside the pixel, or arrays that do not fit.
pub fn uniform1d(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    axis: usize,
    size: usize,
    border: Border,
    fill: f64,
    origin: isize,
) -> Result<()> {
    let before = (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })?;
    let extension = Extension { before, after: size - 1 - before, border, fill };
    if is_bytes(input, &output)
        && let Some(division) = Division::new(size)
        && let Some(fill) = byte(border, fill)
    {
        let walk = Walk { axis, extension, cost: 1, whole: false };
        return filter_bytes(
            input,
            output,
            &walk,
            fill,
            u16::from,
            move |sum| division.of(sum),
            |samples, result, step| dispatch(Sums { samples, size, step, result }),
        );
    }
    let walk = Walk { axis, extension, cost: 4, whole: true };
    filter_strips(input, output, &walk, fill, |samples, result, step| {
        dispatch(Running { samples, size, step, result });
    })
}

/// A fill value as a byte; any byte where the border takes none.
fn byte(border: Border, fill: f64) -> Option<u16> {
    let constant = matches!(border, Border::Constant | Border::GridConstant);
    if constant { (0..=255).find(|byte| f64::from(*byte) == fill) } else { Some(0) }
}

/// The sum that runs along each column, and its division.
struct Running<'a> {
    samples: &'a [f64],
    size: usize,
    step: usize,
    result: &'a mut [f64],
}

impl Kernel for Running<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, size, step, result } = self;
        let rows = result.len() / step;
        result[..step].fill(0.0);
        for row in samples.chunks_exact(step).take(size) {
            result[..step].iter_mut().zip(row).for_each(|(sum, sample)| *sum += sample);
        }
        match step {
            1 => return finish::<1>(samples, size, result),
            2 => return finish::<2>(samples, size, result),
            3 => return finish::<3>(samples, size, result),
            4 => return finish::<4>(samples, size, result),
            _ => {}
        }
        let enters = samples[size * step..].chunks_exact(step);
        let leaves = samples.chunks_exact(step);
        for (row, (enters, leaves)) in (1..rows).zip(enters.zip(leaves)) {
            let (done, to) = result.split_at_mut(row * step);
            let last = &done[(row - 1) * step..];
            let samples = enters.iter().zip(leaves);
            for ((to, last), (enters, leaves)) in to[..step].iter_mut().zip(last).zip(samples) {
                *to = last + (enters - leaves);
            }
        }
        divide(result, size);
    }
}

/// The sums after the first row, which is there, of rows so short that they stay in registers.
#[inline(always)]
fn finish<const STEP: usize>(samples: &[f64], size: usize, result: &mut [f64]) {
    let enters = samples[size * STEP..].as_chunks::<STEP>().0;
    let leaves = samples.as_chunks::<STEP>().0;
    let rows = result.as_chunks_mut::<STEP>().0;
    let mut sums = rows[0];
    for (to, (enters, leaves)) in rows[1..].iter_mut().zip(enters.iter().zip(leaves)) {
        for lane in 0..STEP {
            sums[lane] += enters[lane] - leaves[lane];
        }
        *to = sums;
    }
    divide(result, size);
}

#[inline(always)]
fn divide(sums: &mut [f64], size: usize) {
    let size = size as f64;
    sums.iter_mut().for_each(|sum| *sum /= size);
}

/// Sums of windows of bytes, exact in any order: windows of 1, 2, 4, … samples are doubled, those that `size` is the
/// sum of are added up.
struct Sums<'a> {
    samples: &'a mut [u16],
    size: usize,
    step: usize,
    result: &'a mut [u16],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, size, step, result } = self;
        // Windows are doubled in pieces that stay in the first-level cache, if the window is small.
        let reach = (size - 1) * step;
        let piece = (4 * reach).clamp(1024, result.len().max(1024));
        let mut doubled = vec![0; 2 * (piece + reach)];
        let (even, odd) = doubled.split_at_mut(piece + reach);
        for (index, result) in result.chunks_mut(piece).enumerate() {
            let samples = &samples[index * piece..][..result.len() + reach];
            let (mut count, mut offset) = (samples.len(), 0);
            for level in 0..=size.ilog2() {
                let window = 1 << level;
                let (to, sums): (&mut [u16], &[u16]) = match level {
                    0 => (&mut *odd, samples),
                    _ if level % 2 == 1 => (&mut *even, &*odd),
                    _ => (&mut *odd, &*even),
                };
                if size & window != 0 {
                    let part = result.iter_mut().zip(&sums[offset * step..]);
                    if offset == 0 {
                        part.for_each(|(to, sum)| *to = *sum);
                    } else {
                        part.for_each(|(to, sum)| *to += sum);
                    }
                    offset += window;
                }
                if level < size.ilog2() {
                    count -= window * step;
                    let pairs = sums[..count].iter().zip(&sums[window * step..][..count]);
                    to[..count].iter_mut().zip(pairs).for_each(|(to, (a, b))| *to = a + b);
                }
            }
        }
    }
}

/// Division of a sum of `size` bytes by `size`, as a product and a shift.
///
/// SciPy truncates the quotient in `f64`. It is exact where `size` divides the sum; else it lies at least `1 / size`
/// below the next integer, and rounding does not bridge that: the truncated quotient is that of integers.
#[derive(Clone, Copy)]
struct Division {
    factor: u16,
    shift: u32,
}

impl Division {
    /// None where no factor of 16 bits gives every quotient.
    fn new(size: usize) -> Option<Self> {
        let size = u64::try_from(size).ok().filter(|size| (1..=257).contains(size))?;
        // The quotient `sum * factor >> (16 + shift)` is right for every sum if what the factor is too large by,
        // `excess / size`, brings less than `1 / size`: if `sum * excess < 2^(16 + shift)`.
        (0..8).find_map(|shift| {
            let power = 1_u64 << (16 + shift);
            let factor = power.div_ceil(size);
            let excess = factor * size - power;
            let factor = u16::try_from(factor).ok()?;
            (255 * size * excess < power).then_some(Self { factor, shift })
        })
    }

    #[inline(always)]
    fn of(self, sum: u16) -> u8 {
        (((u32::from(sum) * u32::from(self.factor)) >> 16) as u16 >> self.shift) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::set_local_threads;
    use crate::sample::Sample;
    use crate::simd::{Level, force, level};
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    #[test]
    fn quotients_are_those_of_integers() {
        let mut tried = 0;
        for size in 1..300 {
            let Some(division) = Division::new(size) else { continue };
            tried += 1;
            for sum in 0..=255 * size as u32 {
                let expected = u8::from_f64_truncated(f64::from(sum) / size as f64);
                assert_eq!(division.of(sum as u16), expected, "{sum} / {size}");
            }
        }
        assert!(tried > 150, "{tried}");
    }

    /// The definition, line by line.
    fn plain<T: Sample>(
        array: &ArrayD<T>,
        axis: usize,
        size: usize,
        border: Border,
        origin: isize,
    ) -> ArrayD<T> {
        let len = array.shape()[axis];
        ArrayD::from_shape_fn(array.raw_dim(), |index| {
            let sample = |row: usize, tap: usize| {
                let position = (row + tap) as isize - (size / 2) as isize - origin;
                border.index(position, len).map_or(7.0, |inside| {
                    let mut at = index.clone();
                    at.slice_mut()[axis] = inside;
                    array[at].to_f64()
                })
            };
            let mut sum = (0..size).fold(0.0, |sum, tap| sum + sample(0, tap));
            for row in 1..=index[axis] {
                sum += sample(row, size - 1) - sample(row - 1, 0);
            }
            T::from_f64_truncated(sum / size as f64)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_definition_at_every_level_and_thread_count(
            shape in prop::collection::vec(1_usize..70, 1..4).prop_filter("size", |s| s.iter().product::<usize>() < 20_000),
            axis in 0_usize..3,
            size in 1_usize..20,
            origin in -9_isize..9,
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let axis = axis % shape.len();
            let origin = origin.clamp(-(size as isize / 2), (size as isize - 1) / 2);
            let mut count = 0_i32;
            let bytes = ArrayD::from_shape_simple_fn(shape, || { count = (count * 31 + 17) % 1009; count as u8 });
            let floats = bytes.mapv(|byte| f32::from(byte) * 1.1);
            let border = Border::from_code(code).unwrap();
            let (expected, expected_floats) =
                (plain(&bytes, axis, size, border, origin), plain(&floats, axis, size, border, origin));
            let (threads, before) = (set_local_threads(threads), level());
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut output = bytes.clone();
                let view = ViewMut::U8(output.view_mut());
                uniform1d(Some(&View::U8(bytes.view())), view, axis, size, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected);
                let mut output = bytes.clone();
                uniform1d(None, ViewMut::U8(output.view_mut()), axis, size, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected);
                let mut output = floats.clone();
                uniform1d(None, ViewMut::F32(output.view_mut()), axis, size, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected_floats);
                let mut output = floats.clone();
                let view = ViewMut::F32(output.view_mut());
                uniform1d(Some(&View::F32(floats.view())), view, axis, size, border, 7.0, origin).unwrap();
                prop_assert_eq!(&output, &expected_floats);
            }
            force(before);
            set_local_threads(threads);
        }
    }
}
