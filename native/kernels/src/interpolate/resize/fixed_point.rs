//! Resize bytes in 16-bit fixed point, with the bytes of the sums in `f64`.
//!
//! # Idea
//!
//! A byte of the result is the definition's `f64` sum rounded to the nearest integer. A sum in fixed point that is known
//! to lie within `E` of it rounds to the same integer, unless a rounding boundary lies in between. So every sum is made
//! in fixed point, rounded once at either end of its interval, and made again in `f64` where the ends differ.
//!
//! ```text
//! for each input row i, once, and each x:  h[i][x] = (Σ_j q[x][j] (p[i][x_j] - 128) + half) >> (S - F)       16 bits
//! for each output row y and each x:        a = Σ_i k[y][i] h[i][x]                                           32 bits
//!     low  = (a + half - E[y][x]) >> (T + F)
//!     high = (a + half + E[y][x]) >> (T + F)
//!     result[y][x] = clip(high + 128) if clip(low) = clip(high), else round(the sum in f64, as defined)
//! ```
//!
//! `p` are the pixels. `u[x]` and `w[y]` are the weights of the columns and rows, each of sum 1; `q = u 2^S` and
//! `k = w 2^T` are rounded to integers of sum `2^S` and `2^T`. Columns are summed first although the definition sums rows
//! first: the order is nothing but rounding.
//!
//! # Bound
//!
//! Let `R` be the sum `Σ_i Σ_j w_i u_j p_ij` in real numbers; `R - 128 = Σ_i w_i v_i` with `v_i = Σ_j u_j (p_ij - 128)`.
//! `|p - 128| ≤ 128`, hence `|v_i| ≤ 128 Σ_j |u_j|`.
//!
//! 1. `|2^-F h_i - v_i| ≤ C = 128 Σ_j |2^-S q_j - u_j| + 2^-(F+1)`; the last term is rounding, and nothing where all `q_j`
//!    are multiples of `2^(S-F)`. Where a weight of one does not fit 16 bits, `Σ q_j` is `2^S - 1`: 128 times the
//!    missing `2^-S` is added.
//! 2. `|2^-(T+F) a - (R - 128)| ≤ Σ_i |2^-T k_i| C + Σ_i |2^-T k_i - w_i| · 128 Σ_j |u_j|`.
//! 3. The definition's result `D` is a sum in `f64`: `|D - R| ≤ (n_u + n_w) 2^-53 · 255 Σ|u| Σ|w|` to first order, the addition of
//!    one half before truncation included. With `Σ|u|, Σ|w| < 2` and at most 4096 taps each that is below 1e-9, as is
//!    `128 |Σw Σu - 1|`, by which the sums of the weights themselves may miss 1: [`SLACK`](tables::SLACK) covers both.
//!
//! `E` is 2 plus 3, rounded up. If all weights of a sum are integers over `2^S` and `2^T` and `h` was not rounded, then
//! 1 and 2 are zero, and so is 3: all terms are multiples of `2^-(S+T)`, which `f64` sums exactly. Then `E = 0`, and no
//! result is in doubt, not even a tie: halving and doubling are of this kind. Flat parts of an image are integers, half
//! a grey level from the boundary, and not in doubt either.
//!
//! # Range
//!
//! Without negative weights `-128 · 2^8 ≤ h ≤ 127 · 2^8` with `F = 8`, and `|a| ≤ 2^31` with `T = 16`; the sums of 32 bits
//! wrap on the way and are right at the end. With negative weights `Σ|q| ≤ 1.99 · 2^S` and `Σ|k| ≤ 1.99 · 2^T`: `F = 7` (where
//! it is the columns that have them) and `T = 15` keep `h` within 16 bits and `a + half + E` within 32.
//!
//! # Where it does not pay
//!
//! An image of ties under weights that are not exact is all in doubt. Rows with many doubts are left to the sums in
//! `f64`, and the rows that follow are not tried until some later one.

pub(super) mod tables;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::taps::Taps;
use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch};
use crate::memory;
use std::sync::Arc;
use tables::{ColumnLayout, Columns, Errors, Rows, Slot};

/// Bytes of intermediate rows that are kept; more would leave the caches.
const MOST_KEPT: usize = 1 << 20;

/// One result in this many of a row may be in doubt.
const MOST_DOUBTS: usize = 8;

/// Rows that are not tried after one with too many doubts.
const MOST_SKIPPED: u32 = 16;

/// Two tables in fixed point.
pub(super) struct FixedPoint<'a> {
    columns: Arc<Columns>,
    rows: Arc<Rows>,
    errors: Errors,
    /// The definition's weights, those of the columns with as many taps for every position.
    down: &'a Taps,
    across: &'a Taps,
    /// Distance of input rows in bytes.
    stride: usize,
}

impl<'a> FixedPoint<'a> {
    /// For pixels whose `planes` values lie side by side; `None` where the processor or the tables do not allow it.
    pub(super) fn new(down: &'a Taps, across: &'a Taps, planes: usize, stride: usize) -> Option<Self> {
        let is_wide = tables::has_wide_loops()?;
        let signed = across.weights.iter().chain(&down.weights).any(|weight| *weight < 0.0);
        let columns = across.columns((planes, is_wide), || Columns::new(across, planes, is_wide))?;
        let rows = down.rows(signed, || Rows::new(down, signed))?;
        if rows.longest * columns.stored * size_of::<i16>() > MOST_KEPT {
            return None;
        }
        let errors = Errors::new(&rows, &columns)?;
        let across = across.evened();
        Some(Self { columns, rows, errors, down, across, stride })
    }

    fn bits(&self) -> u32 {
        self.rows.bits + self.columns.fraction
    }
}

/// Intermediate rows of one plane; row `i` is in slot `i` modulo their number.
struct Ring {
    /// Where the plane begins.
    plane: usize,
    held: Vec<usize>,
    values: Vec<i16>,
}

/// Makes rows of bytes.
pub(super) struct FixedPointWorker<'a> {
    fixed: &'a FixedPoint<'a>,
    bytes: &'a [u8],
    rings: Vec<Ring>,
    /// The ring of the plane that comes next, if planes take turns.
    next: usize,
    /// The last rows, with what the loops read after them.
    padded: Vec<u8>,
    doubts: Vec<u64>,
    doubtful: Vec<u32>,
    columns_summed: Vec<[f64; CHUNK]>,
    /// Rows to leave out, and how many after the next row with too many doubts.
    skip: u32,
    penalty: u32,
}

impl<'a> FixedPointWorker<'a> {
    pub(super) fn new(fixed: &'a FixedPoint<'a>, bytes: &'a [u8]) -> Self {
        let width = fixed.columns.width;
        Self {
            fixed,
            bytes,
            rings: Vec::new(),
            next: 0,
            padded: Vec::new(),
            doubts: memory::zeros(width.div_ceil(WORD)),
            doubtful: memory::zeros(width / MOST_DOUBTS + WORD),
            columns_summed: memory::zeros((fixed.across.even * fixed.columns.planes).div_ceil(CHUNK)),
            skip: 0,
            penalty: 1,
        }
    }

    /// Make output row `position` of the plane that begins at byte `plane`; false where it is better summed in `f64`.
    pub(super) fn fill(&mut self, position: usize, plane: usize, to: &mut [u8]) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let ring = self.ring(plane);
        self.sum_columns(ring, position);
        self.sum_rows(ring, position, to);
        let Some(doubts) = list_doubts(&self.doubts, to.len() / MOST_DOUBTS, &mut self.doubtful) else {
            (self.skip, self.penalty) = (self.penalty, (2 * self.penalty).min(MOST_SKIPPED));
            return false;
        };
        self.penalty = 1;
        self.repair(position, plane, doubts, to);
        true
    }

    /// The number of the plane's ring. Planes take turns; one that does not come in turn gets a new ring, or that of
    /// another where there are too many.
    fn ring(&mut self, plane: usize) -> usize {
        if self.rings.get(self.next).is_none_or(|ring| ring.plane != plane) {
            let (count, len) = (self.fixed.rows.longest, self.fixed.columns.stored);
            let held = memory::filled(usize::MAX, count);
            if (self.rings.len() + 1) * count * len * size_of::<i16>() <= MOST_KEPT {
                self.next = self.rings.len();
                memory::push(&mut self.rings, Ring { plane, held, values: memory::zeros(count * len) });
            } else {
                self.next %= self.rings.len();
                let ring = &mut self.rings[self.next];
                (ring.plane, ring.held) = (plane, held);
            }
        }
        let ring = self.next;
        self.next = (ring + 1) % self.rings.len();
        ring
    }

    /// Make the intermediate rows that output row `position` takes and that are not there, two at a time.
    fn sum_columns(&mut self, ring: usize, position: usize) {
        let ring = &mut self.rings[ring];
        let mut waiting = None;
        for slot in self.fixed.rows.slots(position) {
            let held = &mut ring.held[slot.place as usize];
            if std::mem::replace(held, slot.row as usize) == slot.row as usize {
                continue;
            }
            waiting = match waiting {
                None => Some(*slot),
                Some(first) => {
                    sum_columns(self.fixed, self.bytes, ring, [first, *slot], &mut self.padded);
                    None
                }
            };
        }
        if let Some(last) = waiting {
            sum_columns(self.fixed, self.bytes, ring, [last], &mut self.padded);
        }
    }

    /// Sum intermediate rows, and mark the results in doubt.
    fn sum_rows(&mut self, ring: usize, position: usize, to: &mut [u8]) {
        let (fixed, ring) = (self.fixed, &self.rings[ring]);
        let sums = tables::RowSums {
            values: &ring.values,
            stored: fixed.columns.stored,
            slots: fixed.rows.slots(position),
            bits: fixed.bits(),
            row_error: fixed.errors.rows[position],
            errors: &fixed.errors.results,
        };
        #[cfg(target_arch = "x86_64")]
        if fixed.columns.is_wide {
            // SAFETY: the table says that the processor has AVX-512 with VBMI and VNNI.
            unsafe { avx512::sum_rows(&sums, to, &mut self.doubts) }
        } else {
            // SAFETY: there are tables only where the processor has AVX2.
            unsafe { avx2::sum_rows(&sums, to, &mut self.doubts) }
        }
    }

    fn repair(&mut self, position: usize, plane: usize, count: usize, to: &mut [u8]) {
        let (first, weights) = self.fixed.down.at(position);
        let stride = self.fixed.stride;
        let mut bytes = &self.bytes[plane + first * stride..];
        // The last chunk of the last pixel may begin with its last byte.
        let reach = weights.len() * stride + (self.columns_summed.len() + 1) * CHUNK;
        if bytes.len() < reach {
            memory::resize(&mut self.padded, reach, 0);
            self.padded[..bytes.len()].copy_from_slice(bytes);
            bytes = &self.padded;
        }
        dispatch(Repair {
            bytes,
            stride,
            weights,
            across: self.fixed.across,
            planes: self.fixed.columns.planes,
            doubtful: &self.doubtful[..count],
            columns_summed: &mut self.columns_summed,
            to,
        });
    }
}

/// Make the intermediate rows of some input rows.
fn sum_columns<const ROWS: usize>(
    fixed: &FixedPoint<'_>,
    bytes: &[u8],
    ring: &mut Ring,
    slots: [Slot; ROWS],
    padded: &mut Vec<u8>,
) {
    let columns = &*fixed.columns;
    let mut from = slots.map(|slot| &bytes[ring.plane + slot.row as usize * fixed.stride..]);
    if let Some(short) = from.iter_mut().find(|from| from.len() < columns.reach) {
        // The last row, or one of a few bytes before it: the others are as short, or made alone.
        if ROWS > 1 {
            slots.iter().for_each(|slot| sum_columns(fixed, bytes, ring, [*slot], padded));
            return;
        }
        memory::resize(padded, columns.reach, 0);
        padded[..short.len()].copy_from_slice(short);
        *short = padded;
    }
    let places = slots.map(|slot| {
        let first = slot.place as usize * columns.stored;
        first..first + columns.stored
    });
    let to = ring.values.get_disjoint_mut(places).expect("rows in places of their own");
    #[cfg(target_arch = "x86_64")]
    match &columns.layout {
        ColumnLayout::PixelColumns(table) => {
            for (from, to) in from.into_iter().zip(to) {
                // SAFETY: such a table is made only where the processor has AVX2.
                unsafe { avx2::sum_columns(from, columns, table, to) }
            }
        }
        // SAFETY: and this one where it has AVX-512 with VBMI and VNNI.
        ColumnLayout::LaneColumns(table) => unsafe { avx512::sum_columns(from, columns, table, to) },
    }
}

/// Results of a row whose doubts share a word.
const WORD: usize = u64::BITS as usize;

/// The positions of the bits that are set, and their number; `None` for more than `most`. There is room for
/// [`WORD`] more than that.
fn list_doubts(doubts: &[u64], most: usize, to: &mut [u32]) -> Option<usize> {
    let mut count = 0;
    for (first, word) in (0_u32..).step_by(WORD).zip(doubts) {
        let mut word = *word;
        // Most words have none, one or two: written without a branch that the processor would have to foresee.
        for _ in 0..2 {
            to[count] = first + (word | 1 << (WORD - 1)).trailing_zeros();
            count += usize::from(word != 0);
            word &= word.wrapping_sub(1);
        }
        while word != 0 {
            to[count] = first + word.trailing_zeros();
            count += 1;
            word &= word - 1;
        }
        if count > most {
            return None;
        }
    }
    Some(count)
}

/// Bytes of a row that are converted together.
const CHUNK: usize = 16;

/// Make results in doubt again, as the definition has them: rows first, then columns, each from the first tap on.
struct Repair<'a> {
    /// From the first input row on, and as far as the loop reads.
    bytes: &'a [u8],
    stride: usize,
    /// Of the input rows.
    weights: &'a [f64],
    across: &'a Taps,
    planes: usize,
    doubtful: &'a [u32],
    columns_summed: &'a mut [[f64; CHUNK]],
    to: &'a mut [u8],
}

impl Kernel for Repair<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.planes {
            1 => self.each::<1>(),
            3 => self.each::<3>(),
            4 => self.each::<4>(),
            _ => self.each::<0>(),
        }
    }
}

impl Repair<'_> {
    #[inline(always)]
    fn each<const PLANES: usize>(self) {
        let Self { bytes, stride, weights, across, planes, doubtful, columns_summed, to } = self;
        let planes = if PLANES == 0 { planes } else { PLANES };
        for result in doubtful {
            let (pixel, plane) = (*result as usize / planes, *result as usize % planes);
            let (first, across) = across.at(pixel);
            let from = &bytes[first * planes + plane..];
            let sum = if columns_summed.len() == 1 {
                weighted(&sum_chunk(from, stride, weights), planes, across)
            } else {
                for (chunk, sums) in columns_summed.iter_mut().enumerate() {
                    *sums = sum_chunk(&from[chunk * CHUNK..], stride, weights);
                }
                weighted(columns_summed.as_flattened(), planes, across)
            };
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

/// The weighted sum of one plane.
#[inline(always)]
fn weighted(columns: &[f64], planes: usize, weights: &[f64]) -> f64 {
    let columns = columns.iter().step_by(planes).zip(weights);
    columns.fold(0.0, |sum, (column, weight)| sum + column * weight)
}

#[cfg(test)]
mod tests;
