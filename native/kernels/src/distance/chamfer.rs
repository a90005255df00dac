//! Distances in steps from neighbour to neighbour, in two sweeps (Rosenfeld and Pfaltz, J. ACM 13, 1966).
//!
//! A forward sweep over all elements compares each with the neighbours before it, a backward sweep with those after it:
//!
//! ```text
//! for each neighbour in order: if its distance + 1 is less than mine, that is mine, and its nearest zero is mine
//! ```
//!
//! Neighbours in other lines are finished, so that a whole line is compared at once with each of them in turn. The
//! neighbour in the same line is the last one, and goes along it element by element.

use crate::array::index::advance;
use crate::array::view::{View, ViewMut};
use crate::distance::read_marks;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory::{self, CollectVec};

/// No way to a zero is known; one more is no overflow.
const NONE: i32 = i32::MAX - 1;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// Write how many steps each element is from the nearest zero, or -1 if no way leads to one; and the position in C order
/// of that zero, or of the element itself.
///
/// `before` holds the elements before the centre of a structure with three elements along each axis. `distances` and
/// `features` are C-contiguous `i32`.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or the array has no axis.
pub fn chamfer(
    distances: ViewMut<'_>,
    features: Option<ViewMut<'_>>,
    input: &View<'_>,
    before: &[bool],
) -> Result<()> {
    let shape = input.shape();
    let mut marks = memory::zeros(input.len());
    if !shape.is_empty() {
        read_marks(input, &mut marks);
    }
    let distances = slice_of(distances, shape)?;
    let features = features.map(|features| slice_of(features, shape)).transpose()?;
    transform_marks(distances, features, shape, &marks, before)
}

/// The elements of a C-contiguous array of this shape.
fn slice_of<'a>(array: ViewMut<'a>, shape: &[usize]) -> Result<&'a mut [i32]> {
    match array {
        ViewMut::I32(array) if array.shape() == shape => array.into_slice(),
        _ => None,
    }
    .ok_or_else(|| KernelError::shape("distances or features of another shape, type or memory layout"))
}

/// As [`chamfer`], for an array whose elements are 0 or not.
pub(super) fn transform_marks(
    distances: &mut [i32],
    features: Option<&mut [i32]>,
    shape: &[usize],
    marks: &[u8],
    before: &[bool],
) -> Result<()> {
    let Some((&len, outer)) = shape.split_last() else {
        return Err(KernelError::shape("an array without axes"));
    };
    if before.len() != 3_usize.pow(shape.len() as u32) / 2 {
        return Err(KernelError::shape("a structure of another number of axes"));
    }
    if marks.is_empty() {
        return Ok(());
    }
    let width = len + 2;
    let count = marks.len() / len;
    let mut steps = memory::filled(NONE, count * width);
    let mut nearest = memory::zeros(if features.is_some() { count * width } else { 0 });
    for (row, marks) in marks.chunks_exact(len).enumerate() {
        let steps = &mut steps[row * width + 1..][..len];
        steps.iter_mut().zip(marks).filter(|(_, mark)| **mark == 0).for_each(|(to, _)| *to = 0);
    }
    for (row, nearest) in nearest.chunks_exact_mut(width).enumerate() {
        nearest[1..=len].iter_mut().zip(row * len..).for_each(|(to, position)| *to = position as i32);
    }
    let lines = neighbour_lines(outer, before);
    let within = before.last() == Some(&true);
    for is_forward in [true, false] {
        let (steps, nearest) = (&mut steps[..], &mut nearest[..]);
        let sweep = Sweep { steps, nearest, outer, width, lines: &lines, within, is_forward };
        if features.is_some() { dispatch(Indexed(sweep)) } else { dispatch(sweep) }
    }
    for (to, from) in distances.chunks_exact_mut(len).zip(steps.chunks_exact(width)) {
        to.iter_mut().zip(&from[1..]).for_each(|(to, from)| *to = if *from == NONE { -1 } else { *from });
    }
    if let Some(features) = features {
        for (to, from) in features.chunks_exact_mut(len).zip(nearest.chunks_exact(width)) {
            to.copy_from_slice(&from[1..=len]);
        }
    }
    Ok(())
}

/// A line with neighbours before the elements of a line.
struct NeighbourLine {
    /// From the line to it, plus one, along each axis but the last: 0, 1 or 2.
    offset: Vec<usize>,
    /// How many lines before.
    distance: usize,
    /// Whether there are neighbours one before, at, and one after the same place.
    places: [bool; 3],
}

fn neighbour_lines(outer: &[usize], before: &[bool]) -> Vec<NeighbourLine> {
    let threes = memory::filled(3, outer.len());
    let mut offset = memory::zeros(outer.len());
    let mut lines = Vec::new();
    for places in before.as_chunks::<3>().0 {
        let (mut distance, mut stride) = (0_isize, 1);
        for (at, len) in offset.iter().zip(outer).rev() {
            distance += (1 - *at as isize) * stride;
            stride *= *len as isize;
        }
        if places.contains(&true) {
            let line =
                NeighbourLine { offset: memory::copy(&offset), distance: distance as usize, places: *places };
            memory::push(&mut lines, line);
        }
        advance(&mut offset, &threes);
    }
    lines
}

/// One sweep over all lines, each with an element before it and one after it.
struct Sweep<'a> {
    steps: &'a mut [i32],
    nearest: &'a mut [i32],
    outer: &'a [usize],
    width: usize,
    lines: &'a [NeighbourLine],
    /// Whether the neighbour in the same line counts.
    within: bool,
    is_forward: bool,
}

/// The sweep with the nearest zeros.
struct Indexed<'a>(Sweep<'a>);

impl Kernel for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.sweep::<false>();
    }
}

impl Kernel for Indexed<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.sweep::<true>();
    }
}

impl Sweep<'_> {
    #[inline(always)]
    fn sweep<const INDEXED: bool>(self) {
        let Self { steps, nearest, outer, width, lines, within, is_forward } = self;
        let count = steps.len() / width;
        let mut index = memory::zeros(outer.len());
        let mut unchecked = 0;
        for number in 0..count {
            // The backward sweep is a forward one over the reversed array: lines, places and elements are counted
            // from the end.
            let row = if is_forward { number } else { count - 1 - number };
            for line in lines {
                let inside = index
                    .iter()
                    .zip(outer)
                    .zip(&line.offset)
                    .all(|((at, len), offset)| (1..=*len).contains(&(at + offset)));
                if !inside {
                    continue;
                }
                let other = if is_forward { row - line.distance } else { row + line.distance };
                let (to, from) = two_rows(steps, width, row, other);
                let (to_nearest, from_nearest) =
                    if INDEXED { two_rows(nearest, width, row, other) } else { (&mut [][..], &[][..]) };
                for place in (0..3).filter(|place| line.places[*place]) {
                    let place = if is_forward { place } else { 2 - place };
                    let len = width - 2;
                    if INDEXED {
                        let others = from[place..].iter().zip(&from_nearest[place..]);
                        let own = to[1..=len].iter_mut().zip(&mut to_nearest[1..=len]);
                        for ((to, nearest), (from, other)) in own.zip(others) {
                            let nearer = from + 1 < *to;
                            *to = if nearer { from + 1 } else { *to };
                            *nearest = if nearer { *other } else { *nearest };
                        }
                    } else {
                        let pairs = to[1..=len].iter_mut().zip(&from[place..]);
                        pairs.for_each(|(to, from)| *to = (*to).min(from + 1));
                    }
                }
            }
            if within {
                let steps = &mut steps[row * width..][..width];
                let nearest = if INDEXED { &mut nearest[row * width..][..width] } else { &mut [] };
                let mut last = (NONE, 0);
                for at in 1..width - 1 {
                    let at = if is_forward { at } else { width - 1 - at };
                    let nearer = last.0 + 1 < steps[at];
                    last.0 = if nearer { last.0 + 1 } else { steps[at] };
                    steps[at] = last.0;
                    if INDEXED {
                        last.1 = if nearer { last.1 } else { nearest[at] };
                        nearest[at] = last.1;
                    }
                }
            }
            advance(&mut index, outer);
            unchecked += width * (1 + lines.len());
            if unchecked >= CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
    }
}

/// Row `to`, to be written, and another one.
#[inline(always)]
fn two_rows(rows: &mut [i32], width: usize, to: usize, from: usize) -> (&mut [i32], &[i32]) {
    if from < to {
        let (before, after) = rows.split_at_mut(to * width);
        (&mut after[..width], &before[from * width..][..width])
    } else {
        let (before, after) = rows.split_at_mut(from * width);
        (&mut before[to * width..][..width], &after[..width])
    }
}

/// The elements before the centre of a structure of all neighbours, or of those along the axes.
pub(super) fn half_structure(rank: usize, diagonal: bool) -> Vec<bool> {
    let cells = 3_usize.pow(rank as u32);
    let is_cross = |cell: usize| {
        let digits = (0..rank).map(|axis| cell / 3_usize.pow(axis as u32) % 3);
        digits.filter(|digit| *digit != 1).count() == 1
    };
    (0..cells / 2).map(|cell| diagonal || is_cross(cell)).collect_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn equals_the_metric(
            shape in prop::collection::vec(1_usize..7, 0..3),
            last in 1_usize..40,
            marks in prop::collection::vec(0_u8..40, 700),
            least in 1_u8..40,
            diagonal in any::<bool>(),
        ) {
            let shape: Vec<usize> = shape.into_iter().chain([last]).collect();
            let mut marks = marks.iter().cycle();
            let image =
                ArrayD::from_shape_simple_fn(IxDyn(&shape), || u8::from(*marks.next().unwrap() >= least));
            let zeros: Vec<IxDyn> =
                image.indexed_iter().filter(|(_, mark)| **mark == 0).map(|(at, _)| at).collect();
            let apart = |a: &IxDyn, b: &IxDyn| {
                let steps = (0..shape.len()).map(|axis| a[axis].abs_diff(b[axis]) as i32);
                if diagonal { steps.max().unwrap() } else { steps.sum() }
            };
            let before = half_structure(shape.len(), diagonal);
            at_every_level(1, || {
                let (mut found, mut nearest) = (image.mapv(|_| 7_i32), image.mapv(|_| 7_i32));
                let view = View::U8(image.view());
                let to = Some(ViewMut::I32(nearest.view_mut()));
                chamfer(ViewMut::I32(found.view_mut()), to, &view, &before).unwrap();
                for (position, (at, _)) in image.indexed_iter().enumerate() {
                    let least = zeros.iter().map(|zero| apart(&at, zero)).min();
                    prop_assert_eq!(found[&at], least.unwrap_or(-1));
                    // The zero that is named is as near, where there is one.
                    let mut rest = nearest[&at] as usize;
                    let mut zero = IxDyn(&shape);
                    for axis in (0..shape.len()).rev() {
                        zero[axis] = rest % shape[axis];
                        rest /= shape[axis];
                    }
                    match least {
                        Some(least) => {
                            prop_assert_eq!((image[&zero], apart(&at, &zero)), (0, least));
                        }
                        None => prop_assert_eq!(nearest[&at] as usize, position),
                    }
                }
                Ok(())
            })?;
        }
    }
}
