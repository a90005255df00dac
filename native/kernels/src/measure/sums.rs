//! Sums per label, added in the order of `numpy.bincount`: element after element.
//!
//! Runs of different labels are added up side by side ([`by_run`]); from line to line, sums stay where they are while labels
//! do ([`by_line`]). Whole numbers whose sums stay below 2^53 have the same
//! sum in any order: without wide registers, those of 8 and 16 bits are added up before they are told apart ([`whole`]). Where
//! labels change often, runs do not pay, and elements are added one by one ([`by_element`]).

#[cfg(target_arch = "x86_64")]
mod avx512;
mod by_element;
mod by_line;
mod by_run;
mod list;
mod term;
mod whole;

use crate::array::index::advance;
use crate::array::packing::for_each_change;
use crate::array::sample::Sample;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::match_dtype;
use crate::measure::labelled::for_each_block;
use crate::measure::run_buffer::{BLOCK, Numbering};
use crate::measure::runs::{BlockLines, RunBlock, for_each_run_block};
use crate::memory::{self, CollectVec};
use by_element::LaneTables;
use by_line::{BlockValues, Lanes, ListedRuns, Table, Turn, Way, has_wide_registers};
use list::{BEYOND, BlockDoubles, RunList};
use ndarray::ArrayViewD;
use std::borrow::Cow;
use term::{Itself, SquareFrom, Term, Times, TimesPlace};
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
/// differences from them are added, and nothing is counted. Returns the largest label; `u32::MAX` if one is negative or
/// larger.
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
) -> Result<u32> {
    add_up(sums, RunCounts { table: counts, is_listed: false }, labels, values, means, least)
}

/// As [`sum`].
fn add_up(
    sums: &mut [f64],
    counts: RunCounts<'_>,
    labels: &View<'_>,
    values: &View<'_>,
    means: Option<&[f64]>,
    least: u32,
) -> Result<u32> {
    check(labels, values)?;
    // Sums that are not zero are no part of the proof.
    let exact = means.is_none() && values.len() < MOST_EXACT && sums.iter().all(|sum| *sum == 0.0);
    Ok(match values {
        View::Bool(array) if exact => add_whole(sums, counts, labels, array, least),
        View::U8(array) if exact => add_whole(sums, counts, labels, array, least),
        View::I8(array) if exact => add_whole(sums, counts, labels, array, least),
        View::U16(array) if exact => add_whole(sums, counts, labels, array, least),
        View::I16(array) if exact => add_whole(sums, counts, labels, array, least),
        _ => match_dtype!(View, values, array => match means {
            Some(means) => add_terms(sums, RunCounts { table: &mut [], is_listed: true }, labels, array, SquareFrom(means), least),
            None => add_terms(sums, counts, labels, array, Itself, least),
        }),
    })
}

/// Write the sum of each label that is asked for, and how often it occurs: zero for one that does not. Returns whether no label
/// is negative, and none larger than the number of labels; else what was written means nothing.
///
/// # Errors
///
/// If the shapes are not equal, there are 2^32 - 1 labels or more, the arrays have no axis, or there is another number of sums
/// or counts than of labels asked for.
pub fn sum_asked(
    sums: &mut [f64],
    counts: Option<&mut [i64]>,
    labels: &View<'_>,
    values: &View<'_>,
    asked: &[i64],
) -> Result<bool> {
    let most = labels.len();
    let counted = counts.as_ref().map_or(asked.len(), |counts| counts.len());
    if sums.len() != asked.len() || counted != asked.len() || most >= u32::MAX as usize {
        let message =
            format!("{} sums and {counted} counts of {} labels, of {most}", sums.len(), asked.len());
        return Err(KernelError::shape(message));
    }
    let bounded = |label: i64| label.clamp(0, most as i64 + 1);
    let (least, end) = asked.iter().fold((most as i64, 0), |(least, end), label| {
        (least.min(bounded(*label)), end.max(bounded(label.saturating_add(1))))
    });
    let mut sums_of_all = memory::zeros(end as usize);
    let mut counts_of_all = memory::zeros(if counts.is_some() { end as usize } else { 0 });
    let counted = RunCounts { table: &mut counts_of_all, is_listed: true };
    let largest = add_up(&mut sums_of_all, counted, labels, values, None, least as u32)?;
    let row = |label: &i64| usize::try_from(*label).unwrap_or(usize::MAX);
    for (sum, label) in sums.iter_mut().zip(asked) {
        *sum = sums_of_all.get(row(label)).copied().unwrap_or(0.0);
    }
    for (count, label) in counts.unwrap_or_default().iter_mut().zip(asked) {
        *count = counts_of_all.get(row(label)).copied().unwrap_or(0);
    }
    Ok(largest as usize <= most)
}

/// Add the terms of the elements of each label in their order, and count labels; return the largest label.
fn add_terms<T: Lanes, M: Term>(
    sums: &mut [f64],
    mut counts: RunCounts<'_>,
    labels: &View<'_>,
    array: &ArrayViewD<'_, T>,
    term: M,
    least: u32,
) -> u32 {
    let mut adding = Adding::new(sums.len(), least);
    let mut table = Table::new(sums);
    adding.for_each_block(labels, array, BlockLines::Joined, &mut |turn| {
        table.add_alike(turn, term);
        counts.count(turn.block, (turn.way != Way::Elements).then_some(turn.list));
    });
    adding.largest
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
    let mut tables = sums.iter_mut().map(|sums| Table::new(sums)).collect_vec();
    let Some((along, outer)) = tables.split_last_mut() else { return Ok(()) };
    let shape = &labels.shape()[..outer.len()];
    let mut index = memory::zeros(outer.len());
    match_dtype!(View, values, array => {
        adding.for_each_block(labels, array, BlockLines::Kept, &mut |turn| {
            for (axis, table) in outer.iter_mut().enumerate() {
                index.copy_from_slice(turn.block.line);
                table.add(turn, |repeat| {
                    if repeat > 0 {
                        advance(&mut index, shape);
                    }
                    Times(index[axis] as f64)
                });
            }
            let start = turn.block.start;
            along.add_alike(turn, TimesPlace(start));
        });
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
    lists: ListedRuns,
    /// The largest label so far.
    largest: u32,
    doubles: BlockDoubles,
}

impl Adding {
    fn new(rows: usize, least: u32) -> Self {
        Self { lists: ListedRuns::new(rows, least), largest: 0, doubles: [0.0; BLOCK + BEYOND] }
    }

    /// Call `work` with each block and its values.
    fn for_each_block<T: Lanes>(
        &mut self,
        labels: &View<'_>,
        array: &ArrayViewD<'_, T>,
        lines: BlockLines,
        work: &mut dyn FnMut(&mut Turn<'_, T>),
    ) {
        let all = in_c_order(array);
        let is_wide = has_wide_registers();
        for_each_run_block(labels, lines, Numbering::Itself, &mut |block| {
            self.largest = self.largest.max(block.largest);
            let way = self.lists.list(block);
            let (all, length) = (&all[block.position..], block.len());
            let values = BlockValues { all, length, is_wide, buffer: &mut self.doubles };
            work(&mut Turn { block, way, list: &self.lists.list, values });
        });
    }
}

/// Add values whose sums are exact, and count labels; return the largest label.
fn add_whole<T: PackedSample + Lanes>(
    sums: &mut [f64],
    mut counts: RunCounts<'_>,
    labels: &View<'_>,
    array: &ArrayViewD<'_, T>,
    least: u32,
) -> u32 {
    let all = in_c_order(array);
    let mut lanes = LaneTables::new(sums.len(), all.len());
    let mut adding = Adding::new(sums.len(), least);
    let mut table = Table::new(sums);
    let is_wide = has_wide_registers();
    for_each_run_block(labels, BlockLines::Joined, Numbering::Itself, &mut |block| {
        adding.largest = adding.largest.max(block.largest);
        let (all, length) = (&all[block.position..], block.len());
        let mut values = BlockValues { all, length, is_wide, buffer: &mut adding.doubles };
        match &mut lanes {
            Some(lanes) if !block.each.is_empty() => {
                for repeat in 0..block.repeats {
                    lanes.add(block.each, values.doubles(repeat));
                    if !counts.table.is_empty() {
                        lanes.count(block.each, counts.table);
                    }
                }
            }
            _ => {
                let mut listed = None;
                if is_wide {
                    let way = adding.lists.list(block);
                    let list = &adding.lists.list;
                    table.add_alike(&mut Turn { block, way, list, values }, Itself);
                    listed = (way != Way::Elements).then_some(list);
                } else {
                    for values in all.chunks(length).take(block.repeats) {
                        dispatch(AddWhole { sums: table.sums, block, values });
                    }
                }
                counts.count(block, listed);
            }
        }
    });
    if let Some(lanes) = lanes {
        lanes.flush(sums, counts.table);
    }
    adding.largest
}

/// How often labels occur.
struct RunCounts<'a> {
    /// Empty if they are not counted.
    table: &'a mut [i64],
    /// Whether labels without a sum need no count.
    is_listed: bool,
}

impl RunCounts<'_> {
    /// Count a block's labels; `list` has its runs with a sum.
    fn count(&mut self, block: &RunBlock<'_>, list: Option<&RunList>) {
        if self.table.is_empty() {
            return;
        }
        let mut add = |label: u32, elements: usize| {
            if let Some(count) = self.table.get_mut(label as usize) {
                *count += (block.repeats * elements) as i64;
            }
        };
        match list.filter(|_| self.is_listed) {
            // A background between others would be a chain of additions to one number.
            Some(list) => {
                let runs = list.labels[..list.count].iter().zip(&list.lengths);
                runs.for_each(|(label, length)| add(*label, *length as usize));
            }
            None => block.iter().for_each(|(label, start, end)| add(label, end - start)),
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
    use ndarray::{ArrayD, Axis, IxDyn};
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
        let largest = sum(&mut tables.1, &mut tables.0, labels, values, None, 0).unwrap();
        let View::I32(array) = labels else { unreachable!("labels of another type") };
        assert_eq!(Some(largest as i32), array.iter().copied().max());
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
            repeated in any::<bool>(),
        ) {
            let shape = if turned { [columns, rows] } else { [rows, columns] };
            let labels: Vec<i32> = runs
                .iter()
                .flat_map(|(label, len)| std::iter::repeat_n((label % (known + 2)) as i32, 1 + len % longest))
                .collect();
            let (mut labels, mut values) = (labels.iter().cycle(), values.iter().cycle());
            let mut labels = ArrayD::from_shape_simple_fn(IxDyn(&shape), || *labels.next().unwrap());
            let mut values = ArrayD::from_shape_simple_fn(IxDyn(&shape), || *values.next().unwrap());
            for row in (1..shape[0]).filter(|row| repeated && row % 4 != 0) {
                let before = labels.index_axis(Axis(0), row - 1).to_owned();
                labels.index_axis_mut(Axis(0), row).assign(&before);
            }
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
                compare!(F64 f64, F32 f32, U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64);
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
    fn sums_that_are_asked_for_are_those_of_labels_that_occur() {
        let labels = ArrayD::from_shape_vec(vec![5], vec![3_i16, 1, 1, 3, 0]).unwrap();
        let values = ArrayD::from_shape_vec(vec![5], vec![1.0_f32, 2.0, 4.0, 8.0, 16.0]).unwrap();
        let (marks, values) = (View::I16(labels.view()), View::F32(values.view()));
        let asked = [3, 2, i64::MAX, -1, 1, i64::MIN, 3, 6];
        let (mut sums, mut counts) = ([7.0; 8], [7; 8]);
        assert!(sum_asked(&mut sums, Some(&mut counts), &marks, &values, &asked).unwrap());
        assert_eq!(sums, [9.0, 0.0, 0.0, 0.0, 6.0, 0.0, 9.0, 0.0]);
        assert_eq!(counts, [2, 0, 0, 0, 2, 0, 2, 0]);
        for odd in [-1_i16, 6] {
            let labels = labels.mapv(|label| if label == 0 { odd } else { label });
            assert!(!sum_asked(&mut sums, None, &View::I16(labels.view()), &values, &asked).unwrap());
        }
        assert!(sum_asked(&mut [], None, &marks, &values, &[]).unwrap());
        assert!(sum_asked(&mut sums, None, &marks, &values, &asked[1..]).is_err());
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
