//! Values changed one by one: by a table that holds the result for every value of 8 or 16 bits, or by arithmetic.
//!
//! A table of `f32` for values of 8 bits is often `value * scale + offset`, rounded once. Where that gives the bytes of
//! all its entries, which are tried when the table is made, the arithmetic takes the table's place: 16 values at a time
//! instead of one load each. So does the same in `f32`, which takes half the time.

use crate::dtype::{Array, DType};
use crate::split_linear::{self, SplitLinear};
use crate::workspace::{read_in_c_order, write_in_c_order};
use ndarray::Axis;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_kernels::pointwise::linear;
use offgraph_kernels::pointwise::lookup;
use std::ops::Range;
use std::sync::Arc;

/// The result for every value, for each channel.
#[derive(Debug)]
pub struct Table {
    /// Shape (channels, 256) or (channels, 65536), in the order of the values' bits.
    entries: Array,
    /// For each channel a scale and an offset that give the same; empty if none are known.
    linear: Vec<[f64; 2]>,
    /// For each channel what gives the same in `f32`; empty if that is not known.
    split: Vec<SplitLinear>,
}

impl Table {
    /// A table of these entries. `linear` may give the same by `value * scale + offset` for each channel; it is tried.
    pub fn new(entries: &View<'_>, linear: &[[f64; 2]], is_signed: bool) -> Result<Self> {
        if entries.ndim() != 2 || !matches!(entries.shape()[1], 256 | 65536) {
            return Err(KernelError::shape(format!("a table of shape {:?}", entries.shape())));
        }
        let entries = Array::copy(entries);
        let View::F32(rows) = entries.view() else {
            return Ok(Self { entries, linear: Vec::new(), split: Vec::new() });
        };
        let gives_all = |channel: usize, of: &dyn Fn(i16) -> f32| {
            rows.index_axis(Axis(0), channel).iter().enumerate().all(|(bits, entry)| {
                let value = if is_signed { i16::from(bits as u8 as i8) } else { bits as i16 };
                of(value).to_bits() == entry.to_bits()
            })
        };
        let fits = linear.len() == rows.shape()[0] && rows.shape()[1] == 256;
        let channels = || linear.iter().copied().enumerate();
        let is_linear = fits
            && channels().all(|(channel, [scale, offset])| {
                gives_all(channel, &|value| (f64::from(value) * scale + offset) as f32)
            });
        let split = channels().map(|(_, numbers)| SplitLinear::new(numbers)).collect_vec();
        let is_split = fits
            && split
                .iter()
                .enumerate()
                .all(|(channel, split)| gives_all(channel, &|value| split.of(f32::from(value))));
        Ok(Self {
            linear: if is_linear { memory::copy(linear) } else { Vec::new() },
            split: if is_split { split } else { Vec::new() },
            entries,
        })
    }

    /// The type of the entries.
    pub fn dtype(&self) -> DType {
        self.entries.dtype()
    }

    /// Whether arithmetic takes its place.
    pub fn is_linear(&self) -> bool {
        !self.linear.is_empty() || !self.split.is_empty()
    }

    /// Whether arithmetic in `f32` does.
    pub fn is_split(&self) -> bool {
        !self.split.is_empty()
    }

    /// Look up, or compute, the values of some of the channels; those lie side by side on the last axis.
    fn change(&self, output: ViewMut<'_>, input: &View<'_>, channels: Range<usize>) -> Result<()> {
        if !self.is_linear() {
            let rows = self.entries.view();
            return lookup::lookup(output, input, &rows.slice_ranges(std::slice::from_ref(&channels)));
        }
        let ViewMut::F32(mut to) = output else {
            return Err(KernelError::parameter("bytes are scaled to float32"));
        };
        if !self.is_split() {
            return linear::scale(ViewMut::F32(to), input, &self.linear[channels]);
        }
        let to = to.as_slice_mut().expect("in C order");
        let split = &self.split[channels];
        match input {
            View::U8(from) => split_linear::scale(from.as_slice().expect("in C order"), to, split),
            View::I8(from) => split_linear::scale(from.as_slice().expect("in C order"), to, split),
            _ => return Err(KernelError::parameter("bytes are scaled")),
        }
        Ok(())
    }
}

/// An array as elements before the channels, channels, and elements after them.
fn around(shape: &[usize], channel: Option<usize>) -> Result<[usize; 3]> {
    let len = |axes: &[usize]| axes.iter().product::<usize>();
    match channel {
        None => Ok([len(shape), 1, 1]),
        Some(axis) if axis < shape.len() => Ok([len(&shape[..axis]), shape[axis], len(&shape[axis + 1..])]),
        Some(axis) => Err(KernelError::shape(format!("a channel axis {axis} of {} axes", shape.len()))),
    }
}

/// Call `work` with arrays of one shape in C order: those given, or workspaces.
pub(crate) fn in_c_order(
    input: &View<'_>,
    output: ViewMut<'_>,
    work: impl FnOnce(&View<'_>, ViewMut<'_>) -> Result<()>,
) -> Result<()> {
    if input.shape() != output.shape() {
        let shapes = (input.shape(), output.shape());
        return Err(KernelError::shape(format!("values of shapes {shapes:?} are not changed one by one")));
    }
    read_in_c_order(input, |input| write_in_c_order(output, |output| work(input, output)))
}

/// Values looked up in a table.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The result for every value.
    pub table: Arc<Table>,
    /// The axis of the channels, of all axes of the array.
    pub channel: Option<usize>,
}

impl Lookup {
    /// Look up all values of `input`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>) -> Result<()> {
        let [before, channels, after] = around(input.shape(), self.channel)?;
        let table = self.table.entries.view();
        if table.shape()[0] != channels || DType::of(&table) != DType::of_mut(&output) {
            let message = format!("a table of shape {:?} does not fit {channels} channels", table.shape());
            return Err(KernelError::shape(message));
        }
        in_c_order(input, output, |input, output| {
            if after == 1 {
                let shape = [before, channels];
                let (input, output) = (input.view().into_shape(&shape)?, output.into_shape(&shape)?);
                return self.table.change(output, &input, 0..channels);
            }
            let shape = [before * channels, after, 1];
            let mut output = output.into_shape(&shape)?;
            let input = input.view().into_shape(&shape)?;
            for (number, plane) in output.reborrow().into_images().into_iter().enumerate() {
                let channel = number % channels;
                let plane_of_input = input.image(number);
                self.table.change(plane, &plane_of_input, channel..channel + 1)?;
            }
            Ok(())
        })
    }
}

/// One operation with a number, in `f64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Value plus number.
    Add,
    /// Value minus number.
    Subtract,
    /// Value times number.
    Multiply,
    /// Value divided by number.
    Divide,
}

/// Operations in `f64`, one after the other, each rounded; the result is rounded once more to its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Arithmetic {
    /// Each with one number, or one for each channel.
    pub steps: Vec<(Operation, Vec<f64>)>,
    /// `F32` or `F64`.
    pub dtype: DType,
    /// The axis of the channels, of all axes of the array.
    pub channel: Option<usize>,
}

/// Values that are processed together.
const BLOCK: usize = 1024;

impl Arithmetic {
    /// Change all values of `input`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>) -> Result<()> {
        let [before, channels, after] = around(input.shape(), self.channel)?;
        let fits = |(_, numbers): &(Operation, Vec<f64>)| numbers.len() == 1 || numbers.len() == channels;
        if !self.steps.iter().all(fits) {
            return Err(KernelError::shape(format!("{:?} does not fit {channels} channels", self.steps)));
        }
        if input.is_empty() {
            return Ok(());
        }
        in_c_order(input, output, |input, output| {
            match_dtype!(View, input, input => {
                let from = input.as_slice().expect("in C order");
                match output {
                    ViewMut::F32(mut to) => {
                        self.change(from, to.as_slice_mut().expect("in C order"), [before, channels, after]);
                        Ok(())
                    }
                    ViewMut::F64(mut to) => {
                        self.change(from, to.as_slice_mut().expect("in C order"), [before, channels, after]);
                        Ok(())
                    }
                    _ => Err(KernelError::parameter("arithmetic gives float32 or float64")),
                }
            })
        })
    }

    fn change<I: Sample, O: Sample>(&self, from: &[I], to: &mut [O], [_, channels, after]: [usize; 3]) {
        if after > 1 || channels == 1 {
            let plane = if channels == 1 { from.len() } else { after };
            for (number, (from, to)) in from.chunks(plane).zip(to.chunks_mut(plane)).enumerate() {
                let channel = number % channels;
                let steps = self.steps.iter().map(|(operation, numbers)| {
                    (*operation, numbers[if numbers.len() == 1 { 0 } else { channel }])
                });
                let steps = steps.collect_vec();
                dispatch(Change { from, to, steps: &steps, pattern: &[] });
            }
            return;
        }
        // The numbers of all channels, as often as they fit a block.
        let pattern_len = channels * (BLOCK / channels).max(1);
        let mut pattern = memory::with_capacity(self.steps.len() * pattern_len);
        for (_, numbers) in &self.steps {
            let numbers = numbers.iter().copied().cycle().take(pattern_len);
            memory::extend(&mut pattern, numbers);
        }
        let steps = self.steps.iter().map(|(operation, _)| (*operation, 0.0)).collect_vec();
        dispatch(Change { from, to, steps: &steps, pattern: &pattern });
    }
}

struct Change<'a, I, O> {
    from: &'a [I],
    to: &'a mut [O],
    steps: &'a [(Operation, f64)],
    /// For each step a number for each value of a block; that of `steps` if empty.
    pattern: &'a [f64],
}

impl<I: Sample, O: Sample> Kernel for Change<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, steps, pattern } = self;
        let block = if pattern.is_empty() { BLOCK } else { pattern.len() / steps.len().max(1) };
        let mut values = memory::zeros::<f64>(block.min(from.len()));
        for (from, to) in from.chunks(block).zip(to.chunks_mut(block)) {
            let values = &mut values[..from.len()];
            values.iter_mut().zip(from).for_each(|(value, from)| *value = from.to_f64());
            for (number, (operation, by)) in steps.iter().enumerate() {
                if pattern.is_empty() {
                    let by = *by;
                    match operation {
                        Operation::Add => values.iter_mut().for_each(|value| *value += by),
                        Operation::Subtract => values.iter_mut().for_each(|value| *value -= by),
                        Operation::Multiply => values.iter_mut().for_each(|value| *value *= by),
                        Operation::Divide => values.iter_mut().for_each(|value| *value /= by),
                    }
                } else {
                    let each = values.iter_mut().zip(&pattern[number * block..]);
                    match operation {
                        Operation::Add => each.for_each(|(value, by)| *value += by),
                        Operation::Subtract => each.for_each(|(value, by)| *value -= by),
                        Operation::Multiply => each.for_each(|(value, by)| *value *= by),
                        Operation::Divide => each.for_each(|(value, by)| *value /= by),
                    }
                }
            }
            to.iter_mut().zip(&*values).for_each(|(to, value)| *to = O::from_f64_truncated(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ArrayD, Dimension};
    use proptest::prelude::*;

    fn normalized(value: f64, channel: usize) -> f32 {
        let (mean, std) = ([0.485, 0.456, 0.406][channel], [0.229, 0.224, 0.225][channel]);
        ((value / 255.0 - mean) / std) as f32
    }

    #[test]
    fn the_table_of_normalize_is_linear_and_a_wrong_guess_is_dropped() {
        let entries = Array2::from_shape_fn((3, 256), |(c, v)| normalized(v as f64, c)).into_dyn();
        let guess = [0, 1, 2].map(|c| {
            let (mean, std) = ([0.485, 0.456, 0.406][c], [0.229, 0.224, 0.225][c]);
            [1.0 / (255.0 * std), -mean / std]
        });
        let table = Table::new(&View::F32(entries.view()), &guess, false).unwrap();
        let wrong =
            Table::new(&View::F32(entries.view()), &guess.map(|[a, b]| [a * 1.000_001, b]), false).unwrap();
        assert!(table.is_split() && table.is_linear() && !wrong.is_linear());
        let mut in_double = Table::new(&View::F32(entries.view()), &guess, false).unwrap();
        in_double.split.clear();
        assert!(in_double.is_linear());
        let in_double = Arc::new(in_double);
        let (table, wrong) = (Arc::new(table), Arc::new(wrong));
        for (shape, channel) in [(vec![5, 7, 3], 2), (vec![3, 5, 70], 0), (vec![2, 3, 9, 1], 1)] {
            let input = ArrayD::from_shape_fn(shape.clone(), |at| {
                (0..at.ndim()).fold(7_usize, |sum, axis| sum * 31 + at[axis]) as u8
            });
            let expected =
                ArrayD::from_shape_fn(shape.clone(), |at| normalized(f64::from(input[&at]), at[channel]));
            let steps = vec![
                (Operation::Divide, vec![255.0]),
                (Operation::Subtract, vec![0.485, 0.456, 0.406]),
                (Operation::Divide, vec![0.229, 0.224, 0.225]),
            ];
            let arithmetic = Arithmetic { steps, dtype: DType::F32, channel: Some(channel) };
            let mut found = [(); 4].map(|()| ArrayD::<f32>::zeros(shape.clone()));
            let [first, second, third, fourth] = &mut found;
            Lookup { table: in_double.clone(), channel: Some(channel) }
                .run(&View::U8(input.view()), ViewMut::F32(fourth.view_mut()))
                .unwrap();
            let view = View::U8(input.view());
            Lookup { table: table.clone(), channel: Some(channel) }
                .run(&view, ViewMut::F32(first.view_mut()))
                .unwrap();
            Lookup { table: wrong.clone(), channel: Some(channel) }
                .run(&view, ViewMut::F32(second.view_mut()))
                .unwrap();
            arithmetic.run(&view, ViewMut::F32(third.view_mut())).unwrap();
            for found in &found {
                assert_eq!(found, &expected);
            }
        }
    }

    proptest! {
        #[test]
        fn arrays_in_any_order_are_changed(
            shape in prop::collection::vec(1_usize..6, 3), channel in 0_usize..3, flips in any::<[bool; 3]>(),
        ) {
            let input = ArrayD::from_shape_fn(shape.clone(), |at| (at[0] * 36 + at[1] * 6 + at[2]) as i16);
            let mut view = input.view();
            let mut output = ArrayD::<f64>::zeros(shape.clone());
            let mut to = output.view_mut();
            for (axis, flip) in flips.iter().enumerate() {
                if *flip {
                    view.invert_axis(Axis(axis));
                    to.invert_axis(Axis(axis));
                }
            }
            let numbers: Vec<f64> = (0..shape[channel]).map(|c| 0.3 + c as f64).collect();
            let steps = vec![(Operation::Multiply, numbers.clone()), (Operation::Add, vec![0.1])];
            let arithmetic = Arithmetic { steps, dtype: DType::F64, channel: Some(channel) };
            arithmetic.run(&View::I16(view.view()), ViewMut::F64(to)).unwrap();
            for (at, found) in output.indexed_iter() {
                let place = if flips[channel] { shape[channel] - 1 - at[channel] } else { at[channel] };
                prop_assert_eq!(*found, f64::from(input[&at]) * numbers[place] + 0.1);
            }
        }
    }
}
