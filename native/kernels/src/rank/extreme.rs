//! The smallest or largest sample of any window, by range queries along one axis (see [`doubling`](crate::doubling)).

use crate::doubling::{cover, levels_for};
use crate::exec::simd::{Kernel, dispatch};
use crate::memory::{self, CollectVec};
use crate::rank::key::Key;
use crate::rank::layout::{Cells, Dim, lines};

/// Keys that are compared together: long loops for wide registers, within the first-level cache.
const BLOCK: usize = 1024;

/// The extreme key of a window, read as runs along one axis.
#[derive(Debug)]
pub(super) struct Extreme {
    largest: bool,
    /// Stride between neighbours of a run, in a padded band.
    step: usize,
    levels: u32,
    /// Level and offset of each read.
    reads: Vec<(usize, usize)>,
}

impl Extreme {
    pub(super) fn new(cells: &Cells<'_>, largest: bool) -> Self {
        let along = |axis: usize| {
            let runs = cells.lengths(axis);
            let levels = levels_for(&runs.iter().map(|run| run.1).collect_vec());
            let step = cells.strides[axis];
            let reads: Vec<_> = runs
                .iter()
                .flat_map(|&(offset, len)| {
                    cover(len, levels).map(move |(level, start)| (level, offset + start * step))
                })
                .collect_vec();
            Self { largest, step, levels, reads }
        };
        (0..cells.axes.len())
            .rev()
            .map(along)
            .min_by_key(|extreme| extreme.reads.len() + extreme.levels as usize)
            .expect("at least one axis")
    }

    /// Select for the rows of `row` samples that start at the places of `dims`.
    pub(super) fn select<K: Key>(&self, padded: &[K], dims: &[Dim], row: usize, out: &mut [K]) {
        if self.largest {
            dispatch(SelectExtreme { extreme: self, padded, dims, row, out, choose: K::max });
        } else {
            dispatch(SelectExtreme { extreme: self, padded, dims, row, out, choose: K::min });
        }
    }
}

struct SelectExtreme<'a, K, F> {
    extreme: &'a Extreme,
    padded: &'a [K],
    dims: &'a [Dim],
    row: usize,
    out: &'a mut [K],
    choose: F,
}

impl<K: Key, F: Fn(K, K) -> K> Kernel for SelectExtreme<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { extreme, padded, dims, row, out, choose } = self;
        let mut made: Vec<Vec<K>> = Vec::new();
        for level in 0..extreme.levels {
            let below = made.last().map_or(padded, Vec::as_slice);
            let ahead = &below[(extreme.step << level).min(below.len())..];
            let level = below.iter().zip(ahead).map(|(near, far)| choose(*near, *far)).collect_vec();
            memory::push(&mut made, level);
        }
        let levels: Vec<&[K]> = std::iter::once(padded).chain(made.iter().map(Vec::as_slice)).collect_vec();
        for line in lines(dims) {
            for (part, out) in out[line.out..line.out + row].chunks_mut(BLOCK).enumerate() {
                let at = line.padded + part * BLOCK;
                for (count, (level, offset)) in extreme.reads.iter().enumerate() {
                    let keys = &levels[*level][at + offset..at + offset + out.len()];
                    if count == 0 {
                        out.copy_from_slice(keys);
                    } else {
                        out.iter_mut().zip(keys).for_each(|(best, key)| *best = choose(*best, *key));
                    }
                }
            }
        }
    }
}
