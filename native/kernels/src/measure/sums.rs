//! Sums per label, added in the order of `numpy.bincount`: element after element.
//!
//! Runs of different labels are added up side by side ([`by_run`]). Whole numbers whose sums stay below 2^53 have the same
//! sum in any order: those of 8 and 16 bits are added up before they are told apart ([`whole`]). Where labels change often,
//! runs do not pay, and elements are added one by one ([`by_element`]).

mod by_element;
mod by_run;
mod whole;

use crate::array::packing::for_each_change;
use crate::array::sample::Sample;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::match_dtype;
use crate::measure::labelled::for_each_block;
use crate::measure::runs::{BLOCK, BlockLines, Numbering, RunBlock, for_each_run_block};
use crate::memory::CollectVec;
use by_element::{AddElements, LaneTables};
use by_run::{AddRuns, BEYOND, Itself, RunList, SquareFrom, Term, Times, TimesPlace};
use ndarray::ArrayViewD;
use std::borrow::Cow;
use whole::{AddWhole, PackedSample};

/// In a block with more runs than one per this many elements, they are counted one by one.
const SHORT_RUN: usize = 4;

/// Fewer values of 16 bits than this have sums below 2^53, which are exact.
const MOST_EXACT: usize = 1 << 37;

/// Add up how often each label occurs; labels beyond the table are passed over.
pub fn count(counts: &mut [i64], labels: &View<'_>, base: i64) {
    for_each_block(labels, base, &mut |block| dispatch(CountLabels { counts, labels: block.labels }));
}

/// Add to `sums` the values of each label from `least` on, and to `counts` how often every label occurs; labels beyond the
/// tables are passed over, and sums of labels below `least` mean nothing. With `means`, one per label, the squares of the
/// differences from them are added, and nothing is counted.
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
    least: u32,
) -> Result<()> {
    check(labels, values)?;
    // Sums that are not zero are no part of the proof.
    let exact = means.is_none() && values.len() < MOST_EXACT && sums.iter().all(|sum| *sum == 0.0);
    match values {
        View::Bool(array) if exact => add_whole(sums, counts, labels, array),
        View::U8(array) if exact => add_whole(sums, counts, labels, array),
        View::I8(array) if exact => add_whole(sums, counts, labels, array),
        View::U16(array) if exact => add_whole(sums, counts, labels, array),
        View::I16(array) if exact => add_whole(sums, counts, labels, array),
        _ => add_in_order(sums, counts, labels, values, means, least),
    }
    Ok(())
}

/// Add each label's values, or squares, in the order of its elements, and count labels.
fn add_in_order(
    sums: &mut [f64],
    counts: &mut [i64],
    labels: &View<'_>,
    values: &View<'_>,
    means: Option<&[f64]>,
    least: u32,
) {
    let mut adding = Adding::new(sums.len(), least);
    adding.for_each_block(labels, values, BlockLines::Joined, &mut |block, own| match means {
        Some(means) => own.add(sums, SquareFrom(means)),
        None => {
            own.add(sums, Itself);
            count_runs(block, counts);
        }
    });
}

/// Add to each row of `sums` the values of each label from `least` on times their index along one axis; sums of labels below
/// mean nothing.
///
/// # Errors
///
/// If the shapes are not equal, or the arrays have no axis.
pub fn moments(sums: &mut [&mut [f64]], labels: &View<'_>, values: &View<'_>, least: u32) -> Result<()> {
    check(labels, values)?;
    let mut adding = Adding::new(sums.first().map_or(0, |sums| sums.len()), least);
    let Some((along, outer)) = sums.split_last_mut() else { return Ok(()) };
    adding.for_each_block(labels, values, BlockLines::Kept, &mut |block, own| {
        for (sums, index) in outer.iter_mut().zip(block.line) {
            own.add(sums, Times(*index as f64));
        }
        own.add(along, TimesPlace(block.start));
    });
    Ok(())
}

fn check(labels: &View<'_>, values: &View<'_>) -> Result<()> {
    let shape = labels.shape();
    if values.shape() == shape && !shape.is_empty() {
        return Ok(());
    }
    let message = format!("labels of shape {shape:?} of values of shape {:?}", values.shape());
    Err(KernelError::shape(message))
}

/// The elements in C order.
fn in_c_order<'a, T: Sample>(array: &'a ArrayViewD<'_, T>) -> Cow<'a, [T]> {
    array.as_slice().map_or_else(|| Cow::Owned(array.iter().copied().collect_vec()), Cow::Borrowed)
}

/// What sums of all blocks have in common.
struct Adding {
    /// Length of the tables.
    rows: usize,
    /// Labels below have no sum.
    least: u32,
    list: RunList,
    doubles: [f64; BLOCK + BEYOND],
}

/// A block with its values as doubles.
struct Doubles<'a> {
    /// Labels element by element where runs are short; else empty.
    each: &'a [u32],
    list: &'a RunList,
    /// From the first of the block on, and some that follow it.
    values: &'a [f64],
}

impl Doubles<'_> {
    /// Add the terms of the block's elements.
    fn add<M: Term>(&self, sums: &mut [f64], term: M) {
        if self.each.is_empty() {
            dispatch(AddRuns { sums, list: self.list, values: self.values, term });
        } else {
            dispatch(AddElements { sums, labels: self.each, values: self.values, term });
        }
    }
}

impl Adding {
    fn new(rows: usize, least: u32) -> Self {
        Self { rows, least, list: RunList::new(), doubles: [0.0; BLOCK + BEYOND] }
    }

    /// Call `work` with each block and its values.
    fn for_each_block(
        &mut self,
        labels: &View<'_>,
        values: &View<'_>,
        lines: BlockLines,
        work: &mut dyn FnMut(&RunBlock<'_>, &Doubles<'_>),
    ) {
        match_dtype!(View, values, array => {
            let all = in_c_order(array);
            for_each_run_block(labels, lines, Numbering::Modulo, &mut |block| {
                let own = &all[block.position..];
                let values = match Sample::as_doubles(own) {
                    Some(doubles) => doubles,
                    None => {
                        self.convert(&own[..block.len()]);
                        &self.doubles
                    }
                };
                if block.each.is_empty() {
                    self.list.fill(block, self.least, self.rows);
                }
                work(block, &Doubles { each: block.each, list: &self.list, values });
            });
        });
    }

    /// Read a block's values as doubles.
    fn convert<T: Sample>(&mut self, values: &[T]) {
        dispatch(Convert { from: values, to: &mut self.doubles, convert: Sample::to_f64 });
    }
}

/// Add values whose sums are exact, and count labels.
fn add_whole<T: PackedSample>(
    sums: &mut [f64],
    counts: &mut [i64],
    labels: &View<'_>,
    array: &ArrayViewD<'_, T>,
) {
    let values = in_c_order(array);
    let mut lanes = LaneTables::new(sums.len(), values.len());
    let mut adding = Adding::new(sums.len(), 0);
    for_each_run_block(labels, BlockLines::Joined, Numbering::Modulo, &mut |block| {
        let values = &values[block.position..][..block.len()];
        match &mut lanes {
            Some(lanes) if !block.each.is_empty() => {
                adding.convert(values);
                lanes.add(block.each, &adding.doubles);
                if !counts.is_empty() {
                    lanes.count(block.each, counts);
                }
            }
            _ => {
                dispatch(AddWhole { sums, block, values });
                count_runs(block, counts);
            }
        }
    });
    if let Some(lanes) = lanes {
        lanes.flush(sums, counts);
    }
}

/// Count a block's labels.
fn count_runs(block: &RunBlock<'_>, counts: &mut [i64]) {
    if !counts.is_empty() {
        for (label, start, end) in block.iter() {
            if let Some(count) = counts.get_mut(label as usize) {
                *count += (end - start) as i64;
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::sample::Bool;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// Counts, sums, squares from means, and moments along both axes, element by element.
    type Tables = (Vec<i64>, Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>);

    fn plain(labels: &ArrayD<i32>, values: &ArrayD<f64>, means: &[f64]) -> Tables {
        let zeros = || vec![0.0; means.len()];
        let mut tables = (vec![0; means.len()], zeros(), zeros(), zeros(), zeros());
        for ((index, label), value) in labels.indexed_iter().zip(values) {
            let label = *label as usize;
            if label < means.len() {
                tables.0[label] += 1;
                tables.1[label] += value;
                tables.2[label] += (value - means[label]) * (value - means[label]);
                tables.3[label] += value * index[0] as f64;
                tables.4[label] += value * index[1] as f64;
            }
        }
        tables
    }

    fn found(labels: &View<'_>, values: &View<'_>, means: &[f64]) -> Tables {
        let zeros = || vec![0.0; means.len()];
        let mut tables = (vec![0; means.len()], zeros(), zeros(), zeros(), zeros());
        sum(&mut tables.1, &mut tables.0, labels, values, None, 0).unwrap();
        sum(&mut tables.2, &mut [], labels, values, Some(means), 0).unwrap();
        moments(&mut [&mut tables.3, &mut tables.4], labels, values, 0).unwrap();
        tables
    }

    proptest! {
        #[test]
        fn equals_sums_element_by_element(
            (rows, columns) in (1_usize..5, 1_usize..1500),
            longest in prop::sample::select(vec![2_usize, 5, 12, 25, 200]),
            known in prop::sample::select(vec![3_usize, 40]),
            runs in prop::collection::vec((0_usize..50, 1_usize..200), 1..90),
            values in prop::collection::vec(-1e3_f64..1e3, 1..300),
            turned in any::<bool>(),
        ) {
            let shape = if turned { [columns, rows] } else { [rows, columns] };
            let labels: Vec<i32> = runs
                .iter()
                .flat_map(|(label, len)| std::iter::repeat_n((label % (known + 2)) as i32, 1 + len % longest))
                .collect();
            let (mut labels, mut values) = (labels.iter().cycle(), values.iter().cycle());
            let mut labels = ArrayD::from_shape_simple_fn(IxDyn(&shape), || *labels.next().unwrap());
            let mut values = ArrayD::from_shape_simple_fn(IxDyn(&shape), || *values.next().unwrap());
            if turned {
                (labels, values) = (labels.reversed_axes(), values.reversed_axes());
            }
            let means: Vec<f64> = (0..known).map(|label| label as f64 * 1.5).collect();
            let marks = View::I32(labels.view());
            at_every_level(1, || {
                macro_rules! compare {
                    ($($variant:ident $type:ty),*) => {
                        $(
                            let own = values.mapv(|value| value as $type);
                            let expected = plain(&labels, &own.mapv(|value| value as f64), &means);
                            prop_assert_eq!(found(&marks, &View::$variant(own.view()), &means), expected);
                        )*
                    };
                }
                compare!(F64 f64, F32 f32, U8 u8, I8 i8, U16 u16, I16 i16, I32 i32, U64 u64);
                let mut counts = vec![0; known];
                count(&mut counts, &marks, 0);
                prop_assert_eq!(counts, plain(&labels, &values, &means).0);
                Ok(())
            })?;
        }

        #[test]
        fn labels_below_the_least_are_counted_only(
            runs in prop::collection::vec((0_u16..12, 1_usize..30), 1..90),
            values in prop::collection::vec(-1e3_f32..1e3, 3000),
        ) {
            let labels: Vec<u16> = runs.iter().flat_map(|(label, len)| std::iter::repeat_n(*label, *len)).collect();
            let values = ArrayD::from_shape_vec(vec![labels.len()], values[..labels.len()].to_vec()).unwrap();
            let labels = ArrayD::from_shape_vec(vec![labels.len()], labels).unwrap();
            let (marks, values) = (View::U16(labels.view()), View::F32(values.view()));
            let (mut all, mut some) = ((vec![0.0; 12], vec![0; 12]), (vec![0.0; 12], vec![0; 12]));
            sum(&mut all.0, &mut all.1, &marks, &values, None, 0).unwrap();
            sum(&mut some.0, &mut some.1, &marks, &values, None, 5).unwrap();
            prop_assert_eq!(&some.0[5..], &all.0[5..]);
            prop_assert_eq!(some.1, all.1);
        }
    }

    #[test]
    fn bytes_of_booleans_are_added_as_they_are() {
        let labels = ArrayD::from_shape_vec(vec![9], vec![1_u8, 1, 1, 1, 1, 0, 2, 2, 2]).unwrap();
        let values =
            ArrayD::from_shape_vec(vec![9], [1, 0, 1, 7, 255, 1, 0, 0, 1].map(Bool).to_vec()).unwrap();
        let mut sums = [0.0; 3];
        sum(&mut sums, &mut [], &View::U8(labels.view()), &View::Bool(values.view()), None, 0).unwrap();
        assert_eq!(sums, [1.0, 264.0, 1.0]);
    }

    #[test]
    fn shapes_must_be_equal() {
        let (labels, values) = (ArrayD::<u8>::zeros(vec![2, 3]), ArrayD::<f32>::zeros(vec![3, 2]));
        let (labels, values) = (View::U8(labels.view()), View::F32(values.view()));
        assert!(sum(&mut [0.0], &mut [], &labels, &values, None, 0).is_err());
        assert!(moments(&mut [&mut [0.0], &mut [0.0]], &labels, &values, 0).is_err());
    }
}
