//! The runs of a block that have a sum, as loops take them.

use crate::exec::simd::{Kernel, dispatch};
use crate::measure::run_buffer::{BLOCK, ROOM};
use crate::measure::runs::RunBlock;
use crate::memory;

/// Runs added up side by side, and elements of each that are transposed at once.
pub(super) const SIDE: usize = 8;

/// Elements of a run that are added side by side with others.
pub(super) const LOCKSTEP: usize = 64;

/// Elements after a block that may be read.
pub(super) const BEYOND: usize = LOCKSTEP + SIDE;

/// A block's values as doubles, and what may be read after them.
pub(super) type BlockDoubles = [f64; BLOCK + BEYOND];

/// Room for the runs of a block, and what is read in vain after them.
pub(super) const PLACES: usize = ROOM + 2 * SIDE;

/// The runs of a block that have a sum.
pub(super) struct RunList {
    pub labels: [u32; PLACES],
    pub starts: [u32; PLACES],
    pub lengths: [u32; PLACES],
    /// Empty ones not counted, which fill up the last [`SIDE`].
    pub count: usize,
}

impl RunList {
    pub(super) fn new() -> Self {
        Self { labels: [0; PLACES], starts: [0; PLACES], lengths: [0; PLACES], count: 0 }
    }

    /// Take the runs of labels from `least` on and below `rows`.
    pub(super) fn fill(&mut self, block: &RunBlock<'_>, least: u32, rows: usize) {
        dispatch(Fill { list: self, block, least, rows });
        self.fill_up();
    }

    /// Fill up the last [`SIDE`] with empty runs.
    pub(super) fn fill_up(&mut self) {
        for lane in 0..SIDE {
            let at = self.count + lane;
            // Labels that no table has, and no two alike.
            self.labels[at] = u32::MAX - lane as u32;
            (self.starts[at], self.lengths[at]) = (0, 0);
        }
    }

    /// Whether no two runs have the same label; `marks` has a number per label, of any value.
    pub(super) fn is_distinct(&self, marks: &mut Vec<u32>, rows: usize) -> bool {
        if marks.is_empty() {
            *marks = memory::zeros(rows);
        }
        let labels = &self.labels[..self.count];
        for (run, label) in labels.iter().enumerate() {
            marks[*label as usize] = run as u32;
        }
        labels.iter().enumerate().all(|(run, label)| marks[*label as usize] == run as u32)
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
        list.count = count;
    }
}
