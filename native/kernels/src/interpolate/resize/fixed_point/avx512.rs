//! The loops for AVX-512 with VBMI and VNNI: sixteen sums of any bytes within 64, then 64 results of a row.

use super::tables::{Columns, LaneColumns, Line, Pair, RowSums};
use crate::memory::CollectVec;
use std::arch::x86_64::*;

/// Results of a row that are made together.
const BLOCK: usize = 64;

/// In place of a number of pairs: known only at run time.
const ANY: usize = 0;

/// The even ones of 64 bytes.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The two lowest bytes of every sum of two blocks.
const LOWER_BYTES: Line = two_bytes(0);

/// The two bytes above the lowest one.
const UPPER_BYTES: Line = two_bytes(1);

const fn two_bytes(first: usize) -> Line {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = (byte / 2 * 4 + byte % 2 + first) as u8;
        byte += 1;
    }
    Line(bytes)
}

/// The highest bytes of 32 sums, twice: four from one register and four from the other in turn, as unpacking left them.
const HIGHEST_BYTES: Line = {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        let (quarter, result) = (byte % 32 / 8, byte % 8);
        bytes[byte] = (result / 4 * 64 + 16 * quarter + result % 4 * 4 + 3) as u8;
        byte += 1;
    }
    Line(bytes)
};

/// A register with the bytes of a line.
#[inline]
#[target_feature(enable = "avx512f")]
fn register(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes and begins at a multiple of that.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

/// Make intermediate rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn sum_columns<const ROWS: usize>(
    from: [&[u8]; ROWS],
    columns: &Columns,
    table: &LaneColumns,
    to: [&mut [i16]; ROWS],
) {
    match (columns.pairs, table.is_close, columns.shift == 8) {
        (1, true, true) => sum_lanes::<ROWS, 1, true, true>(from, columns, table, to),
        (2, true, true) => sum_lanes::<ROWS, 2, true, true>(from, columns, table, to),
        (3, true, true) => sum_lanes::<ROWS, 3, true, true>(from, columns, table, to),
        (1, true, false) => sum_lanes::<ROWS, 1, true, false>(from, columns, table, to),
        (2, true, false) => sum_lanes::<ROWS, 2, true, false>(from, columns, table, to),
        (_, true, _) => sum_lanes::<ROWS, ANY, true, false>(from, columns, table, to),
        _ => sum_lanes::<ROWS, ANY, false, false>(from, columns, table, to),
    }
}

/// With `CLOSE` one load has all taps of a block; with `BYTE` the shift is left to the choice of bytes.
///
/// Loads of weights and places are what binds this loop: two rows share them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sum_lanes<const ROWS: usize, const PAIRS: usize, const CLOSE: bool, const BYTE: bool>(
    from: [&[u8]; ROWS],
    columns: &Columns,
    table: &LaneColumns,
    mut to: [&mut [i16]; ROWS],
) {
    /// Values of two blocks.
    const STORED: usize = 2 * LaneColumns::COUNT;
    let pairs = if PAIRS == ANY { columns.pairs } else { PAIRS };
    let (blocks, step) = (table.offsets.len(), 2 * columns.planes);
    assert!(
        blocks.is_multiple_of(2) && table.places.len() == blocks && table.weights.len() == blocks * pairs
    );
    for (from, to) in from.iter().zip(&to) {
        assert!(from.len() >= columns.reach && to.len() >= blocks * LaneColumns::COUNT);
    }
    let begin = _mm512_set1_epi32(columns.begin);
    let shift = _mm_cvtsi32_si128(columns.shift as i32);
    let next = _mm512_set1_epi8(step as i8);
    let halves = register(if BYTE { &UPPER_BYTES } else { &LOWER_BYTES });
    for twin in 0..blocks / 2 {
        let mut sums = [[begin; ROWS]; 2];
        for (half, sums) in sums.iter_mut().enumerate() {
            let block = 2 * twin + half;
            let offset = table.offsets[block] as usize;
            let mut places = register(&table.places[block]);
            let mut bytes = [_mm512_setzero_si512(); ROWS];
            for pair in 0..pairs {
                if pair == 0 || !CLOSE {
                    for (bytes, from) in bytes.iter_mut().zip(&from) {
                        // SAFETY: no offset is above `reach` less the bytes of all loads of a block.
                        *bytes =
                            unsafe { _mm512_loadu_si512(from.as_ptr().add(offset + pair * step).cast()) };
                    }
                } else {
                    places = _mm512_add_epi8(places, next);
                }
                let weights = register(&table.weights[block * pairs + pair]);
                for (sum, bytes) in sums.iter_mut().zip(&bytes) {
                    let taps = _mm512_maskz_permutexvar_epi8(EVEN, places, *bytes);
                    *sum = _mm512_dpwssd_epi32(*sum, taps, weights);
                }
            }
            if !BYTE {
                for sum in sums {
                    *sum = _mm512_sra_epi32(*sum, shift);
                }
            }
        }
        for (row, to) in to.iter_mut().enumerate() {
            let values = _mm512_permutex2var_epi8(sums[0][row], halves, sums[1][row]);
            // SAFETY: every row has as many values as all blocks.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().add(twin * STORED).cast(), values) };
        }
    }
}

/// Sum intermediate rows into a row of results, and mark those in doubt.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn sum_rows(sums: &RowSums<'_>, to: &mut [u8], doubts: &mut [u64]) {
    match (sums.pairs(), sums.bits) {
        (1, 24) => sum_blocks::<true>(sums, [sums.pair(0)], to, doubts),
        (2, 24) => sum_blocks::<true>(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubts),
        (1, _) => sum_blocks::<false>(sums, [sums.pair(0)], to, doubts),
        (2, _) => sum_blocks::<false>(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubts),
        (pairs, _) => {
            sum_blocks::<false>(sums, (0..pairs).map(|pair| sums.pair(pair)).collect_vec(), to, doubts)
        }
    }
}

/// With `TOP` the result is the highest byte of a sum.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sum_blocks<'a, const TOP: bool>(
    sums: &RowSums<'_>,
    pairs: impl AsRef<[Pair<'a>]>,
    to: &mut [u8],
    doubts: &mut [u64],
) {
    let pairs = pairs.as_ref();
    assert!(
        pairs.iter().all(|pair| pair.rows.iter().all(|row| row.len() >= to.len().next_multiple_of(BLOCK)))
    );
    let (packing, flip) = (Packing::<TOP>::new(sums.bits), _mm512_set1_epi8(i8::MIN));
    assert!(sums.errors.len() >= to.len().next_multiple_of(BLOCK));
    let (half, row_error) = (_mm512_set1_epi32(1 << (sums.bits - 1)), _mm512_set1_epi32(sums.row_error));
    for ((block, to), doubts) in to.chunks_mut(BLOCK).enumerate().zip(doubts) {
        let mut errors = [row_error; 4];
        let mut totals = [half; 4];
        for quarter in 0..4 {
            // SAFETY: there is an error for every result in whole blocks.
            let own = unsafe {
                _mm512_loadu_si512(sums.errors.as_ptr().add(block * BLOCK + quarter * BLOCK / 4).cast())
            };
            errors[quarter] = _mm512_add_epi32(errors[quarter], own);
            totals[quarter] = _mm512_add_epi32(totals[quarter], errors[quarter]);
        }
        for pair in pairs {
            let weights = _mm512_set1_epi32(pair.weights);
            for part in 0..2 {
                let at = block * BLOCK + part * BLOCK / 2;
                // SAFETY: every row has as many values as there are results in whole blocks.
                let (first, second) = unsafe {
                    let load = |row: usize| _mm512_loadu_si512(pair.rows[row].as_ptr().add(at).cast());
                    (load(0), load(1))
                };
                let (near, far) =
                    (_mm512_unpacklo_epi16(first, second), _mm512_unpackhi_epi16(first, second));
                totals[2 * part] = _mm512_dpwssd_epi32(totals[2 * part], near, weights);
                totals[2 * part + 1] = _mm512_dpwssd_epi32(totals[2 * part + 1], far, weights);
            }
        }
        // Both ends of the interval of every result, as bytes less 128.
        let high = packing.bytes(&totals);
        for (total, error) in totals.iter_mut().zip(errors) {
            *total = _mm512_sub_epi32(*total, _mm512_add_epi32(error, error));
        }
        let low = packing.bytes(&totals);
        let bytes = _mm512_xor_si512(high, flip);
        let inside = u64::MAX >> (BLOCK - to.len());
        // SAFETY: what is stored is inside of `to`.
        unsafe { _mm512_mask_storeu_epi8(to.as_mut_ptr().cast(), inside, bytes) };
        *doubts = _mm512_cmpneq_epi8_mask(low, high) & inside;
    }
}

/// How 64 sums become bytes; with `TOP` by the choice of their highest ones.
struct Packing<const TOP: bool> {
    highest: __m512i,
    quarters: __m512i,
    shift: __m128i,
}

impl<const TOP: bool> Packing<TOP> {
    #[target_feature(enable = "avx512f")]
    fn new(bits: u32) -> Self {
        Self {
            highest: register(&HIGHEST_BYTES),
            quarters: _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
            shift: _mm_cvtsi32_si128(bits as i32 - 16),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn bytes(&self, totals: &[__m512i; 4]) -> __m512i {
        let [a, b, c, d] = *totals;
        if TOP {
            let near = _mm512_permutex2var_epi8(a, self.highest, b);
            let far = _mm512_permutex2var_epi8(c, self.highest, d);
            return _mm512_mask_mov_epi64(near, 0b1111_0000, far);
        }
        // 16 bits of the shift first: the rest then takes half as many registers.
        let near = _mm512_packs_epi32(_mm512_srai_epi32::<16>(a), _mm512_srai_epi32::<16>(b));
        let far = _mm512_packs_epi32(_mm512_srai_epi32::<16>(c), _mm512_srai_epi32::<16>(d));
        let bytes = _mm512_packs_epi16(_mm512_sra_epi16(near, self.shift), _mm512_sra_epi16(far, self.shift));
        _mm512_permutexvar_epi64(self.quarters, bytes)
    }
}
