//! The mean of a window along one axis: the loop of `uniform_filter1d`.

mod column_sums;
mod division;
mod shifted_sums;

use crate::array::scratch::Element;
use crate::array::view::{View, ViewMut};
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::filter::correlate1d::taps::lanes;
use crate::filter::line_filter::{LineFilterArgs, SameType, filter_as_f64, filter_same_type, is_same_type};
use crate::filter::uniform1d::division::{Addend, Divide, Division, NarrowQuotient, Quotient};
use crate::walk::line_tiles::Walk;
use std::{convert, hint};

/// The mean of a window of `size` samples.
///
/// The sums are SciPy's: the first window is summed from first to last sample; from then on, the difference between the
/// sample that enters and the one that leaves is added. So a NaN stays in the sum until the end of the line.
///
/// # Errors
///
/// For a window that [`LineFilterArgs::walk`] refuses, or arrays that do not fit.
pub fn uniform1d(lines: LineFilterArgs<'_>, size: usize) -> Result<()> {
    let walk = lines.walk(size, 1)?;
    let LineFilterArgs { input, output, border, fill, .. } = lines;
    if is_same_type::<u8>(input, &output)
        && let Some(division) = Division::new(size)
        && let Some(fill) = border.fill_as(fill)
    {
        if let Some(input) = input
            && shifted_sums::is_suitable(input, &output, &walk)
        {
            return shifted_sums::means(input, output, &walk, fill, division);
        }
        // Sums of bytes are exact, wherever they start.
        let divide = |sum| division.of(sum);
        return means_same_type::<u8, u16, 32>(input, output, &walk, fill, u16::from, divide);
    }
    let walk = Walk { cost: 4, whole: true, ..walk };
    let wide = matches!(input, Some(View::F64(_))) || input.is_none() && matches!(output, ViewMut::F64(_));
    if wide || size > Quotient::MAX_DIVISOR {
        let divisor = size as f64;
        return filter_as_f64(input, output, &walk, fill, |samples, result, step| {
            let divide = |sum| sum / divisor;
            dispatch(RunningSums::<_, _, _, 16> { samples, size, step, result, divide });
        });
    }
    let quotient = Quotient::new(size);
    if is_same_type::<f32>(input, &output)
        && let Some(fill) = border.fill_as(fill)
    {
        return means_same_type::<f32, f64, 16>(
            input,
            output,
            &walk,
            fill,
            f64::from,
            NarrowQuotient(quotient),
        );
    }
    filter_as_f64(input, output, &walk, fill, |samples, result, step| {
        let divide = |sum| quotient.of(sum);
        dispatch(RunningSums::<_, _, _, 16> { samples, size, step, result, divide });
    })
}

/// Means of elements of type `T` with sums of type `S`; without an input, of the output itself.
fn means_same_type<'v, T: SameType + Element, S: Addend + Element + Sync, const LANES: usize>(
    input: Option<&View<'_>>,
    output: ViewMut<'v>,
    walk: &Walk,
    fill: T,
    load: impl Fn(T) -> S + Copy + Sync + 'v,
    divide: impl Divide<S, T>,
) -> Result<()> {
    if let Some(input) = input
        && input.shape() == output.shape()
        && column_sums::is_suitable(input.shape(), walk)
    {
        return column_sums::means(input, output, walk, fill, load, divide);
    }
    let size = walk.extension.before + walk.extension.after + 1;
    filter_same_type(input, output, walk, load(fill), load, convert::identity, |samples, result, step| {
        dispatch(RunningSums::<_, _, _, LANES> { samples, size, step, result, divide });
    })
}

/// A running sum and its division for each column; `LANES` columns at a time if there are that many.
struct RunningSums<'a, B, R, D, const LANES: usize> {
    samples: &'a [B],
    size: usize,
    step: usize,
    result: &'a mut [R],
    divide: D,
}

impl<B: Addend, R: Copy + Default, D: Divide<B, R>, const LANES: usize> Kernel
    for RunningSums<'_, B, R, D, LANES>
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

impl<B: Addend, R: Copy + Default, D: Divide<B, R>, const LANES: usize> RunningSums<'_, B, R, D, LANES> {
    /// All columns, `N` at a time; the last ones may be computed twice.
    #[inline(always)]
    fn all<const N: usize>(mut self) {
        let (step, divide) = (self.step, self.divide);
        let mut approx = true;
        for column in (0..step).step_by(N).map(|column| column.min(step - N)) {
            // Where one approximation fails others do, so the remaining columns are divided exactly.
            approx = approx && self.columns::<N>(column, |sum| divide.approx(sum));
            if !approx {
                self.columns::<N>(column, |sum| divide.of(sum));
            }
        }
    }

    /// `N` columns with their sums in registers; return whether all quotients could be approximated.
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
        // Otherwise compilers see that low bits suffice and truncate every sum to a byte: three instructions instead of
        // one.
        hint::black_box(bits).iter().fold(0, |all, bits| all | bits) & D::LOW_BITS == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::sample::Sample;
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
            divisor in 1_usize..=Quotient::MAX_DIVISOR,
            small in 1_usize..40,
        ) {
            for divisor in [divisor, small] {
                let quotient = Quotient::new(divisor);
                for sum in &sums {
                    let expected = sum / divisor as f64;
                    let equal = quotient.of(*sum) == expected || expected.is_nan() && quotient.of(*sum).is_nan();
                    prop_assert!(equal, "{sum:e} / {divisor}");
                    // The multiples of a number and their neighbours are the hardest cases.
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
        crate::filter::line_filter::testing::equals_its_definition(uniform1d, |line, size| {
            let first: f64 = line[..size].iter().fold(0.0, |sum, sample| sum + sample);
            (size..line.len()).fold(first, |sum, enters| sum + (line[enters] - line[enters - size]))
                / size as f64
        });
    }

    proptest! {
        #[test]
        fn approximate_quotients_are_right_or_flagged(
            bits in prop::collection::vec((any::<u64>(), 5_u32..40, -148_i32..100), 50),
            floats in prop::collection::vec(any::<f32>(), 50),
            divisor in 1_usize..=Quotient::MAX_DIVISOR,
            small in 1_usize..40,
        ) {
            for divisor in [divisor, small] {
                let narrow = NarrowQuotient(Quotient::new(divisor));
                let right = |sum: f64| {
                    let expected = (sum / divisor as f64) as f32;
                    let doubtful = sum.to_bits() & NarrowQuotient::LOW_BITS != 0;
                    let same = |mean: f32| mean.to_bits() == expected.to_bits() || expected.is_nan() && mean.is_nan();
                    same(narrow.of(sum)) && (doubtful || same(narrow.approx(sum)))
                };
                for (bits, short, power) in &bits {
                    let sum = (bits >> (11 + short)).max(1) as f64 * 2_f64.powi(*power);
                    prop_assert!(right(sum) && right(-sum), "{sum:e} / {divisor}");
                }
                // The midpoints between two floats and their neighbours are the hardest cases.
                for float in floats.iter().filter(|float| float.abs() < f32::MAX) {
                    let sum = (f64::from(*float) + f64::from(float.next_up())) / 2.0 * divisor as f64;
                    let step = f64::from_bits(sum.to_bits() & 0xFFF0_0000_0000_0000) * 2_f64.powi(-47);
                    for sum in [sum, sum + step, sum - step, sum.next_up(), sum.next_down()] {
                        prop_assert!(right(sum), "{sum:e} / {divisor}");
                    }
                }
                // Sums start at 0, so none is -0.
                for sum in [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                    prop_assert!(right(sum), "{sum} / {divisor}");
                }
            }
        }
    }
}
