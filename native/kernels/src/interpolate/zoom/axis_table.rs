//! Tables per output axis: the taps and weights of every position.

use crate::interpolate::border_taps::{first_tap, tap_index};
use crate::interpolate::intervals::linear_interior;
use crate::interpolate::options::Options;
use crate::interpolate::spline::weights;
use crate::interpolate::zoom::plan::AxisMap;
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// For every position along one output axis: the input positions it reads, and their weights.
pub(super) struct AxisTable<const TAPS: usize> {
    /// Length of the input; as a tap it stands for the fill value.
    pub len: usize,
    pub taps: Vec<[usize; TAPS]>,
    pub weights: Vec<[f64; TAPS]>,
    /// Positions that have the fill value.
    pub outside: Vec<bool>,
    /// For order 1, the positions between two samples.
    pub inside: Range<usize>,
    /// For each of these, the first of the two samples and the distance from it.
    pub between: Vec<(usize, f64)>,
}

impl<const TAPS: usize> AxisTable<TAPS> {
    /// The table of some positions of an output, for an input of `len` samples.
    ///
    /// `to_last` if the last but one sample also serves a position on the last one.
    pub fn new(map: AxisMap, len: usize, positions: Range<usize>, to_last: bool, options: &Options) -> Self {
        let count = positions.len();
        let mut table = Self {
            len,
            taps: memory::zeros(count),
            weights: memory::zeros(count),
            outside: memory::zeros(count),
            inside: 0..0,
            between: Vec::new(),
        };
        let coordinate = |position| map.coordinate(position, options.pad);
        for (at, position) in positions.clone().enumerate() {
            match first_tap::<TAPS>(coordinate(position), len, options.border) {
                Some((start, x)) => {
                    table.weights[at] = weights::<TAPS>(x);
                    for (tap, index) in table.taps[at].iter_mut().enumerate() {
                        *index =
                            tap_index(start.wrapping_add(tap as i64), len, options.border).unwrap_or(len);
                    }
                }
                None => table.outside[at] = true,
            }
        }
        if TAPS == 2 {
            let coordinates: Vec<f64> = positions.map(coordinate).collect_vec();
            table.inside = linear_interior(&coordinates, len, to_last);
            let between = |x: &f64| {
                let first = (*x as usize).min(len - 2);
                (first, x - first as f64)
            };
            table.between = coordinates[table.inside.clone()].iter().map(between).collect_vec();
        }
        table
    }

    /// The ranges of the input that are read, in order; ranges no more than `gap` apart are joined.
    pub fn reached(&self, gap: usize) -> Vec<Range<usize>> {
        let neighbours = self.between.iter().flat_map(|(first, _)| [*first, first + 1]);
        let taps = self.taps.iter().flatten().copied();
        let mut reached: Vec<usize> = taps.filter(|tap| *tap < self.len).chain(neighbours).collect_vec();
        reached.sort_unstable();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for sample in reached {
            match ranges.last_mut() {
                Some(range) if sample <= range.end + gap => range.end = range.end.max(sample + 1),
                _ => memory::push(&mut ranges, sample..sample + 1),
            }
        }
        ranges
    }

    /// The same table for an input that consists of these ranges only, one after another.
    pub fn renumbered(mut self, ranges: &[Range<usize>]) -> Self {
        let mut firsts = memory::with_capacity(ranges.len());
        let mut len = 0;
        for range in ranges {
            memory::push(&mut firsts, len);
            len += range.len();
        }
        let renumber = |sample: &mut usize| {
            let at = ranges.partition_point(|range| range.end <= *sample);
            *sample = if *sample == self.len { len } else { firsts[at] + *sample - ranges[at].start };
        };
        self.taps.iter_mut().flatten().for_each(renumber);
        self.between.iter_mut().for_each(|(first, _)| renumber(first));
        self.len = len;
        self
    }
}

/// One choice of taps on the leading axes.
pub(super) struct LeadTaps {
    /// Offset of the input row; `None` if a tap is the fill value.
    pub start: Option<usize>,
    pub weights: Vec<f64>,
}
