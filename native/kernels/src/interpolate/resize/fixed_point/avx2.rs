//! The loops for AVX2: four pixels of a row together, then 32 results of a row.

use super::repair::list_bits;
use super::tables::{Columns, Pair, PixelColumns, RowSums, Values};
use crate::memory::CollectVec;
use std::arch::x86_64::*;

/// Results of a row that are made together.
const BLOCK: usize = 32;

/// Make a pair of intermediate rows.
#[target_feature(enable = "avx2")]
pub(super) fn sum_columns(from: [&[u8]; 2], columns: &Columns, table: &PixelColumns, to: &mut [Values]) {
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
    from: [&[u8]; 2],
    columns: &Columns,
    table: &PixelColumns,
    to: &mut [Values],
) {
    let (pairs, per_load) = match PAIRS {
        ANY => (columns.pairs, 2),
        SHORT => (3, 3),
        pairs => (pairs, 2),
    };
    assert!(from.iter().all(|from| from.len() >= columns.reach));
    assert!(table.weights.len() == table.offsets.len() * pairs);
    assert!(size_of_val(to) >= 2 * (4 * PLANES * table.offsets.len() + 4) * size_of::<i16>());
    let begin = _mm256_set1_epi32(columns.begin);
    let (down, up) = (_mm_cvtsi32_si128(columns.shift as i32), _mm_cvtsi32_si128(16 - columns.shift as i32));
    let places = const { [places(PLANES, 0), places(PLANES, 1), places(PLANES, 2)] };
    let mut place = [_mm256_setzero_si256(); 3];
    for (place, places) in place.iter_mut().zip(&places) {
        // SAFETY: 16 bytes are read from an array of as many.
        *place = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(places.as_ptr().cast()) });
    }
    let mut to = to.as_mut_ptr().cast::<i16>();
    for (quad, offsets) in table.offsets.iter().enumerate() {
        let (mut even, mut odd) = ([begin; 2], [begin; 2]);
        for first in (0..pairs).step_by(per_load) {
            for row in 0..2 {
                // SAFETY: no offset is above `reach` less the bytes of all loads of a pixel.
                let load = |pixel: usize| unsafe {
                    let at = offsets[pixel] as usize + 2 * PLANES * first;
                    _mm_loadu_si128(from[row].as_ptr().add(at).cast())
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
                    even[row] = _mm256_add_epi32(even[row], sum);
                    let sum = _mm256_madd_epi16(_mm256_shuffle_epi8(odd_bytes, places), weights(1));
                    odd[row] = _mm256_add_epi32(odd[row], sum);
                }
            }
        }
        // Of every sum 16 bits, those of the second row above those of the first one.
        let halves = |[first, second]: [__m256i; 2]| {
            let (first, second) = (_mm256_sra_epi32(first, down), _mm256_sll_epi32(second, up));
            _mm256_blend_epi16::<0b1010_1010>(first, second)
        };
        let (even, odd) = (halves(even), halves(odd));
        if PLANES == 4 {
            let near = _mm256_permute2x128_si256::<0x20>(even, odd);
            let far = _mm256_permute2x128_si256::<0x31>(even, odd);
            // SAFETY: four pixels of four planes fit.
            unsafe {
                _mm256_storeu_si256(to.cast(), near);
                _mm256_storeu_si256(to.add(16).cast(), far);
                to = to.add(32);
            }
        } else {
            // SAFETY: four pixels fit, and the next ones or the spare values take what is stored after them.
            unsafe {
                _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(even));
                _mm_storeu_si128(to.add(6).cast(), _mm256_castsi256_si128(odd));
                _mm_storeu_si128(to.add(12).cast(), _mm256_extracti128_si256::<1>(even));
                _mm_storeu_si128(to.add(18).cast(), _mm256_extracti128_si256::<1>(odd));
                to = to.add(24);
            }
        }
    }
}

/// Sum intermediate rows into a row of results, and list those in doubt; return their number.
#[target_feature(enable = "avx2")]
pub(super) fn sum_rows(sums: &RowSums<'_>, to: &mut [u8], doubtful: &mut [u32]) -> usize {
    match sums.slots.len() {
        1 => sum_blocks(sums, [sums.pair(0)], to, doubtful),
        2 => sum_blocks(sums, [0, 1].map(|pair| sums.pair(pair)), to, doubtful),
        3 => sum_blocks(sums, [0, 1, 2].map(|pair| sums.pair(pair)), to, doubtful),
        pairs => sum_blocks(sums, (0..pairs).map(|pair| sums.pair(pair)).collect_vec(), to, doubtful),
    }
}

#[target_feature(enable = "avx2")]
fn sum_blocks<'a>(
    sums: &RowSums<'_>,
    pairs: impl AsRef<[Pair<'a>]>,
    to: &mut [u8],
    doubtful: &mut [u32],
) -> usize {
    let pairs = pairs.as_ref();
    let lines = 2 * to.len().div_ceil(BLOCK);
    assert!(pairs.iter().all(|pair| pair.values.len() >= lines));
    let (half, row_error) =
        (_mm256_set1_epi32(1 << (sums.bits - 1)), _mm256_set1_epi16(sums.row_error as i16));
    let (down, up) = (_mm_cvtsi32_si128(sums.bits as i32 - 16), _mm_cvtsi32_si128(32 - sums.bits as i32));
    let (flip, order) = (_mm256_set1_epi8(i8::MIN), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    let mut count = 0;
    for ((block, to), errors) in to.chunks_mut(BLOCK).enumerate().zip(sums.errors) {
        let mut totals = [half; 4];
        for pair in pairs {
            let weights = _mm256_set1_epi32(pair.weights);
            for (quarter, total) in totals.iter_mut().enumerate() {
                // SAFETY: every pair has as many lines, of two registers each, as all blocks together.
                let values = unsafe {
                    _mm256_load_si256(pair.values.as_ptr().cast::<__m256i>().add(4 * block + quarter))
                };
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(values, weights));
            }
        }
        let mut bytes = [flip; 2];
        let mut certain = [flip; 2];
        for half in 0..2 {
            let [first, second] = [totals[2 * half], totals[2 * half + 1]];
            // 16 bits of the shift first: the rest then takes half as many registers.
            let near = _mm256_packs_epi32(_mm256_srai_epi32::<16>(first), _mm256_srai_epi32::<16>(second));
            bytes[half] = _mm256_sra_epi16(near, down);
            // The 16 bits below the whole part, in the order of packing.
            let (first, second) = (_mm256_sll_epi32(first, up), _mm256_sll_epi32(second, up));
            let fractions =
                _mm256_packus_epi32(_mm256_srli_epi32::<16>(first), _mm256_srli_epi32::<16>(second));
            // SAFETY: a line is two registers.
            let errors = unsafe { _mm256_load_si256(errors.0.as_ptr().cast::<__m256i>().add(half)) };
            let errors = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_add_epi16(errors, row_error));
            let within = _mm256_subs_epu16(errors, _mm256_abs_epi16(fractions));
            certain[half] = _mm256_cmpeq_epi16(within, _mm256_setzero_si256());
        }
        let bytes = _mm256_xor_si256(_mm256_packs_epi16(bytes[0], bytes[1]), flip);
        let bytes = _mm256_permutevar8x32_epi32(bytes, order);
        let certain = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(certain[0], certain[1]), order);
        let mut doubts = !_mm256_movemask_epi8(certain) as u32;
        let mut stored = [0; BLOCK];
        // SAFETY: a block is 32 bytes.
        unsafe { _mm256_storeu_si256(stored.as_mut_ptr().cast(), bytes) };
        match to.first_chunk_mut::<BLOCK>() {
            Some(to) => *to = stored,
            None => {
                to.copy_from_slice(&stored[..to.len()]);
                doubts &= (1 << to.len()) - 1;
            }
        }
        count += list_bits(doubts.into(), block * BLOCK, &mut doubtful[count..]);
    }
    count
}
