//! Weighted sums for one line of results, or for two or four adjacent lines at once: shared samples are loaded once.

use crate::exec::simd::{Kernel, Level, dispatch, level};
use crate::filter::correlate1d::taps::lanes;
use crate::memory::{self, CollectVec};

/// Most lines that are summed together.
pub(super) const MAX_LINES: usize = 4;

/// Largest table of weights for four lines; more would not stay in the second-level cache next to a strip.
const MAX_WEIGHT_BYTES: usize = 256 * 1024;

/// The taps of a line, and of adjacent lines that can be summed together.
pub(super) struct LineTaps {
    /// Offset from the first sample of the window, and weight.
    one: Vec<(usize, f64)>,
    two: Option<TwoLines>,
    four: Option<FourLines>,
}

impl LineTaps {
    /// `pitch` is the distance of adjacent lines.
    pub fn new(one: Vec<(usize, f64)>, pitch: usize) -> Self {
        let row = taps_per_row(&one, pitch);
        let two = row.map(|row| TwoLines::new(&one, row, pitch));
        let is_wide = level() == Level::Avx512;
        let four = row.filter(|_| is_wide).and_then(|row| FourLines::new(&one, row, pitch));
        Self { one, two, four }
    }

    /// Taps per line.
    pub fn taps(&self) -> usize {
        self.one.len()
    }

    /// Sum one line: `result[i]` is the sum over the taps from `padded[i]` on, converted by `narrow`.
    pub fn sum_one<R>(&self, padded: &[f64], narrow: impl Fn(f64) -> R, result: &mut [R]) {
        dispatch(Sums { padded, taps: &self.one, narrow, result });
    }

    /// Sum as many adjacent lines as possible, from the first one on; return how many.
    pub fn sum<'r, R: 'r>(
        &self,
        padded: &[f64],
        narrow: impl Fn(f64) -> R,
        mut results: impl ExactSizeIterator<Item = &'r mut [R]>,
    ) -> usize {
        let most = results.len();
        let mut next = || results.next().expect("as many as were counted");
        match self {
            // Four lines of wide results leave no space for samples in the first-level cache.
            Self { four: Some(fours), .. } if most >= 4 && size_of::<R>() <= 4 => {
                let results = [next(), next(), next(), next()];
                dispatch(FourSums { padded, fours, narrow, results });
                4
            }
            Self { two: Some(pairs), .. } if most >= 2 => {
                pairs.sum(padded, narrow, [next(), next()]);
                2
            }
            _ => {
                self.sum_one(padded, narrow, next());
                1
            }
        }
    }
}

/// Taps per row of the window, if every row has its taps at the same places (the last may have fewer): the window then
/// repeats one line further on.
fn taps_per_row(taps: &[(usize, f64)], pitch: usize) -> Option<usize> {
    let row = taps.iter().take_while(|tap| tap.0 < taps[0].0 + pitch).count();
    let mut later = taps[row..].iter().zip(taps);
    (taps.len() > row && later.all(|(tap, above)| tap.0 == above.0 + pitch)).then_some(row)
}

/// `result[i]` is the sum over the taps from `padded[i]` on.
struct Sums<'a, R, N> {
    padded: &'a [f64],
    taps: &'a [(usize, f64)],
    narrow: N,
    result: &'a mut [R],
}

impl<R, N: Fn(f64) -> R> Kernel for Sums<'_, R, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// As many sums as fit in registers.
        const LANES: usize = 32;
        let Self { padded, taps, narrow, result } = self;
        for (index, result) in result.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let padded = &padded[index * LANES..];
            let mut sums = [0.0; LANES];
            for (offset, weight) in taps {
                let samples = lanes::<LANES, f64>(&padded[*offset..]);
                for lane in 0..LANES {
                    sums[lane] += samples[lane] * weight;
                }
            }
            for lane in 0..LANES {
                result[lane] = narrow(sums[lane]);
            }
        }
    }
}

/// The taps of two adjacent lines in the order of their samples: those of the first line, of both, of the second.
struct TwoLines {
    first: Vec<(usize, f64)>,
    both: Vec<(usize, f64, f64)>,
    second: Vec<(usize, f64)>,
}

impl TwoLines {
    /// Sum two lines from `padded[0]` on.
    fn sum<R>(&self, padded: &[f64], narrow: impl Fn(f64) -> R, results: [&mut [R]; 2]) {
        // AVX-512 has twice as many registers, so weights are loaded half as often.
        if level() == Level::Avx512 {
            dispatch(PairSums::<_, _, 32> { padded, pairs: self, narrow, results });
        } else {
            dispatch(PairSums::<_, _, 16> { padded, pairs: self, narrow, results });
        }
    }

    /// From the taps of one line; see [`taps_per_row`].
    fn new(taps: &[(usize, f64)], row: usize, pitch: usize) -> Self {
        let (first, later) = taps.split_at(row);
        let (earlier, second) = taps.split_at(later.len());
        Self {
            first: memory::copy(first),
            both: later.iter().zip(earlier).map(|(tap, above)| (tap.0, tap.1, above.1)).collect_vec(),
            second: second.iter().map(|(offset, weight)| (offset + pitch, *weight)).collect_vec(),
        }
    }
}

/// [`Sums`] of two adjacent lines: shared samples are loaded once. `LANES` sums of each line stay in registers.
struct PairSums<'a, R, N, const LANES: usize> {
    padded: &'a [f64],
    pairs: &'a TwoLines,
    narrow: N,
    results: [&'a mut [R]; 2],
}

impl<R, N: Fn(f64) -> R, const LANES: usize> Kernel for PairSums<'_, R, N, LANES> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { padded, pairs, narrow, results: [upper, lower] } = self;
        let results = upper.as_chunks_mut::<LANES>().0.iter_mut().zip(lower.as_chunks_mut::<LANES>().0);
        for (index, (upper, lower)) in results.enumerate() {
            let padded = &padded[index * LANES..];
            let at = |offset: usize| lanes::<LANES, f64>(&padded[offset..]);
            let (mut above, mut below) = ([0.0; LANES], [0.0; LANES]);
            for (offset, weight) in &pairs.first {
                let samples = at(*offset);
                for lane in 0..LANES {
                    above[lane] += samples[lane] * weight;
                }
            }
            for (offset, weight, other) in &pairs.both {
                let samples = at(*offset);
                // One loop for each line: in a common loop the sums would be kept in memory.
                for lane in 0..LANES {
                    above[lane] += samples[lane] * weight;
                }
                for lane in 0..LANES {
                    below[lane] += samples[lane] * other;
                }
            }
            for (offset, weight) in &pairs.second {
                let samples = at(*offset);
                for lane in 0..LANES {
                    below[lane] += samples[lane] * weight;
                }
            }
            for lane in 0..LANES {
                upper[lane] = narrow(above[lane]);
            }
            for lane in 0..LANES {
                lower[lane] = narrow(below[lane]);
            }
        }
    }
}

/// A weight repeated for every lane of the widest register: loading copies is free, broadcasting is not.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Broadcast([f64; 8]);

/// A sample offset, and the weights it has in four adjacent lines.
struct Tap {
    offset: usize,
    weights: [Broadcast; 4],
}

/// The taps of four adjacent lines in the order of their samples: rows of samples used by the first line, by the first
/// two, the first three, all four, the last three, the last two, and the last.
struct FourLines {
    taps: Vec<Tap>,
    /// Taps per row of samples.
    row: usize,
}

impl FourLines {
    /// From the taps of one line (see [`taps_per_row`]); `None` for windows of fewer than three rows, and for large
    /// ones.
    fn new(taps: &[(usize, f64)], row: usize, pitch: usize) -> Option<Self> {
        let rows = taps.len() / row;
        let sample_rows = rows + 3;
        if rows < 3
            || !taps.len().is_multiple_of(row)
            || sample_rows * row * size_of::<Tap>() > MAX_WEIGHT_BYTES
        {
            return None;
        }
        let weight = |sample_row: usize, line: usize, tap: usize| {
            let window_row = sample_row.checked_sub(line).filter(|window_row| *window_row < rows);
            window_row.map_or(0.0, |window_row| taps[window_row * row + tap].1)
        };
        let taps = (0..sample_rows * row).map(|at| {
            let (sample_row, tap) = (at / row, at % row);
            let weights = [0, 1, 2, 3].map(|line| Broadcast([weight(sample_row, line, tap); 8]));
            Tap { offset: taps[tap].0 + sample_row * pitch, weights }
        });
        Some(Self { taps: taps.collect_vec(), row })
    }
}

/// [`Sums`] of four adjacent lines. Only for AVX-512, which has enough registers.
struct FourSums<'a, R, N> {
    padded: &'a [f64],
    fours: &'a FourLines,
    narrow: N,
    results: [&'a mut [R]; 4],
}

impl<R, N: Fn(f64) -> R> Kernel for FourSums<'_, R, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const LANES: usize = 32;
        let Self { padded, fours: FourLines { taps, row }, narrow, results } = self;
        let (rising, rest) = taps.split_at(3 * row);
        let (all, falling) = rest.split_at(rest.len() - 3 * row);
        let [first, second, third, fourth] = results.map(|result| result.as_chunks_mut::<LANES>().0);
        let results = first.iter_mut().zip(second).zip(third).zip(fourth);
        for (index, (((first, second), third), fourth)) in results.enumerate() {
            let padded = &padded[index * LANES..];
            let (mut a, mut b, mut c, mut d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
            // Separate arrays, named in every loop: sums in an array of arrays are kept in memory, ten times as slow.
            macro_rules! add {
                ($taps:expr, $($sums:ident $line:literal)+) => {
                    for Tap { offset, weights } in $taps {
                        let samples: [f64; LANES] = *lanes(&padded[*offset..]);
                        $(for lane in 0..LANES {
                            $sums[lane] += samples[lane] * weights[$line].0[lane % 8];
                        })+
                    }
                };
            }
            add!(&rising[..*row], a 0);
            add!(&rising[*row..2 * row], a 0 b 1);
            add!(&rising[2 * row..], a 0 b 1 c 2);
            add!(all, a 0 b 1 c 2 d 3);
            add!(&falling[..*row], b 1 c 2 d 3);
            add!(&falling[*row..2 * row], c 2 d 3);
            add!(&falling[2 * row..], d 3);
            macro_rules! store {
                ($($result:ident $sums:ident)+) => {
                    $(for lane in 0..LANES {
                        $result[lane] = narrow($sums[lane]);
                    })+
                };
            }
            store!(first a second b third c fourth d);
        }
    }
}
