//! Weight tables: which input positions an output position sums, and with which weights.

use super::fixed_point::tables::{Columns, Rows};
use crate::memory::{self, CollectVec};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// For every position along one output axis: the run of input positions it sums, and their weights.
#[derive(Debug, Default)]
pub struct Taps {
    pub(super) runs: Vec<Run>,
    pub(super) weights: Vec<f64>,
    /// The taps of every position, if all have as many; else zero.
    pub(super) even: usize,
    /// Taps of the position that has the most.
    pub(super) longest: usize,
    /// One past the last input position that is used.
    end: usize,
    derived: Derived,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub start: usize,
    pub first_weight: usize,
    pub len: usize,
}

/// What is made of a table on first use and kept with it.
#[derive(Debug, Default)]
struct Derived {
    evened: OnceLock<Arc<Taps>>,
    columns: Mutex<Vec<(ColumnsKey, Option<Arc<Columns>>)>>,
    rows: [OnceLock<Option<Arc<Rows>>>; 2],
}

/// Planes of a pixel, and whether the loop is the AVX-512 one.
type ColumnsKey = (usize, bool);

impl Taps {
    /// An axis without positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Append a position that sums `weights.len()` pixels from `start` on.
    pub fn push(&mut self, start: usize, weights: &[f64]) {
        let len = weights.len();
        memory::push(&mut self.runs, Run { start, first_weight: self.weights.len(), len });
        memory::extend_from_slice(&mut self.weights, weights);
        self.longest = self.longest.max(len);
        self.end = self.end.max(start.saturating_add(len));
        self.derived = Derived::default();
    }

    /// The first tap of a position, and its weights.
    pub(super) fn at(&self, position: usize) -> (usize, &[f64]) {
        let Run { start, first_weight, len } = self.runs[position];
        (start, &self.weights[first_weight..first_weight + len])
    }

    /// The number of output positions.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The same sums with as many taps for every position: with weights of zero before or after them, which add nothing
    /// to a sum of finite numbers.
    pub(super) fn evened(&self) -> &Arc<Self> {
        self.derived.evened.get_or_init(|| {
            let longest = self.longest;
            let mut even = Self { even: longest, longest, end: self.end, ..Self::default() };
            memory::resize(&mut even.weights, self.len() * longest, 0.0);
            even.runs = (0..self.len())
                .map(|position| {
                    let (start, weights) = self.at(position);
                    // The run of most taps ends at or before `end`, so there is room for as many before it.
                    let first = start.min(self.end - longest);
                    let first_weight = position * longest;
                    even.weights[first_weight + start - first..][..weights.len()].copy_from_slice(weights);
                    Run { start: first, first_weight, len: longest }
                })
                .collect_vec();
            Arc::new(even)
        })
    }

    /// What `make` makes of this table for pixels of so many planes.
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

    /// What `make` makes of this table, if either axis has negative weights or not.
    pub(super) fn rows(&self, signed: bool, make: impl FnOnce() -> Option<Rows>) -> Option<Arc<Rows>> {
        self.derived.rows[usize::from(signed)].get_or_init(|| make().map(Arc::new)).clone()
    }

    /// Whether the taps lie inside an axis of `input_len` pixels, and there are `output_len` positions.
    pub(super) fn fits(&self, input_len: usize, output_len: usize) -> bool {
        self.runs.len() == output_len && self.end <= input_len
    }
}
