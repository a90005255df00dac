//! The mean over a window along one axis.

use crate::border::Border;
use crate::correlate::{filter_alike, filter_strips, is_alike, lanes};
use crate::error::Result;
use crate::sample::Sample;
use crate::simd::{Kernel, dispatch};
use crate::strips::Walk;
use crate::view::{View, ViewMut};
use crate::window::Lines;
use std::convert;

/// The mean of a window of `size` samples.
///
/// The sums are SciPy's: the first window from its first sample to its last; then, sample by sample, the difference
/// of the one that enters and the one that leaves is added. So a NaN stays in the sum until the end of the line.
///
/// # Errors
///
/// For a window that [`Lines::walk`] refuses, or arrays that do not fit.
pub fn uniform1d(lines: Lines<'_>, size: usize) -> Result<()> {
    let walk = lines.walk(size, 1)?;
    let Lines { input, output, border, fill, .. } = lines;
    if is_alike::<u8>(input, &output)
        && let Some(division) = Division::new(size)
        && let Some(fill) = byte(border, fill)
    {
        // Sums of bytes are exact, wherever they begin.
        return filter_alike(
            input,
            output,
            &walk,
            fill,
            <u16 as From<u8>>::from,
            convert::identity,
            |samples, result, step| {
                dispatch(Running::<_, _, _, 32> {
                    samples,
                    size,
                    step,
                    result,
                    divide: |sum| division.of(sum),
                });
            },
        );
    }
    let walk = Walk { cost: 4, whole: true, ..walk };
    let wide = matches!(input, Some(View::F64(_))) || input.is_none() && matches!(output, ViewMut::F64(_));
    if wide || size > Quotient::LARGEST {
        let divisor = size as f64;
        return filter_strips(input, output, &walk, fill, |samples, result, step| {
            dispatch(Running::<_, _, _, 16> { samples, size, step, result, divide: |sum| sum / divisor });
        });
    }
    let quotient = Quotient::new(size);
    if is_alike::<f32>(input, &output) {
        return filter_alike(
            input,
            output,
            &walk,
            fill,
            <f64 as From<f32>>::from,
            convert::identity,
            |samples, result, step| {
                let divide = |sum| f32::from_f64_truncated(quotient.of(sum));
                dispatch(Running::<_, _, _, 16> { samples, size, step, result, divide });
            },
        );
    }
    filter_strips(input, output, &walk, fill, |samples, result, step| {
        dispatch(Running::<_, _, _, 16> { samples, size, step, result, divide: |sum| quotient.of(sum) });
    })
}

/// A fill value as a byte; any byte where the border takes none.
fn byte(border: Border, fill: f64) -> Option<u16> {
    let constant = matches!(border, Border::Constant | Border::GridConstant);
    if constant { (0..=255).find(|byte| f64::from(*byte) == fill) } else { Some(0) }
}

/// What can be summed up, and taken away again.
trait Addend: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

impl Addend for f64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self - other
    }
}

/// Differences may wrap around: the sums do not.
impl Addend for u16 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}

/// The sum that runs along each column, and its division; of `LANES` columns at once, if there are so many.
struct Running<'a, B, R, D, const LANES: usize> {
    samples: &'a [B],
    size: usize,
    step: usize,
    result: &'a mut [R],
    divide: D,
}

impl<B: Addend, R: Copy + Default, D: Fn(B) -> R + Copy, const LANES: usize> Kernel
    for Running<'_, B, R, D, LANES>
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.step {
            1 => self.columns::<1>(),
            2 => self.columns::<2>(),
            3 => self.columns::<3>(),
            step if step < LANES => self.columns::<4>(),
            _ => self.columns::<LANES>(),
        }
    }
}

impl<B: Addend, R: Copy + Default, D: Fn(B) -> R + Copy, const LANES: usize> Running<'_, B, R, D, LANES> {
    /// `N` columns at once, their sums in registers; the last ones may be computed twice.
    #[inline(always)]
    fn columns<const N: usize>(self) {
        let Self { samples, size, step, result, divide } = self;
        let rows = (result.len() / step).min(samples.len() / step + 1 - size);
        for column in (0..step).step_by(N).map(|column| column.min(step - N)) {
            let at = |row: usize| lanes::<N, B>(&samples[row * step + column..]);
            let mut sums = [B::default(); N];
            for row in 0..size {
                let enters = at(row);
                for lane in 0..N {
                    sums[lane] = sums[lane].plus(enters[lane]);
                }
            }
            for row in 0..rows {
                if row > 0 {
                    let (enters, leaves) = (at(row + size - 1), at(row - 1));
                    for lane in 0..N {
                        sums[lane] = sums[lane].plus(enters[lane].minus(leaves[lane]));
                    }
                }
                let mut means = [R::default(); N];
                for lane in 0..N {
                    means[lane] = divide(sums[lane]);
                }
                result[row * step + column..][..N].copy_from_slice(&means);
            }
        }
    }
}

/// Division by a number of samples, as SciPy's quotient but without its long instruction; of sums of narrower types
/// than `f64`.
///
/// With `u = 2^-53`: the quotient by the rounded reciprocal is cut to 26 bits, `high`, within `2^-25` of it. With a
/// divisor of at most 16 bits their product is exact, and so is what is left of the sum, which has at most 30 bits.
/// Its own quotient is off by at most `2^-25 * 2.1 u`, less than `2^-76` of the whole. The exact quotient is no nearer
/// than `2^-55 / divisor >= 2^-71` of itself to the middle between two numbers, as what the sum differs by from that
/// middle times the divisor is an integer of halves of last places, and never none: the middle has 54 bits to its last
/// one, and so has its product. So the last addition rounds to the nearest number of the exact quotient.
///
/// Sums of samples of narrower types are 0 or from `2^-149` on, and far from overflowing; an infinity or a NaN
/// leaves a NaN, and the first quotient is right.
#[derive(Clone, Copy)]
struct Quotient {
    divisor: f64,
    reciprocal: f64,
}

impl Quotient {
    const LARGEST: usize = 1 << 16;

    fn new(divisor: usize) -> Self {
        let divisor = divisor as f64;
        Self { divisor, reciprocal: 1.0 / divisor }
    }

    #[inline(always)]
    fn of(self, sum: f64) -> f64 {
        let near = sum * self.reciprocal;
        let high = f64::from_bits(near.to_bits() & !((1 << 27) - 1));
        let left = sum - high * self.divisor;
        if left.is_nan() { near } else { high + left * self.reciprocal }
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

    proptest! {
        #[test]
        fn quotients_are_those_of_a_division(
            sums in prop::collection::vec(prop_oneof![
                any::<f32>().prop_map(f64::from),
                (any::<u64>(), -140_i32..140).prop_map(|(bits, power)| (bits >> 11) as f64 * 2_f64.powi(power)),
            ], 50),
            divisor in 1_usize..=Quotient::LARGEST,
            small in 1_usize..40,
        ) {
            for divisor in [divisor, small] {
                let quotient = Quotient::new(divisor);
                for sum in &sums {
                    let expected = sum / divisor as f64;
                    let equal = quotient.of(*sum) == expected || expected.is_nan() && quotient.of(*sum).is_nan();
                    prop_assert!(equal, "{sum:e} / {divisor}");
                    // The multiples of a number, and their neighbours, are the hardest.
                    let multiple = expected * divisor as f64;
                    for sum in [multiple, multiple.next_up(), multiple.next_down()] {
                        if sum.is_finite() && sum.abs() > 1e-45 {
                            prop_assert_eq!(quotient.of(sum), sum / divisor as f64);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn equals_the_definition() {
        crate::window::testing::equals_its_definition(uniform1d, |line, size| {
            let first: f64 = line[..size].iter().fold(0.0, |sum, sample| sum + sample);
            (size..line.len()).fold(first, |sum, enters| sum + (line[enters] - line[enters - size]))
                / size as f64
        });
    }
}
