//! The mean over a window along one axis.

mod column_sums;

use crate::array::sample::Sample;
use crate::array::scratch::Element;
use crate::array::view::{View, ViewMut};
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::filter::correlate1d::{Alike, filter_alike, filter_strips, is_alike, lanes};
use crate::walk::line_tiles::Walk;
use crate::window::Lines;
use std::{convert, hint};

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
        && let Some(fill) = border.fill_as(fill)
    {
        // Sums of bytes are exact, wherever they begin.
        let divide = |sum| division.of(sum);
        return means_alike::<u8, u16, 32>(input, output, &walk, fill, u16::from, divide);
    }
    let walk = Walk { cost: 4, whole: true, ..walk };
    let wide = matches!(input, Some(View::F64(_))) || input.is_none() && matches!(output, ViewMut::F64(_));
    if wide || size > Quotient::LARGEST {
        let divisor = size as f64;
        return filter_strips(input, output, &walk, fill, |samples, result, step| {
            let divide = |sum| sum / divisor;
            dispatch(Running::<_, _, _, 16> { samples, size, step, result, divide });
        });
    }
    let quotient = Quotient::new(size);
    if is_alike::<f32>(input, &output)
        && let Some(fill) = border.fill_as(fill)
    {
        return means_alike::<f32, f64, 16>(input, output, &walk, fill, f64::from, Narrow(quotient));
    }
    filter_strips(input, output, &walk, fill, |samples, result, step| {
        let divide = |sum| quotient.of(sum);
        dispatch(Running::<_, _, _, 16> { samples, size, step, result, divide });
    })
}

/// Means of elements of one type, whose sums are of another; without an input, of the output itself.
fn means_alike<'v, T: Alike + Element, S: Addend + Element + Sync, const LANES: usize>(
    input: Option<&View<'_>>,
    output: ViewMut<'v>,
    walk: &Walk,
    fill: T,
    load: impl Fn(T) -> S + Copy + Sync + 'v,
    divide: impl Divide<S, T>,
) -> Result<()> {
    if let Some(input) = input
        && input.shape() == output.shape()
        && column_sums::suits(input.shape(), walk)
    {
        return column_sums::means(input, output, walk, fill, load, divide);
    }
    let size = walk.extension.before + walk.extension.after + 1;
    filter_alike(input, output, walk, load(fill), load, convert::identity, |samples, result, step| {
        dispatch(Running::<_, _, _, LANES> { samples, size, step, result, divide });
    })
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

/// Division of sums by the number of their samples.
trait Divide<S, R>: Copy + Sync {
    /// Bits that no sum may have if its quotient is guessed.
    const LOW: u64 = 0;

    /// The quotient.
    fn of(self, sum: S) -> R;

    /// The quotient, if the sum has none of the bits `LOW`.
    #[inline(always)]
    fn guess(self, sum: S) -> R {
        self.of(sum)
    }

    /// The bits of a sum.
    #[inline(always)]
    fn bits(_sum: S) -> u64 {
        0
    }
}

impl<S, R, F: Fn(S) -> R + Copy + Sync> Divide<S, R> for F {
    #[inline(always)]
    fn of(self, sum: S) -> R {
        self(sum)
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

impl<B: Addend, R: Copy + Default, D: Divide<B, R>, const LANES: usize> Kernel
    for Running<'_, B, R, D, LANES>
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.step {
            1 => self.all::<1>(),
            2 => self.all::<2>(),
            3 => self.all::<3>(),
            step if step < LANES => self.all::<4>(),
            _ => self.all::<LANES>(),
        }
    }
}

impl<B: Addend, R: Copy + Default, D: Divide<B, R>, const LANES: usize> Running<'_, B, R, D, LANES> {
    /// All columns, `N` at once; the last ones may be computed twice.
    #[inline(always)]
    fn all<const N: usize>(mut self) {
        let (step, divide) = (self.step, self.divide);
        let mut guess = true;
        for column in (0..step).step_by(N).map(|column| column.min(step - N)) {
            // Where one guess fails others do, so the columns behind it are not guessed.
            guess = guess && self.columns::<N>(column, |sum| divide.guess(sum));
            if !guess {
                self.columns::<N>(column, |sum| divide.of(sum));
            }
        }
    }

    /// `N` columns, their sums in registers; whether their quotients could be guessed.
    #[inline(always)]
    fn columns<const N: usize>(&mut self, column: usize, divide: impl Fn(B) -> R) -> bool {
        let Self { samples, size, step, ref mut result, .. } = *self;
        let rows = (result.len() / step).min(samples.len() / step + 1 - size);
        let at = |row: usize| lanes::<N, B>(&samples[row * step + column..]);
        let mut sums = [B::default(); N];
        let mut bits = [0; N];
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
                bits[lane] |= D::bits(sums[lane]);
                means[lane] = divide(sums[lane]);
            }
            result[row * step + column..][..N].copy_from_slice(&means);
        }
        // Compilers see that low bits are enough, and cut every sum to a byte: three instructions in place of one.
        hint::black_box(bits).iter().fold(0, |all, bits| all | bits) & D::LOW == 0
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

/// A [`Quotient`] as `f32`, of sums of `f32`.
///
/// The guess is the product with the rounded reciprocal, less than 2.1 last places of `f64` from the exact quotient,
/// rounded to a multiple of 8 of them: less than 6.1 off, or right if such a multiple is less than 1.9 from the exact
/// quotient and is equal to it. Now let `middle` be any number halfway between two of `f32`. A sum without its five
/// lowest bits is a multiple of a power of two, `unit`, of at least `2^-48` of the sum; so is `middle * divisor`, where
/// the middle is within a factor of two, as its last bit is worth `2^-25` of it and the divisor has at most 17 bits. So
/// the exact quotient either is the middle, as the guess then is; or it is at least `unit / divisor` from it, `2^-48` of
/// itself, which is 16 last places: then the guess lies on the same side of it, as does the quotient in `f64`. Either
/// way both round to the same `f32`. Zero, infinities and NaN of `f32` have no low bits, and stay what they are.
#[derive(Clone, Copy)]
struct Narrow(Quotient);

impl Divide<f64, f32> for Narrow {
    const LOW: u64 = 31;

    #[inline(always)]
    fn of(self, sum: f64) -> f32 {
        f32::from_f64_truncated(self.0.of(sum))
    }

    #[inline(always)]
    fn guess(self, sum: f64) -> f32 {
        let near = (sum * self.0.reciprocal).to_bits();
        f32::from_f64_truncated(f64::from_bits(near.wrapping_add(4) & !7))
    }

    #[inline(always)]
    fn bits(sum: f64) -> u64 {
        sum.to_bits()
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

    proptest! {
        #[test]
        fn guesses_are_right_or_known_to_be_doubtful(
            bits in prop::collection::vec((any::<u64>(), 5_u32..40, -148_i32..100), 50),
            floats in prop::collection::vec(any::<f32>(), 50),
            divisor in 1_usize..=Quotient::LARGEST,
            small in 1_usize..40,
        ) {
            for divisor in [divisor, small] {
                let narrow = Narrow(Quotient::new(divisor));
                let right = |sum: f64| {
                    let expected = (sum / divisor as f64) as f32;
                    let doubtful = sum.to_bits() & Narrow::LOW != 0;
                    let same = |mean: f32| mean.to_bits() == expected.to_bits() || expected.is_nan() && mean.is_nan();
                    same(narrow.of(sum)) && (doubtful || same(narrow.guess(sum)))
                };
                for (bits, short, power) in &bits {
                    let sum = (bits >> (11 + short)).max(1) as f64 * 2_f64.powi(*power);
                    prop_assert!(right(sum) && right(-sum), "{sum:e} / {divisor}");
                }
                // The hardest are the middles between two floats, and their neighbours.
                for float in floats.iter().filter(|float| float.abs() < f32::MAX) {
                    let sum = (f64::from(*float) + f64::from(float.next_up())) / 2.0 * divisor as f64;
                    let step = f64::from_bits(sum.to_bits() & 0xFFF0_0000_0000_0000) * 2_f64.powi(-47);
                    for sum in [sum, sum + step, sum - step, sum.next_up(), sum.next_down()] {
                        prop_assert!(right(sum), "{sum:e} / {divisor}");
                    }
                }
                // Sums begin with 0, so none is -0.
                for sum in [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                    prop_assert!(right(sum), "{sum} / {divisor}");
                }
            }
        }
    }
}
