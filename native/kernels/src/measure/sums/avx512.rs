//! Sums of runs with AVX-512: as in [`by_run`](super::by_run), of values as they are stored.

use super::list::{PLACES, RunList};
use super::term::Term;
use super::{LOCKSTEP, SIDE};
use crate::array::sample::{Bool, Sample};
use crate::measure::runs::RunBlock;
use std::arch::x86_64::*;
use std::array::from_fn;
use std::ops::Range;

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

/// As [`super::by_run::AddRuns`]; `values` has [`BEYOND`](super::BEYOND) more than the block.
///
/// # Safety
///
/// Each run of the list has a sum, and lies in a block of fewer than `values`, less [`BEYOND`](super::BEYOND).
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
        let labels = &list.labels[at..at + SIDE];
        // Lanes without a run have a spare sum.
        let mut spare = [0.0; SIDE];
        let place = |lane: usize| sums.wrapping_add(labels[lane] as usize);
        let places: [*mut f64; SIDE] = if live == SIDE {
            from_fn(place)
        } else {
            from_fn(|lane| if lane < live { place(lane) } else { &raw mut spare[lane] })
        };
        let of_run: [_; SIDE] = from_fn(|lane| term.of_run(labels[lane], list.starts[at + lane] as usize));
        // SAFETY: each run has a sum of its own: no two have the same label.
        unsafe {
            let of_run = _mm512_loadu_pd(of_run.as_ptr());
            write(&places, add_batch(read(&places), list, at, live, of_run, values, term));
        }
        at += live;
    }
}

/// As [`super::by_run::AddLine`].
///
/// # Safety
///
/// As of [`add_runs`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn add_line<T: Lanes, M: Term>(
    sums: &mut [f64],
    of_run: &[f64],
    list: &RunList,
    values: &[T],
    term: M,
) {
    let lanes = sums.as_chunks_mut::<SIDE>().0.iter_mut().zip(of_run.as_chunks::<SIDE>().0);
    for ((lanes, of_run), at) in lanes.zip((0..list.count).step_by(SIDE)) {
        if list.count - at <= FEW {
            for lane in 0..list.count - at {
                lanes[lane] = add_elements(lanes[lane], list, at + lane, 0, of_run[lane], values, term);
            }
            return;
        }
        // SAFETY: the caller's.
        unsafe {
            let of_run = _mm512_loadu_pd(of_run.as_ptr());
            let sums = add_batch(_mm512_loadu_pd(lanes.as_ptr()), list, at, SIDE, of_run, values, term);
            _mm512_storeu_pd(lanes.as_mut_ptr(), sums);
        }
    }
}

/// As [`super::list::Fill`]; returns how many runs there are.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn fill(list: &mut RunList, block: &RunBlock<'_>, least: u32, rows: usize) -> usize {
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
            let write = |to: &mut [u32; PLACES], numbers| {
                _mm512_storeu_si512(
                    to.as_mut_ptr().add(count).cast(),
                    _mm512_maskz_compress_epi32(asked, numbers),
                );
            };
            write(&mut list.labels, labels);
            write(&mut list.starts, starts);
            write(&mut list.lengths, _mm512_sub_epi32(ends, starts));
            count += asked.count_ones() as usize;
        }
    }
    count
}

/// How many runs from `at` on, of [`SIDE`], have different labels.
#[inline(always)]
fn different(list: &RunList, at: usize) -> usize {
    let labels = list.labels[at..at + SIDE].as_ptr();
    let read = |turn: usize| {
        let later = 0xff << turn;
        // SAFETY: of those before the eight runs no bit is set, and so they are not read. The caller has AVX-512.
        unsafe { _mm256_maskz_loadu_epi32(later, labels.wrapping_sub(turn).cast()) }
    };
    let own = read(0);
    let again = (1..SIDE).fold(0, |again: u8, turn| {
        // SAFETY: as above.
        again | unsafe { _mm256_mask_cmpeq_epi32_mask(0xff << turn, own, read(turn)) }
    });
    again.trailing_zeros() as usize
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
        let rows: [*const T; SIDE] = from_fn(|lane| values.as_ptr().add(starts[lane] as usize));
        let mut place = 0;
        while place + SIDE / 2 < together {
            let rows: [_; SIDE] = from_fn(|lane| T::eight(rows[lane].add(place)));
            let first = transpose(from_fn(|lane| _mm512_castpd512_pd256(rows[lane])));
            lanes = add_columns(lanes, lengths, place, first, of_run, term);
            let second = transpose(from_fn(|lane| _mm512_extractf64x4_pd::<1>(rows[lane])));
            lanes = add_columns(lanes, lengths, place + SIDE / 2, second, of_run, term);
            place += SIDE;
        }
        if place < together {
            let row = |lane: usize| _mm512_castpd512_pd256(T::eight(rows[lane].add(place)));
            lanes = add_columns(lanes, lengths, place, transpose(from_fn(row)), of_run, term);
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
unsafe fn add_columns<M: Term, const WIDTH: usize>(
    mut lanes: __m512d,
    lengths: __m256i,
    place: usize,
    columns: [__m512d; WIDTH],
    of_run: __m512d,
    term: M,
) -> __m512d {
    // SAFETY: the caller's.
    unsafe {
        let left = _mm256_sub_epi32(lengths, _mm256_set1_epi32(place as i32));
        for (column, values) in columns.into_iter().enumerate() {
            let at = place + column;
            let reaches = _mm256_cmpgt_epi32_mask(left, _mm256_set1_epi32(column as i32));
            let terms = _mm512_maskz_mov_pd(reaches, term.of_eight(values, of_run, at as f64));
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
        let pair = |at: usize| _mm_loadh_pd(_mm_load_sd(places[at]), places[at + 1]);
        let four = |at: usize| _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(pair(at)), pair(at + 2));
        _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(four(0)), four(4))
    }
}

#[inline(always)]
unsafe fn write(places: &[*mut f64; SIDE], sums: __m512d) {
    // SAFETY: the caller's.
    unsafe {
        let pair = |at: usize, sums| {
            _mm_storel_pd(places[at], sums);
            _mm_storeh_pd(places[at + 1], sums);
        };
        let four = |at: usize, sums| {
            pair(at, _mm256_castpd256_pd128(sums));
            pair(at + 2, _mm256_extractf128_pd::<1>(sums));
        };
        four(0, _mm512_castpd512_pd256(sums));
        four(4, _mm512_extractf64x4_pd::<1>(sums));
    }
}

/// Four columns of eight rows.
#[inline(always)]
unsafe fn transpose(rows: [__m256d; SIDE]) -> [__m512d; SIDE / 2] {
    // SAFETY: the caller's.
    unsafe {
        let join = |a, b| _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(a), b);
        let rows: [_; 4] = from_fn(|row| join(rows[row], rows[row + 4]));
        let lower = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
        let upper = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
        let (even, odd) = (_mm512_unpacklo_pd(rows[0], rows[1]), _mm512_unpackhi_pd(rows[0], rows[1]));
        let (next_even, next_odd) =
            (_mm512_unpacklo_pd(rows[2], rows[3]), _mm512_unpackhi_pd(rows[2], rows[3]));
        [
            _mm512_permutex2var_pd(even, lower, next_even),
            _mm512_permutex2var_pd(odd, lower, next_odd),
            _mm512_permutex2var_pd(even, upper, next_even),
            _mm512_permutex2var_pd(odd, upper, next_odd),
        ]
    }
}
