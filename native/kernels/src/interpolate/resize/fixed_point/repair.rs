//! Results in doubt: their list, and their sums in `f64`.

use crate::array::sample::Sample;
use crate::exec::counts::match_count;
use crate::exec::simd::Kernel;
use crate::interpolate::resize::taps::Taps;

/// What the loops may store after the last result in doubt.
pub(super) const SPARE_DOUBTS: usize = u64::BITS as usize;

/// List `first` plus the positions of the bits that are set; return their number. Two more places may be written to.
#[inline(always)]
pub(super) fn list_bits(mut bits: u64, first: usize, to: &mut [u32]) -> usize {
    let mut count = 0;
    // Most words have none, one or two: written without a branch that the processor would have to foresee.
    for _ in 0..2 {
        to[count] = first as u32 + (bits | 1 << (u64::BITS - 1)).trailing_zeros();
        count += usize::from(bits != 0);
        bits &= bits.wrapping_sub(1);
    }
    while bits != 0 {
        to[count] = first as u32 + bits.trailing_zeros();
        count += 1;
        bits &= bits - 1;
    }
    count
}

/// Bytes of a row that are converted together.
const CHUNK: usize = 16;

/// Bytes that may be read for some taps of a result, from the first one on.
pub(super) const REPAIRED: usize = 32;

/// Make results in doubt again, as the definition has them: rows first, then columns, each from the first tap on.
pub(super) struct Repair<'a> {
    /// From the first input row on, and as far as the loop reads.
    pub bytes: &'a [u8],
    pub stride: usize,
    /// Of the input rows.
    pub weights: &'a [f64],
    pub across: &'a Taps,
    pub planes: usize,
    pub doubtful: &'a [u32],
    pub to: &'a mut [u8],
}

impl Kernel for Repair<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.planes, self.each::<1, 3, 4; 0>())
    }
}

impl Repair<'_> {
    #[inline(always)]
    fn each<const PLANES: usize>(self) {
        let Self { bytes, stride, weights, across, planes, doubtful, to } = self;
        let planes = if PLANES == 0 { planes } else { PLANES };
        let per_chunk = CHUNK.div_ceil(planes);
        for result in doubtful {
            let (pixel, plane) = (*result as usize / planes, *result as usize % planes);
            let (first, across) = across.at(pixel);
            let from = &bytes[first * planes + plane..];
            let mut sum = 0.0;
            for (chunk, across) in across.chunks(per_chunk).enumerate() {
                let columns = sum_chunk(&from[chunk * per_chunk * planes..], stride, weights);
                let columns = columns.iter().step_by(planes).zip(across);
                sum = columns.fold(sum, |sum, (column, weight)| sum + column * weight);
            }
            to[*result as usize] = u8::from_f64_rounded(sum);
        }
    }
}

/// Weighted sums of the first bytes of rows.
#[inline(always)]
fn sum_chunk(from: &[u8], stride: usize, weights: &[f64]) -> [f64; CHUNK] {
    let mut sums = [0.0; CHUNK];
    for (row, weight) in weights.iter().enumerate() {
        let from = from[row * stride..].first_chunk::<CHUNK>().expect("bytes after the last row");
        for lane in 0..CHUNK {
            sums[lane] += f64::from(from[lane]) * weight;
        }
    }
    sums
}
