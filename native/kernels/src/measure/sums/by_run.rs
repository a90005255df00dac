//! Sums of runs, each in the order of its elements.
//!
//! An addition waits for the one before it in its label. Runs of different labels wait for nothing: [`SIDE`] of them are
//! added up side by side, an element of each at a time, as lanes of one register.
//!
//! ```text
//! for SIDE runs after one another: if no two have the same label:
//!     for each SIDE elements of the longest: read as many of each run, transpose them
//!         add the first ones to the sums of their labels, then the second ones ...; a run that has ended keeps its sum
//! else: add up one run after the other
//! ```
//!
//! What lies after a run's end is read and not added. Beyond [`LOCKSTEP`] elements, each run is gone on with by itself.

use super::list::{LOCKSTEP, RunList, SIDE};
use super::term::Term;
use crate::exec::simd::Kernel;

/// Add the terms of the elements of runs to the sums of their labels.
pub(super) struct AddRuns<'a, M> {
    pub sums: &'a mut [f64],
    pub list: &'a RunList,
    /// From the first element of the block on, and [`BEYOND`](super::list::BEYOND) more than it has.
    pub values: &'a [f64],
    pub term: M,
}

impl<M: Term> Kernel for AddRuns<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, list, values, term } = self;
        for at in (0..list.count).step_by(SIDE) {
            let Some(labels) = list.labels[at..].first_chunk::<{ 2 * SIDE }>() else { return };
            if has_twins(labels) {
                add_one_by_one(sums, list, at, 0, values, term);
                continue;
            }
            let (mut lanes, mut of_run) = ([0.0; SIDE], [0.0; SIDE]);
            for lane in 0..SIDE {
                lanes[lane] = sums.get(labels[lane] as usize).copied().unwrap_or(0.0);
                of_run[lane] = term.of_run(labels[lane], list.starts[at + lane] as usize);
            }
            let is_done = add_batch(&mut lanes, list, at, &of_run, values, term);
            for lane in 0..SIDE {
                if let Some(sum) = sums.get_mut(labels[lane] as usize) {
                    *sum = lanes[lane];
                }
            }
            if !is_done {
                add_one_by_one(sums, list, at, LOCKSTEP, values, term);
            }
        }
    }
}

/// Add the terms of the elements of runs to sums that are in the order of the runs.
pub(super) struct AddLine<'a, M> {
    pub sums: &'a mut [f64],
    pub of_run: &'a [f64],
    pub list: &'a RunList,
    /// As of [`AddRuns`].
    pub values: &'a [f64],
    pub term: M,
}

impl<M: Term> Kernel for AddLine<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, of_run, list, values, term } = self;
        let lanes = sums.as_chunks_mut::<SIDE>().0.iter_mut().zip(of_run.as_chunks::<SIDE>().0);
        for ((lanes, of_run), at) in lanes.zip((0..list.count).step_by(SIDE)) {
            if !add_batch(lanes, list, at, of_run, values, term) {
                add_rest(lanes, list, at, of_run, values, term);
            }
        }
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

/// Add [`LOCKSTEP`] elements, or all, of each run from `at` on to its lane; return whether that were all.
#[inline(always)]
fn add_batch<M: Term>(
    lanes: &mut [f64; SIDE],
    list: &RunList,
    at: usize,
    of_run: &[f64; SIDE],
    values: &[f64],
    term: M,
) -> bool {
    let (Some(starts), Some(lengths)) =
        (list.starts[at..].first_chunk::<SIDE>(), list.lengths[at..].first_chunk::<SIDE>())
    else {
        return true;
    };
    let longest = lengths.iter().fold(0, |longest, length| longest.max(*length)) as usize;
    let together = longest.min(LOCKSTEP);
    let mut place = 0;
    while place + SIDE / 2 < together {
        add_tile::<M, SIDE, { SIDE * SIDE }>(lanes, starts, lengths, of_run, place, values, term);
        place += SIDE;
    }
    if place < together {
        const HALF: usize = SIDE / 2;
        add_tile::<M, HALF, { HALF * SIDE }>(lanes, starts, lengths, of_run, place, values, term);
    }
    longest <= LOCKSTEP
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
        let Some(sum) = sums.get_mut(list.labels[run] as usize) else { continue };
        let of_run = term.of_run(list.labels[run], list.starts[run] as usize);
        *sum = add_elements(*sum, list, run, place, of_run, values, term);
    }
}

/// Add the elements of each run after [`LOCKSTEP`] to its lane.
#[inline(never)]
fn add_rest<M: Term>(
    lanes: &mut [f64; SIDE],
    list: &RunList,
    at: usize,
    of_run: &[f64; SIDE],
    values: &[f64],
    term: M,
) {
    for lane in 0..SIDE {
        lanes[lane] = add_elements(lanes[lane], list, at + lane, LOCKSTEP, of_run[lane], values, term);
    }
}

/// Add the elements of a run from `place` on.
#[inline(always)]
fn add_elements<M: Term>(
    sum: f64,
    list: &RunList,
    run: usize,
    place: usize,
    of_run: f64,
    values: &[f64],
    term: M,
) -> f64 {
    let (start, length) = (list.starts[run] as usize, list.lengths[run] as usize);
    let rest = values[start..start + length].iter().enumerate().skip(place);
    rest.fold(sum, |sum, (at, value)| sum + term.of_element(*value, of_run, at as f64))
}
