//! Weight tables, with what is derived from them on first use.

use crate::interpolate::resize::fixed_point::tables::{Columns, Rows};
use crate::interpolate::resize::weights::WeightTable;
use crate::memory;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A weight table that keeps what is derived from it.
#[derive(Debug, Default)]
pub struct Taps {
    table: WeightTable,
    derived: Derived,
}

/// What is derived from a table on first use.
#[derive(Debug, Default)]
struct Derived {
    evened: OnceLock<Arc<Taps>>,
    columns: Mutex<Vec<(ColumnsKey, Option<Arc<Columns>>)>>,
    rows: [OnceLock<Option<Arc<Rows>>>; 2],
}

/// Planes of a pixel, and whether the loop is the AVX-512 one.
type ColumnsKey = (usize, bool);

impl Deref for Taps {
    type Target = WeightTable;

    #[inline]
    fn deref(&self) -> &WeightTable {
        &self.table
    }
}

impl Taps {
    /// An axis without positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append a position that sums `weights.len()` pixels from `start` on.
    pub fn push(&mut self, start: usize, weights: &[f64]) {
        self.table.push(start, weights);
        self.derived = Derived::default();
    }

    /// The positions from `start` on, `len` of them.
    pub fn window(&self, start: usize, len: usize) -> Self {
        let mut window = Self::new();
        for position in start..start + len {
            let (first, weights) = self.table.at(position);
            window.table.push(first, weights);
        }
        window
    }

    /// The taps of each position: the first pixel, and their weights.
    pub fn positions(&self) -> impl Iterator<Item = (usize, &[f64])> {
        (0..self.table.len()).map(|position| self.table.at(position))
    }

    /// Whether there are as many positions.
    pub fn has_positions(&self, len: usize) -> bool {
        self.table.len() == len
    }

    /// Whether both sum the same pixels with the same weights.
    pub fn equals(&self, other: &Self) -> bool {
        self.table.len() == other.table.len()
            && (0..self.table.len()).all(|position| self.table.at(position) == other.table.at(position))
    }

    /// [`WeightTable::evened`], computed once.
    pub(super) fn evened(&self) -> &Arc<Self> {
        self.derived
            .evened
            .get_or_init(|| Arc::new(Self { table: self.table.evened(), derived: Derived::default() }))
    }

    /// The table of columns for a number of planes per pixel; made by `make` on first use.
    pub(super) fn columns(
        &self,
        key: ColumnsKey,
        make: impl FnOnce() -> Option<Columns>,
    ) -> Option<Arc<Columns>> {
        let mut made = self.derived.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, columns)) = made.iter().find(|(of, _)| *of == key) {
            return columns.clone();
        }
        let columns = make().map(Arc::new);
        memory::push(&mut made, (key, columns.clone()));
        columns
    }

    /// The table of rows, for axes with negative weights or without; made by `make` on first use.
    pub(super) fn rows(&self, signed: bool, make: impl FnOnce() -> Option<Rows>) -> Option<Arc<Rows>> {
        self.derived.rows[usize::from(signed)].get_or_init(|| make().map(Arc::new)).clone()
    }
}
