//! Connected components of equal labels, numbered by their first pixels in C order.
//!
//! A run is a stretch of one label along a line. Runs of a line and of an earlier one that touch are found by going along
//! both at once; those of one label are joined. The root of a component is its first run.

use crate::array::index::advance;
use crate::array::packing::for_each_change;
use crate::array::sample::Sample;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory;
use std::ops::Range;

/// Pixels between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// A stretch of equal labels, not zero, along a line.
#[derive(Clone, Copy)]
struct LabelRun<T> {
    start: u32,
    end: u32,
    label: T,
}

/// An earlier line with neighbours of a line's pixels.
struct TouchedLine {
    /// From the line to the earlier one, plus one, along each axis but the last.
    offset: Vec<usize>,
    distance: usize,
    /// Whether its pixels also touch those one place further along the line.
    diagonal: bool,
}

/// Number the components of equal elements that are not zero; return how many there are.
///
/// Neighbours differ by at most one along each axis, and along `connectivity` axes at most. `labels` is C-contiguous.
///
/// # Errors
///
/// If shapes or memory layouts do not fit, or there are 2^31 - 1 elements or more.
pub fn label_regions(numbers: &mut [i32], labels: &View<'_>, connectivity: usize) -> Result<usize> {
    let shape = memory::copy(labels.shape());
    if shape.is_empty() || numbers.len() != labels.len() || labels.len() >= i32::MAX as usize {
        return Err(KernelError::shape(format!(
            "labels of shape {shape:?}: too many, or another shape than the output's"
        )));
    }
    if labels.is_empty() {
        return Ok(0);
    }
    match_dtype!(View, labels, array => {
        let labels = array.as_slice().ok_or_else(|| KernelError::shape("labels that are not C-contiguous"))?;
        Ok(number_runs(numbers, labels, &shape, connectivity))
    })
}

/// The earlier lines of the neighbourhood.
fn earlier_lines(outer: &[usize], connectivity: usize) -> Vec<TouchedLine> {
    let threes = memory::filled(3, outer.len());
    let mut offset = memory::zeros(outer.len());
    let mut lines = Vec::new();
    for _ in 0..3_usize.pow(outer.len() as u32) / 2 {
        let moved = offset.iter().filter(|offset| **offset != 1).count();
        if moved <= connectivity {
            let (mut distance, mut stride) = (0, 1);
            for (offset, len) in offset.iter().zip(outer).rev() {
                distance += (1 - *offset as isize) * stride;
                stride *= *len as isize;
            }
            let diagonal = moved < connectivity;
            memory::push(
                &mut lines,
                TouchedLine { offset: memory::copy(&offset), distance: distance as usize, diagonal },
            );
        }
        advance(&mut offset, &threes);
    }
    lines
}

fn number_runs<T: Sample>(numbers: &mut [i32], labels: &[T], shape: &[usize], connectivity: usize) -> usize {
    let Some((length, outer)) = shape.split_last() else { return 0 };
    let earlier = earlier_lines(outer, connectivity);
    let (mut runs, mut parents): (Vec<LabelRun<T>>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut lines: Vec<Range<usize>> = memory::with_capacity(labels.len() / length);
    let mut index = memory::zeros(outer.len());
    let mut unchecked = 0;
    for line in labels.chunks_exact(*length) {
        let first = runs.len();
        let mut start = 0;
        let mut add = |start: usize, end: usize| {
            if line[start] != T::default() {
                memory::push(&mut parents, runs.len() as u32);
                memory::push(
                    &mut runs,
                    LabelRun { start: start as u32, end: end as u32, label: line[start] },
                );
            }
        };
        for_each_change(line, |at| {
            add(start, at);
            start = at;
        });
        add(start, *length);
        for earlier in &earlier {
            let inside = index.iter().zip(outer).zip(&earlier.offset);
            let mut inside = inside.map(|((at, len), offset)| (1..=*len).contains(&(at + offset)));
            if runs.len() > first && inside.all(|inside| inside) {
                let other = lines[lines.len() - earlier.distance].clone();
                join(&mut parents, &runs, first, other, u32::from(earlier.diagonal));
            }
        }
        memory::push(&mut lines, first..runs.len());
        advance(&mut index, outer);
        unchecked += length;
        if unchecked >= CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
    let mut count = 0;
    // A parent lies before its runs, so it has its number already.
    for run in 0..parents.len() {
        let parent = parents[run] as usize;
        parents[run] = if parent == run {
            count += 1;
            count
        } else {
            parents[parent]
        };
    }
    for (line, runs_of_line) in numbers.chunks_exact_mut(*length).zip(lines) {
        line.fill(0);
        for run in runs_of_line {
            line[runs[run].start as usize..runs[run].end as usize].fill(parents[run] as i32);
        }
    }
    count as usize
}

/// Join the runs from `first` on with those of an earlier line that have their label and touch them.
fn join<T: Sample>(
    parents: &mut [u32],
    runs: &[LabelRun<T>],
    first: usize,
    earlier: Range<usize>,
    reach: u32,
) {
    let mut other = earlier.start;
    for (number, run) in runs.iter().enumerate().skip(first) {
        while other < earlier.end && runs[other].end + reach <= run.start {
            other += 1;
        }
        let mut touching = other;
        while touching < earlier.end && runs[touching].start < run.end + reach {
            if runs[touching].label == run.label {
                unite(parents, number as u32, touching as u32);
            }
            touching += 1;
        }
    }
}

fn root(parents: &mut [u32], mut run: u32) -> u32 {
    while parents[run as usize] != run {
        let above = parents[parents[run as usize] as usize];
        parents[run as usize] = above;
        run = above;
    }
    run
}

/// Make the earlier of both roots that of all.
fn unite(parents: &mut [u32], one: u32, other: u32) {
    let (one, other) = (root(parents, one), root(parents, other));
    parents[one.max(other) as usize] = one.min(other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pixels_are_joined_by_ways_over_equal_labels(
            shape in prop::collection::vec(1_usize..7, 1..4),
            connectivity in 1_usize..4,
            labels in prop::collection::vec(0_u8..4, 300),
        ) {
            let count: usize = shape.iter().product();
            let labels: Vec<u8> = labels.into_iter().cycle().take(count).collect();
            let array = ArrayD::from_shape_vec(shape.clone(), labels.clone()).unwrap();
            let mut found = vec![9; count];
            let total = label_regions(&mut found, &View::U8(array.view()), connectivity).unwrap();
            let places: Vec<Vec<usize>> = array.indexed_iter().map(|(at, _)| at.as_array_view().to_vec()).collect();
            let connected = |one: usize, other: usize| {
                let apart = places[one].iter().zip(&places[other]).map(|(a, b)| a.abs_diff(*b));
                let apart: Vec<usize> = apart.filter(|apart| *apart > 0).collect();
                apart.iter().all(|apart| *apart == 1) && apart.len() <= connectivity && labels[one] == labels[other]
            };
            let (mut expected, mut number) = (vec![0; count], 0);
            for start in 0..count {
                if labels[start] == 0 || expected[start] != 0 {
                    continue;
                }
                number += 1;
                expected[start] = number;
                let mut stack = vec![start];
                while let Some(at) = stack.pop() {
                    for (place, expected) in expected.iter_mut().enumerate() {
                        if *expected == 0 && connected(at, place) {
                            *expected = number;
                            stack.push(place);
                        }
                    }
                }
            }
            prop_assert_eq!((found, total), (expected, number as usize));
        }
    }
}
