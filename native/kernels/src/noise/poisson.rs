//! Counts of photons: Poisson numbers about the values of an image.
//!
//! ```text
//! mean below 16:  how many of P(count <= 0), P(count <= 1), ... are at most the number of 32 random bits, as a share
//! from there on:  mean + root(mean) z + (z² - 1) / 6 + (z - z³) / (72 root(mean)), rounded; z is the sum of the two
//!                 quantiles that the two halves of these bits choose
//! ```
//!
//! The second is Cornish and Fisher's expansion of the quantile. Probabilities are added up from that of zero, which the
//! caller gives: exponentials are not the same on all machines. An image of bytes has 256 means, whose probabilities are
//! tabulated.

use crate::array::level::GreyLevel;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::memory::CollectVec;
use crate::noise::philox::{MOST, Room32, Stream};
use crate::walk::pixel_blocks;

/// Entries of the table of quantiles, of which 16 random bits choose one.
pub const QUANTILES: usize = 1 << 16;

/// The smallest mean whose counts are taken from the expansion.
const LIMIT: f64 = 16.0;

/// More than the counts of smaller means that 32 bits tell apart.
const COUNTS: usize = 64;

/// Probabilities as numbers of 32 bits: those above entry k leave more than k photons.
type CountBounds = [u32; COUNTS];

/// The means of an image's values, and the probabilities of no photon.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// For each byte, or for each value of the image.
    pub means: &'a [f64],
    /// `exp(-mean)` of each.
    pub zeros: &'a [f64],
    /// How many photons there are to a grey level: counts are divided by it.
    pub photons: f64,
    /// The value of white.
    pub top: f64,
}

/// Replace the values of an image in C order, of `u8`, `u16` or `f32`, by counts, into one of the same type.
pub fn count(
    output: ViewMut<'_>,
    input: &View<'_>,
    means: Means<'_>,
    quantiles: &[f32],
    stream: Stream,
) -> Result<()> {
    let Ok(quantiles) = quantiles.try_into() else {
        return Err(KernelError::shape(format!("{} quantiles, not {QUANTILES}", quantiles.len())));
    };
    let by_level = matches!(input, View::U8(_));
    let wanted = if by_level { 256 } else { input.len() };
    if output.shape() != input.shape() || means.means.len() != wanted || means.zeros.len() != wanted {
        return Err(KernelError::shape(format!("{} means, expected {wanted}", means.means.len())));
    }
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => {
            let tables = LevelTables {
                bounds: means
                    .means
                    .iter()
                    .zip(means.zeros)
                    .map(|(mean, zero)| bounds(*mean, *zero))
                    .collect_vec(),
                roots: means.means.iter().map(|mean| root(*mean)).collect_vec(),
            };
            let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else { return out_of_order() };
            pixel_blocks::for_each((from, to), (1, 1), 5, |first, from, to| {
                dispatch(PoissonPart { first, from, to, means, quantiles, stream, tables: Some(&tables) });
            });
            Ok(())
        }
        (ViewMut::U16(to), View::U16(from)) => {
            run(to.into_slice(), from.as_slice(), means, quantiles, stream)
        }
        (ViewMut::F32(to), View::F32(from)) => {
            run(to.into_slice(), from.as_slice(), means, quantiles, stream)
        }
        _ => Err(KernelError::parameter("photons are counted in uint8, uint16 and float32")),
    }
}

fn out_of_order() -> Result<()> {
    Err(KernelError::shape("photons are counted in C order"))
}

fn run<T: GreyLevel>(
    to: Option<&mut [T]>,
    from: Option<&[T]>,
    means: Means<'_>,
    quantiles: &[f32; QUANTILES],
    stream: Stream,
) -> Result<()> {
    let (Some(to), Some(from)) = (to, from) else { return out_of_order() };
    pixel_blocks::for_each((from, to), (1, 1), 20, |first, from, to| {
        dispatch(PoissonPart { first, from, to, means, quantiles, stream, tables: None });
    });
    Ok(())
}

/// What is tabulated for bytes.
struct LevelTables {
    bounds: Vec<CountBounds>,
    roots: Vec<[f64; 2]>,
}

/// Root of a mean, and what the last term of the expansion is divided by.
#[inline(always)]
fn root(mean: f64) -> [f64; 2] {
    let root = mean.sqrt();
    [root, 72.0 * root]
}

/// The probability of at most so many photons, as the largest number of 32 bits that leaves it at that.
#[inline(always)]
fn bound(sum: f64) -> u32 {
    ((sum * 4_294_967_296.0).ceil() - 1.0).clamp(0.0, 4_294_967_295.0) as u32
}

fn bounds(mean: f64, zero: f64) -> CountBounds {
    let (mut part, mut sum) = (zero, zero);
    std::array::from_fn(|count| {
        if count > 0 {
            part *= mean / count as f64;
            sum += part;
        }
        bound(sum)
    })
}

/// The count of a mean below [`LIMIT`] without a table.
#[inline(always)]
fn searched(mean: f64, zero: f64, number: u32) -> f64 {
    let (mut part, mut sum, mut count) = (zero, zero, 0);
    while count < COUNTS && number > bound(sum) {
        count += 1;
        part *= mean / count as f64;
        sum += part;
    }
    count as f64
}

/// The count of a mean of at least [`LIMIT`].
#[inline(always)]
fn expanded(mean: f64, [root, divisor]: [f64; 2], z: f64) -> f64 {
    let squared = z * z;
    let value = mean + root * z + (squared - 1.0) / 6.0 + (z - squared * z) / divisor;
    // The sum is past the last bit for a fraction; a mean is at most some billions.
    (value + 6_755_399_441_055_744.0) - 6_755_399_441_055_744.0
}

struct PoissonPart<'a, T> {
    first: usize,
    from: &'a [T],
    to: &'a mut [T],
    means: Means<'a>,
    quantiles: &'a [f32; QUANTILES],
    stream: Stream,
    tables: Option<&'a LevelTables>,
}

impl<T: GreyLevel> Kernel for PoissonPart<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { first, from, to, means, quantiles, stream, tables } = self;
        let Means { means, zeros, photons, top } = means;
        let mut room = Room32::default();
        let quantile = |number: u32| f64::from(quantiles[(number & 0xffff) as usize]);
        let expansion = |number: u32| quantile(number) + quantile(number >> 16);
        for (number, (from, to)) in from.chunks(MOST).zip(to.chunks_mut(MOST)).enumerate() {
            let start = first + number * MOST;
            let drawn = stream.thirty_two_bits(start..start + from.len(), &mut room);
            let mut counts = [0.0; MOST];
            match tables {
                Some(LevelTables { bounds, roots }) => {
                    for ((count, from), number) in counts.iter_mut().zip(from).zip(drawn) {
                        let level = from.to_f32() as usize & 255;
                        *count = if means[level] < LIMIT {
                            f64::from(
                                bounds[level].iter().map(|bound| u32::from(number > bound)).sum::<u32>(),
                            )
                        } else {
                            expanded(means[level], roots[level], expansion(*number))
                        };
                    }
                }
                None => {
                    let values = means[start..].iter().zip(&zeros[start..]);
                    for ((count, (mean, zero)), number) in counts.iter_mut().zip(values).zip(drawn) {
                        *count = if *mean < LIMIT {
                            searched(*mean, *zero, *number)
                        } else {
                            expanded(*mean, root(*mean), expansion(*number))
                        };
                    }
                }
            }
            for (to, count) in to.iter_mut().zip(&counts) {
                let value = count / photons;
                let value = if value > top { top } else { value };
                *to = T::of_f64(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::ArrayD;

    #[test]
    fn tables_and_searches_give_the_same_counts() {
        let quantiles: Vec<f32> = (0..QUANTILES).map(|i| i as f32 / 16384.0 - 2.0).collect();
        let levels: Vec<f64> = (0..256).map(|level| f64::from(level) * 0.125).collect();
        let zeros: Vec<f64> = levels.iter().map(|mean| (-mean).exp()).collect();
        let input = ArrayD::from_shape_fn(vec![3000], |at| (at[0] * 7) as u8);
        let wide = input.mapv(u16::from);
        let of_values: Vec<f64> = input.iter().map(|value| levels[usize::from(*value)]).collect();
        let zeros_of_values: Vec<f64> = input.iter().map(|value| zeros[usize::from(*value)]).collect();
        let stream = Stream { seed: 5, frame: 0 };
        at_every_level(2, || -> std::result::Result<(), ()> {
            let (mut found, mut searched) =
                (ArrayD::<u8>::zeros(vec![3000]), ArrayD::<u16>::zeros(vec![3000]));
            let means = Means { means: &levels, zeros: &zeros, photons: 0.125, top: 255.0 };
            count(ViewMut::U8(found.view_mut()), &View::U8(input.view()), means, &quantiles, stream).unwrap();
            let means = Means { means: &of_values, zeros: &zeros_of_values, ..means };
            count(ViewMut::U16(searched.view_mut()), &View::U16(wide.view()), means, &quantiles, stream)
                .unwrap();
            assert_eq!(found.mapv(u16::from), searched);
            let mean = found.iter().map(|value| f64::from(*value)).sum::<f64>() / 3000.0;
            let expected = input.iter().map(|value| f64::from(*value)).sum::<f64>() / 3000.0;
            assert!((mean - expected).abs() < 6.0, "{mean} {expected}");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn bounds_are_the_probabilities() {
        let found = bounds(2.0, (-2.0_f64).exp());
        assert_eq!(found[0], ((-2.0_f64).exp() * 4_294_967_296.0) as u32);
        assert_eq!(found[COUNTS - 1], u32::MAX);
        assert_eq!(bounds(0.0, 1.0), [u32::MAX; COUNTS]);
    }
}
