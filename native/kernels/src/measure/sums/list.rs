//! The runs of a block that have a sum, as loops take them.

use super::SIDE;
use crate::exec::simd::{Kernel, Level, dispatch, level};
use crate::measure::runs::{ROOM, RunBlock};
use crate::memory;

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
        #[cfg(target_arch = "x86_64")]
        if level() == Level::Avx512 {
            // SAFETY: the level says that the processor has it.
            self.count = unsafe { super::avx512::fill(self, block, least, rows) };
            return self.fill_up();
        }
        dispatch(Fill { list: self, block, least, rows });
        self.fill_up();
    }

    /// Fill up the last [`SIDE`] with empty runs.
    fn fill_up(&mut self) {
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
