//! Whole pixels that are moved: flips, transpositions, quarter turns, crops and pads, without arithmetic.
//!
//! Pixel `o` of the output's axis i is pixel `start[axes[i]] + o`, or `start[axes[i]] - o` where it is flipped, of the
//! input's axis `axes[i]`. Pixels beyond the border stand as the border mode says. A row of the output is one run of
//! pixels that lie inside, copied in one go, and at most two runs beyond the border, taken pixel by pixel.

use crate::dtype::match_pair;
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Slice};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::triples;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::memory::{self, CollectVec};
use std::ops::Range;

/// Where the pixels along one axis of the output come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridAxis {
    /// The spatial axis of the input.
    pub axis: usize,
    /// Whether it runs backwards.
    pub flip: bool,
    /// The pixel of the input that is the first of the output; it may lie outside.
    pub start: isize,
    /// Pixels of the output.
    pub len: usize,
}

impl GridAxis {
    /// The pixel of the input at a position of the output; it may lie outside.
    fn at(&self, position: usize) -> isize {
        let step = position as isize;
        if self.flip { self.start.wrapping_sub(step) } else { self.start.wrapping_add(step) }
    }

    /// The positions of the output whose pixels lie inside an input of this length.
    fn inside(&self, len: usize) -> Range<usize> {
        let len = len as isize;
        let (first, end) = if self.flip {
            (self.start.saturating_sub(len - 1), self.start.saturating_add(1))
        } else {
            (self.start.saturating_neg(), len.saturating_sub(self.start))
        };
        let clip = |position: isize| position.clamp(0, self.len as isize) as usize;
        clip(first)..clip(end).max(clip(first))
    }

    /// The pixels of the input that it reads, if none lies outside.
    pub(crate) fn reads(&self) -> Range<usize> {
        let (first, last) = (self.start as usize, self.at(self.len.saturating_sub(1)) as usize);
        first.min(last)..first.max(last) + 1
    }
}

/// A map of whole pixels, and what lies beyond the border.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// One for each spatial axis of the output.
    pub axes: Vec<GridAxis>,
    /// What lies beyond the border.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
}

impl Grid {
    /// Whether it leaves some pixels of an input of this size, each spatial axis once, and reads none outside.
    pub(crate) fn stays_inside(&self, size: &[usize]) -> bool {
        let is_inside = |map: &GridAxis| {
            let Some(&len) = size.get(map.axis) else { return false };
            map.len > 0 && map.inside(len) == (0..map.len)
        };
        let is_once = |axis| self.axes.iter().filter(|map| map.axis == axis).count() == 1;
        self.axes.len() == size.len() && self.axes.iter().all(is_inside) && (0..size.len()).all(is_once)
    }

    /// This map and then another, as one; both stay inside.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let join = |map: &GridAxis| {
            let before = &self.axes[map.axis];
            GridAxis {
                axis: before.axis,
                flip: before.flip != map.flip,
                start: before.at(map.start as usize),
                len: map.len,
            }
        };
        Self { axes: next.axes.iter().map(join).collect_vec(), border: next.border, fill: next.fill }
    }

    /// Move the pixels of `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let (outer, rank) = (axes.outer, axes.spatial);
        let mut seen = [false; 8];
        let is_order = self.axes.len() == rank
            && self
                .axes
                .iter()
                .all(|axis| axis.axis < rank.min(8) && !std::mem::replace(&mut seen[axis.axis], true));
        let fits = is_order && input.ndim() == output.ndim() && input.ndim() >= outer + rank && {
            let spatial = outer..outer + rank;
            (0..input.ndim()).all(|axis| {
                let wanted =
                    if spatial.contains(&axis) { self.axes[axis - outer].len } else { input.shape()[axis] };
                output.shape()[axis] == wanted
            })
        };
        if !fits {
            let shapes = (input.shape(), output.shape());
            return Err(KernelError::shape(format!("a grid map does not fit arrays of shapes {shapes:?}")));
        }
        if output.is_empty() {
            return Ok(());
        }
        let is_filled = matches!(self.border, Border::Constant | Border::GridConstant);
        if input.is_empty() && !is_filled {
            return Err(KernelError::shape("an image without pixels has no border to continue"));
        }
        let inner = outer + rank..input.ndim();
        let order =
            (0..outer).chain(self.axes.iter().map(|axis| outer + axis.axis)).chain(inner).collect_vec();
        match_pair!(input.view().permuted(&order), output, (from, to) => {
            let mut to = to;
            let (shape, shape_to) = (memory::copy(from.shape()), memory::copy(to.shape()));
            match (from.as_slice(), to.as_slice_mut()) {
                (Some(from), Some(to)) if rank > 0 => self.fill_in_c_order(outer, (from, &shape), (to, &shape_to)),
                _ => self.fill(0, axes, from, to),
            }
            Ok(())
        }, _ => Err(KernelError::parameter("a grid map keeps the element type")))
    }

    /// Fill the output row by row, where both arrays lie in C order: a row takes some nanoseconds besides its pixels.
    fn fill_in_c_order<T: Sample>(
        &self,
        outer: usize,
        (from, shape): (&[T], &[usize]),
        (to, shape_to): (&mut [T], &[usize]),
    ) {
        let (shape, shape_to) = (&shape[outer..], &shape_to[outer..]);
        let (image, image_to) = (shape.iter().product::<usize>(), shape_to.iter().product());
        let row = Row::new(self, shape[self.axes.len() - 1]);
        for (number, to) in to.chunks_exact_mut(image_to).enumerate() {
            self.fill_part(&row, &self.axes, (&from[number * image..][..image], shape), (to, shape_to));
        }
    }

    /// Fill a part of the output from the part of the input that it reads; `maps` are those of its spatial axes.
    fn fill_part<T: Sample>(
        &self,
        row: &Row,
        maps: &[GridAxis],
        (from, shape): (&[T], &[usize]),
        (to, shape_to): (&mut [T], &[usize]),
    ) {
        let (part, part_to) = (shape[1..].iter().product::<usize>(), shape_to[1..].iter().product());
        let [map, maps @ ..] = maps else { return };
        if maps.is_empty() {
            return row.fill(from, to, part, self.fill);
        }
        for (position, to) in to.chunks_exact_mut(part_to).enumerate() {
            match self.source(map, position, shape[0]) {
                Some(index) => {
                    let from = &from[index * part..][..part];
                    self.fill_part(row, maps, (from, &shape[1..]), (to, &shape_to[1..]));
                }
                None => to.fill(T::from_f64_truncated(self.fill)),
            }
        }
    }

    /// Fill from the axis `axis` on; the axes before were gone through, and the arrays no longer have them.
    fn fill<T: Sample>(
        &self,
        axis: usize,
        axes: Axes,
        from: ArrayViewD<'_, T>,
        mut to: ArrayViewMutD<'_, T>,
    ) {
        if axis < axes.outer {
            for (to, from) in to.outer_iter_mut().zip(from.outer_iter()) {
                self.fill(axis + 1, axes, from, to);
            }
            return;
        }
        let map = &self.axes[axis - axes.outer];
        if axis + 1 == axes.outer + axes.spatial {
            self.fill_row(map, from, to);
            return;
        }
        let len = from.len_of(Axis(0));
        for (position, mut to) in to.outer_iter_mut().enumerate() {
            match self.source(map, position, len) {
                Some(index) => self.fill(axis + 1, axes, from.index_axis(Axis(0), index), to),
                None => to.fill(T::from_f64_truncated(self.fill)),
            }
        }
    }

    /// The pixel of the input that stands at a position; `None` is the fill value.
    fn source(&self, map: &GridAxis, position: usize, len: usize) -> Option<usize> {
        let index = map.at(position);
        match self.border {
            _ if len == 0 => None,
            // A period of n - 1, as of coordinates: the last pixel is the first one.
            Border::Wrap if index < 0 || index >= len as isize => {
                let period = len as isize - 1;
                let inside = if period == 0 {
                    0
                } else if index < 0 {
                    index + period * ((-index) / period + 1)
                } else {
                    index - period * (index / period)
                };
                Some(inside as usize)
            }
            border => border.index(index, len),
        }
    }

    /// Fill a row: its pixels with all inner planes.
    fn fill_row<T: Sample>(&self, map: &GridAxis, from: ArrayViewD<'_, T>, mut to: ArrayViewMutD<'_, T>) {
        let len = from.len_of(Axis(0));
        let inside = map.inside(len);
        for position in (0..inside.start).chain(inside.end..map.len) {
            let mut to = to.index_axis_mut(Axis(0), position);
            match self.source(map, position, len) {
                Some(index) => to.assign(&from.index_axis(Axis(0), index)),
                None => to.fill(T::from_f64_truncated(self.fill)),
            }
        }
        if inside.is_empty() {
            return;
        }
        let (first, last) = (map.at(inside.start) as usize, map.at(inside.end - 1) as usize);
        let read = first.min(last)..first.max(last) + 1;
        let mut to = to.slice_axis_mut(Axis(0), Slice::from(inside));
        let from = from.slice_axis(Axis(0), Slice::from(read));
        let planes = from.len() / from.len_of(Axis(0));
        match (from.as_slice(), to.as_slice_mut()) {
            (Some(from), Some(to)) if !map.flip => to.copy_from_slice(from),
            (Some(from), Some(to)) => reverse_pixels(from, to, planes),
            _ if !map.flip => to.assign(&from),
            _ => to.assign(&from.slice_axis(Axis(0), Slice::new(0, None, -1))),
        }
    }
}

/// What is done with each row: the same for all of them.
struct Row {
    map: GridAxis,
    inside: Range<usize>,
    /// Positions beyond the border, with the pixel that stands there; `None` if the fill value stands at all of them.
    beyond: Option<Vec<(usize, usize)>>,
}

impl Row {
    fn new(grid: &Grid, len: usize) -> Self {
        let map = grid.axes[grid.axes.len() - 1];
        let inside = map.inside(len);
        let positions = (0..inside.start).chain(inside.end..map.len);
        let is_filled = matches!(grid.border, Border::Constant | Border::GridConstant) || len == 0;
        let beyond = (!is_filled).then(|| {
            let source = |position| grid.source(&map, position, len).map(|index| (position, index));
            positions.filter_map(source).collect_vec()
        });
        Self { map, inside, beyond }
    }

    /// Fill a row of so many planes.
    fn fill<T: Sample>(&self, from: &[T], to: &mut [T], planes: usize, fill: f64) {
        let (start, end) = (self.inside.start * planes, self.inside.end * planes);
        match &self.beyond {
            None => {
                let fill = T::from_f64_truncated(fill);
                to[..start].fill(fill);
                to[end..].fill(fill);
            }
            Some(beyond) if planes == 1 => {
                beyond.iter().for_each(|(position, index)| to[*position] = from[*index]);
            }
            Some(beyond) => {
                for (position, index) in beyond {
                    to[position * planes..][..planes].copy_from_slice(&from[index * planes..][..planes]);
                }
            }
        }
        let Self { map, inside, .. } = self;
        if inside.is_empty() {
            return;
        }
        let (first, last) = (map.at(inside.start) as usize, map.at(inside.end - 1) as usize);
        let from = &from[first.min(last) * planes..(first.max(last) + 1) * planes];
        let to = &mut to[start..end];
        if map.flip { reverse_pixels(from, to, planes) } else { to.copy_from_slice(from) }
    }
}

/// Copy the pixels of a row backwards.
fn reverse_pixels<T: Sample>(from: &[T], to: &mut [T], planes: usize) {
    if planes == 3
        && let (Some(from), Some(to)) = (T::as_bytes(from), T::as_bytes_mut(to))
    {
        return triples::reverse(from, to);
    }
    match planes {
        1 => reverse::<T, 1>(from, to),
        2 => reverse::<T, 2>(from, to),
        3 => reverse::<T, 3>(from, to),
        4 => reverse::<T, 4>(from, to),
        _ => {
            for (to, from) in to.chunks_exact_mut(planes).zip(from.chunks_exact(planes).rev()) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// The same for a known number of planes.
fn reverse<T: Sample, const PLANES: usize>(from: &[T], to: &mut [T]) {
    let (from, _) = from.as_chunks::<PLANES>();
    let (to, _) = to.as_chunks_mut::<PLANES>();
    for (to, from) in to.iter_mut().zip(from.iter().rev()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Dimension};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_is_the_one_that_the_map_names(
            order in (1_usize..4).prop_flat_map(|rank| Just((0..rank).collect::<Vec<_>>()).prop_shuffle()),
            lens in prop::collection::vec(1_usize..8, 3),
            (outer, inner) in (1_usize..4, 1_usize..6),
            to in prop::collection::vec(0_usize..10, 3),
            flips in any::<[bool; 3]>(),
            starts in prop::collection::vec(-9_isize..12, 3),
            code in 0_i32..7,
        ) {
            let rank = order.len();
            let shape = |lens: &[usize]| [&[outer], &lens[..rank], &[inner]].concat();
            let mut count = 0;
            let input = ArrayD::from_shape_simple_fn(shape(&lens), || { count += 1; count as i16 });
            let border = Border::from_code(code).unwrap();
            let axes: Vec<GridAxis> = order
                .iter()
                .enumerate()
                .map(|(at, axis)| GridAxis { axis: *axis, flip: flips[at], start: starts[at], len: to[at] })
                .collect();
            let grid = Grid { axes: axes.clone(), border, fill: -7.0 };
            let mut found = ArrayD::<i16>::zeros(shape(&to));
            let on = Axes { outer: 1, spatial: rank };
            grid.run(&View::I16(input.view()), ViewMut::I16(found.view_mut()), on).unwrap();
            let expected = ArrayD::from_shape_fn(shape(&to), |at| {
                let mut place = at.slice().to_vec();
                for (number, axis) in axes.iter().enumerate() {
                    let position = at[number + 1] as isize;
                    let index = axis.start + if axis.flip { -position } else { position };
                    let len = lens[axis.axis];
                    let index = match border {
                        Border::Wrap => border.coordinate(index as f64, len) as isize,
                        _ => index,
                    };
                    match border.index(index, len) {
                        Some(index) => place[axis.axis + 1] = index,
                        None => return -7,
                    }
                }
                input[&place[..]]
            });
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        let input = ArrayD::<u8>::zeros(vec![3, 4]);
        let mut output = ArrayD::<u8>::zeros(vec![3, 5]);
        let on = Axes { outer: 0, spatial: 2 };
        let axis = |axis, len| GridAxis { axis, flip: false, start: 0, len };
        for axes in [
            vec![axis(0, 3), axis(1, 4)],
            vec![axis(0, 3), axis(0, 5)],
            vec![axis(0, 3)],
            vec![axis(9, 3), axis(1, 5)],
        ] {
            let grid = Grid { axes, border: Border::Constant, fill: 0.0 };
            let output = ViewMut::U8(output.view_mut());
            assert!(grid.run(&View::U8(input.view()), output, on).is_err());
        }
    }
}
