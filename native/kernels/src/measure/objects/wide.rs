//! Bounding boxes with AVX-512: runs are listed without a branch that depends on labels, and boxes widened from the list.
//!
//! ```text
//! for each line, in parts of at most CHUNK labels:
//!     if it is a copy of the line before, in the same plane, and so was that one: it takes that one's place
//!     for each 64 labels: list the places where a run of an object starts, and those after the ends of one
//! for each LISTED runs or so: widen the box of each by one maximum of all its bounds
//! ```
//!
//! Bounds are numbers of 32 bits, firsts before ends and as their negatives: eight of them fit a register.

use crate::array::index::advance;
use crate::array::packing::WORD;
use crate::array::sample::Bool;
use crate::exec::simd::{Level, level};
use crate::exec::threads;
use crate::measure::labelled::Label;
use crate::measure::runs::avx512::{GROUP, Sixteen, mask_of};
use crate::memory;
use std::arch::x86_64::*;

/// The bounds of an object along at most four axes, and numbers that mean nothing.
type Bounds = [i32; 8];

/// No element yet: less than all that is compared with it.
const NONE: i32 = i32::MIN;

/// Runs that are listed before boxes are widened.
const LISTED: usize = 256;

/// Most labels of a part of a line.
const CHUNK: usize = 1024;

/// Room for a part of a line with as many runs as labels, and what is written in vain after them.
const ROOM: usize = LISTED + CHUNK + GROUP;

/// Most boxes: they take memory beside the bounds.
const MOST_BOXES: usize = 1 << 20;

/// Boxes at first, where their number is not known.
const FIRST_BOXES: usize = 256;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// Boxes, and the shape of the array that they lie in.
pub(super) struct Boxes<'a> {
    shape: &'a [usize],
    boxes: Vec<Bounds>,
    /// Whether there is a box for each label, however large.
    grows: bool,
}

impl<'a> Boxes<'a> {
    /// For so many objects, or for all, in an array of this shape; None where there are too many, or is no AVX-512.
    pub(super) fn new(objects: Option<usize>, shape: &'a [usize]) -> Option<Self> {
        let fits = 2 * shape.len() <= size_of::<Bounds>() / size_of::<i32>()
            && shape.iter().all(|length| *length < i32::MAX as usize)
            && objects.is_none_or(|objects| objects <= MOST_BOXES);
        (fits && level() == Level::Avx512 && is_x86_feature_detected!("avx512vbmi2")).then(|| {
            let boxes = memory::filled([NONE; 8], objects.unwrap_or(FIRST_BOXES));
            Self { shape, boxes, grows: objects.is_none() }
        })
    }

    /// How many boxes there are up to the last one that is not empty.
    pub(super) fn count(&self) -> usize {
        self.boxes.iter().rposition(|own| own[0] != NONE).map_or(0, |last| last + 1)
    }

    /// Write the bounds of each object, or -1.
    pub(super) fn write(&self, bounds: &mut [i64]) {
        let rank = self.shape.len();
        for (row, own) in bounds.chunks_exact_mut(2 * rank).zip(&self.boxes) {
            row.iter_mut().zip(own).for_each(|(bound, own)| *bound = i64::from(*own));
            row[..rank].iter_mut().for_each(|first| *first = -*first);
            if own[0] == NONE {
                row.fill(-1);
            }
        }
    }

    /// Grow to have boxes for these labels; return whether they are not too many.
    #[inline(never)]
    fn grow<T: Label>(&mut self, labels: &[T]) -> bool {
        let most = labels.iter().fold(0, |most, label| most.max(label.object().saturating_add(1)));
        if most > MOST_BOXES as i64 {
            return false;
        }
        let count = (most as usize).max(2 * self.boxes.len());
        memory::resize(&mut self.boxes, count, [NONE; 8]);
        true
    }
}

/// Labels whose boxes are widened here, if they are integers.
pub(super) trait WideLabel: Label {
    /// Widen boxes, if labels are not too large; return whether it was done.
    fn widen_boxes(_labels: &[Self], _boxes: &mut Boxes<'_>) -> bool {
        false
    }
}

macro_rules! wide_label {
    ($($type:ty),*) => {
        $(impl WideLabel for $type {
            fn widen_boxes(labels: &[Self], boxes: &mut Boxes<'_>) -> bool {
                // SAFETY: there are boxes only where the processor has what it takes.
                unsafe { widen(labels, boxes) }
            }
        })*
    };
}

wide_label!(u8, i8, u16, i16, u32, i32, u64, i64);

impl WideLabel for Bool {}
impl WideLabel for f32 {}
impl WideLabel for f64 {}

/// Runs of objects.
struct FoundRuns {
    /// The negatives of their first places in the line, and the places after their last ones.
    firsts: [i32; ROOM],
    ends: [i32; ROOM],
    /// Which of the lines they lie in.
    lines: [u32; ROOM],
    count: usize,
    /// Bounds of a line, of which those along its axis are set for each run, and the place of its first label.
    bounds: [Bounds; LISTED + 2],
    places: [usize; LISTED + 2],
    /// How many lines there are; each has a run.
    bounded: usize,
}

/// Widen the boxes of the objects that are these labels, of a C-contiguous array, less one; return false if there are too many.
///
/// # Safety
///
/// The processor has AVX-512 F, BW, DQ, VL and VBMI2. Labels have 32 bits at most, and a sign if so many, if boxes grow.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn widen<T: Label + Sixteen>(labels: &[T], found: &mut Boxes<'_>) -> bool {
    let shape = found.shape;
    let Some((length, outer)) = shape.split_last() else { return false };
    let rank = shape.len();
    let mut list = FoundRuns {
        firsts: [0; ROOM],
        ends: [0; ROOM],
        lines: [0; ROOM],
        count: 0,
        bounds: [[NONE; 8]; LISTED + 2],
        places: [0; LISTED + 2],
        bounded: 0,
    };
    let mut index = memory::zeros(outer.len());
    let mut before: Option<&[T]> = None;
    // Where bounds are those of a line that is a copy of the one before: a further copy takes its place.
    let mut copy = None;
    let (mut place, mut unchecked) = (0, 0);
    for line in labels.chunks_exact((*length).max(1)) {
        let mut bounds = [NONE; 8];
        for (axis, at) in index.iter().enumerate() {
            (bounds[axis], bounds[rank + axis]) = (-(*at as i32), *at as i32 + 1);
        }
        let is_copy = index.last().is_some_and(|at| *at > 0)
            && line.len() <= CHUNK
            && before.is_some_and(|before| before == line);
        match copy.filter(|_| is_copy) {
            Some(slot) => list.bounds[slot] = bounds,
            None => {
                for (number, part) in line.chunks(CHUNK).enumerate() {
                    (list.bounds[list.bounded], list.places[list.bounded]) = (bounds, place);
                    let listed = list.count;
                    // SAFETY: the caller's; there is room for a part and its line after fewer than `LISTED` runs, and each object
                    // has a box, or gets one before the list is used.
                    unsafe {
                        let rows = if found.grows { 1 << 31 } else { found.boxes.len() as u32 };
                        let is_beyond = list.append(part, number * CHUNK, rows, found.boxes.len());
                        if found.grows && is_beyond && !found.grow(part) {
                            return false;
                        }
                        copy = (is_copy && list.count > listed).then_some(list.bounded);
                        list.bounded += usize::from(list.count > listed);
                        if list.count >= LISTED {
                            list.widen(labels, &mut found.boxes, rank);
                            copy = None;
                        }
                    }
                }
            }
        }
        place += line.len();
        before = Some(line);
        advance(&mut index, outer);
        unchecked += line.len();
        if unchecked >= CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
    // SAFETY: as above.
    unsafe { list.widen(labels, &mut found.boxes, rank) };
    true
}

/// The masks of four groups as one.
#[inline(always)]
unsafe fn joined(masks: [u16; WORD / GROUP]) -> u64 {
    let [first, second, third, fourth] = masks.map(u32::from);
    // SAFETY: the caller's.
    unsafe {
        let (lower, upper) = (_mm512_kunpackw(second, first), _mm512_kunpackw(fourth, third));
        _cvtmask64_u64(_mm512_kunpackd(u64::from(upper), u64::from(lower)))
    }
}

/// The numbers from 0 to 63.
const NUMBERS: [u8; WORD] = {
    let mut numbers = [0; WORD];
    let mut at = 0;
    while at < WORD {
        numbers[at] = at as u8;
        at += 1;
    }
    numbers
};

impl FoundRuns {
    /// Append the runs of part of a line, whose first label is at `start` in it, of objects below `rows`; return whether one,
    /// as a number with a sign, is not below `boxes`.
    ///
    /// # Safety
    ///
    /// There is room for as many runs as labels, and the processor has AVX-512 with VBMI2.
    #[inline(always)]
    unsafe fn append<T: Sixteen>(&mut self, labels: &[T], start: usize, rows: u32, boxes: usize) -> bool {
        let (mut starts, mut ends) = (self.count, self.count);
        let mut beyond = 0;
        // SAFETY: a mask has no label that is not there. At most a run per label is written, and a group in vain.
        unsafe {
            let rows = _mm512_set1_epi32(rows as i32);
            let boxes = _mm512_set1_epi32(boxes as i32);
            let line = _mm512_set1_epi32(self.bounded as i32);
            let numbers = _mm512_loadu_si512(NUMBERS.as_ptr().cast());
            let (mut before, mut inside) = (_mm512_setzero_si512(), 0);
            for at in (0..labels.len()).step_by(WORD) {
                let (mut changed, mut objects) = ([0; WORD / GROUP], [0; WORD / GROUP]);
                for part in 0..WORD / GROUP {
                    let at = at + part * GROUP;
                    // Labels that are not there have no object: a run before them ends.
                    let mask = mask_of(labels.len().saturating_sub(at));
                    let own = T::sixteen::<true>(labels.as_ptr().wrapping_add(at), mask);
                    let last = _mm512_alignr_epi32::<{ GROUP as i32 - 1 }>(own, before);
                    changed[part] = _mm512_cmpneq_epi32_mask(own, last);
                    objects[part] = _mm512_mask_cmplt_epu32_mask(mask, own, rows);
                    beyond |= _mm512_cmpge_epi32_mask(own, boxes);
                    before = own;
                }
                let (changed, objects) = (joined(changed) | u64::from(at == 0), joined(objects));
                let (begun, over) = (changed & objects, changed & (objects << 1 | inside));
                inside = objects >> (WORD - 1);
                let mut firsts = _mm512_maskz_compress_epi8(begun, numbers);
                let mut lasts = _mm512_maskz_compress_epi8(over, numbers);
                let (begun, over) = (begun.count_ones() as usize, over.count_ones() as usize);
                let base = _mm512_set1_epi32((start + at) as i32);
                let negative = _mm512_sub_epi32(_mm512_setzero_si512(), base);
                let mut done = 0;
                loop {
                    let first = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(firsts));
                    let last = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(lasts));
                    let to_firsts = self.firsts.as_mut_ptr().add(starts + done);
                    let to_lines = self.lines.as_mut_ptr().add(starts + done);
                    let to_ends = self.ends.as_mut_ptr().add(ends + done);
                    _mm512_storeu_si512(to_firsts.cast(), _mm512_sub_epi32(negative, first));
                    _mm512_storeu_si512(to_lines.cast(), line);
                    _mm512_storeu_si512(to_ends.cast(), _mm512_add_epi32(base, last));
                    done += GROUP;
                    if done >= begun.max(over) {
                        break;
                    }
                    firsts = _mm512_alignr_epi32::<4>(firsts, firsts);
                    lasts = _mm512_alignr_epi32::<4>(lasts, lasts);
                }
                starts += begun;
                ends += over;
            }
            *self.ends.as_mut_ptr().add(ends) = (start + labels.len()) as i32;
        }
        self.count = starts;
        beyond != 0
    }

    /// Widen the boxes of all runs, and begin a new list.
    ///
    /// # Safety
    ///
    /// Runs lie in `labels`, each object has a box, and the processor has AVX-512.
    #[inline(always)]
    unsafe fn widen<T: Label>(&mut self, labels: &[T], boxes: &mut [Bounds], rank: usize) {
        let (first, end) = (1 << (rank - 1), 1 << (2 * rank - 1));
        let runs = self.firsts.iter().zip(&self.ends).zip(&self.lines).take(self.count);
        for ((start, last), line) in runs {
            let line = *line as usize;
            // SAFETY: the caller's; each run lies in a line.
            unsafe {
                let place = *self.places.get_unchecked(line) + start.unsigned_abs() as usize;
                let object = labels.get_unchecked(place).object() as usize;
                let own = _mm256_loadu_si256(self.bounds.as_ptr().add(line).cast());
                let own = _mm256_mask_set1_epi32(own, first, *start);
                let own = _mm256_mask_set1_epi32(own, end, *last);
                let bounds = boxes.as_mut_ptr().add(object).cast();
                _mm256_storeu_si256(bounds, _mm256_max_epi32(_mm256_loadu_si256(bounds), own));
            }
        }
        (self.count, self.bounded) = (0, 0);
    }
}
