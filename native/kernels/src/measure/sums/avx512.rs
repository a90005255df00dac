//! Sums of runs with AVX-512: as in [`by_run`](super::by_run), of values as they are stored.
//!
//! Closures have no target features of their own, and are not always inlined: there are none around instructions here.

use super::list::{LOCKSTEP, PLACES, RunList, SIDE};
use super::term::Term;
use crate::array::sample::{Bool, Sample};
use crate::measure::runs::RunBlock;
use std::arch::x86_64::*;
use std::ops::Range;
use std::ptr;

/// Runs that a list is made of at once.
const LISTED: usize = 16;

/// So many runs are added one by one.
const FEW: usize = 2;

/// Values that are read eight at a time.
pub(in crate::measure) trait Lanes: Sample {
    /// Eight values as doubles.
    ///
    /// # Safety
    ///
    /// They lie there, and the processor has AVX-512 F and DQ.
    unsafe fn eight(values: *const Self) -> __m512d;
}

macro_rules! lanes {
    ($($type:ty: $values:ident => $read:expr;)*) => {
        $(
            impl Lanes for $type {
                #[inline(always)]
                unsafe fn eight($values: *const Self) -> __m512d {
                    // SAFETY: the caller's.
                    unsafe { $read }
                }
            }
        )*
    };
}

lanes! {
    Bool: values => u8::eight(values.cast());
    u8: values => _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64(values.cast())));
    i8: values => _mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(_mm_loadl_epi64(values.cast())));
    u16: values => _mm512_cvtepi32_pd(_mm256_cvtepu16_epi32(_mm_loadu_si128(values.cast())));
    i16: values => _mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(_mm_loadu_si128(values.cast())));
    u32: values => _mm512_cvtepu32_pd(_mm256_loadu_si256(values.cast()));
    i32: values => _mm512_cvtepi32_pd(_mm256_loadu_si256(values.cast()));
    u64: values => _mm512_cvtepu64_pd(_mm512_loadu_si512(values.cast()));
    i64: values => _mm512_cvtepi64_pd(_mm512_loadu_si512(values.cast()));
    f32: values => _mm512_cvtps_pd(_mm256_loadu_ps(values));
    f64: values => _mm512_loadu_pd(values);
}

/// As [`super::by_run::AddRuns`]; `values` has [`BEYOND`](super::list::BEYOND) more than the block.
///
/// # Safety
///
/// Each run of the list has a sum, and lies in a block of fewer than `values`, less [`BEYOND`](super::list::BEYOND).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn add_runs<T: Lanes, M: Term>(sums: &mut [f64], list: &RunList, values: &[T], term: M) {
    let sums = sums.as_mut_ptr();
    let mut at = 0;
    while at < list.count {
        let live = different(list, at).min(list.count - at);
        if live <= FEW {
            add_one_by_one(sums, list, at..at + live, values, term);
            at += live;
            continue;
        }
        // Lanes without a run have a spare sum.
        let mut spare = [0.0; SIDE];
        let mut places = [ptr::null_mut(); SIDE];
        let mut of_run = [0.0; SIDE];
        for lane in 0..SIDE {
            let (label, start) = (list.labels[at + lane], list.starts[at + lane]);
            places[lane] = if lane < live { sums.wrapping_add(label as usize) } else { &raw mut spare[lane] };
            of_run[lane] = term.of_run(label, start as usize);
        }
        // SAFETY: each run has a sum of its own: no two have the same label.
        unsafe {
            let of_run = _mm512_loadu_pd(of_run.as_ptr());
            write(&places, add_batch(read(&places), list, at, live, of_run, values, term));
        }
        at += live;
    }
}

/// As [`super::by_run::AddLine`], of so many lines of this length that follow one another; `values` has
/// [`BEYOND`](super::list::BEYOND) more than they.
///
/// # Safety
///
/// Each run of the list has a sum, and lies in a line.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn add_lines<T: Lanes, M: Term>(
    sums: &mut [f64],
    of_run: &[f64],
    list: &RunList,
    values: &[T],
    (length, lines): (usize, usize),
    term: M,
) {
    for line in 0..lines {
        let values = &values[line * length..];
        let lanes = sums.as_chunks_mut::<SIDE>().0.iter_mut().zip(of_run.as_chunks::<SIDE>().0);
        for ((lanes, of_run), at) in lanes.zip((0..list.count).step_by(SIDE)) {
            if list.count - at <= FEW {
                for lane in 0..list.count - at {
                    lanes[lane] = add_elements(lanes[lane], list, at + lane, 0, of_run[lane], values, term);
                }
                continue;
            }
            // SAFETY: the caller's.
            unsafe {
                let of_run = _mm512_loadu_pd(of_run.as_ptr());
                let sums = add_batch(_mm512_loadu_pd(lanes.as_ptr()), list, at, SIDE, of_run, values, term);
                _mm512_storeu_pd(lanes.as_mut_ptr(), sums);
            }
        }
    }
}

/// As [`RunList::fill`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn fill(list: &mut RunList, block: &RunBlock<'_>, least: u32, rows: usize) {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX).saturating_sub(least);
    let runs = block.labels.len();
    // All of them, and the end of the last one; as many can be written, and `LISTED` in vain.
    assert!(block.ends.len() > runs && runs + LISTED <= PLACES);
    let mut count = 0;
    for at in (0..runs).step_by(LISTED) {
        let there = if runs - at < LISTED { (1 << (runs - at)) - 1 } else { u16::MAX };
        // SAFETY: what is read lies in the block, and at most as many runs are written as were read before the last ones.
        unsafe {
            let labels = _mm512_maskz_loadu_epi32(there, block.labels.as_ptr().add(at).cast());
            let starts = _mm512_maskz_loadu_epi32(there, block.ends.as_ptr().add(at).cast());
            let ends = _mm512_maskz_loadu_epi32(there, block.ends.as_ptr().add(at + 1).cast());
            let row = _mm512_sub_epi32(labels, _mm512_set1_epi32(least as i32));
            let asked = _mm512_mask_cmplt_epu32_mask(there, row, _mm512_set1_epi32(rows as i32));
            append(&mut list.labels, count, asked, labels);
            append(&mut list.starts, count, asked, starts);
            append(&mut list.lengths, count, asked, _mm512_sub_epi32(ends, starts));
            count += asked.count_ones() as usize;
        }
    }
    list.count = count;
    list.fill_up();
}

/// Write the numbers whose bits are set one after the other, and others in vain.
#[inline(always)]
unsafe fn append(to: &mut [u32; PLACES], at: usize, asked: u16, numbers: __m512i) {
    // SAFETY: the caller's.
    unsafe {
        _mm512_storeu_si512(to.as_mut_ptr().add(at).cast(), _mm512_maskz_compress_epi32(asked, numbers));
    }
}

/// How many runs from `at` on, of [`SIDE`], have different labels.
#[inline(always)]
fn different(list: &RunList, at: usize) -> usize {
    let labels = list.labels[at..at + SIDE].as_ptr();
    // SAFETY: of those before the eight runs no bit is set, and so they are not read. The caller has AVX-512.
    unsafe {
        let own = _mm256_loadu_si256(labels.cast());
        let mut again = 0;
        for turn in 1..SIDE {
            let later = 0xff << turn;
            let earlier = _mm256_maskz_loadu_epi32(later, labels.wrapping_sub(turn).cast());
            again |= _mm256_mask_cmpeq_epi32_mask(later, own, earlier);
        }
        again.trailing_zeros() as usize
    }
}

/// Add the elements of each run, one after the other.
#[inline(never)]
fn add_one_by_one<T: Lanes, M: Term>(
    sums: *mut f64,
    list: &RunList,
    runs: Range<usize>,
    values: &[T],
    term: M,
) {
    for run in runs {
        let (label, start) = (list.labels[run], list.starts[run] as usize);
        let of_run = term.of_run(label, start);
        // SAFETY: each run has a sum.
        let sum = unsafe { &mut *sums.add(label as usize) };
        *sum = add_elements(*sum, list, run, 0, of_run, values, term);
    }
}

#[inline(always)]
fn add_elements<T: Lanes, M: Term>(
    sum: f64,
    list: &RunList,
    run: usize,
    place: usize,
    of_run: f64,
    values: &[T],
    term: M,
) -> f64 {
    let (start, length) = (list.starts[run] as usize, list.lengths[run] as usize);
    let rest = values[start..start + length].iter().enumerate().skip(place);
    rest.fold(sum, |sum, (at, value)| sum + term.of_element(value.to_f64(), of_run, at as f64))
}

/// Add the elements of each of `live` runs from `at` on to its lane.
///
/// # Safety
///
/// As of [`add_runs`].
#[inline(always)]
unsafe fn add_batch<T: Lanes, M: Term>(
    mut lanes: __m512d,
    list: &RunList,
    at: usize,
    live: usize,
    of_run: __m512d,
    values: &[T],
    term: M,
) -> __m512d {
    let starts = &list.starts[at..at + SIDE];
    // SAFETY: at most `LOCKSTEP + SIDE` elements after a start are read, which lies in the block. The list has room for
    // eight lengths from each batch on.
    unsafe {
        let lengths = list.lengths[at..at + SIDE].as_ptr().cast();
        let lengths = _mm256_maskz_loadu_epi32(((1_u32 << live) - 1) as u8, lengths);
        let longest = longest_of(lengths);
        let together = longest.min(LOCKSTEP);
        let mut rows = [ptr::null(); SIDE];
        for lane in 0..SIDE {
            rows[lane] = values.as_ptr().add(starts[lane] as usize);
        }
        let mut place = 0;
        while place + SIDE / 2 < together {
            let (mut first, mut second) = ([_mm256_setzero_pd(); SIDE], [_mm256_setzero_pd(); SIDE]);
            for lane in 0..SIDE {
                let row = T::eight(rows[lane].add(place));
                first[lane] = _mm512_castpd512_pd256(row);
                second[lane] = _mm512_extractf64x4_pd::<1>(row);
            }
            lanes = add_columns(lanes, lengths, place, transpose(first), of_run, term);
            lanes = add_columns(lanes, lengths, place + SIDE / 2, transpose(second), of_run, term);
            place += SIDE;
        }
        if place < together {
            let mut first = [_mm256_setzero_pd(); SIDE];
            for lane in 0..SIDE {
                first[lane] = _mm512_castpd512_pd256(T::eight(rows[lane].add(place)));
            }
            lanes = add_columns(lanes, lengths, place, transpose(first), of_run, term);
        }
        if longest > LOCKSTEP {
            lanes = add_rest(lanes, list, at, live, of_run, values, term);
        }
        lanes
    }
}

/// Add an element of each run that is long enough, and then the next ones.
///
/// A run that has ended has 0 added, which changes no sum: none is -0, as all were 0 at first. To keep its sum by a mask would
/// make the next addition wait a cycle longer.
#[inline(always)]
unsafe fn add_columns<M: Term>(
    mut lanes: __m512d,
    lengths: __m256i,
    place: usize,
    columns: [__m512d; SIDE / 2],
    of_run: __m512d,
    term: M,
) -> __m512d {
    // SAFETY: the caller's.
    unsafe {
        let left = _mm256_sub_epi32(lengths, _mm256_set1_epi32(place as i32));
        for (column, values) in columns.iter().enumerate() {
            let at = place + column;
            let reaches = _mm256_cmpgt_epi32_mask(left, _mm256_set1_epi32(column as i32));
            let terms = _mm512_maskz_mov_pd(reaches, term.of_eight(*values, of_run, at as f64));
            lanes = _mm512_add_pd(lanes, terms);
        }
        lanes
    }
}

/// Add the elements of each run after [`LOCKSTEP`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn add_rest<T: Lanes, M: Term>(
    lanes: __m512d,
    list: &RunList,
    at: usize,
    live: usize,
    of_run: __m512d,
    values: &[T],
    term: M,
) -> __m512d {
    let (mut sums, mut common) = ([0.0; SIDE], [0.0; SIDE]);
    // SAFETY: each has eight numbers.
    unsafe {
        _mm512_storeu_pd(sums.as_mut_ptr(), lanes);
        _mm512_storeu_pd(common.as_mut_ptr(), of_run);
    }
    for lane in 0..live {
        sums[lane] = add_elements(sums[lane], list, at + lane, LOCKSTEP, common[lane], values, term);
    }
    // SAFETY: as above.
    unsafe { _mm512_loadu_pd(sums.as_ptr()) }
}

#[inline(always)]
unsafe fn longest_of(lengths: __m256i) -> usize {
    // SAFETY: the caller's.
    unsafe {
        let halves = _mm_max_epu32(_mm256_castsi256_si128(lengths), _mm256_extracti128_si256::<1>(lengths));
        let pairs = _mm_max_epu32(halves, _mm_shuffle_epi32::<0b0100_1110>(halves));
        _mm_cvtsi128_si32(_mm_max_epu32(pairs, _mm_shuffle_epi32::<0b1011_0001>(pairs))) as usize
    }
}

#[inline(always)]
unsafe fn read(places: &[*mut f64; SIDE]) -> __m512d {
    // SAFETY: the caller's.
    unsafe {
        let mut pairs = [_mm_setzero_pd(); SIDE / 2];
        for pair in 0..SIDE / 2 {
            pairs[pair] = _mm_loadh_pd(_mm_load_sd(places[2 * pair]), places[2 * pair + 1]);
        }
        let lower = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(pairs[0]), pairs[1]);
        let upper = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(pairs[2]), pairs[3]);
        _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(lower), upper)
    }
}

#[inline(always)]
unsafe fn write(places: &[*mut f64; SIDE], sums: __m512d) {
    // SAFETY: the caller's.
    unsafe {
        let (lower, upper) = (_mm512_castpd512_pd256(sums), _mm512_extractf64x4_pd::<1>(sums));
        let pairs = [
            _mm256_castpd256_pd128(lower),
            _mm256_extractf128_pd::<1>(lower),
            _mm256_castpd256_pd128(upper),
            _mm256_extractf128_pd::<1>(upper),
        ];
        for pair in 0..SIDE / 2 {
            _mm_storel_pd(places[2 * pair], pairs[pair]);
            _mm_storeh_pd(places[2 * pair + 1], pairs[pair]);
        }
    }
}

/// Four columns of eight rows.
#[inline(always)]
unsafe fn transpose(rows: [__m256d; SIDE]) -> [__m512d; SIDE / 2] {
    // SAFETY: the caller's.
    unsafe {
        let mut joined = [_mm512_setzero_pd(); SIDE / 2];
        for row in 0..SIDE / 2 {
            joined[row] = _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(rows[row]), rows[row + SIDE / 2]);
        }
        let lower = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
        let upper = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
        let (even, odd) =
            (_mm512_unpacklo_pd(joined[0], joined[1]), _mm512_unpackhi_pd(joined[0], joined[1]));
        let (next_even, next_odd) =
            (_mm512_unpacklo_pd(joined[2], joined[3]), _mm512_unpackhi_pd(joined[2], joined[3]));
        [
            _mm512_permutex2var_pd(even, lower, next_even),
            _mm512_permutex2var_pd(odd, lower, next_odd),
            _mm512_permutex2var_pd(even, upper, next_even),
            _mm512_permutex2var_pd(odd, upper, next_odd),
        ]
    }
}
