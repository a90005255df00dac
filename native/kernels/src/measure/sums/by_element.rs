//! Sums element by element, where labels change so often that runs do not pay.
//!
//! Where sums are exact, each label has [`LANES`], which neighbouring elements are added to in turn: an addition waits for
//! none of the seven before it, wherever labels change.

use super::term::Term;
use crate::exec::simd::{Kernel, dispatch};
use crate::memory;

/// Sums of a label where any order will do.
const LANES: usize = 8;

/// Labels whose sums stay in the second cache.
const MOST_LABELS: usize = 1 << 14;

/// Labels per element that are worth adding up the sums of.
const LABELS_PER_ELEMENT: usize = 4;

/// Elements after which counts of 32 bits are added up.
const MOST_COUNTED: usize = u32::MAX as usize / 2;

/// Add the term of each element to the sum of its label.
pub(super) struct AddElements<'a, M> {
    pub sums: &'a mut [f64],
    pub labels: &'a [u32],
    pub values: &'a [f64],
    pub term: M,
}

impl<M: Term> Kernel for AddElements<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, labels, values, term } = self;
        for (at, (label, value)) in labels.iter().zip(values).enumerate() {
            if let Some(sum) = sums.get_mut(*label as usize) {
                *sum += term.of_element(*value, term.of_run(*label, at), 0.0);
            }
        }
    }
}

/// Counts, and exact sums, of each label in lanes.
pub(super) struct LaneTables {
    /// A row per label, and one for others; empty until it is needed.
    sums: Vec<[f64; LANES]>,
    counts: Vec<[u32; LANES]>,
    rows: usize,
    uncounted: usize,
}

impl LaneTables {
    /// Tables for so many labels of so many elements; none if lanes would not pay.
    pub(super) fn new(rows: usize, elements: usize) -> Option<Self> {
        let pay = rows <= MOST_LABELS && rows <= elements / LABELS_PER_ELEMENT;
        pay.then_some(Self { sums: Vec::new(), counts: Vec::new(), rows, uncounted: 0 })
    }

    pub(super) fn add(&mut self, labels: &[u32], values: &[f64]) {
        if self.sums.is_empty() {
            self.sums = memory::zeros(self.rows + 1);
        }
        dispatch(InLanes { table: &mut self.sums, labels, of: |at: usize| values[at] });
    }

    pub(super) fn count(&mut self, labels: &[u32], counts: &mut [i64]) {
        if self.uncounted + labels.len() > MOST_COUNTED {
            self.flush_counts(counts);
        }
        if self.counts.is_empty() {
            self.counts = memory::zeros(self.rows + 1);
        }
        self.uncounted += labels.len();
        dispatch(InLanes { table: &mut self.counts, labels, of: |_| 1 });
    }

    fn flush_counts(&mut self, counts: &mut [i64]) {
        self.uncounted = 0;
        for (count, lanes) in counts.iter_mut().zip(&mut self.counts) {
            *count += lanes.iter().map(|lane| i64::from(*lane)).sum::<i64>();
            *lanes = [0; LANES];
        }
    }

    /// Add what was added to sums and counts.
    pub(super) fn flush(mut self, sums: &mut [f64], counts: &mut [i64]) {
        self.flush_counts(counts);
        for (sum, lanes) in sums.iter_mut().zip(&self.sums) {
            *sum += lanes.iter().sum::<f64>();
        }
    }
}

/// Add a number per element to its label's lane for its place modulo [`LANES`]; the last row is for other labels.
struct InLanes<'a, V, F> {
    table: &'a mut [[V; LANES]],
    labels: &'a [u32],
    of: F,
}

impl<V: Copy + std::ops::AddAssign, F: Fn(usize) -> V> Kernel for InLanes<'_, V, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { table, labels, of } = self;
        let Some(last) = table.len().checked_sub(1) else { return };
        let (groups, rest) = labels.as_chunks::<LANES>();
        for (group, labels) in groups.iter().enumerate() {
            for lane in 0..LANES {
                table[(labels[lane] as usize).min(last)][lane] += of(group * LANES + lane);
            }
        }
        for (lane, label) in rest.iter().enumerate() {
            table[(*label as usize).min(last)][lane] += of(groups.len() * LANES + lane);
        }
    }
}
