//! The smallest or largest sample of a full box: along one axis after the other.
//!
//! Rows that lie far apart are compared in groups of neighbouring windows (van Herk, Gil and Werman): what all
//! windows of a group share is found once, and from there the group's first rows are added backwards and the rows
//! behind it forwards, about three comparisons a sample however long the window. Samples that lie near each other
//! are compared in doubled windows, from one array to another, as keys that overlap are no plain loop.

use std::ops::Range;

use super::LANES;
use super::band::store_as_double;
use super::key::{Key, Rankable};
use super::layout::{Dim, Layout, lines};
use crate::array::sample::{Cast, Sample};
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::window;

/// Axes with shorter steps are near: whole rows of so few keys would leave wide registers idle.
const SHORTEST_ROW: usize = 64;

/// Bytes of each row that are compared at once: those of a group's rows fit the first-level cache.
const CHUNK_BYTES: usize = 1024;

/// Neighbouring windows of a group.
const GROUP: usize = 8;

/// Results of short rows that are handed on together.
const TOGETHER: usize = 1024;

/// Nanoseconds of a sample, about.
const COST: usize = 2;

/// A full box, with an entry for every axis of the image.
#[derive(Clone, Copy, Debug)]
pub struct BoxWindow<'a> {
    /// Its lengths.
    pub lengths: &'a [usize],
    /// How far it is moved from its place, half its length ahead of the pixel, towards lower indices.
    pub origins: &'a [isize],
    /// What stands for the samples outside.
    pub borders: &'a [Border],
}

/// The smallest or the largest sample in the box around each pixel, stored by the line filters' cast.
///
/// NaN, of either sign, counts as larger than every number. Both arrays are in C order. Samples are compared as
/// `f64`, as SciPy does, or in their own type where the answer is the same. With several long axes that is SciPy's
/// answer only if its results between the axes lose nothing: for an output of the input's type, of less than 64 bits
/// or of floats, and `fill` in its range.
///
/// # Errors
///
/// When the window does not belong to the image or lies beside the pixel, and when a band of the image with its
/// border would take more memory than a call may: then a smaller part of the image may be filtered.
pub fn box_extremum(
    input: &View<'_>,
    mut output: ViewMut<'_>,
    window: BoxWindow<'_>,
    largest: bool,
    fill: f64,
) -> Result<()> {
    if input.shape() != output.shape() {
        return Err(KernelError::shape("the input and the output have different shapes"));
    }
    let outside =
        window.borders.iter().any(|border| matches!(border, Border::Constant | Border::GridConstant));
    match_dtype!(View, input, array => {
        let data = array.as_slice().ok_or_else(|| KernelError::shape("the input is not in C order"))?;
        if keeps_its_type(data, &mut output, outside.then_some(fill)) {
            filter(data, input.shape(), output, window, largest, truncated(data, fill), |sample| sample)
        } else {
            filter(data, input.shape(), output, window, largest, fill, Sample::to_f64)
        }
    })
}

/// Whether samples may be compared in their own type, and are stored in it.
fn keeps_its_type<T: Rankable>(_: &[T], output: &mut ViewMut<'_>, fill: Option<f64>) -> bool {
    // A cast that keeps the order gives the cast of the best for the best of casts; one that wraps does not keep it.
    let in_range = |fill: f64| !T::FINITE || T::from_f64_truncated(fill).to_f64() == fill.trunc();
    T::FITS_DOUBLE && T::slice_of(output).is_some() && fill.is_none_or(in_range)
}

fn truncated<T: Sample>(_: &[T], fill: f64) -> T {
    T::from_f64_truncated(fill)
}

/// Filter samples, each of them compared as what `convert` makes of it.
fn filter<T: Sample, V: Rankable>(
    data: &[T],
    shape: &[usize],
    output: ViewMut<'_>,
    window: BoxWindow<'_>,
    largest: bool,
    fill: V,
    convert: impl Fn(T) -> V + Copy + Sync,
) -> Result<()> {
    let (mut lengths, mut origins) = (Vec::new(), Vec::new());
    for ((length, origin), size) in window.lengths.iter().zip(window.origins).zip(shape) {
        let before = window::before(*length, *origin)?;
        // Beyond twice the axis's length a border brings no sample that was not there before.
        let most = size.saturating_mul(2);
        let (before, after) = (before.min(most), (length - 1 - before).min(most));
        memory::push(&mut lengths, before + 1 + after);
        memory::push(&mut origins, before as isize - ((before + 1 + after) / 2) as isize);
    }
    let key_bytes = size_of::<V::Key>();
    let mut layout = Layout::new(shape, &lengths, &origins, window.borders, key_bytes)?;
    if data.is_empty() {
        return Ok(());
    }
    if !layout.fit(key_bytes) {
        return Err(KernelError::memory(format!(
            "a window of {lengths:?} samples is too large for {shape:?} at once"
        )));
    }
    let boxes = FullBox::new(&layout, largest);
    layout.for_each_band(output, COST, |rows, padded, mut output| {
        layout.pad(data, &rows, |sample| convert(sample).key(), fill.key(), padded);
        let mut dims = layout.dims(rows.len());
        let row = dims.pop().map_or(0, |last| last.len * last.out);
        if let Some(output) = V::slice_of(&mut output) {
            boxes.select(padded, &dims, row, &mut |place, keys| {
                let to = &mut output[place..place + keys.len()];
                dispatch(Convert { from: keys, to, convert: V::from_key });
            });
        } else {
            let mut keys = memory::zeros(output.len());
            boxes.select(padded, &dims, row, &mut |place, selected| {
                keys[place..place + selected.len()].copy_from_slice(selected);
            });
            store_as_double::<V>(&keys, false, Cast::Truncated, output);
        }
    })
}

/// A window of `len` samples along an axis with steps of `step` and `count` positions, in a padded band.
#[derive(Clone, Copy, Debug)]
struct Along {
    len: usize,
    step: usize,
    count: usize,
}

/// A full box, as its axes.
#[derive(Debug)]
struct FullBox {
    axes: Vec<Along>,
    largest: bool,
}

impl FullBox {
    fn new(layout: &Layout, largest: bool) -> Self {
        let axes = layout.axes.iter().zip(&layout.padded_strides);
        let along = axes.map(|(axis, step)| Along {
            len: axis.window,
            step: *step,
            count: axis.len + axis.window - 1,
        });
        Self { axes: along.collect_vec(), largest }
    }

    /// Give `sink` the extreme keys of the boxes that begin at the places of `dims`, in rows of `row` keys.
    ///
    /// The band, which `padded` begins with, is used up.
    fn select<K: Key>(&self, padded: &mut [K], dims: &[Dim], row: usize, sink: &mut dyn FnMut(usize, &[K])) {
        let axes = &self.axes;
        if self.largest {
            dispatch(Select { axes, padded, dims, row, sink, choose: K::max });
        } else {
            dispatch(Select { axes, padded, dims, row, sink, choose: K::min });
        }
    }
}

struct Select<'a, K, F> {
    axes: &'a [Along],
    padded: &'a mut [K],
    dims: &'a [Dim],
    row: usize,
    sink: &'a mut dyn FnMut(usize, &[K]),
    choose: F,
}

impl<K: Key, F: Fn(K, K) -> K> Kernel for Select<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { axes, padded, dims, row, sink, choose } = self;
        let band = padded.len() - LANES;
        let mut near = Near::default();
        // A near last axis is done row by row on the way out.
        let last = axes.len() - usize::from(axes.last().is_some_and(|last| last.step < SHORTEST_ROW));
        for (place, along) in axes[..last].iter().enumerate().filter(|(_, along)| along.len > 1) {
            let Along { len, step, count } = *along;
            let pitch = if place == 0 { band } else { axes[place - 1].step };
            for start in (0..band).step_by(pitch.max(1)) {
                let slab = start..start + if place == 0 { band / step * step } else { count * step };
                if step < SHORTEST_ROW {
                    let windows = slab.len() - (len - 1) * step;
                    let best = near.select(&padded[start..], windows, len, step, &choose);
                    padded[start..start + windows].copy_from_slice(best);
                } else {
                    slide_rows(&mut padded[slab], len, step, &choose);
                }
            }
        }
        match axes[last..].first() {
            // Short rows: all are compared at once, those between the windows' too, and handed on together.
            Some(Along { len, step, .. }) if *len > 1 && row < LANES => {
                let best = near.select(padded, band - (len - 1) * step, *len, *step, &choose);
                let mut rows = memory::with_capacity(TOGETHER + row);
                let mut start = 0;
                for line in lines(dims) {
                    memory::extend_from_slice(&mut rows, &best[line.padded..line.padded + row]);
                    if rows.len() >= TOGETHER {
                        sink(start, &rows);
                        start += rows.len();
                        rows.clear();
                    }
                }
                sink(start, &rows);
            }
            Some(Along { len, step, .. }) if *len > 1 => {
                for line in lines(dims) {
                    sink(line.out, near.select(&padded[line.padded..], row, *len, *step, &choose));
                }
            }
            _ => lines(dims).for_each(|line| sink(line.out, &padded[line.padded..line.padded + row])),
        }
    }
}

/// Two arrays that take turns.
#[derive(Default)]
struct Near<K> {
    from: Vec<K>,
    to: Vec<K>,
}

impl<K: Key> Near<K> {
    /// The best of each of the first `windows` keys and those up to `len - 1` > 0 steps ahead.
    ///
    /// The best of 2k samples is the better of two bests of k; the last step overlaps. There are [`LANES`] keys more,
    /// or not even as many windows.
    #[inline(always)]
    fn select(
        &mut self,
        keys: &[K],
        windows: usize,
        len: usize,
        step: usize,
        choose: &impl Fn(K, K) -> K,
    ) -> &[K] {
        let room = windows + (len - 1) * step + LANES;
        if self.to.len() < room {
            memory::resize(&mut self.from, room, K::default());
            memory::resize(&mut self.to, room, K::default());
        }
        let (mut covered, mut ahead) = (1, (len - 1) * step);
        while covered < len {
            let grown = (2 * covered).min(len);
            let shift = (grown - covered) * step;
            ahead -= shift;
            let from = if covered == 1 { keys } else { &self.from };
            let made =
                if windows < LANES { windows + ahead } else { (windows + ahead).next_multiple_of(LANES) };
            let (to, near, far) = (&mut self.to[..made], &from[..made], &from[shift..shift + made]);
            let (to, to_rest) = to.as_chunks_mut::<LANES>();
            let ((near, near_rest), (far, far_rest)) = (near.as_chunks::<LANES>(), far.as_chunks::<LANES>());
            for ((to, near), far) in to.iter_mut().zip(near).zip(far) {
                for lane in 0..LANES {
                    to[lane] = choose(near[lane], far[lane]);
                }
            }
            for ((to, near), far) in to_rest.iter_mut().zip(near_rest).zip(far_rest) {
                *to = choose(*near, *far);
            }
            std::mem::swap(&mut self.from, &mut self.to);
            covered = grown;
        }
        &self.from[..windows]
    }
}

/// Replace each row of `step` keys by the best of it and the `len - 1` rows behind it, where there are so many.
#[inline(always)]
fn slide_rows<K: Key>(slab: &mut [K], len: usize, step: usize, choose: &impl Fn(K, K) -> K) {
    let windows = (slab.len() / step + 1).saturating_sub(len);
    let chunk = CHUNK_BYTES / size_of::<K>();
    let mut ahead = memory::zeros(chunk.min(step));
    for column in (0..step).step_by(chunk) {
        let width = chunk.min(step - column);
        let ahead = &mut ahead[..width];
        let columns = column..column + width;
        for first in (0..windows).step_by(GROUP.min(len)) {
            let group = GROUP.min(len).min(windows - first);
            let shared = first + group - 1;
            for row in shared + 1..first + len {
                let (best, row) = two_rows(slab, step, shared, row, &columns);
                better(best, row, choose);
            }
            for row in (first..shared).rev() {
                let (best, row) = two_rows(slab, step, row, row + 1, &columns);
                better(best, row, choose);
            }
            for (row, behind) in (first + 1..=shared).zip(first + len..) {
                let (best, behind) = two_rows(slab, step, row, behind, &columns);
                if row == first + 1 {
                    ahead.copy_from_slice(behind);
                } else {
                    better(ahead, behind, choose);
                }
                better(best, ahead, choose);
            }
        }
    }
}

/// Some keys of row `low`, to be changed, and of row `high` > `low`.
#[inline(always)]
fn two_rows<'a, K>(
    slab: &'a mut [K],
    step: usize,
    low: usize,
    high: usize,
    columns: &Range<usize>,
) -> (&'a mut [K], &'a [K]) {
    let (head, tail) = slab.split_at_mut(high * step);
    (&mut head[low * step..][columns.clone()], &tail[columns.clone()])
}

#[inline(always)]
fn better<K: Key>(best: &mut [K], keys: &[K], choose: &impl Fn(K, K) -> K) {
    let ((best, best_rest), (keys, keys_rest)) = (best.as_chunks_mut::<LANES>(), keys.as_chunks::<LANES>());
    for (best, keys) in best.iter_mut().zip(keys) {
        for lane in 0..LANES {
            best[lane] = choose(best[lane], keys[lane]);
        }
    }
    for (best, key) in best_rest.iter_mut().zip(keys_rest) {
        *best = choose(*best, *key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::threads::LocalThreads;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_give_the_best_of_each_window(
            len in 1_usize..40, windows in 1_usize..40, step in 1_usize..9, wide in any::<bool>(), seed in any::<u32>(),
        ) {
            let step = if wide { step * 300 } else { step };
            let mut state = seed;
            let mut keys: Vec<u16> = (0..(windows + len - 1) * step).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as u16
            }).collect();
            let best: Vec<u16> = (0..windows * step)
                .map(|at| (0..len).map(|ahead| keys[at + ahead * step]).max().unwrap()).collect();
            if len > 1 {
                let mut more = keys.clone();
                more.extend([0; LANES]);
                let mut near = Near::default();
                prop_assert_eq!(near.select(&more, windows * step, len, step, &u16::max), best.as_slice());
            }
            slide_rows(&mut keys, len, step, &u16::max);
            prop_assert_eq!(&keys[..windows * step], best.as_slice());
        }

        #[test]
        fn a_box_gives_the_best_of_all_its_samples(
            axes in prop::collection::vec((1_usize..40, 1_usize..90, any::<prop::sample::Index>(), 0..7), 1..4),
            channels in 1_usize..8,
            largest in any::<bool>(),
            fill in -300_i16..300,
            threads in 1_usize..3,
        ) {
            let mut shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let mut lengths: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let mut starts: Vec<isize> = axes.iter().map(|axis| axis.2.index(axis.1) as isize).collect();
            let mut borders: Vec<Border> = axes.iter().map(|axis| Border::from_code(axis.3).unwrap()).collect();
            for extra in [&mut shape, &mut lengths] {
                extra.push(if extra.len() == axes.len() { channels } else { 1 });
            }
            lengths[axes.len()] = 1;
            starts.push(0);
            borders.push(Border::Nearest);
            prop_assume!(shape.iter().product::<usize>() < 4000);
            let mut state = 7_u32;
            let image = ArrayD::from_shape_simple_fn(shape.clone(), || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 22) as i16 - 512
            });
            // One axis after the other, sample by sample.
            let mut expected = image.clone();
            for axis in 0..shape.len() {
                expected = ArrayD::from_shape_fn(image.raw_dim(), |index| {
                    let samples = (0..lengths[axis]).map(|tap| {
                        let position = (index[axis] + tap) as isize - starts[axis];
                        borders[axis].index(position, shape[axis]).map_or(fill, |inside| {
                            let mut at = index.clone();
                            at.slice_mut()[axis] = inside;
                            expected[at]
                        })
                    });
                    if largest { samples.max() } else { samples.min() }.unwrap()
                });
            }
            let origins: Vec<isize> =
                lengths.iter().zip(&starts).map(|(length, start)| start - (length / 2) as isize).collect();
            let window = BoxWindow { lengths: &lengths, origins: &origins, borders: &borders };
            let (mut own, mut double) = (ArrayD::zeros(image.raw_dim()), ArrayD::zeros(image.raw_dim()));
            let _threads = LocalThreads::new(threads);
            let view = View::I16(image.view());
            box_extremum(&view, ViewMut::I16(own.view_mut()), window, largest, f64::from(fill)).unwrap();
            box_extremum(&view, ViewMut::F64(double.view_mut()), window, largest, f64::from(fill)).unwrap();
            prop_assert_eq!(&double, &expected.mapv(f64::from));
            prop_assert_eq!(own, expected);
        }
    }

    #[test]
    fn a_window_that_takes_too_much_memory_is_refused_before_anything_is_written() {
        let image = ArrayD::<f32>::zeros(vec![600, 3000]);
        let mut output = ArrayD::<f32>::ones(image.raw_dim());
        let window = BoxWindow { lengths: &[1201, 1], origins: &[0, 0], borders: &[Border::Nearest; 2] };
        let refused =
            box_extremum(&View::F32(image.view()), ViewMut::F32(output.view_mut()), window, true, 0.0);
        assert!(matches!(refused, Err(KernelError::Memory(_))));
        assert!(output.iter().all(|value| *value == 1.0));
    }
}
