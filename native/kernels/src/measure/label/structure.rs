//! Which earlier lines have neighbours of a line's pixels.

use crate::array::index::advance;
use crate::array::sample::Bool;
use crate::memory;
use ndarray::{ArrayViewD, Axis};

/// Which offsets from a pixel lie in the structure and in earlier lines.
pub(super) struct Neighbours {
    /// Lengths of all axes but the last.
    outer: Vec<usize>,
    /// Whether neighbours within a line are connected.
    pub joined: bool,
    pub lines: Vec<EarlierLine>,
}

/// An earlier line with neighbours of a line's pixels.
pub(super) struct EarlierLine {
    /// From the line to the earlier one, plus one, along each axis but the last: 0, 1 or 2.
    offset: Vec<usize>,
    /// How many lines before.
    pub distance: usize,
    /// First and last offset along the line, plus one: of each group of offsets without a gap.
    pub windows: Vec<(usize, usize)>,
}

impl Neighbours {
    pub(super) fn read(structure: &ArrayViewD<'_, Bool>, shape: &[usize]) -> Self {
        let last = shape.len() - 1;
        let outer = memory::copy(&shape[..last]);
        let mut strides = memory::filled(1, last);
        for axis in (1..last).rev() {
            strides[axis - 1] = strides[axis] * outer[axis];
        }
        let lanes = || structure.lanes(Axis(last)).into_iter();
        let count = lanes().len();
        let set = |lane: ndarray::ArrayView1<'_, Bool>, at: usize| lane[at].0 != 0;
        let joined = lanes().nth(count / 2).is_some_and(|lane| set(lane, 0));
        let threes = memory::filled(3, last);
        let mut offset = memory::zeros(last);
        let mut lines = Vec::new();
        for lane in lanes().take(count / 2) {
            let mut windows: Vec<(usize, usize)> = Vec::new();
            for at in (0..3).filter(|at| set(lane, *at)) {
                match windows.last_mut() {
                    // Of runs of single pixels, several may touch one.
                    Some(window) if joined && window.1 + 1 == at => window.1 = at,
                    _ => memory::push(&mut windows, (at, at)),
                }
            }
            if !windows.is_empty() {
                // The first offset that is not 1 is 0, so the sum is of an earlier line.
                let centre: usize = strides.iter().sum();
                let moved: usize = strides.iter().zip(&offset).map(|(stride, offset)| stride * offset).sum();
                let distance = centre.wrapping_sub(moved);
                memory::push(&mut lines, EarlierLine { offset: memory::copy(&offset), distance, windows });
            }
            advance(&mut offset, &threes);
        }
        Self { outer, joined, lines }
    }
}

/// Which earlier lines lie in the array, line after line.
pub(super) struct LineIndex<'a> {
    neighbours: &'a Neighbours,
    index: Vec<usize>,
    /// Of each earlier line, whether it does along all outer axes but the last.
    inside: Vec<bool>,
}

impl<'a> LineIndex<'a> {
    pub(super) fn new(neighbours: &'a Neighbours, line: usize) -> Self {
        let mut index = memory::zeros(neighbours.outer.len());
        let mut rest = line;
        for (at, len) in index.iter_mut().zip(&neighbours.outer).rev() {
            *at = rest % len;
            rest /= len;
        }
        let mut new = Self { neighbours, index, inside: memory::zeros(neighbours.lines.len()) };
        new.enter_plane();
        new
    }

    fn enter_plane(&mut self) {
        let planes = self.neighbours.outer.len().saturating_sub(1);
        for (inside, earlier) in self.inside.iter_mut().zip(&self.neighbours.lines) {
            *inside = (0..planes).all(|axis| {
                (1..=self.neighbours.outer[axis]).contains(&(self.index[axis] + earlier.offset[axis]))
            });
        }
    }

    /// The earlier lines that lie in the array.
    #[inline(always)]
    pub(super) fn earlier(&self) -> impl Iterator<Item = &'a EarlierLine> {
        let (at, len) = (self.index.last(), self.neighbours.outer.last());
        let (at, len) = (at.copied().unwrap_or(0), len.copied().unwrap_or(1));
        self.neighbours.lines.iter().zip(&self.inside).filter_map(move |(earlier, inside)| {
            let offset = earlier.offset.last().copied().unwrap_or(1);
            (*inside && (1..=len).contains(&(at + offset))).then_some(earlier)
        })
    }

    #[inline(always)]
    pub(super) fn step(&mut self) {
        advance(&mut self.index, &self.neighbours.outer);
        if self.index.last() == Some(&0) {
            self.enter_plane();
        }
    }
}
