//! The smallest or largest sample of a full box: one axis after another.
//!
//! Rows that are far apart are compared in groups of adjacent windows (van Herk; Gil and Werman). The samples shared by
//! all windows of a group are combined once; then the first rows are added backwards from there, and the rows after it
//! forwards: about three comparisons per sample for any window length. Samples that are near each other are combined in
//! doubled windows instead, from one array to another, because a loop over overlapping keys does not vectorize.

use crate::array::sample::{Cast, Sample};
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::memory::{self, CollectVec};
use crate::rank::band::store_as_double;
use crate::rank::key::{Key, Rankable};
use crate::rank::layout::{Dim, LANES, Layout, lines};
use crate::{match_dtype, window};
use std::ops::Range;

/// Axes with shorter strides count as near: rows of so few keys would leave wide registers idle.
const MIN_ROW: usize = 64;

/// Bytes of each row that are compared at once; the rows of a group then fit the first-level cache.
const CHUNK_BYTES: usize = 1024;

/// Adjacent windows per group.
const GROUP: usize = 8;

/// Results of short rows that are passed on together.
const SINK_CHUNK: usize = 1024;

/// Estimated nanoseconds per sample.
const COST: usize = 2;

/// A full box, with one entry per axis of the image.
#[derive(Clone, Copy, Debug)]
pub struct BoxWindow<'a> {
    /// Its lengths.
    pub lengths: &'a [usize],
    /// Shifts the window, which starts half its length before the pixel, towards lower indices.
    pub origins: &'a [isize],
    /// The border mode of each axis.
    pub borders: &'a [Border],
}

/// The smallest or the largest sample in the box around each pixel, stored with the line filters' cast.
///
/// NaN of either sign counts as larger than every number. Both arrays are C-contiguous. Samples are compared as `f64`,
/// as in SciPy, or in their own type if the result is the same. With several long axes this equals SciPy only if
/// SciPy's results between the axes lose nothing: for an output of the input's type, with less than 64 bits or floats,
/// and `fill` in its range.
///
/// # Errors
///
/// If the window does not fit the image or lies off the pixel, or if a band of the image with its border would take too
/// much memory; a smaller part of the image may then be filtered.
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
    // A monotonic cast commutes with the choice; one that wraps is not monotonic.
    let in_range = |fill: f64| !T::FINITE || T::from_f64_truncated(fill).to_f64() == fill.trunc();
    T::FITS_DOUBLE && T::slice_of(output).is_some() && fill.is_none_or(in_range)
}

fn truncated<T: Sample>(_: &[T], fill: f64) -> T {
    T::from_f64_truncated(fill)
}

/// Filter samples; they are compared after `convert`.
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
        // Beyond twice the axis length a border adds no new samples.
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

/// A window of `len` samples along an axis with stride `step` and `count` positions, in a padded band.
#[derive(Clone, Copy, Debug)]
struct Along {
    len: usize,
    step: usize,
    count: usize,
}

/// A full box by its axes.
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

    /// Pass the extreme keys of the boxes that start at the places of `dims` to `sink`, in rows of `row` keys.
    ///
    /// The band at the start of `padded` is overwritten.
    fn select<K: Key>(&self, padded: &mut [K], dims: &[Dim], row: usize, sink: &mut dyn FnMut(usize, &[K])) {
        let axes = &self.axes;
        if self.largest {
            dispatch(SelectBox { axes, padded, dims, row, sink, choose: K::max });
        } else {
            dispatch(SelectBox { axes, padded, dims, row, sink, choose: K::min });
        }
    }
}

struct SelectBox<'a, K, F> {
    axes: &'a [Along],
    padded: &'a mut [K],
    dims: &'a [Dim],
    row: usize,
    sink: &'a mut dyn FnMut(usize, &[K]),
    choose: F,
}

impl<K: Key, F: Fn(K, K) -> K> Kernel for SelectBox<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { axes, padded, dims, row, sink, choose } = self;
        let band = padded.len() - LANES;
        let mut near = DoubledWindows::default();
        // A near last axis is combined row by row at the end.
        let last = axes.len() - usize::from(axes.last().is_some_and(|last| last.step < MIN_ROW));
        for (place, along) in axes[..last].iter().enumerate().filter(|(_, along)| along.len > 1) {
            let Along { len, step, count } = *along;
            let pitch = if place == 0 { band } else { axes[place - 1].step };
            for start in (0..band).step_by(pitch.max(1)) {
                let slab = start..start + if place == 0 { band / step * step } else { count * step };
                if step < MIN_ROW {
                    let windows = slab.len() - (len - 1) * step;
                    let best = near.select(&padded[start..], windows, len, step, &choose);
                    padded[start..start + windows].copy_from_slice(best);
                } else {
                    van_herk_rows(&mut padded[slab], len, step, &choose);
                }
            }
        }
        match axes[last..].first() {
            // Short rows: compare all at once, including those between the windows, and pass results on together.
            Some(Along { len, step, .. }) if *len > 1 && row < LANES => {
                let best = near.select(padded, band - (len - 1) * step, *len, *step, &choose);
                let mut rows = memory::with_capacity(SINK_CHUNK + row);
                let mut start = 0;
                for line in lines(dims) {
                    memory::extend_from_slice(&mut rows, &best[line.padded..line.padded + row]);
                    if rows.len() >= SINK_CHUNK {
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

/// Two buffers that alternate as source and target.
#[derive(Default)]
struct DoubledWindows<K> {
    from: Vec<K>,
    to: Vec<K>,
}

impl<K: Key> DoubledWindows<K> {
    /// Combine each of the first `windows` keys with those up to `len - 1` > 0 steps ahead.
    ///
    /// Combining two windows of k samples gives one of 2 k; in the last step they overlap. `keys` has [`LANES`] keys
    /// more than needed, unless there are fewer windows than that.
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

/// Combine each row of `step` keys with the `len - 1` rows after it, where there are that many.
#[inline(always)]
fn van_herk_rows<K: Key>(slab: &mut [K], len: usize, step: usize, choose: &impl Fn(K, K) -> K) {
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
                choose_into(best, row, choose);
            }
            for row in (first..shared).rev() {
                let (best, row) = two_rows(slab, step, row, row + 1, &columns);
                choose_into(best, row, choose);
            }
            for (row, next) in (first + 1..=shared).zip(first + len..) {
                let (best, next) = two_rows(slab, step, row, next, &columns);
                if row == first + 1 {
                    ahead.copy_from_slice(next);
                } else {
                    choose_into(ahead, next, choose);
                }
                choose_into(best, ahead, choose);
            }
        }
    }
}

/// Some keys of row `low`, mutable, and of row `high` > `low`.
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
fn choose_into<K: Key>(best: &mut [K], keys: &[K], choose: &impl Fn(K, K) -> K) {
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
                let mut near = DoubledWindows::default();
                prop_assert_eq!(near.select(&more, windows * step, len, step, &u16::max), best.as_slice());
            }
            van_herk_rows(&mut keys, len, step, &u16::max);
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
            // One axis after another, sample by sample.
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
