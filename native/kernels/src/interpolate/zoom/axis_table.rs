//! What the positions along one output axis are made of.

use super::AxisMap;
use crate::interpolate::spline::weights;
use crate::interpolate::warp::{Options, blended_on, place, tap_index};
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// For every position along one output axis: the input positions it reads, and their weights.
pub(super) struct Line<const TAPS: usize> {
    /// Length of the input; as a tap it stands for the fill value.
    pub len: usize,
    pub taps: Vec<[usize; TAPS]>,
    pub weights: Vec<[f64; TAPS]>,
    /// Positions that are nothing but the fill value.
    pub outside: Vec<bool>,
    /// Positions that lie between two samples, for order 1.
    pub inside: Range<usize>,
    /// For each of them the first of the two, and how far behind it it lies.
    pub between: Vec<(usize, f64)>,
}

impl<const TAPS: usize> Line<TAPS> {
    /// Some positions of an output, from an input of `len` samples.
    ///
    /// `to_the_end` if the last but one sample serves a position on the last one, too.
    pub fn new(
        map: AxisMap,
        len: usize,
        positions: Range<usize>,
        to_the_end: bool,
        options: &Options,
    ) -> Self {
        let count = positions.len();
        let mut line = Self {
            len,
            taps: memory::zeros(count),
            weights: memory::zeros(count),
            outside: memory::zeros(count),
            inside: 0..0,
            between: Vec::new(),
        };
        let coordinate = |position| map.coordinate(position, options.pad);
        for (at, position) in positions.clone().enumerate() {
            match place::<TAPS>(coordinate(position), len, options.border) {
                Some((start, x)) => {
                    line.weights[at] = weights::<TAPS>(x);
                    for (tap, index) in line.taps[at].iter_mut().enumerate() {
                        *index =
                            tap_index(start.wrapping_add(tap as i64), len, options.border).unwrap_or(len);
                    }
                }
                None => line.outside[at] = true,
            }
        }
        if TAPS == 2 {
            let coordinates: Vec<f64> = positions.map(coordinate).collect_vec();
            line.inside = blended_on(&coordinates, len, to_the_end);
            let between = |x: &f64| {
                let first = (*x as usize).min(len - 2);
                (first, x - first as f64)
            };
            line.between = coordinates[line.inside.clone()].iter().map(between).collect_vec();
        }
        line
    }

    /// The ranges of the input that taps lie in, in order; those so near each other as `gap` are one.
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

    /// The same of an input that has only these ranges of samples, one behind the other: all that are read.
    pub fn of_picked(mut self, ranges: &[Range<usize>]) -> Self {
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
