//! Weighted neighbours, and the plane that they are summed in.

use crate::border::Border;
use crate::memory::CollectVec;

/// A neighbour, by its distance, and its weight.
#[derive(Debug, Clone, Copy)]
pub struct PlaneTap {
    /// Rows down.
    pub row: isize,
    /// Columns to the right.
    pub column: isize,
    /// What its value is multiplied by.
    pub weight: f64,
}

/// A plane of rows and columns, and what is summed there.
pub(super) struct KernelPlane<'a> {
    pub rows: usize,
    pub columns: usize,
    pub channels: usize,
    pub taps: &'a [PlaneTap],
    pub border: Border,
    pub fill: f64,
    /// Rows above and below that are read.
    pub above: (usize, usize),
    /// Columns before and after.
    pub beside: (usize, usize),
}

impl KernelPlane<'_> {
    /// Where the columns before and after a row come from; None where `fill` lies.
    pub fn columns_beside(&self) -> Vec<Option<usize>> {
        let (before, after) = self.beside;
        (0..before)
            .map(|column| column as isize - before as isize)
            .chain((0..after).map(|column| (self.columns + column) as isize))
            .map(|column| self.border.index(column, self.columns))
            .collect_vec()
    }
}
