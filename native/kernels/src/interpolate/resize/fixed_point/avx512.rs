//! The loops for AVX-512 with VBMI and VNNI: sixteen sums of any bytes within 64, then 64 results of a row.

use super::repair::{REPAIRED, Repair, list_bits};
use super::tables::{Columns, HALF_BLOCK, LaneColumns, Line, Pair, RowSums, Values};
use crate::array::sample::Sample;
use crate::memory::CollectVec;
use std::arch::x86_64::*;

/// Results of a row that are made together.
const BLOCK: usize = 64;

/// In place of a number of pairs: known only at run time.
const ANY: usize = 0;

/// Taps of a sum in `f64` that are made together, and the bytes that are read for them.
const LANES: usize = 8;

/// Planes of a pixel for which 32 bytes hold eight taps.
pub(super) const MOST_PLANES: usize = 4;

/// Of eight taps a byte each in 64 bits, and a byte after [`REPAIRED`] for the others, which is zero.
const fn first_of_eight(planes: usize) -> Line {
    let mut bytes = [REPAIRED as u8; 64];
    let mut tap = 0;
    while tap < LANES {
        bytes[8 * tap] = (tap * planes) as u8;
        tap += 1;
    }
    Line(bytes)
}

/// Two bytes of every sum of a row, from one on, each time followed by those of another row.
const fn two_bytes_in_turn(first: usize) -> Line {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = (byte / 4 * 4 + byte % 4 / 2 * 64 + byte % 2 + first) as u8;
        byte += 1;
    }
    Line(bytes)
}

/// The two lowest bytes of 16 sums of two rows in turn.
const LOWER_BYTES: Line = two_bytes_in_turn(0);

/// The two bytes above the lowest one.
const UPPER_BYTES: Line = two_bytes_in_turn(1);

/// The two bytes below the highest one of 32 sums.
const FRACTIONS: Line = {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = (byte / 2 * 4 + byte % 2 + 1) as u8;
        byte += 1;
    }
    Line(bytes)
};

/// The highest bytes of 32 sums, twice.
const HIGHEST_BYTES: Line = {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = (byte % 32 * 4 + 3) as u8;
        byte += 1;
    }
    Line(bytes)
};

/// The numbers from zero on.
const POSITIONS: Line = {
    let mut bytes = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        bytes[byte] = byte as u8;
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

/// Make a pair of intermediate rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn sum_columns(from: [&[u8]; 2], columns: &Columns, table: &LaneColumns, to: &mut [Values]) {
    match (columns.pairs, table.is_close, columns.shift == 8) {
        (1, true, true) => sum_lanes::<1, true, true>(from, columns, table, to),
        (2, true, true) => sum_lanes::<2, true, true>(from, columns, table, to),
        (3, true, true) => sum_lanes::<3, true, true>(from, columns, table, to),
        (1, true, false) => sum_lanes::<1, true, false>(from, columns, table, to),
        (2, true, false) => sum_lanes::<2, true, false>(from, columns, table, to),
        (_, true, _) => sum_lanes::<ANY, true, false>(from, columns, table, to),
        _ => sum_lanes::<ANY, false, false>(from, columns, table, to),
    }
}

/// With `CLOSE` one load has all taps of a block; with `BYTE` the shift is left to the choice of bytes.
///
/// Loads of weights and places are what binds this loop: two rows share them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sum_lanes<const PAIRS: usize, const CLOSE: bool, const BYTE: bool>(
    from: [&[u8]; 2],
    columns: &Columns,
    table: &LaneColumns,
    to: &mut [Values],
) {
    let pairs = if PAIRS == ANY { columns.pairs } else { PAIRS };
    let (blocks, step) = (table.offsets.len(), 2 * columns.planes);
    assert!(table.places.len() == blocks && table.weights.len() == blocks * pairs);
    assert!(from.iter().all(|from| from.len() >= columns.reach));
    let begin = _mm512_set1_epi32(columns.begin);
    let shift = _mm_cvtsi32_si128(columns.shift as i32);
    let next = _mm512_set1_epi8(step as i8);
    let both = register(if BYTE { &UPPER_BYTES } else { &LOWER_BYTES });
    for (block, to) in to[..blocks].iter_mut().enumerate() {
        let mut sums = [begin; 2];
        let offset = table.offsets[block] as usize;
        let mut places = register(&table.places[block]);
        let mut bytes = [_mm512_setzero_si512(); 2];
        for pair in 0..pairs {
            if pair == 0 || !CLOSE {
                for (bytes, from) in bytes.iter_mut().zip(&from) {
                    // SAFETY: no offset is above `reach` less the bytes of all loads of a block.
                    *bytes = unsafe { _mm512_loadu_si512(from.as_ptr().add(offset + pair * step).cast()) };
                }
            } else {
                places = _mm512_add_epi8(places, next);
            }
            let weights = register(&table.weights[block * pairs + pair]);
            for (sum, bytes) in sums.iter_mut().zip(&bytes) {
                let taps = _mm512_maskz_permutexvar_epi8(table.even, places, *bytes);
                *sum = _mm512_dpwssd_epi32(*sum, taps, weights);
            }
        }
        if !BYTE {
            for sum in &mut sums {
                *sum = _mm512_sra_epi32(*sum, shift);
            }
        }
        // SAFETY: 32 values of 16 bits are 64 bytes.
        unsafe {
            _mm512_store_si512(to.0.as_mut_ptr().cast(), _mm512_permutex2var_epi8(sums[0], both, sums[1]))
        };
    }
}

/// Sum intermediate rows into a row of results, and list those in doubt; return their number.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512vnni,popcnt")]
pub(super) fn sum_rows(sums: &RowSums<'_>, to: &mut [u8], doubtful: &mut [u32]) -> usize {
    match (sums.slots.len(), sums.bits) {
        (1, 24) => sum_blocks::<true>(sums, [sums.pair(0)], to, doubtful),
        (2, 24) => sum_blocks::<true>(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubtful),
        (3, 24) => sum_blocks::<true>(sums, [0, 1, 2].map(|pair| sums.pair(pair)), to, doubtful),
        (2, _) => sum_blocks::<false>(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubtful),
        (pairs, _) => {
            sum_blocks::<false>(sums, (0..pairs).map(|pair| sums.pair(pair)).collect_vec(), to, doubtful)
        }
    }
}

/// With `TOP` the result is the highest byte of a sum.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512vnni,popcnt")]
fn sum_blocks<'a, const TOP: bool>(
    sums: &RowSums<'_>,
    pairs: impl AsRef<[Pair<'a>]>,
    to: &mut [u8],
    doubtful: &mut [u32],
) -> usize {
    let pairs = pairs.as_ref();
    let lines = 4 * to.len().div_ceil(BLOCK);
    assert!(pairs.iter().all(|pair| pair.values.len() >= lines));
    let (packing, row_error) = (Packing::<TOP>::new(sums.bits), _mm512_set1_epi16(sums.row_error as i16));
    let positions = register(&POSITIONS);
    let (errors, _) = sums.errors.as_chunks::<2>();
    let mut count = 0;
    for ((block, to), errors) in to.chunks_mut(BLOCK).enumerate().zip(errors) {
        let mut totals = [packing.begin; 4];
        for pair in pairs {
            let weights = _mm512_set1_epi32(pair.weights);
            for (quarter, total) in totals.iter_mut().enumerate() {
                // SAFETY: every pair has as many lines as all blocks together.
                let values =
                    unsafe { _mm512_load_si512(pair.values.as_ptr().add(4 * block + quarter).cast()) };
                *total = _mm512_dpwssd_epi32(*total, values, weights);
            }
        }
        let inside = u64::MAX >> (BLOCK - to.len());
        let bytes = packing.bytes(&totals);
        // SAFETY: what is stored is inside of `to`.
        unsafe {
            // A store with a mask takes many times longer.
            if to.len() == BLOCK {
                _mm512_storeu_si512(to.as_mut_ptr().cast(), bytes);
            } else {
                _mm512_mask_storeu_epi8(to.as_mut_ptr().cast(), inside, bytes);
            }
        }
        let [near, far] = packing.fractions(&totals);
        let doubts = doubts_of(near, &errors[0], row_error) | doubts_of(far, &errors[1], row_error) << 32;
        let doubts = doubts & inside;
        let listed = _mm512_maskz_compress_epi8(doubts, positions);
        let listed = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(listed));
        let listed = _mm512_add_epi32(listed, _mm512_set1_epi32((block * BLOCK) as i32));
        let room = doubtful[count..].first_chunk_mut::<16>().expect("room for a register");
        // SAFETY: 16 numbers of 32 bits are 64 bytes.
        unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), listed) };
        if doubts.count_ones() > 16 {
            list_bits(doubts, block * BLOCK, &mut doubtful[count..]);
        }
        count += doubts.count_ones() as usize;
    }
    count
}

/// Which of 32 fractions lie so close to a boundary as their errors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn doubts_of(fractions: __m512i, errors: &Line<[u16; HALF_BLOCK]>, row_error: __m512i) -> u64 {
    // SAFETY: a line is 64 bytes and begins at a multiple of that.
    let errors = unsafe { _mm512_load_si512(errors.0.as_ptr().cast()) };
    let errors = _mm512_add_epi16(errors, row_error);
    u64::from(_mm512_cmplt_epu16_mask(_mm512_abs_epi16(fractions), errors))
}

/// How 64 sums become bytes; with `TOP` by the choice of their highest ones.
struct Packing<const TOP: bool> {
    /// What sums begin with: half a grey level, and with `TOP` 128 of them.
    begin: __m512i,
    highest: __m512i,
    middle: __m512i,
    order: __m512i,
    shift: __m128i,
    /// What is missing to 24 bits after the point.
    up: __m128i,
}

impl<const TOP: bool> Packing<TOP> {
    #[target_feature(enable = "avx512f")]
    fn new(bits: u32) -> Self {
        let half = 1 << (bits - 1);
        Self {
            begin: _mm512_set1_epi32(if TOP { half ^ i32::MIN } else { half }),
            highest: register(&HIGHEST_BYTES),
            middle: register(&FRACTIONS),
            order: _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
            shift: _mm_cvtsi32_si128(bits as i32 - 16),
            up: _mm_cvtsi32_si128(24 - bits as i32),
        }
    }

    /// The whole part of every sum plus 128, clipped.
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
        _mm512_xor_si512(_mm512_permutexvar_epi32(self.order, bytes), _mm512_set1_epi8(i8::MIN))
    }

    /// The 16 bits below the whole part of every sum.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn fractions(&self, totals: &[__m512i; 4]) -> [__m512i; 2] {
        let [a, b, c, d] = *totals;
        if TOP {
            return [
                _mm512_permutex2var_epi8(a, self.middle, b),
                _mm512_permutex2var_epi8(c, self.middle, d),
            ];
        }
        let [a, b, c, d] = [a, b, c, d].map(|total| _mm512_sll_epi32(total, self.up));
        [_mm512_permutex2var_epi8(a, self.middle, b), _mm512_permutex2var_epi8(c, self.middle, d)]
    }
}

/// Make results in doubt again: rows first, eight taps at a time, then columns, each from the first tap on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
pub(super) fn repair(repair: Repair<'_>) {
    match repair.planes {
        1 => repair_each::<1>(repair),
        2 => repair_each::<2>(repair),
        3 => repair_each::<3>(repair),
        _ => repair_each::<4>(repair),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn repair_each<const PLANES: usize>(repair: Repair<'_>) {
    let Repair { bytes, stride, weights, across, doubtful, to, .. } = repair;
    let places = register(const { &first_of_eight(PLANES) });
    let count = across.even;
    for doubtful in doubtful.chunks(LANES) {
        let mut sums = _mm512_setzero_pd();
        for tap in (0..count).step_by(LANES) {
            let used = u8::MAX >> LANES.saturating_sub(count - tap);
            let mut terms = [_mm512_setzero_pd(); LANES];
            for (terms, result) in terms.iter_mut().zip(doubtful) {
                let (pixel, plane) = (*result as usize / PLANES, *result as usize % PLANES);
                let (first, across) = across.at(pixel);
                let from = &bytes[(first + tap) * PLANES + plane..];
                assert!(from.len() >= (weights.len() - 1) * stride + REPAIRED);
                let mut columns = _mm512_setzero_pd();
                for (row, weight) in weights.iter().enumerate() {
                    // SAFETY: so many bytes follow the first tap of every row.
                    let bytes = unsafe { _mm256_loadu_si256(from.as_ptr().add(row * stride).cast()) };
                    let taps = _mm512_permutexvar_epi8(places, _mm512_zextsi256_si512(bytes));
                    let terms = _mm512_mul_pd(_mm512_cvtepi64_pd(taps), _mm512_set1_pd(*weight));
                    columns = _mm512_add_pd(columns, terms);
                }
                // SAFETY: only the weights that there are are read.
                let across = unsafe { _mm512_maskz_loadu_pd(used, across[tap..].as_ptr()) };
                *terms = _mm512_mul_pd(columns, across);
            }
            // Zero is added for a tap that is missing.
            for terms in transposed(terms) {
                sums = _mm512_add_pd(sums, terms);
            }
        }
        let mut summed = [0.0; LANES];
        // SAFETY: eight `f64` are 64 bytes.
        unsafe { _mm512_storeu_pd(summed.as_mut_ptr(), sums) };
        for (sum, result) in summed.into_iter().zip(doubtful) {
            to[*result as usize] = u8::from_f64_rounded(sum);
        }
    }
}

/// Lane `i` of register `j` becomes lane `j` of register `i`.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512d; LANES]) -> [__m512d; LANES] {
    let [a, b, c, d, e, f, g, h] = rows;
    let (ab, cd) = (_mm512_unpacklo_pd(a, b), _mm512_unpacklo_pd(c, d));
    let (ef, gh) = (_mm512_unpacklo_pd(e, f), _mm512_unpacklo_pd(g, h));
    let [t0, t2, t4, t6] = quarters_transposed([ab, cd, ef, gh]);
    let (ab, cd) = (_mm512_unpackhi_pd(a, b), _mm512_unpackhi_pd(c, d));
    let (ef, gh) = (_mm512_unpackhi_pd(e, f), _mm512_unpackhi_pd(g, h));
    let [t1, t3, t5, t7] = quarters_transposed([ab, cd, ef, gh]);
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// The same for pairs of lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters_transposed([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    let (ab_even, ab_odd) =
        (_mm512_shuffle_f64x2::<0b10_00_10_00>(a, b), _mm512_shuffle_f64x2::<0b11_01_11_01>(a, b));
    let (cd_even, cd_odd) =
        (_mm512_shuffle_f64x2::<0b10_00_10_00>(c, d), _mm512_shuffle_f64x2::<0b11_01_11_01>(c, d));
    [
        _mm512_shuffle_f64x2::<0b10_00_10_00>(ab_even, cd_even),
        _mm512_shuffle_f64x2::<0b10_00_10_00>(ab_odd, cd_odd),
        _mm512_shuffle_f64x2::<0b11_01_11_01>(ab_even, cd_even),
        _mm512_shuffle_f64x2::<0b11_01_11_01>(ab_odd, cd_odd),
    ]
}
