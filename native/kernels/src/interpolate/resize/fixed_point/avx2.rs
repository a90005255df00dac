//! The loops for AVX2: four pixels of a row together, then 32 results of a row.

use super::tables::{Columns, Pair, PixelColumns, RowSums};
use crate::memory::CollectVec;
use std::arch::x86_64::*;

/// Results of a row that are made together.
const BLOCK: usize = 32;

/// Make an intermediate row.
#[target_feature(enable = "avx2")]
pub(super) fn sum_columns(from: &[u8], columns: &Columns, table: &PixelColumns, to: &mut [i16]) {
    match (columns.planes, columns.pairs) {
        (3, 1) => sum_pairs::<3, 1>(from, columns, table, to),
        (3, 2) => sum_pairs::<3, 2>(from, columns, table, to),
        (3, 3) if columns.is_short => sum_pairs::<3, SHORT>(from, columns, table, to),
        (3, 3) => sum_pairs::<3, 3>(from, columns, table, to),
        (3, _) => sum_pairs::<3, ANY>(from, columns, table, to),
        (_, 1) => sum_pairs::<4, 1>(from, columns, table, to),
        (_, 2) => sum_pairs::<4, 2>(from, columns, table, to),
        (_, 3) => sum_pairs::<4, 3>(from, columns, table, to),
        _ => sum_pairs::<4, ANY>(from, columns, table, to),
    }
}

/// In place of a number of pairs: known only at run time.
const ANY: usize = 0;

/// In place of a number of pairs: five taps, which lie in 16 bytes.
const SHORT: usize = usize::MAX;

/// Where the bytes of a pair of taps go: for every plane 32 bits, the first tap in the lower half.
const fn places(planes: usize, pair: usize) -> [i8; 16] {
    let mut places = [-1; 16];
    let mut plane = 0;
    while plane < planes {
        let first = 2 * pair * planes + plane;
        if first < 16 {
            places[4 * plane] = first as i8;
        }
        if first + planes < 16 {
            places[4 * plane + 2] = (first + planes) as i8;
        }
        plane += 1;
    }
    places
}

#[target_feature(enable = "avx2")]
fn sum_pairs<const PLANES: usize, const PAIRS: usize>(
    from: &[u8],
    columns: &Columns,
    table: &PixelColumns,
    to: &mut [i16],
) {
    let (pairs, per_load) = match PAIRS {
        ANY => (columns.pairs, 2),
        SHORT => (3, 3),
        pairs => (pairs, 2),
    };
    assert!(from.len() >= columns.reach && table.weights.len() == table.offsets.len() * pairs);
    assert!(to.len() >= 4 * PLANES * table.offsets.len() + 8);
    let begin = _mm256_set1_epi32(columns.begin);
    let shift = _mm_cvtsi32_si128(columns.shift as i32);
    let places = const { [places(PLANES, 0), places(PLANES, 1), places(PLANES, 2)] };
    let mut place = [_mm256_setzero_si256(); 3];
    for (place, places) in place.iter_mut().zip(&places) {
        // SAFETY: 16 bytes are read from an array of as many.
        *place = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(places.as_ptr().cast()) });
    }
    // Of two pixels of four words the first three each.
    let three =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1));
    let mut to = to.as_mut_ptr();
    for (quad, offsets) in table.offsets.iter().enumerate() {
        let (mut even, mut odd) = (begin, begin);
        for first in (0..pairs).step_by(per_load) {
            // SAFETY: no offset is above `reach` less the bytes of all loads of a pixel.
            let load = |pixel: usize| unsafe {
                _mm_loadu_si128(from.as_ptr().add(offsets[pixel] as usize + 2 * PLANES * first).cast())
            };
            let (even_bytes, odd_bytes) =
                (_mm256_set_m128i(load(2), load(0)), _mm256_set_m128i(load(3), load(1)));
            for pair in first..pairs.min(first + per_load) {
                // SAFETY: there are `pairs` lines of 64 bytes for every four pixels.
                let weights = |half: usize| unsafe {
                    let line = table.weights.as_ptr().add(quad * pairs + pair);
                    _mm256_load_si256(line.cast::<__m256i>().add(half))
                };
                let places = place[pair - first];
                let sum = _mm256_madd_epi16(_mm256_shuffle_epi8(even_bytes, places), weights(0));
                even = _mm256_add_epi32(even, sum);
                let sum = _mm256_madd_epi16(_mm256_shuffle_epi8(odd_bytes, places), weights(1));
                odd = _mm256_add_epi32(odd, sum);
            }
        }
        let values = _mm256_packs_epi32(_mm256_sra_epi32(even, shift), _mm256_sra_epi32(odd, shift));
        // SAFETY: four pixels fit, and the next ones or the spare values take what is stored after them.
        unsafe {
            if PLANES == 3 {
                let values = _mm256_shuffle_epi8(values, three);
                _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(values));
                _mm_storeu_si128(to.add(6).cast(), _mm256_extracti128_si256::<1>(values));
            } else {
                _mm256_storeu_si256(to.cast(), values);
            }
            to = to.add(4 * PLANES);
        }
    }
}

/// Sum intermediate rows into a row of results, and mark those in doubt.
#[target_feature(enable = "avx2")]
pub(super) fn sum_rows(sums: &RowSums<'_>, to: &mut [u8], doubts: &mut [u64]) {
    match sums.pairs() {
        1 => sum_blocks(sums, [sums.pair(0)], to, doubts),
        2 => sum_blocks(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubts),
        3 => sum_blocks(sums, [0, 1, 2].map(|pair| sums.pair(pair)), to, doubts),
        pairs => sum_blocks(sums, (0..pairs).map(|pair| sums.pair(pair)).collect_vec(), to, doubts),
    }
}

#[target_feature(enable = "avx2")]
fn sum_blocks<'a>(sums: &RowSums<'_>, pairs: impl AsRef<[Pair<'a>]>, to: &mut [u8], doubts: &mut [u64]) {
    let pairs = pairs.as_ref();
    assert!(
        pairs.iter().all(|pair| pair.rows.iter().all(|row| row.len() >= to.len().next_multiple_of(BLOCK)))
    );
    let shift = _mm_cvtsi32_si128(sums.bits as i32 - 16);
    let flip = _mm256_set1_epi8(i8::MIN);
    assert!(sums.errors.len() >= to.len().next_multiple_of(BLOCK));
    let (half, row_error) = (_mm256_set1_epi32(1 << (sums.bits - 1)), _mm256_set1_epi32(sums.row_error));
    doubts.fill(0);
    for (block, to) in to.chunks_mut(BLOCK).enumerate() {
        let mut totals = [_mm256_setzero_si256(); 4];
        for pair in pairs {
            let weights = _mm256_set1_epi32(pair.weights);
            for part in 0..2 {
                let at = block * BLOCK + part * BLOCK / 2;
                // SAFETY: every row has as many values as there are results in whole blocks.
                let load = |row: usize| unsafe { _mm256_loadu_si256(pair.rows[row].as_ptr().add(at).cast()) };
                let (first, second) = (load(0), load(1));
                let sum = _mm256_madd_epi16(_mm256_unpacklo_epi16(first, second), weights);
                totals[2 * part] = _mm256_add_epi32(totals[2 * part], sum);
                let sum = _mm256_madd_epi16(_mm256_unpackhi_epi16(first, second), weights);
                totals[2 * part + 1] = _mm256_add_epi32(totals[2 * part + 1], sum);
            }
        }
        // Both ends of the interval of every result.
        let mut lows = totals;
        for quarter in 0..4 {
            // SAFETY: there is an error for every result in whole blocks.
            let own = unsafe {
                let at = block * BLOCK + quarter * BLOCK / 4;
                _mm256_loadu_si256(sums.errors.as_ptr().add(at).cast())
            };
            let (error, total) = (_mm256_add_epi32(row_error, own), _mm256_add_epi32(totals[quarter], half));
            lows[quarter] = _mm256_sub_epi32(total, error);
            totals[quarter] = _mm256_add_epi32(total, error);
        }
        let (low, high) = (bytes_of(&lows, shift), bytes_of(&totals, shift));
        let agree = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_cmpeq_epi8(low, high));
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_xor_si256(high, flip));
        let mut differ = !_mm256_movemask_epi8(agree) as u32;
        let mut stored = [0; BLOCK];
        // SAFETY: a block is 32 bytes.
        unsafe { _mm256_storeu_si256(stored.as_mut_ptr().cast(), bytes) };
        match to.first_chunk_mut::<BLOCK>() {
            Some(to) => *to = stored,
            None => {
                to.copy_from_slice(&stored[..to.len()]);
                differ &= (1 << to.len()) - 1;
            }
        }
        doubts[block / 2] |= u64::from(differ) << (block % 2 * BLOCK);
    }
}

/// 32 sums as bytes less 128, in order but for the middle quarters: packing undoes what unpacking did.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes_of(totals: &[__m256i; 4], shift: __m128i) -> __m256i {
    // 16 bits of the shift first: the rest then takes half as many registers.
    let [a, b, c, d] = *totals;
    let near = _mm256_packs_epi32(_mm256_srai_epi32::<16>(a), _mm256_srai_epi32::<16>(b));
    let far = _mm256_packs_epi32(_mm256_srai_epi32::<16>(c), _mm256_srai_epi32::<16>(d));
    _mm256_packs_epi16(_mm256_sra_epi16(near, shift), _mm256_sra_epi16(far, shift))
}
