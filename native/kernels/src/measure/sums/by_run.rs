//! Sums of runs, each in the order of its elements.
//!
//! An addition waits for the one before it in its label. Runs of different labels wait for nothing: [`SIDE`] of them are
//! added up side by side, an element of each at a time, as lanes of one register.
//!
//! ```text
//! for SIDE runs after one another: if no two have the same label, and not all is at the end of the array:
//!     for each SIDE elements of the longest: read as many of each run, transpose them
//!         add the first ones to the sums of their labels, then the second ones ...; a run that has ended keeps its sum
//! else: add up one run after the other
//! ```
//!
//! What lies after a run's end is read and not added. Beyond [`LOCKSTEP`] elements, each run is gone on with by itself.

use crate::exec::simd::{Kernel, dispatch};
use crate::measure::runs::{ROOM, RunBlock};

/// Runs added up side by side, and elements of each that are transposed at once.
const SIDE: usize = 8;

/// Elements of a run that are added side by side with others.
const LOCKSTEP: usize = 64;

/// Elements after a block that may be read.
pub(super) const BEYOND: usize = LOCKSTEP + SIDE;

/// What is added for an element.
pub(super) trait Term: Copy {
    /// A number that the terms of a run have in common.
    fn of_run(&self, label: u32, start: usize) -> f64;

    /// The term of the element this far from the start of its run.
    fn of_element(&self, value: f64, of_run: f64, place: f64) -> f64;
}

/// The value.
#[derive(Clone, Copy)]
pub(super) struct Itself;

impl Term for Itself {
    #[inline(always)]
    fn of_run(&self, _: u32, _: usize) -> f64 {
        0.0
    }

    #[inline(always)]
    fn of_element(&self, value: f64, _: f64, _: f64) -> f64 {
        value
    }
}

/// The square of the difference from the label's mean.
#[derive(Clone, Copy)]
pub(super) struct SquareFrom<'a>(pub &'a [f64]);

impl Term for SquareFrom<'_> {
    #[inline(always)]
    fn of_run(&self, label: u32, _: usize) -> f64 {
        self.0.get(label as usize).copied().unwrap_or(0.0)
    }

    #[inline(always)]
    fn of_element(&self, value: f64, mean: f64, _: f64) -> f64 {
        let difference = value - mean;
        difference * difference
    }
}

/// The value times a number.
#[derive(Clone, Copy)]
pub(super) struct Times(pub f64);

impl Term for Times {
    #[inline(always)]
    fn of_run(&self, _: u32, _: usize) -> f64 {
        0.0
    }

    #[inline(always)]
    fn of_element(&self, value: f64, _: f64, _: f64) -> f64 {
        value * self.0
    }
}

/// The value times its place in the line, in which the block starts at this one.
#[derive(Clone, Copy)]
pub(super) struct TimesPlace(pub usize);

impl Term for TimesPlace {
    #[inline(always)]
    fn of_run(&self, _: u32, start: usize) -> f64 {
        (self.0 + start) as f64
    }

    #[inline(always)]
    fn of_element(&self, value: f64, first: f64, place: f64) -> f64 {
        // Whole numbers, of which the sum is exact.
        value * (first + place)
    }
}

/// The runs of a block that have a sum, as loops take them.
pub(super) struct RunList {
    labels: [u32; ROOM],
    starts: [u32; ROOM],
    lengths: [u32; ROOM],
    /// Empty ones not counted, which fill up the last [`SIDE`].
    count: usize,
}

impl RunList {
    pub(super) fn new() -> Self {
        Self { labels: [0; ROOM], starts: [0; ROOM], lengths: [0; ROOM], count: 0 }
    }

    /// Take the runs of labels from `least` on and below `rows`.
    pub(super) fn fill(&mut self, block: &RunBlock<'_>, least: u32, rows: usize) {
        dispatch(Fill { list: self, block, least, rows });
    }
}

struct Fill<'a, 'b> {
    list: &'a mut RunList,
    block: &'a RunBlock<'b>,
    least: u32,
    rows: usize,
}

impl Kernel for Fill<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { list, block, least, rows } = self;
        let mut count = 0;
        for (label, start, end) in block.iter() {
            (list.labels[count], list.starts[count]) = (label, start as u32);
            list.lengths[count] = (end - start) as u32;
            count += usize::from((label >= least) & ((label as usize) < rows));
        }
        for lane in 0..SIDE {
            // Labels that no table has, and no two alike.
            list.labels[count + lane] = u32::MAX - lane as u32;
            (list.starts[count + lane], list.lengths[count + lane]) = (0, 0);
        }
        list.count = count;
    }
}

/// Add the terms of the elements of runs to the sums of their labels.
pub(super) struct AddRuns<'a, M> {
    pub sums: &'a mut [f64],
    pub list: &'a RunList,
    /// From the first element of the block on: [`BEYOND`] more than it has, or all.
    pub values: &'a [f64],
    pub term: M,
}

impl<M: Term> Kernel for AddRuns<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, list, values, term } = self;
        for at in (0..list.count).step_by(SIDE) {
            add_batch(sums, list, at, values, term);
        }
    }
}

/// Add the runs of a list from `at` on, side by side if they allow it.
#[inline(always)]
fn add_batch<M: Term>(sums: &mut [f64], list: &RunList, at: usize, values: &[f64], term: M) {
    let (Some(labels), Some(starts), Some(lengths)) = (
        list.labels[at..].first_chunk::<{ 2 * SIDE }>(),
        list.starts[at..].first_chunk::<SIDE>(),
        list.lengths[at..].first_chunk::<SIDE>(),
    ) else {
        return;
    };
    let longest = lengths.iter().fold(0, |longest, length| longest.max(*length)) as usize;
    let last = starts.iter().fold(0, |last, start| last.max(*start)) as usize;
    let together = longest.min(LOCKSTEP);
    if has_twins(labels) || last + together + SIDE > values.len() {
        return add_one_by_one(sums, list, at, 0, values, term);
    }
    let (mut lanes, mut of_run) = ([0.0; SIDE], [0.0; SIDE]);
    for lane in 0..SIDE {
        lanes[lane] = sums.get(labels[lane] as usize).copied().unwrap_or(0.0);
        of_run[lane] = term.of_run(labels[lane], starts[lane] as usize);
    }
    let mut place = 0;
    while place + SIDE / 2 < together {
        add_tile::<M, SIDE, { SIDE * SIDE }>(&mut lanes, starts, lengths, &of_run, place, values, term);
        place += SIDE;
    }
    if place < together {
        const HALF: usize = SIDE / 2;
        add_tile::<M, HALF, { HALF * SIDE }>(&mut lanes, starts, lengths, &of_run, place, values, term);
    }
    for lane in 0..SIDE {
        if let Some(sum) = sums.get_mut(labels[lane] as usize) {
            *sum = lanes[lane];
        }
    }
    if longest > LOCKSTEP {
        add_one_by_one(sums, list, at, LOCKSTEP, values, term);
    }
}

/// Whether two of the first [`SIDE`] labels are equal. Those after them are compared in vain, which is faster than not to.
#[inline(always)]
fn has_twins(labels: &[u32; 2 * SIDE]) -> bool {
    let mut any = false;
    for turn in 1..SIDE {
        for lane in 0..SIDE {
            any |= (labels[lane] == labels[lane + turn]) & (lane + turn < SIDE);
        }
    }
    any
}

/// Add `WIDTH` elements of each run, from `place` on.
#[inline(always)]
fn add_tile<M: Term, const WIDTH: usize, const TILE: usize>(
    lanes: &mut [f64; SIDE],
    starts: &[u32; SIDE],
    lengths: &[u32; SIDE],
    of_run: &[f64; SIDE],
    place: usize,
    values: &[f64],
    term: M,
) {
    let mut tile = [0.0; TILE];
    for lane in 0..SIDE {
        let row = &values[starts[lane] as usize + place..][..WIDTH];
        for column in 0..WIDTH {
            tile[lane * WIDTH + column] = row[column];
        }
    }
    // Each riffle moves one of the three bits of the run's number to the end of the index.
    let tile = riffle(&riffle(&riffle(&tile)));
    let mut left = [0; SIDE];
    for lane in 0..SIDE {
        left[lane] = i64::from(lengths[lane]) - place as i64;
    }
    for column in 0..WIDTH {
        let at = (place + column) as f64;
        for lane in 0..SIDE {
            let value = tile[column * SIDE + lane];
            let sum = lanes[lane] + term.of_element(value, of_run[lane], at);
            lanes[lane] = if left[lane] > column as i64 { sum } else { lanes[lane] };
        }
    }
}

/// Add the elements of each run from `place` on, one after the other. Not inlined: it would take registers from the loop.
#[inline(never)]
fn add_one_by_one<M: Term>(
    sums: &mut [f64],
    list: &RunList,
    at: usize,
    place: usize,
    values: &[f64],
    term: M,
) {
    for run in at..at + SIDE {
        let (label, start, length) =
            (list.labels[run], list.starts[run] as usize, list.lengths[run] as usize);
        let Some(sum) = sums.get_mut(label as usize).filter(|_| place < length) else { continue };
        let of_run = term.of_run(label, start);
        let rest = &values[start + place..start + length];
        *sum = rest
            .iter()
            .enumerate()
            .fold(*sum, |sum, (at, value)| sum + term.of_element(*value, of_run, (place + at) as f64));
    }
}

/// The elements of both halves in turn.
#[inline(always)]
fn riffle<const TILE: usize>(from: &[f64; TILE]) -> [f64; TILE] {
    let mut to = [0.0; TILE];
    for at in 0..TILE / 2 {
        to[2 * at] = from[at];
        to[2 * at + 1] = from[at + TILE / 2];
    }
    to
}
