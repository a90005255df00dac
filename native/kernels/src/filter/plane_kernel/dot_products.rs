//! Sums of bytes in integers: AVX-512 VNNI adds four products of a byte and a weight of 8 bits at once.
//!
//! ```text
//! weights are rounded to whole numbers of 2^-shift, and written in digits of base 128 from -64 to 63
//! quads[i] = the bytes at i, i + c, i + 2 c, i + 3 c as one number of 32 bits, for c channels
//! for each four taps side by side:   sums[d] += quads[...] . digits[d]
//! sum = (sums[2] * 128 + sums[1]) * 128 + sums[0], rounded half to even to whole numbers of 2^shift
//! a sum closer to the middle between two of them than the weights' rounding reaches is made again in f64
//! ```
//!
//! Four taps are one load, where loads at odd addresses are what a sum of many taps waits for.

use crate::filter::plane_kernel::taps::{KernelPlane, PlaneTap};
use crate::memory;
use std::arch::x86_64::*;

/// Lanes of a register.
const LANES: usize = 16;

/// Registers of sums that are made together, so that no product waits for the one before it.
const TOGETHER: usize = 4;

/// Values that a row of quads has more than are used.
const SPARE: usize = LANES * TOGETHER;

/// Bits of a digit.
const DIGIT: u32 = 7;

/// Most digits.
const DIGITS: usize = 3;

/// Weights have fewer units: three digits hold 63 (128² + 128 + 1) of them.
const MOST_UNITS: f64 = 1_040_000.0;

/// Whether the processor has these instructions.
fn is_supported() -> bool {
    is_x86_feature_detected!("avx512vnni")
}

/// Up to four taps side by side.
#[derive(Debug, Clone, Copy)]
struct Quad {
    row: isize,
    /// Of the first.
    column: isize,
    /// Four digits of 8 bits in each number.
    digits: [i32; DIGITS],
}

/// The taps of a kernel in integers.
#[derive(Debug)]
pub(super) struct QuadTaps {
    quads: Vec<Quad>,
    /// Digits that are not zero.
    digits: usize,
    /// A unit is 2 to minus this.
    shift: u32,
    /// Sums whose units, moved so that 0 is the lowest that may be rounded wrongly, are below this are made again.
    unsure: u32,
    /// By how much they are moved.
    reach: i32,
}

impl QuadTaps {
    /// The taps in integers; None where the processor cannot, or where too many sums would be made again.
    pub(super) fn new(taps: &[PlaneTap]) -> Option<Self> {
        let total: f64 = taps.iter().map(|tap| tap.weight.abs()).sum();
        let largest = taps.iter().map(|tap| tap.weight.abs()).fold(0.0, f64::max);
        if !is_supported() || taps.len() < 2 || total.is_nan() {
            return None;
        }
        let fits = |shift: u32| {
            let unit = f64::from(1_u32 << shift);
            total * unit * 255.0 < f64::from(1 << 30) && largest * unit < MOST_UNITS
        };
        let is_exact =
            |shift: u32| taps.iter().all(|tap| (tap.weight * f64::from(1_u32 << shift)).fract() == 0.0);
        // The fewest digits of weights that have few bits.
        let last = (1..=28).take_while(|shift| fits(*shift)).last()?;
        let shift = (1..=last).find(|shift| is_exact(*shift)).unwrap_or(last);
        let unit = f64::from(1_u32 << shift);
        let rounded = |weight: f64| (weight * unit).round_ties_even();
        let off: f64 = taps.iter().map(|tap| (tap.weight * unit - rounded(tap.weight)).abs()).sum();
        // What SciPy's own sum may be away from the exact one is far below a unit.
        let reach = if off == 0.0 { 0 } else { (off * 255.0).ceil() as i32 + 2 };
        if f64::from(reach) > unit / 64.0 {
            return None;
        }
        let mut sorted = memory::copy(taps);
        sorted.sort_unstable_by_key(|tap| (tap.row, tap.column));
        let mut quads: Vec<Quad> = memory::with_capacity(sorted.len());
        let mut used = 0;
        for tap in &sorted {
            let last = quads.last().map_or(usize::MAX, |quad| {
                if quad.row == tap.row {
                    usize::try_from(tap.column - quad.column).unwrap_or(usize::MAX)
                } else {
                    usize::MAX
                }
            });
            let is_free = last < 4 && used & (1 << last) == 0;
            let place = if is_free { last } else { 0 };
            if !is_free {
                memory::push(&mut quads, Quad { row: tap.row, column: tap.column, digits: [0; DIGITS] });
                used = 0;
            }
            used |= 1 << place;
            let mut rest = rounded(tap.weight) as i32;
            if let Some(quad) = quads.last_mut() {
                for digits in &mut quad.digits {
                    // From -64 to 63.
                    let digit = ((rest + 64) & 127) - 64;
                    *digits |= (digit & 255) << (8 * place);
                    rest = (rest - digit) >> DIGIT;
                }
            }
        }
        let digits = (1..DIGITS).rev().find(|digit| quads.iter().any(|quad| quad.digits[*digit] != 0));
        let unsure = if reach == 0 { 0 } else { 2 * reach.unsigned_abs() + 1 };
        Some(Self { quads, digits: digits.map_or(1, |last| last + 1), shift, unsure, reach })
    }

    /// Fill rows of a plane of bytes, the first of which has the number `first`.
    pub(super) fn fill_rows(&self, plane: &KernelPlane<'_>, from: &[u8], to: &mut [u8], first: usize) {
        let fill = plane.fill as u8;
        let row = plane.columns * plane.channels;
        let (before, width) =
            (plane.beside.0, (plane.beside.0 + plane.columns + plane.beside.1) * plane.channels);
        let kept = plane.above.0 + plane.above.1 + 1;
        let stride = width + SPARE;
        let mut ring = memory::zeros::<u32>(kept * stride);
        let mut line = memory::zeros::<u8>(stride + 3 * plane.channels);
        let columns = plane.columns_beside();
        let mut made = 0;
        let mut starts = memory::with_capacity(self.quads.len());
        let mut taps = memory::with_capacity(plane.taps.len());
        for (number, to) in to.chunks_exact_mut(row).enumerate() {
            while made < number + kept {
                let source = (first + made) as isize - plane.above.0 as isize;
                match plane.border.index(source, plane.rows) {
                    Some(source) => {
                        let from = &from[source * row..][..row];
                        line[before * plane.channels..][..row].copy_from_slice(from);
                        for (place, source) in columns.iter().enumerate() {
                            let column = if place < before { place } else { place + plane.columns };
                            let to = &mut line[column * plane.channels..][..plane.channels];
                            match source {
                                Some(source) => {
                                    to.copy_from_slice(&from[source * plane.channels..][..plane.channels])
                                }
                                None => to.fill(fill),
                            }
                        }
                    }
                    None => line[..width].fill(fill),
                }
                let quads = &mut ring[made % kept * stride..][..width];
                // SAFETY: `new` found the instructions.
                unsafe { interleave(&line, plane.channels, quads) };
                made += 1;
            }
            let place = |tap_row: isize, tap_column: isize| {
                let line = number.wrapping_add_signed(tap_row + plane.above.0 as isize) % kept;
                line * stride + before.wrapping_add_signed(tap_column) * plane.channels
            };
            starts.clear();
            memory::extend(&mut starts, self.quads.iter().map(|quad| place(quad.row, quad.column)));
            taps.clear();
            memory::extend(&mut taps, plane.taps.iter().map(|tap| (place(tap.row, tap.column), tap.weight)));
            let work = QuadSums { taps: self, starts: &starts, exact: &taps, ring: &ring };
            // SAFETY: as above.
            unsafe {
                match self.digits {
                    1 => work.fill::<1>(to),
                    2 => work.fill::<2>(to),
                    _ => work.fill::<3>(to),
                }
            }
        }
    }
}

/// Numbers of four bytes that are `channels` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn interleave(line: &[u8], channels: usize, quads: &mut [u32]) {
    let bytes = |place: usize| &line[place * channels..][..quads.len()];
    let (a, b, c, d) = (bytes(0), bytes(1), bytes(2), bytes(3));
    for ((((quad, a), b), c), d) in quads.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *quad = u32::from(*a) | u32::from(*b) << 8 | u32::from(*c) << 16 | u32::from(*d) << 24;
    }
}

/// The sums of a row.
struct QuadSums<'a> {
    taps: &'a QuadTaps,
    /// Where the values of each quad begin in the ring.
    starts: &'a [usize],
    /// Where those of each tap begin, and its weight.
    exact: &'a [(usize, f64)],
    ring: &'a [u32],
}

impl QuadSums<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn fill<const DIGITS: usize>(&self, to: &mut [u8]) {
        let QuadTaps { quads, shift, unsure, reach, .. } = self.taps;
        let last = self.starts.iter().max().map_or(0, |start| start + to.len().next_multiple_of(SPARE));
        assert!(last <= self.ring.len());
        let (half, shift) = (1 << (shift - 1), _mm_cvtsi32_si128(*shift as i32));
        let below = _mm512_set1_epi32(half - 1);
        let moved = _mm512_set1_epi32(half + reach);
        let units = _mm512_set1_epi32(2 * half - 1);
        let unsure = _mm512_set1_epi32(*unsure as i32);
        for (number, to) in to.chunks_mut(SPARE).enumerate() {
            let first = number * SPARE;
            let mut sums = [[_mm512_setzero_si512(); DIGITS]; TOGETHER];
            for (quad, start) in quads.iter().zip(self.starts) {
                let digits: [__m512i; DIGITS] =
                    std::array::from_fn(|digit| _mm512_set1_epi32(quad.digits[digit]));
                for (register, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `last` is the end of what is read, and a load needs no alignment.
                    let values = unsafe {
                        _mm512_loadu_si512(self.ring.as_ptr().add(start + first + register * LANES).cast())
                    };
                    for (sum, digits) in sums.iter_mut().zip(digits) {
                        *sum = _mm512_dpbusd_epi32(*sum, values, digits);
                    }
                }
            }
            for (register, (to, sums)) in to.chunks_mut(LANES).zip(sums).enumerate() {
                let mut sum = sums[DIGITS - 1];
                for digit in (0..DIGITS - 1).rev() {
                    sum = _mm512_add_epi32(_mm512_slli_epi32::<DIGIT>(sum), sums[digit]);
                }
                let is_odd = _mm512_and_si512(_mm512_sra_epi32(sum, shift), _mm512_set1_epi32(1));
                let rounded = _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(sum, below), is_odd), shift);
                let limited = _mm512_max_epi32(rounded, _mm512_setzero_si512());
                let lanes = (u32::MAX >> (2 * LANES - to.len())) as __mmask16;
                // SAFETY: as many bytes are written as the mask has bits.
                unsafe { _mm512_mask_cvtusepi32_storeu_epi8(to.as_mut_ptr().cast(), lanes, limited) };
                let distance = _mm512_and_si512(_mm512_add_epi32(sum, moved), units);
                let mut again = _mm512_mask_cmplt_epu32_mask(lanes, distance, unsure);
                while again != 0 {
                    let lane = again.trailing_zeros() as usize;
                    to[lane] = self.exact(first + register * LANES + lane);
                    again &= again - 1;
                }
            }
        }
    }

    /// SciPy's sum of a pixel.
    #[inline(never)]
    fn exact(&self, place: usize) -> u8 {
        let sum = self
            .exact
            .iter()
            .fold(0.0, |sum, (start, weight)| sum + f64::from(self.ring[start + place] as u8) * weight);
        sum.clamp(0.0, 255.0).round_ties_even() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_make_up_the_weights() {
        let weights = [0.3, -0.7, 1.0 / 3.0, 0.01, -1e-5, 0.25, 1.5];
        let taps: Vec<PlaneTap> = weights
            .iter()
            .enumerate()
            .map(|(i, weight)| PlaneTap { row: (i / 5) as isize, column: (i * i) as isize, weight: *weight })
            .collect();
        let Some(found) = QuadTaps::new(&taps) else { return };
        let mut seen = 0;
        for quad in &found.quads {
            for place in 0..4 {
                let digit = |digit: usize| i64::from((quad.digits[digit] >> (8 * place)) as i8);
                let units = (digit(2) * 128 + digit(1)) * 128 + digit(0);
                let at = (quad.row, quad.column + place);
                let wanted =
                    taps.iter().find(|tap| (tap.row, tap.column) == at).map_or(0.0, |tap| tap.weight);
                assert_eq!(units, (wanted * f64::from(1_u32 << found.shift)).round_ties_even() as i64);
                seen += usize::from(units != 0);
            }
        }
        assert_eq!(seen, weights.len());
        assert!(found.unsure > 0 && found.digits == 3);
    }

    #[test]
    fn weights_of_few_bits_have_few_digits_and_no_doubt() {
        let tap = |column: isize, weight: f64| PlaneTap { row: 0, column, weight };
        let Some(found) = QuadTaps::new(&[tap(-1, -0.5), tap(0, 2.0), tap(1, -0.5)]) else { return };
        assert_eq!((found.digits, found.shift, found.unsure, found.quads.len()), (1, 1, 0, 1));
        let weights = [1e9, f64::NAN, f64::INFINITY];
        assert!(weights.iter().all(|weight| QuadTaps::new(&[tap(0, 1.0), tap(1, *weight)]).is_none()));
    }
}
