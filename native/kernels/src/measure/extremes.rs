//! The smallest and the largest element of each label, and whether there are several.
//!
//! SciPy sorts the whole array, by a method that is not stable: which of several equal elements it names depends on all
//! of them. So ties, and NaN, are told to the caller.

use crate::array::packing::run_end;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::measure::labelled::{LabelBlock, Value, for_each_pair};
use crate::memory;

/// No element.
const NONE: i64 = -1;

/// The extreme elements of each label.
pub struct ExtremeTables<'a> {
    /// Position in C order of the smallest, or -1.
    pub least: &'a mut [i64],
    /// Whether another element equals the smallest.
    pub least_tied: &'a mut [u8],
    /// Position in C order of the largest, or -1.
    pub largest: &'a mut [i64],
    /// Whether another element equals the largest.
    pub largest_tied: &'a mut [u8],
}

/// Fill `tables`; labels beyond them are passed over. Return whether there is a NaN, which makes them meaningless.
///
/// # Errors
///
/// If shapes or lengths of tables are not equal, or the arrays have no axis.
pub fn extremes(tables: ExtremeTables<'_>, labels: &View<'_>, values: &View<'_>) -> Result<bool> {
    let count = tables.least.len();
    let lengths = [tables.least_tied.len(), tables.largest.len(), tables.largest_tied.len()];
    if lengths.iter().any(|len| *len != count) {
        return Err(KernelError::shape(format!("tables of {count} and {lengths:?} labels")));
    }
    match values {
        View::U64(_) | View::I64(_) => find::<i64>(tables, labels, values),
        _ => find::<f64>(tables, labels, values),
    }
}

fn find<V: Value>(tables: ExtremeTables<'_>, labels: &View<'_>, values: &View<'_>) -> Result<bool> {
    let count = tables.least.len();
    tables.least.fill(NONE);
    tables.largest.fill(NONE);
    tables.least_tied.fill(0);
    tables.largest_tied.fill(0);
    let mut least = memory::filled(V::default(), count);
    let mut largest = memory::filled(V::default(), count);
    let mut has_nan = false;
    let mut search = Search { tables, least: &mut least, largest: &mut largest };
    for_each_pair(labels, values, &mut |block, values: &[V]| {
        has_nan |= dispatch(SearchBlock { search: &mut search, block, values });
    })?;
    Ok(has_nan)
}

struct Search<'a, 'b, V> {
    tables: ExtremeTables<'a>,
    least: &'b mut [V],
    largest: &'b mut [V],
}

struct SearchBlock<'a, 'b, 'c, 'd, V> {
    search: &'a mut Search<'b, 'c, V>,
    block: LabelBlock<'d>,
    values: &'a [V],
}

/// An extreme while a run is looked at.
#[derive(Clone, Copy)]
struct RunExtreme<V> {
    value: V,
    position: i64,
    tied: bool,
}

impl<V: Value> RunExtreme<V> {
    #[inline(always)]
    fn take(&mut self, value: V, position: i64, better: bool) {
        if better {
            *self = Self { value, position, tied: false };
        } else {
            self.tied |= value == self.value;
        }
    }
}

impl<V: Value> Kernel for SearchBlock<'_, '_, '_, '_, V> {
    type Output = bool;

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn run(self) -> bool {
        let Self { search, block, values } = self;
        let labels = block.labels;
        let mut start = 0;
        while start < labels.len() {
            let end = run_end(labels, start);
            let label = labels[start] as usize;
            if label < search.least.len() {
                let tables = &mut search.tables;
                let mut low = RunExtreme {
                    value: search.least[label],
                    position: tables.least[label],
                    tied: tables.least_tied[label] != 0,
                };
                let mut high = RunExtreme {
                    value: search.largest[label],
                    position: tables.largest[label],
                    tied: tables.largest_tied[label] != 0,
                };
                for (at, value) in values[start..end].iter().enumerate() {
                    let position = (block.position + start + at) as i64;
                    low.take(*value, position, low.position == NONE || *value < low.value);
                    high.take(*value, position, high.position == NONE || *value > high.value);
                }
                search.least[label] = low.value;
                tables.least[label] = low.position;
                tables.least_tied[label] = u8::from(low.tied);
                search.largest[label] = high.value;
                tables.largest[label] = high.position;
                tables.largest_tied[label] = u8::from(high.tied);
            }
            start = end;
        }
        // NaN alone does not equal itself.
        values.iter().fold(false, |any, value| any | (value != value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_search_per_label(
            runs in prop::collection::vec((0_u8..6, 1_usize..60), 1..40),
            values in prop::collection::vec(-40_i64..40, 1..300),
        ) {
            let labels: Vec<u8> = runs.iter().flat_map(|(label, len)| std::iter::repeat_n(*label, *len)).collect();
            let values: Vec<i64> = values.iter().copied().cycle().take(labels.len()).collect();
            let shape = IxDyn(&[labels.len()]);
            let image = ArrayD::from_shape_vec(shape.clone(), values.clone()).unwrap();
            let marked = ArrayD::from_shape_vec(shape, labels.clone()).unwrap();
            for image in [View::I64(image.view()), View::F64(image.mapv(|value| value as f64).view())] {
                let (mut least, mut largest) = ([7; 5], [7; 5]);
                let (mut least_tied, mut largest_tied) = ([7; 5], [7; 5]);
                let tables = ExtremeTables {
                    least: &mut least,
                    least_tied: &mut least_tied,
                    largest: &mut largest,
                    largest_tied: &mut largest_tied,
                };
                prop_assert_eq!(extremes(tables, &View::U8(marked.view()), &image), Ok(false));
                for label in 0..5 {
                    let own = || (0..labels.len()).filter(|at| usize::from(labels[*at]) == label);
                    let expected = |extreme: Option<i64>| {
                        let equal: Vec<usize> = own().filter(|at| Some(values[*at]) == extreme).collect();
                        (equal.first().map_or(NONE, |at| *at as i64), u8::from(equal.len() > 1))
                    };
                    let (low, high) = (own().map(|at| values[at]).min(), own().map(|at| values[at]).max());
                    prop_assert_eq!((least[label], least_tied[label]), expected(low));
                    prop_assert_eq!((largest[label], largest_tied[label]), expected(high));
                }
            }
        }
    }
}
