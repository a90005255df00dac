//! Sums per label, added in the order of `numpy.bincount`: element after element.
//!
//! Whole numbers whose sums stay below 2^53 have the same sum in any order. Then each label has [`LANES`] sums, which
//! neighbouring elements are added to in turn: an addition waits for none of the seven before it, wherever labels change.
//! Otherwise they wait for each other, and runs of one label are added in a register; where labels change often, runs do
//! not pay.

use crate::array::packing::{for_each_change, run_end};
use crate::array::view::View;
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::measure::labelled::{LabelBlock, for_each_block, for_each_pair};
use crate::memory;

/// In a block with more runs than one per this many elements, they are added one by one.
const SHORT_RUN: usize = 4;

/// Sums of a label where any order will do.
const LANES: usize = 8;

/// Labels whose sums stay in the second cache.
const MOST_LABELS: usize = 1 << 14;

/// Labels per element that are worth adding up the sums of.
const LABELS_PER_ELEMENT: usize = 4;

/// Add up how often each label occurs; labels beyond the table are passed over.
pub fn count(counts: &mut [i64], labels: &View<'_>, base: i64) {
    for_each_block(labels, base, &mut |block| dispatch(CountLabels { counts, labels: block.labels }));
}

/// Add to `sums` the values of each label, and to `counts` how often it occurs; labels beyond the table are passed over.
/// With `means`, one per label, the squares of the differences from them are added, and nothing is counted.
///
/// # Errors
///
/// If the shapes are not equal, or the arrays have no axis.
pub fn sum(
    sums: &mut [f64],
    counts: &mut [i64],
    labels: &View<'_>,
    values: &View<'_>,
    means: Option<&[f64]>,
) -> Result<()> {
    if let Some(means) = means {
        return for_each_pair(labels, values, &mut |block, values: &[f64]| {
            dispatch(SumSquares { sums, means, labels: block.labels, values });
        });
    }
    let few = sums.len() <= MOST_LABELS && sums.len() <= values.len() / LABELS_PER_ELEMENT;
    let rows = sums.len();
    // Sums that are not zero are no part of the proof.
    if few && sums_are_exact(values) && sums.iter().all(|sum| *sum == 0.0) {
        let mut table = memory::zeros::<[f64; LANES]>(rows + 1);
        for_each_pair(labels, values, &mut |block, values: &[f64]| {
            dispatch(SumLanes { table: &mut table, labels: block.labels, values });
        })?;
        for (sum, lanes) in sums.iter_mut().zip(&table) {
            *sum = lanes.iter().sum();
        }
        if !counts.is_empty() {
            counts.iter_mut().zip(count_in_lanes(labels, rows)).for_each(|(count, more)| *count += more);
        }
        return Ok(());
    }
    for_each_pair(labels, values, &mut |block, values: &[f64]| {
        dispatch(Sum { sums, counts, labels: block.labels, values });
    })
}

/// Add to each row of `sums` the values of each label times their index along one axis.
///
/// # Errors
///
/// If the shapes are not equal, or the arrays have no axis.
pub fn moments(sums: &mut [&mut [f64]], labels: &View<'_>, values: &View<'_>) -> Result<()> {
    for_each_pair(labels, values, &mut |block, values: &[f64]| {
        dispatch(Moments { sums, block, values });
    })
}

/// Whether every sum of these values is exact: they are whole numbers, and no sum reaches 2^53.
fn sums_are_exact(values: &View<'_>) -> bool {
    let bits = match values {
        View::Bool(_) | View::U8(_) | View::I8(_) => 8,
        View::U16(_) | View::I16(_) => 16,
        View::U32(_) | View::I32(_) => 32,
        _ => return false,
    };
    (values.len() as u64) < 1 << (53 - bits)
}

/// How many elements differ from the one before them.
#[inline(always)]
fn changes(labels: &[u32]) -> usize {
    labels.iter().zip(&labels[1..]).map(|(label, next)| usize::from(label != next)).sum()
}

struct CountLabels<'a> {
    counts: &'a mut [i64],
    labels: &'a [u32],
}

impl Kernel for CountLabels<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { counts, labels } = self;
        if changes(labels) * SHORT_RUN > labels.len() {
            for label in labels {
                if let Some(count) = counts.get_mut(*label as usize) {
                    *count += 1;
                }
            }
            return;
        }
        let mut add = |start: usize, end: usize| {
            if let Some(count) = counts.get_mut(labels[start] as usize) {
                *count += (end - start) as i64;
            }
        };
        let mut start = 0;
        for_each_change(labels, |at| {
            add(start, at);
            start = at;
        });
        if !labels.is_empty() {
            add(start, labels.len());
        }
    }
}

/// How often each label below `rows` occurs.
fn count_in_lanes(labels: &View<'_>, rows: usize) -> Vec<i64> {
    let mut table = memory::zeros::<[u32; LANES]>(rows + 1);
    let mut counts = memory::zeros(rows);
    let mut unflushed = 0;
    let mut flush = |table: &mut [[u32; LANES]]| {
        for (count, lanes) in counts.iter_mut().zip(table) {
            *count += lanes.iter().map(|lane| i64::from(*lane)).sum::<i64>();
            *lanes = [0; LANES];
        }
    };
    for_each_block(labels, 0, &mut |block| {
        dispatch(CountLanes { table: &mut table, labels: block.labels });
        unflushed += block.labels.len();
        if unflushed > u32::MAX as usize / 2 {
            unflushed = 0;
            flush(&mut table);
        }
    });
    flush(&mut table);
    counts
}

/// Count each element for its label and place modulo [`LANES`]; the last row of the table is for other labels.
struct CountLanes<'a> {
    table: &'a mut [[u32; LANES]],
    labels: &'a [u32],
}

impl Kernel for CountLanes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { table, labels } = self;
        let Some(last) = table.len().checked_sub(1) else { return };
        let (groups, labels) = labels.as_chunks::<LANES>();
        for labels in groups {
            for lane in 0..LANES {
                table[(labels[lane] as usize).min(last)][lane] += 1;
            }
        }
        for (lane, label) in labels.iter().enumerate() {
            table[(*label as usize).min(last)][lane] += 1;
        }
    }
}

/// Add each element to its label's sum for this place modulo [`LANES`]; the last row of the table is for other labels.
struct SumLanes<'a> {
    table: &'a mut [[f64; LANES]],
    labels: &'a [u32],
    values: &'a [f64],
}

impl Kernel for SumLanes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { table, labels, values } = self;
        let Some(last) = table.len().checked_sub(1) else { return };
        let (label_groups, labels) = labels.as_chunks::<LANES>();
        let (value_groups, values) = values.as_chunks::<LANES>();
        for (labels, values) in label_groups.iter().zip(value_groups) {
            for lane in 0..LANES {
                table[(labels[lane] as usize).min(last)][lane] += values[lane];
            }
        }
        for (lane, (label, value)) in labels.iter().zip(values).enumerate() {
            table[(*label as usize).min(last)][lane] += value;
        }
    }
}

struct Sum<'a> {
    sums: &'a mut [f64],
    counts: &'a mut [i64],
    labels: &'a [u32],
    values: &'a [f64],
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, counts, labels, values } = self;
        if changes(labels) * SHORT_RUN > labels.len() {
            for (label, value) in labels.iter().zip(values) {
                if let Some(sum) = sums.get_mut(*label as usize) {
                    *sum += value;
                }
                if let Some(count) = counts.get_mut(*label as usize) {
                    *count += 1;
                }
            }
            return;
        }
        let mut start = 0;
        while start < labels.len() {
            let end = run_end(labels, start);
            if let Some(count) = counts.get_mut(labels[start] as usize) {
                *count += (end - start) as i64;
            }
            if let Some(sum) = sums.get_mut(labels[start] as usize) {
                *sum = values[start..end].iter().fold(*sum, |sum, value| sum + value);
            }
            start = end;
        }
    }
}

struct SumSquares<'a> {
    sums: &'a mut [f64],
    means: &'a [f64],
    labels: &'a [u32],
    values: &'a [f64],
}

impl Kernel for SumSquares<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, means, labels, values } = self;
        let by_run = changes(labels) * SHORT_RUN <= labels.len();
        let mut start = 0;
        while start < labels.len() {
            let end = if by_run { run_end(labels, start) } else { start + 1 };
            let label = labels[start] as usize;
            if let (Some(sum), Some(mean)) = (sums.get_mut(label), means.get(label)) {
                *sum = values[start..end].iter().fold(*sum, |sum, value| {
                    let difference = value - mean;
                    sum + difference * difference
                });
            }
            start = end;
        }
    }
}

struct Moments<'a, 'b, 's> {
    sums: &'a mut [&'s mut [f64]],
    block: LabelBlock<'b>,
    values: &'a [f64],
}

impl Kernel for Moments<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { sums, block, values } = self;
        let labels = block.labels;
        let by_run = changes(labels) * SHORT_RUN <= labels.len();
        let Some((along, outer)) = sums.split_last_mut() else { return };
        let mut start = 0;
        while start < labels.len() {
            let end = if by_run { run_end(labels, start) } else { start + 1 };
            let label = labels[start] as usize;
            let values = &values[start..end];
            for (sums, index) in outer.iter_mut().zip(block.line) {
                if let Some(sum) = sums.get_mut(label) {
                    let index = *index as f64;
                    *sum = values.iter().fold(*sum, |sum, value| sum + value * index);
                }
            }
            if let Some(sum) = along.get_mut(label) {
                let first = block.start + start;
                *sum = values
                    .iter()
                    .enumerate()
                    .fold(*sum, |sum, (at, value)| sum + value * (first + at) as f64);
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_sums_element_by_element(
            (rows, columns) in (1_usize..5, 1_usize..1500),
            runs in prop::collection::vec((0_i32..9, 1_usize..60), 1..90),
            values in prop::collection::vec(-1e3_f64..1e3, 1..300),
        ) {
            let shape = IxDyn(&[rows, columns]);
            let labels: Vec<i32> = runs.iter().flat_map(|(label, len)| std::iter::repeat_n(*label, *len)).collect();
            let (mut labels, mut values) = (labels.iter().cycle(), values.iter().cycle());
            let labels = ArrayD::from_shape_simple_fn(shape.clone(), || *labels.next().unwrap());
            let values = ArrayD::from_shape_simple_fn(shape, || *values.next().unwrap());
            let whole = values.mapv(|value| value as i16);
            let means: Vec<f64> = (0..8).map(|label| f64::from(label) * 1.5).collect();
            let mut expected = (vec![0_i64; 8], vec![0.0; 8], vec![0.0; 8], vec![0.0; 8], vec![0.0; 8], vec![0.0; 8]);
            for ((index, label), value) in labels.indexed_iter().zip(&values).filter(|((_, label), _)| **label < 8) {
                let label = *label as usize;
                expected.0[label] += 1;
                expected.1[label] += value;
                expected.2[label] += (value - means[label]) * (value - means[label]);
                expected.3[label] += value * index[0] as f64;
                expected.4[label] += value * index[1] as f64;
                expected.5[label] += f64::from(*value as i16);
            }
            let (labels, values) = (View::I32(labels.view()), View::F64(values.view()));
            let (mut counts, mut sums, mut squares) = (vec![0; 8], vec![0.0; 8], vec![0.0; 8]);
            count(&mut counts, &labels, 0);
            let mut fused = vec![0; 8];
            sum(&mut sums, &mut fused, &labels, &values, None).unwrap();
            prop_assert_eq!(&fused, &counts);
            sum(&mut squares, &mut [], &labels, &values, Some(&means)).unwrap();
            let (mut along_rows, mut along_columns, mut wholes) = (vec![0.0; 8], vec![0.0; 8], vec![0.0; 8]);
            moments(&mut [&mut along_rows, &mut along_columns], &labels, &values).unwrap();
            sum(&mut wholes, &mut [], &labels, &View::I16(whole.view()), None).unwrap();
            prop_assert_eq!((counts, sums, squares, along_rows, along_columns, wholes), expected);
        }
    }
}
