//! Weight tables: which input positions an output position sums, and with which weights.

use crate::memory::{self, CollectVec};

/// For every position along one output axis: the run of input positions it sums, and their weights.
#[derive(Debug, Default)]
pub struct WeightTable {
    pub(super) runs: Vec<Run>,
    pub(super) weights: Vec<f64>,
    /// The taps of every position, if all have as many; else zero.
    pub(super) even: usize,
    /// Taps of the position that has the most.
    pub(super) longest: usize,
    /// One past the last input position that is used.
    pub(super) end: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub start: usize,
    pub first_weight: usize,
    pub len: usize,
}

impl WeightTable {
    /// Append a position that sums `weights.len()` pixels from `start` on.
    pub(super) fn push(&mut self, start: usize, weights: &[f64]) {
        let len = weights.len();
        memory::push(&mut self.runs, Run { start, first_weight: self.weights.len(), len });
        memory::extend_from_slice(&mut self.weights, weights);
        self.longest = self.longest.max(len);
        self.end = self.end.max(start.saturating_add(len));
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
    pub(super) fn evened(&self) -> Self {
        let longest = self.longest;
        let mut even = Self { even: longest, longest, end: self.end, ..Self::default() };
        memory::resize(&mut even.weights, self.len() * longest, 0.0);
        even.runs = (0..self.len())
            .map(|position| {
                let (start, weights) = self.at(position);
                // The run of most taps ends at or before `end`, so there are as many positions before it.
                let first = start.min(self.end - longest);
                let first_weight = position * longest;
                even.weights[first_weight + start - first..][..weights.len()].copy_from_slice(weights);
                Run { start: first, first_weight, len: longest }
            })
            .collect_vec();
        even
    }

    /// Whether the taps lie inside an axis of `input_len` pixels, and there are `output_len` positions.
    pub(super) fn fits(&self, input_len: usize, output_len: usize) -> bool {
        self.runs.len() == output_len && self.end <= input_len
    }
}
