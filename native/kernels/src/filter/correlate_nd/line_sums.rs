//! The sums of one line of results, of two, or of four neighbouring ones: what several lines meet is loaded once.

use crate::exec::simd::{Kernel, Level, dispatch, level};
use crate::filter::correlate1d::lanes;
use crate::memory::{self, CollectVec};

/// Lines that are summed together at most.
pub(super) const MOST_LINES: usize = 4;

/// Bytes of the weights of four lines: more would not stay in the second-level cache beside a strip.
const MOST_BYTES: usize = 256 * 1024;

/// The taps of a line, and of neighbouring lines as far as they can be met together.
pub(super) struct Lines {
    /// Distance from the first sample of the window, and weight.
    one: Vec<(usize, f64)>,
    two: Option<Pairs>,
    four: Option<Fours>,
}

impl Lines {
    /// `pitch` is the distance of neighbouring lines.
    pub fn new(one: Vec<(usize, f64)>, pitch: usize) -> Self {
        let row = row_of(&one, pitch);
        let two = row.map(|row| Pairs::new(&one, row, pitch));
        let is_wide = level() == Level::Avx512;
        let four = row.filter(|_| is_wide).and_then(|row| Fours::new(&one, row, pitch));
        Self { one, two, four }
    }

    /// Number of taps of a line.
    pub fn taps(&self) -> usize {
        self.one.len()
    }

    /// The sums of a line: `result[i]` is that of the taps from `padded[i]` on, made a result by `narrow`.
    pub fn sum_one<R>(&self, padded: &[f64], narrow: impl Fn(f64) -> R, result: &mut [R]) {
        dispatch(Sums { padded, taps: &self.one, narrow, result });
    }

    /// The sums of some of these neighbouring lines, from the first on; how many is returned.
    pub fn sum<'r, R: 'r>(
        &self,
        padded: &[f64],
        narrow: impl Fn(f64) -> R,
        mut results: impl ExactSizeIterator<Item = &'r mut [R]>,
    ) -> usize {
        let most = results.len();
        let mut next = || results.next().expect("as many as were counted");
        match self {
            // Wide results of four lines leave no room for samples in the first-level cache.
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

/// After how many taps a window begins again one line further on, if it does: the number in a row, where all rows have their
/// taps in the same places. The last row may have fewer.
fn row_of(taps: &[(usize, f64)], pitch: usize) -> Option<usize> {
    let row = taps.iter().take_while(|tap| tap.0 < taps[0].0 + pitch).count();
    let mut later = taps[row..].iter().zip(taps);
    (taps.len() > row && later.all(|(tap, above)| tap.0 == above.0 + pitch)).then_some(row)
}

/// `result[i]`, the sum of the taps from `padded[i]` on.
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
        /// As many sums as stay in registers.
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

/// Taps of two neighbouring lines, in the order of their samples: those of the first, of both, and of the second line.
struct Pairs {
    first: Vec<(usize, f64)>,
    both: Vec<(usize, f64, f64)>,
    second: Vec<(usize, f64)>,
}

impl Pairs {
    /// The sums of two lines from `padded[0]` on.
    fn sum<R>(&self, padded: &[f64], narrow: impl Fn(f64) -> R, results: [&mut [R]; 2]) {
        // AVX-512 has twice as many registers: weights are loaded half as often.
        if level() == Level::Avx512 {
            dispatch(PairSums::<_, _, 32> { padded, pairs: self, narrow, results });
        } else {
            dispatch(PairSums::<_, _, 16> { padded, pairs: self, narrow, results });
        }
    }

    /// From the taps of a line; see [`row_of`].
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

/// [`Sums`] of two neighbouring lines: the samples that both meet are loaded once. `LANES` sums of each line stay in
/// registers.
struct PairSums<'a, R, N, const LANES: usize> {
    padded: &'a [f64],
    pairs: &'a Pairs,
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
                // One loop for each: sums of both in one are kept in memory.
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

/// A weight for every lane of the widest register: loading copies takes no time, spreading one out does.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Copies([f64; 8]);

/// A sample, and the weights it has in four neighbouring lines.
struct Tap {
    offset: usize,
    weights: [Copies; 4],
}

/// Taps of four neighbouring lines, in the order of their samples: of rows of samples that are met by the first line, by
/// the first two, the first three, all four, the last three, the last two, and the last.
struct Fours {
    taps: Vec<Tap>,
    /// Taps in a row of samples.
    row: usize,
}

impl Fours {
    /// From the taps of a line, see [`row_of`]; none for windows of fewer than three rows, and for large ones.
    fn new(taps: &[(usize, f64)], row: usize, pitch: usize) -> Option<Self> {
        let rows = taps.len() / row;
        let sample_rows = rows + 3;
        if rows < 3 || !taps.len().is_multiple_of(row) || sample_rows * row * size_of::<Tap>() > MOST_BYTES {
            return None;
        }
        let weight = |sample_row: usize, line: usize, tap: usize| {
            let window_row = sample_row.checked_sub(line).filter(|window_row| *window_row < rows);
            window_row.map_or(0.0, |window_row| taps[window_row * row + tap].1)
        };
        let taps = (0..sample_rows * row).map(|at| {
            let (sample_row, tap) = (at / row, at % row);
            let weights = [0, 1, 2, 3].map(|line| Copies([weight(sample_row, line, tap); 8]));
            Tap { offset: taps[tap].0 + sample_row * pitch, weights }
        });
        Some(Self { taps: taps.collect_vec(), row })
    }
}

/// [`Sums`] of four neighbouring lines. Only for AVX-512, which has the registers.
struct FourSums<'a, R, N> {
    padded: &'a [f64],
    fours: &'a Fours,
    narrow: N,
    results: [&'a mut [R]; 4],
}

impl<R, N: Fn(f64) -> R> Kernel for FourSums<'_, R, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const LANES: usize = 32;
        let Self { padded, fours: Fours { taps, row }, narrow, results } = self;
        let (rising, rest) = taps.split_at(3 * row);
        let (all, falling) = rest.split_at(rest.len() - 3 * row);
        let [first, second, third, fourth] = results.map(|result| result.as_chunks_mut::<LANES>().0);
        let results = first.iter_mut().zip(second).zip(third).zip(fourth);
        for (index, (((first, second), third), fourth)) in results.enumerate() {
            let padded = &padded[index * LANES..];
            let (mut a, mut b, mut c, mut d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
            // Arrays of their own, named in every loop: sums in an array of arrays are kept in memory, ten times as slow.
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
