//! Runs joined and labels written with AVX-512, 64 pixels at a time and without a branch per run.
//!
//! What a line's runs touch is found in words of bits:
//!
//! ```text
//! for each window of an earlier line:                               (a stage)
//!     touches = pixels where the one or the other run starts, and both are there
//!     first touches: a carry from the start of each run that none of the stages before reached goes up to its first touch,
//!         or leaves the run's end: addition does this to all runs at once
//!     numbers of runs at places: the count of starts up to each of 64 places; those at first touches are moved to the front
//!         of a register, in the order of the runs; those at later touches are pairs to be joined
//! for each 16 runs of the line: the label of the first run that they touch, or a new one
//! for each 1000 pairs or so: keep those with different parents, then unite them
//! ```
//!
//! Where a run starts in the earlier line before the window and another one in it, the run of the line that starts there
//! touches both: a pair more.
//!
//! Labels are written through a table of those of a word's runs, at most 32, in which 16 pixels are looked up at once.

use super::pack::mask_of;
use super::slab::{BEYOND, CHECK_EVERY, LineBits, Slab, line_bits, moved};
use super::structure::{LineIndex, Neighbours};
use super::unite::unite;
use crate::array::packing::{WORD, low_bits};
use crate::exec::simd::{Level, level};
use crate::exec::threads;
use crate::memory;
use std::arch::x86_64::*;

/// Numbers in a register.
const GROUP: usize = 16;

/// Pairs of runs that are joined at once.
const BATCH: usize = 1000;

/// Whether the processor has all that is used here, and may use it.
fn is_supported() -> bool {
    level() == Level::Avx512
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512bitalg")
        && is_x86_feature_detected!("avx512vpopcntdq")
}

/// Label the runs of a slab, if pixels within a line are connected; return whether it was done.
pub(super) fn join_runs(slab: &mut Slab<u32>, neighbours: &Neighbours) -> bool {
    let is_done = neighbours.joined && is_supported();
    if is_done {
        // SAFETY: the processor has the instructions.
        unsafe { join_lines(slab, neighbours) };
    }
    is_done
}

/// A window of an earlier line.
struct Stage<'a> {
    line: LineBits<'a, u32>,
    window: (usize, usize),
}

/// What the stages find of a line's runs.
struct Touches {
    /// A bit for each run that no stage before touched, and words after them; a row for each stage, and one for the end.
    untouched: Vec<u64>,
    /// The first runs touched, in the order of the line's runs; a row for each stage.
    firsts: Vec<u32>,
    /// Words and numbers per row.
    words: usize,
    room: usize,
    /// Where each stage's first runs are read.
    read: Vec<usize>,
    /// Pairs to be joined.
    own: Vec<u32>,
    other: Vec<u32>,
    pairs: usize,
}

impl Touches {
    /// For lines of so many words.
    fn new(words: usize, stages: usize) -> Self {
        // A run and a gap are two pixels. A word has no more than 64 touches, all of which are pairs, or twice, where a run starts.
        let (room, touches) = (words * WORD / 2 + WORD, BATCH + stages * words * 2 * WORD + WORD);
        let flags = room / WORD + 2;
        Self {
            untouched: memory::zeros((stages + 1) * flags),
            firsts: memory::zeros(stages * room),
            words: flags,
            room,
            read: memory::zeros(stages),
            own: memory::zeros(touches),
            other: memory::zeros(touches),
            pairs: 0,
        }
    }
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx512bitalg,avx512vpopcntdq,bmi1,bmi2,lzcnt,popcnt"
)]
fn join_lines(slab: &mut Slab<u32>, neighbours: &Neighbours) {
    let mut labels: Vec<u32> = memory::with_capacity(slab.runs + BEYOND);
    // There is no label without a run.
    let mut parents: Vec<u32> = memory::with_capacity(slab.runs + BEYOND);
    let windows = neighbours.lines.iter().map(|earlier| earlier.windows.len()).sum();
    let mut touches = Touches::new(slab.words, windows);
    let mut stages = memory::with_capacity(windows);
    let mut index = LineIndex::new(neighbours, slab.lines.start);
    let (bits, words) = ((&slab.pixels[..], &slab.starts[..], &slab.before[..]), slab.words);
    let (mut first, mut unchecked) = (0, 0);
    for number in 0..slab.lines.len() {
        let end = slab.before.get((number + 1) * words).map_or(slab.runs, |before| *before as usize);
        if end > first {
            stages.clear();
            for earlier in index.earlier().filter(|earlier| earlier.distance <= number) {
                let line = line_bits(bits, words, number - earlier.distance);
                for window in &earlier.windows {
                    memory::push(&mut stages, Stage { line, window: *window });
                }
            }
            // SAFETY: there is room for all runs of the slab, and in `touches` for the lines and stages it was made for.
            unsafe {
                let count = end - first;
                find_touches(&mut touches, line_bits(bits, words, number), &stages, (first, count));
                label_runs(&mut touches, &mut labels, &mut parents, (stages.len(), count));
                if touches.pairs >= BATCH {
                    join_pairs(&mut touches, &labels, &mut parents);
                }
            }
        }
        index.step();
        unchecked += words * WORD + 8 * (end - first);
        first = end;
        if unchecked >= CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
    // SAFETY: as above.
    unsafe { join_pairs(&mut touches, &labels, &mut parents) };
    memory::resize(&mut labels, slab.runs + BEYOND, 0);
    (slab.labels, slab.parents) = (labels, parents);
}

/// For each of 64 bits, how many are set up to it.
#[inline(always)]
unsafe fn ranks(bits: u64) -> __m512i {
    // Which of eight bytes a bit lies in, the bits up to it in its byte, and those of the bytes before.
    const BYTES: [u64; 8] = {
        let mut bytes = [0; 8];
        let mut at = 0;
        while at < 8 {
            bytes[at] = at as u64 * 0x0101_0101_0101_0101;
            at += 1;
        }
        bytes
    };
    const UP_TO: u64 = 0xff7f_3f1f_0f07_0301;
    const BEFORE: [u64; 8] = {
        let mut before = [0; 8];
        let mut at = 1;
        while at < 8 {
            before[at] = u64::MAX >> (WORD - 8 * at);
            at += 1;
        }
        before
    };
    // Of two numbers of 64 bits, the lowest byte of each eight times.
    const LOWEST: [u64; 2] = [0, 0x0808_0808_0808_0808];
    // SAFETY: the caller's; each constant is as long as the register it is read into.
    unsafe {
        let all = _mm512_set1_epi64(bits as i64);
        let own = _mm512_shuffle_epi8(all, _mm512_loadu_si512(BYTES.as_ptr().cast()));
        let own = _mm512_popcnt_epi8(_mm512_and_si512(own, _mm512_set1_epi64(UP_TO as i64)));
        let before = _mm512_popcnt_epi64(_mm512_and_si512(all, _mm512_loadu_si512(BEFORE.as_ptr().cast())));
        let lowest = _mm512_broadcast_i32x4(_mm_loadu_si128(LOWEST.as_ptr().cast()));
        _mm512_add_epi8(own, _mm512_shuffle_epi8(before, lowest))
    }
}

/// Write the ranks whose bits are set, each plus a number, and at most [`GROUP`] - 1 numbers in vain; return how many are set.
#[inline(always)]
unsafe fn append(to: *mut u32, selected: u64, ranks: __m512i, base: u32) -> usize {
    // SAFETY: the caller's.
    unsafe {
        let count = selected.count_ones() as usize;
        let base = _mm512_set1_epi32(base as i32);
        let mut packed = _mm512_maskz_compress_epi8(selected, ranks);
        let mut at = 0;
        loop {
            let group = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(to.add(at).cast(), _mm512_add_epi32(group, base));
            at += GROUP;
            if at >= count {
                return count;
            }
            packed = _mm512_alignr_epi32::<4>(packed, packed);
        }
    }
}

/// 64 bits from a place on.
#[inline(always)]
unsafe fn bits_at(bits: *const u64, at: usize) -> u64 {
    let (word, bit) = (at / WORD, at % WORD);
    // SAFETY: the caller's.
    unsafe { *bits.add(word) >> bit | *bits.add(word + 1) << 1 << (WORD - 1 - bit) }
}

/// Find what the runs of a line touch, of which the first has this number.
///
/// # Safety
///
/// `touches` was made for at least as many words and stages, and has fewer than [`BATCH`] pairs.
#[inline(always)]
unsafe fn find_touches(
    touches: &mut Touches,
    line: LineBits<'_, u32>,
    stages: &[Stage<'_>],
    (first, count): (usize, usize),
) {
    let Touches { untouched, firsts, words, room, own, other, pairs, .. } = touches;
    let flags = untouched.as_mut_ptr();
    // SAFETY: what is written is as long as what `Touches::new` has room for; see there.
    unsafe {
        for word in 0..count / WORD {
            *flags.add(word) = u64::MAX;
        }
        *flags.add(count / WORD) = low_bits(count % WORD);
        for (stage, Stage { line: earlier, window }) in stages.iter().enumerate() {
            let (was, left) = (flags.add(stage * *words), flags.add((stage + 1) * *words));
            let firsts = firsts.as_mut_ptr().add(stage * *room);
            let mut found = 0;
            // Of the runs before the word: whether the last one goes on, and no touch of it was found; those that ended, and their flags.
            let (mut is_open, mut inside, mut ended, mut unfinished) = (false, 0, 0, 0);
            for (word, (pixels, starts)) in line.pixels.iter().zip(line.starts).enumerate() {
                let (pixels, starts) = (*pixels, *starts);
                let ends = !pixels & (pixels << 1 | inside);
                inside = pixels >> (WORD - 1);
                if pixels | ends == 0 {
                    continue;
                }
                let earlier_starts = moved(earlier.starts, word, window.1);
                let mut near = moved(earlier.pixels, word, window.1) & !earlier_starts;
                for offset in window.0..window.1 {
                    near |= moved(earlier.pixels, word, offset);
                }
                let (reached, begun) = (starts & near, pixels & earlier_starts);
                let all = reached | begun;
                let before = line.before[word];
                let fresh = if stage == 0 {
                    starts
                } else {
                    _pdep_u64(bits_at(was, before as usize - first), starts)
                };
                let (sum, is_over) = fresh.overflowing_add(pixels & !all);
                let (sum, is_over_again) = sum.overflowing_add(u64::from(is_open));
                is_open = is_over | is_over_again;
                let bit = ended % WORD;
                let flags_of_ended = _pext_u64(sum, ends);
                unfinished |= flags_of_ended << bit;
                ended += ends.count_ones() as usize;
                if ended / WORD * WORD > ended - ends.count_ones() as usize {
                    *left.add(ended / WORD - 1) = unfinished;
                    unfinished = flags_of_ended >> 1 >> (WORD - 1 - bit);
                }
                if all == 0 {
                    continue;
                }
                let earlier_before = earlier.before[word]
                    .wrapping_add(match window.1 {
                        0 if word > 0 => 0_u32.wrapping_sub((earlier.starts[word - 1] >> (WORD - 1)) as u32),
                        2 => (earlier.starts[word] & 1) as u32,
                        _ => 0,
                    })
                    .wrapping_sub(1);
                let earlier_ranks = ranks(earlier_starts);
                found += append(firsts.add(found), sum & all, earlier_ranks, earlier_before);
                let (later, twice) = (all & !sum, reached & begun);
                if later | twice != 0 {
                    let own_ranks = ranks(starts);
                    for (selected, more) in [(later, 0), (twice, 1)] {
                        if selected != 0 {
                            let (own, other) = (own.as_mut_ptr().add(*pairs), other.as_mut_ptr().add(*pairs));
                            append(other, selected, earlier_ranks, earlier_before.wrapping_sub(more));
                            *pairs += append(own, selected, own_ranks, before.wrapping_sub(1));
                        }
                    }
                }
            }
            *left.add(ended / WORD) = unfinished;
        }
    }
}

/// Label the runs of a line, which are the next ones.
///
/// # Safety
///
/// As of [`find_touches`]; `labels` and `parents` have capacity for the runs, and [`BEYOND`] more.
#[inline(always)]
unsafe fn label_runs(
    touches: &mut Touches,
    labels: &mut Vec<u32>,
    parents: &mut Vec<u32>,
    (stages, count): (usize, usize),
) {
    let Touches { untouched, firsts, words, room, read, .. } = touches;
    let flags = untouched.as_ptr();
    let (first, mut made) = (labels.len(), parents.len());
    let (to, roots) = (labels.as_mut_ptr(), parents.as_mut_ptr());
    read[..stages].fill(0);
    // SAFETY: each stage has as many first runs as flags that it clears, and they are earlier runs, whose labels are there.
    unsafe {
        let places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for at in (0..count).step_by(GROUP) {
            let all = bits_at(flags, at) as u16;
            let (mut left, mut touched) = (all, _mm512_setzero_si512());
            for (stage, read) in read[..stages].iter_mut().enumerate() {
                let after = bits_at(flags.add((stage + 1) * *words), at) as u16;
                let own = _mm512_loadu_si512(firsts.as_ptr().add(stage * *room + *read).cast());
                touched = _mm512_mask_expand_epi32(touched, left & !after, own);
                *read += (left & !after).count_ones() as usize;
                left = after;
            }
            let new = _mm512_add_epi32(places, _mm512_set1_epi32(made as i32));
            _mm512_storeu_si512(roots.add(made).cast(), new);
            made += left.count_ones() as usize;
            let new = _mm512_maskz_expand_epi32(left, new);
            let own = _mm512_mask_i32gather_epi32::<4>(new, all & !left, touched, to.cast());
            _mm512_storeu_si512(to.add(first + at).cast(), own);
        }
        labels.set_len(first + count);
        parents.set_len(made);
    }
}

/// Join the labels of the pairs.
///
/// # Safety
///
/// The pairs are of runs with a label, which has a parent.
#[inline(always)]
unsafe fn join_pairs(touches: &mut Touches, labels: &[u32], parents: &mut [u32]) {
    let Touches { own, other, pairs, .. } = touches;
    let mut apart = 0;
    for at in 0..*pairs {
        // SAFETY: the caller's.
        let parent =
            |run: u32| unsafe { *parents.get_unchecked(*labels.get_unchecked(run as usize) as usize) };
        (own[apart], other[apart]) = (parent(own[at]), parent(other[at]));
        apart += usize::from(own[apart] != other[apart]);
    }
    for (own, other) in own[..apart].iter().zip(&other[..apart]) {
        unite(parents, *own as usize, *other as usize);
    }
    *pairs = 0;
}

/// Write the lines of a slab, whose runs are numbered; return whether it was done.
pub(super) fn write_lines(to: &mut [i32], slab: &Slab<u32>, len: usize) -> bool {
    let is_done = is_supported();
    if is_done {
        assert!(slab.labels.len() >= slab.runs + BEYOND && to.len() == slab.lines.len() * len);
        for (number, line) in to.chunks_exact_mut(len).enumerate() {
            // SAFETY: the processor has the instructions, and the labels of all runs are there.
            unsafe { write_line(line, slab.line(number), &slab.labels) };
        }
    }
    is_done
}

/// Write a line.
///
/// # Safety
///
/// `labels` has those of all runs, and [`BEYOND`] numbers more.
#[target_feature(
    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx512bitalg,avx512vpopcntdq,bmi1,bmi2,lzcnt,popcnt"
)]
unsafe fn write_line(to: &mut [i32], line: LineBits<'_, u32>, labels: &[u32]) {
    let mut inside = 0;
    for (word, to) in to.chunks_mut(WORD).enumerate() {
        let (pixels, starts) = (line.pixels[word], line.starts[word]);
        let valid = mask_of(to.len());
        // A run that goes on has a label, too: if it has a pixel, no more than 31 runs start in the word.
        let carried = (inside & pixels & 1) as usize;
        inside = pixels >> (WORD - 1);
        let first = (line.before[word] as usize).wrapping_sub(carried);
        // SAFETY: the caller's; a masked store writes no element whose bit is clear.
        unsafe {
            let table = labels.as_ptr().add(first);
            let (lower, upper) =
                (_mm512_loadu_si512(table.cast()), _mm512_loadu_si512(table.add(GROUP).cast()));
            let places = _mm512_add_epi8(ranks(starts), _mm512_set1_epi8(carried as i8 - 1));
            let quarters = [
                _mm512_extracti32x4_epi32::<0>(places),
                _mm512_extracti32x4_epi32::<1>(places),
                _mm512_extracti32x4_epi32::<2>(places),
                _mm512_extracti32x4_epi32::<3>(places),
            ];
            for (quarter, places) in quarters.into_iter().enumerate() {
                let at = quarter * GROUP;
                let places = _mm512_cvtepu8_epi32(places);
                let own = _mm512_maskz_permutex2var_epi32((pixels >> at) as u16, lower, places, upper);
                let to = to.as_mut_ptr().wrapping_add(at);
                if valid == u64::MAX {
                    _mm512_storeu_si512(to.cast(), own);
                } else {
                    _mm512_mask_storeu_epi32(to, (valid >> at) as u16, own);
                }
            }
        }
    }
}
