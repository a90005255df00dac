//! Resize bytes in 16-bit fixed point, with the bytes of the sums in `f64`.
//!
//! # Idea
//!
//! A byte of the result is the definition's `f64` sum rounded to the nearest integer. A sum in fixed point that is known
//! to lie within `E` of it rounds to the same integer, unless a rounding boundary lies in between. So every sum is made
//! in fixed point, and made again in `f64` where its fraction is within `E` of the boundary.
//!
//! ```text
//! for each input row i, once, and each x:  h[i][x] = (Σ_j q[x][j] (p[i][x_j] - 128) + half) >> (S - F)       16 bits
//! for each output row y and each x:        a = Σ_i k[y][i] h[i][x] + half                                    32 bits
//!     f = 16 bits of a after the point, as a signed integer
//!     result[y][x] = clip((a >> (T + F)) + 128) if |f| >= E[y][x], else round(the sum in f64, as defined)
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
//! `E` is 2 plus 3, rounded up, and a unit of `2^-16` for the bits that `f` leaves out. If all weights of a sum are
//! integers over `2^S` and `2^T` and `h` was not rounded, then 1 and 2 are zero, and so is 3: all terms are multiples of
//! `2^-(S+T)`, which `f64` sums exactly. Then `E = 0`, and no result is in doubt, not even a tie: halving and doubling are
//! of this kind. Flat parts of an image are integers, half a grey level from the boundary, and not in doubt either.
//!
//! # Range
//!
//! Without negative weights `-128 · 2^8 ≤ h ≤ 127 · 2^8` with `F = 8`, and `|a| ≤ 2^31` with `T = 16`; the sums of 32 bits
//! wrap on the way and are right at the end. With negative weights `Σ|q| ≤ 1.99 · 2^S` and `Σ|k| ≤ 1.99 · 2^T`: `F = 7` (where
//! it is the columns that have them) and `T = 15` keep `h` within 16 bits and `a + half` within 32.
//!
//! # Pairs of rows
//!
//! A multiply-add of 16 bits takes two rows. Intermediate rows `2n` and `2n + 1` are made together, with every weight
//! loaded once for both, and stored with a value of one and a value of the other in turn, as the sums take them. An
//! output row that begins with an odd row takes a pair more, with a weight of zero for the row before it.
//!
//! # Where it does not pay
//!
//! An image of ties under weights that are not exact is all in doubt. Rows with many doubts are left to the sums in
//! `f64`, and the rows that follow are not tried until some later one.

mod repair;
pub(super) mod tables;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::taps::Taps;
use crate::exec::simd::dispatch;
use crate::memory;
use repair::{REPAIRED, Repair, SPARE_DOUBTS};
use std::sync::Arc;
use tables::{ColumnLayout, Columns, Errors, Line, Rows, Values};

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
        if rows.longest * columns.lines * size_of::<Values>() > MOST_KEPT {
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

/// Pairs of intermediate rows of one plane; pair `n` is in slot `n` modulo their number.
struct Ring {
    /// Where the plane begins.
    plane: usize,
    held: Vec<usize>,
    values: Vec<Values>,
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
    doubtful: Vec<u32>,
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
            doubtful: memory::zeros(width + SPARE_DOUBTS),
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
        let doubts = self.sum_rows(ring, position, to);
        if doubts > to.len() / MOST_DOUBTS {
            (self.skip, self.penalty) = (self.penalty, (2 * self.penalty).min(MOST_SKIPPED));
            return false;
        }
        self.penalty = 1;
        self.repair(position, plane, doubts, to);
        true
    }

    /// The number of the plane's ring. Planes take turns; one that does not come in turn gets a new ring, or that of
    /// another where there are too many.
    fn ring(&mut self, plane: usize) -> usize {
        if self.rings.get(self.next).is_none_or(|ring| ring.plane != plane) {
            let (count, lines) = (self.fixed.rows.longest, self.fixed.columns.lines);
            let held = memory::filled(usize::MAX, count);
            if (self.rings.len() + 1) * count * lines * size_of::<Values>() <= MOST_KEPT {
                self.next = self.rings.len();
                let values = memory::filled(Line([0; 32]), count * lines);
                memory::push(&mut self.rings, Ring { plane, held, values });
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

    /// Make the pairs of intermediate rows that output row `position` takes and that are not there.
    fn sum_columns(&mut self, ring: usize, position: usize) {
        let (fixed, ring) = (self.fixed, &mut self.rings[ring]);
        let lines = fixed.columns.lines;
        for slot in fixed.rows.slots(position) {
            let (pair, place) = (slot.pair as usize, slot.place as usize);
            if std::mem::replace(&mut ring.held[place], pair) != pair {
                let to = &mut ring.values[place * lines..][..lines];
                sum_columns(fixed, &self.bytes[ring.plane..], pair, to, &mut self.padded);
            }
        }
    }

    /// Sum intermediate rows, and list the results in doubt.
    fn sum_rows(&mut self, ring: usize, position: usize, to: &mut [u8]) -> usize {
        let (fixed, ring) = (self.fixed, &self.rings[ring]);
        let sums = tables::RowSums {
            values: &ring.values,
            lines: fixed.columns.lines,
            slots: fixed.rows.slots(position),
            bits: fixed.bits(),
            row_error: fixed.errors.rows[position],
            errors: &fixed.errors.results,
        };
        #[cfg(target_arch = "x86_64")]
        if fixed.columns.is_wide {
            // SAFETY: the table says that the processor has AVX-512 with VBMI, VBMI2 and VNNI.
            unsafe { avx512::sum_rows(&sums, to, &mut self.doubtful) }
        } else {
            // SAFETY: there are tables only where the processor has AVX2.
            unsafe { avx2::sum_rows(&sums, to, &mut self.doubtful) }
        }
    }

    fn repair(&mut self, position: usize, plane: usize, count: usize, to: &mut [u8]) {
        let (first, weights) = self.fixed.down.at(position);
        let FixedPoint { stride, across, .. } = *self.fixed;
        let planes = self.fixed.columns.planes;
        let mut bytes = &self.bytes[plane + first * stride..];
        // The last taps of the last pixel may begin with its last byte.
        let reach = weights.len() * stride + REPAIRED;
        if bytes.len() < reach {
            memory::resize(&mut self.padded, reach, 0);
            self.padded[..bytes.len()].copy_from_slice(bytes);
            bytes = &self.padded;
        }
        let doubtful = &self.doubtful[..count];
        let repair = Repair { bytes, stride, weights, across, planes, doubtful, to };
        #[cfg(target_arch = "x86_64")]
        if self.fixed.columns.is_wide && planes <= avx512::MOST_PLANES {
            // SAFETY: the table says that the processor has AVX-512 with VBMI, VBMI2 and VNNI.
            return unsafe { avx512::repair(repair) };
        }
        dispatch(repair);
    }
}

/// Make a pair of intermediate rows of a plane that begins with `bytes`.
fn sum_columns(fixed: &FixedPoint<'_>, bytes: &[u8], pair: usize, to: &mut [Values], padded: &mut Vec<u8>) {
    let columns = &*fixed.columns;
    let row = |row: usize| bytes.get(row * fixed.stride..).unwrap_or_default();
    let mut from = [row(2 * pair), row(2 * pair + 1)];
    if from[1].len() < columns.reach {
        // The last row, or one of a few bytes before it. After an odd one nothing comes of the row that is missing.
        memory::resize(padded, 2 * columns.reach, 0);
        let (first, second) = padded.split_at_mut(columns.reach);
        for (from, to) in from.iter_mut().zip([first, second]) {
            let count = from.len().min(to.len());
            to[..count].copy_from_slice(&from[..count]);
            *from = to;
        }
    }
    #[cfg(target_arch = "x86_64")]
    match &columns.layout {
        // SAFETY: such a table is made only where the processor has AVX2.
        ColumnLayout::PixelColumns(table) => unsafe { avx2::sum_columns(from, columns, table, to) },
        // SAFETY: and this one where it has AVX-512 with VBMI, VBMI2 and VNNI.
        ColumnLayout::LaneColumns(table) => unsafe { avx512::sum_columns(from, columns, table, to) },
    }
}

#[cfg(test)]
mod tests;
