//! Statistics of all values of an image or of a channel, with NumPy's bytes in `f64`.
//!
//! Percentiles need no sorted values: those of 8 or 16 bits are counted; of others the leading bits are, and only values
//! that share them with a wanted one are compared. Sums are made in the order of NumPy's, blocks of 128 added in pairs.

use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads::check_interrupt;
use crate::memory::{self, CollectVec};

/// Values at a constant distance in memory, such as those of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a, T> {
    values: &'a [T],
    step: usize,
    len: usize,
}

impl<'a, T: Sample> Lane<'a, T> {
    /// One of the channels of pixels in C order; all values of them are one channel.
    pub fn new(pixels: &'a [T], channel: usize, channels: usize) -> Self {
        Self { values: &pixels[channel.min(pixels.len())..], step: channels, len: pixels.len() / channels }
    }

    #[inline(always)]
    fn get(&self, at: usize) -> f64 {
        self.values[at * self.step].to_f64()
    }
}

/// Where a percentile lies among `n` sorted values: between two of them, and how far from the first.
struct Place {
    ends: [usize; 2],
    fraction: f64,
}

impl Place {
    fn new(percentile: f64, n: usize) -> Self {
        let at = (n - 1) as f64 * (percentile / 100.0);
        if at >= (n - 1) as f64 {
            return Self { ends: [n - 1; 2], fraction: 0.0 };
        }
        let first = at.floor();
        Self { ends: [first as usize, first as usize + 1], fraction: at - first }
    }

    fn between(&self, [first, second]: [f64; 2]) -> f64 {
        let width = second - first;
        if self.fraction >= 0.5 {
            second - width * (1.0 - self.fraction)
        } else {
            first + width * self.fraction
        }
    }
}

/// `numpy.percentile` of values of which only is known how often each number from `first` on occurs.
pub fn percentiles_of_counts(counts: &[i64], first: f64, percentiles: [f64; 2]) -> [f64; 2] {
    let counts = counts.iter().map(|count| *count as usize).collect_vec();
    let n: usize = counts.iter().sum();
    if n == 0 {
        return [f64::NAN; 2];
    }
    percentiles.map(|percentile| {
        let place = Place::new(percentile, n);
        let found = buckets(&counts, &place.ends);
        place.between([0, 1].map(|end| first + found[end].0 as f64))
    })
}

/// Bits that rise with the number; zero has one sign, and what is no number comes last.
#[inline(always)]
fn key(value: f64) -> u64 {
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = (value + 0.0).to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | (1 << 63))
}

fn value_of(key: u64) -> f64 {
    let sign = if key >> 63 == 1 { 1 << 63 } else { u64::MAX };
    f64::from_bits(key ^ sign)
}

/// The leading bits of a key, which are counted.
const LEADING: u32 = 48;

/// `numpy.percentile` of values; both are no number if any value is none.
pub fn percentiles<T: Sample>(lane: Lane<'_, T>, percentiles: [f64; 2]) -> [f64; 2] {
    let places = percentiles.map(|percentile| Place::new(percentile, lane.len.max(1)));
    let mut counts = memory::zeros::<usize>(1 << (64 - LEADING));
    for at in 0..lane.len {
        counts[(key(lane.get(at)) >> LEADING) as usize] += 1;
    }
    check_interrupt();
    if lane.len == 0 || counts[counts.len() - 1] > 0 {
        return [f64::NAN; 2];
    }
    let ranks = places.each_ref().map(|place| place.ends);
    let buckets = buckets(&counts, ranks.as_flattened());
    let mut shared: Vec<(usize, Vec<u64>)> = memory::with_capacity(buckets.len());
    let mut is_wanted = memory::zeros::<bool>(counts.len());
    for (leading, _) in &buckets {
        if !std::mem::replace(&mut is_wanted[*leading], true) {
            memory::push(&mut shared, (*leading, memory::with_capacity(counts[*leading])));
        }
    }
    let find = |shared: &[(usize, Vec<u64>)], leading: usize| {
        shared.iter().position(|(other, _)| *other == leading).expect("wanted")
    };
    for at in 0..lane.len {
        let key = key(lane.get(at));
        let leading = (key >> LEADING) as usize;
        if is_wanted[leading] {
            let place = find(&shared, leading);
            memory::push(&mut shared[place].1, key);
        }
    }
    check_interrupt();
    let mut values = ranks.as_flattened().iter().zip(&buckets).map(|(rank, (leading, below))| {
        let place = find(&shared, *leading);
        value_of(*shared[place].1.select_nth_unstable(rank - below).1)
    });
    let mut next = || values.next().expect("one for each rank");
    places.map(|place| place.between([next(), next()]))
}

/// Where each rank is counted, and how many values are counted before.
fn buckets(counts: &[usize], ranks: &[usize]) -> Vec<(usize, usize)> {
    let (mut at, mut below) = (0, 0);
    let mut found = memory::with_capacity(ranks.len());
    for rank in ranks {
        if *rank < below {
            (at, below) = (0, 0);
        }
        while below + counts[at] <= *rank {
            below += counts[at];
            at += 1;
        }
        memory::push(&mut found, (at, below));
    }
    found
}

/// `numpy.mean` and `numpy.std` of values, or of those that are not zero; None where there is none.
pub fn mean_and_std<T: Sample>(lane: Lane<'_, T>, skips_zeros: bool) -> Option<[f64; 2]> {
    let is_taken = |at: &usize| lane.get(*at) != 0.0;
    let taken = if skips_zeros { (0..lane.len).filter(is_taken).count() } else { lane.len };
    if taken == 0 {
        return None;
    }
    let mean = LaneReader { lane, at: 0, skips_zeros, about: None }.sum(taken) / taken as f64;
    let squares = LaneReader { lane, at: 0, skips_zeros, about: Some(mean) }.sum(taken);
    Some([mean, (squares / taken as f64).sqrt()])
}

/// Longest block that NumPy adds without halving it.
const BLOCK: usize = 128;

/// Reads values in their order, for a sum of them or of their squares about a mean.
struct LaneReader<'a, T> {
    lane: Lane<'a, T>,
    at: usize,
    skips_zeros: bool,
    about: Option<f64>,
}

impl<T: Sample> LaneReader<'_, T> {
    /// The sum of the next `n` values.
    fn sum(&mut self, n: usize) -> f64 {
        if n <= BLOCK {
            return dispatch(SumBlock(self, n));
        }
        let half = n / 2 - n / 2 % 8;
        let first = self.sum(half);
        if n > 1 << 20 {
            check_interrupt();
        }
        first + self.sum(n - half)
    }

    /// Read the next values.
    #[inline(always)]
    fn read(&mut self, to: &mut [f64]) {
        if self.skips_zeros {
            for to in to.iter_mut() {
                while self.lane.get(self.at) == 0.0 {
                    self.at += 1;
                }
                *to = self.lane.get(self.at);
                self.at += 1;
            }
        } else if self.lane.step == 1 {
            let values = &self.lane.values[self.at..][..to.len()];
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_f64());
            self.at += to.len();
        } else {
            let values = self.lane.values[self.at * self.lane.step..].iter().step_by(self.lane.step);
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_f64());
            self.at += to.len();
        }
        if let Some(mean) = self.about {
            to.iter_mut().for_each(|value| *value = (*value - mean) * (*value - mean));
        }
    }
}

struct SumBlock<'r, 'a, T>(&'r mut LaneReader<'a, T>, usize);

impl<T: Sample> Kernel for SumBlock<'_, '_, T> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self(reader, n) = self;
        let mut values = [0.0; BLOCK];
        let values = &mut values[..n];
        reader.read(values);
        if n < 8 {
            return values.iter().fold(-0.0, |sum, value| sum + value);
        }
        let (eights, rest) = values.as_chunks::<8>();
        let mut sums = eights[0];
        for eight in &eights[1..] {
            sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value);
        }
        let [a, b, c, d, e, f, g, h] = sums;
        rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(values: &[f64], percentile: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let place = Place::new(percentile, sorted.len());
        place.between(place.ends.map(|rank| sorted[rank]))
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_sorted_values(
            values in prop::collection::vec(
                prop_oneof![-1e3..1e3_f64, (-4..4_i32).prop_map(f64::from), Just(f64::INFINITY), 1.0..1.001_f64], 1..300),
            ends in [0.0..=100.0_f64, 0.0..=100.0_f64],
            channels in 1_usize..4,
        ) {
            let pixels = values.len() / channels * channels;
            prop_assume!(pixels > 0);
            for channel in 0..channels {
                let own: Vec<f64> = values[..pixels].iter().skip(channel).step_by(channels).copied().collect();
                let found = percentiles(Lane::new(&values[..pixels], channel, channels), ends);
                for (found, end) in found.iter().zip(ends) {
                    let expected = plain(&own, end);
                    prop_assert!(*found == expected || (found.is_nan() && expected.is_nan()));
                }
            }
            let bytes: Vec<u8> = values.iter().map(|value| *value as i32 as u8).collect();
            let mut counts = [0; 256];
            bytes.iter().for_each(|value| counts[usize::from(*value)] += 1);
            let of_lane = percentiles(Lane::new(&bytes, 0, 1), ends);
            prop_assert_eq!(percentiles_of_counts(&counts, 0.0, ends), of_lane);
        }

        #[test]
        fn zeros_are_left_out_as_if_they_were_not_there(
            values in prop::collection::vec(prop_oneof![Just(0.0_f32), -9.0..9.0_f32], 1..700),
        ) {
            let others: Vec<f32> = values.iter().copied().filter(|value| *value != 0.0).collect();
            let found = mean_and_std(Lane::new(&values, 0, 1), true);
            let expected = mean_and_std(Lane::new(&others, 0, 1), false);
            prop_assert_eq!(found.map(|two| two.map(f64::to_bits)), expected.map(|two| two.map(f64::to_bits)));
        }
    }

    #[test]
    fn what_is_no_number_makes_both_ends_none() {
        let found = percentiles(Lane::new(&[1.0, f64::NAN, 2.0], 0, 1), [10.0, 90.0]);
        assert!(found.iter().all(|end| end.is_nan()));
    }
}
