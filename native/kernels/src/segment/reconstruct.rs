//! Greyscale reconstruction by dilation (Vincent, IEEE Transactions on Image Processing 2, 1993), and regional maxima.
//!
//! The reconstruction of a seed below a mask is, at each element, the highest level from which a way leads there that stays
//! below the mask: it is unique, whatever the order of steps. Two passes over all elements, forwards and backwards, find
//! most of it, and a queue the rest.

use crate::array::sample::Bool;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::memory::{self, CollectVec, Zero};
use crate::segment::grid::BorderedGrid;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// A float, compared as it stands.
trait FloatLevel: Zero + PartialOrd {
    const LOWEST: Self;

    #[inline(always)]
    fn higher(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn lower(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
}

impl FloatLevel for f32 {
    const LOWEST: Self = Self::NEG_INFINITY;
}

impl FloatLevel for f64 {
    const LOWEST: Self = Self::NEG_INFINITY;
}

/// Raise `levels`, none above the mask, to their reconstruction. Floats of one type, C-contiguous; `structure` is symmetric.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or there are 2^32 elements or more.
pub fn reconstruct(levels: ViewMut<'_>, mask: &View<'_>, structure: &[bool]) -> Result<()> {
    let grid = BorderedGrid::new(mask.shape())?;
    let neighbours = grid.neighbours(structure)?;
    let refused = || KernelError::shape("levels or a mask of another shape, type or memory layout");
    if levels.shape() != mask.shape() {
        return Err(refused());
    }
    match (levels, mask) {
        (ViewMut::F32(levels), View::F32(mask)) => {
            let levels = levels.into_slice().ok_or_else(refused)?;
            raise(&grid, levels, mask.as_slice().ok_or_else(refused)?, &neighbours);
        }
        (ViewMut::F64(levels), View::F64(mask)) => {
            let levels = levels.into_slice().ok_or_else(refused)?;
            raise(&grid, levels, mask.as_slice().ok_or_else(refused)?, &neighbours);
        }
        _ => return Err(refused()),
    }
    Ok(())
}

fn raise<T: FloatLevel>(grid: &BorderedGrid, levels: &mut [T], mask: &[T], neighbours: &[isize]) {
    let mask = grid.pad(mask, T::LOWEST, |level| level);
    let mut raised = grid.pad(levels, T::LOWEST, |level| level);
    let before = neighbours.iter().copied().filter(|distance| *distance < 0).collect_vec();
    let after = neighbours.iter().copied().filter(|distance| *distance > 0).collect_vec();
    let (mut queue, mut next, mut unchecked) = (Vec::new(), Vec::new(), 0);
    let mut check = || {
        unchecked += 1;
        if unchecked == CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    };
    // The border has the lowest mask, and none of its elements is ever raised or looked at from.
    let inside = |at: &usize| mask[*at] > T::LOWEST;
    for at in (0..mask.len()).filter(inside) {
        let around = before.iter().map(|distance| raised[at.wrapping_add_signed(*distance)]);
        raised[at] = around.fold(raised[at], T::higher).lower(mask[at]);
        check();
    }
    for at in (0..mask.len()).rev().filter(inside) {
        let around = after.iter().map(|distance| raised[at.wrapping_add_signed(*distance)]);
        let level = around.fold(raised[at], T::higher).lower(mask[at]);
        raised[at] = level;
        let can_rise = |place: usize| raised[place] < level && raised[place] < mask[place];
        if after.iter().any(|distance| can_rise(at.wrapping_add_signed(*distance))) {
            memory::push(&mut queue, at as u32);
        }
        check();
    }
    while !queue.is_empty() {
        for at in queue.drain(..) {
            let at = at as usize;
            for distance in neighbours {
                let place = at.wrapping_add_signed(*distance);
                let level = raised[at].lower(mask[place]);
                if raised[place] < level {
                    raised[place] = level;
                    memory::push(&mut next, place as u32);
                }
            }
            check();
        }
        std::mem::swap(&mut queue, &mut next);
    }
    grid.crop(&raised, levels, |level| level);
}

/// Mark the elements of plateaus that have lower neighbours only; none where all elements are equal.
///
/// `structure` is symmetric.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or there are 2^32 elements or more.
pub fn maxima(marks: &mut [Bool], levels: &View<'_>, structure: &[bool]) -> Result<()> {
    let grid = BorderedGrid::new(levels.shape())?;
    let neighbours = grid.neighbours(structure)?;
    let refused = || KernelError::shape("marks or levels of another shape, type or memory layout");
    if marks.len() != levels.len() {
        return Err(refused());
    }
    match levels {
        View::F32(levels) => mark(&grid, marks, levels.as_slice().ok_or_else(refused)?, &neighbours),
        View::F64(levels) => mark(&grid, marks, levels.as_slice().ok_or_else(refused)?, &neighbours),
        _ => return Err(refused()),
    }
    Ok(())
}

fn mark<T: FloatLevel>(grid: &BorderedGrid, marks: &mut [Bool], levels: &[T], neighbours: &[isize]) {
    marks.fill(Bool(0));
    if levels.iter().all(|level| *level == levels[0]) {
        return;
    }
    let mut seen = grid.pad(marks, true, |_| false);
    let mut highest = memory::filled(Bool(0), seen.len());
    let levels = grid.pad(levels, T::LOWEST, |level| level);
    let mut plateau: Vec<u32> = Vec::new();
    for start in 0..levels.len() {
        if seen[start] {
            continue;
        }
        let level = levels[start];
        let mut is_highest = true;
        seen[start] = true;
        plateau.clear();
        memory::push(&mut plateau, start as u32);
        let mut next = 0;
        while let Some(at) = plateau.get(next).copied() {
            next += 1;
            for distance in neighbours {
                let place = (at as usize).wrapping_add_signed(*distance);
                is_highest &= levels[place] <= level;
                if !seen[place] && levels[place] == level {
                    seen[place] = true;
                    memory::push(&mut plateau, place as u32);
                }
            }
        }
        if is_highest {
            plateau.iter().for_each(|at| highest[*at as usize] = Bool(1));
        }
        if start % CHECK_EVERY == 0 {
            threads::check_interrupt();
        }
    }
    grid.crop(&highest, marks, |mark| mark);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_what_repeated_dilations_give(
            shape in prop::collection::vec(1_usize..7, 1..4),
            elements in prop::collection::vec((0_i32..9, 0_i32..9), 300),
        ) {
            let count = shape.iter().product();
            let mask: Vec<f32> = elements.iter().map(|(level, _)| *level as f32).cycle().take(count).collect();
            let seeds = elements.iter().map(|(level, drop)| (level - drop) as f32).cycle().take(count);
            let mut found = ArrayD::from_shape_vec(shape.clone(), seeds.collect()).unwrap();
            let grid = BorderedGrid::new(&shape).unwrap();
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            let neighbours = grid.neighbours(&structure).unwrap();
            let outside = grid.pad(&mask, f32::NEG_INFINITY, |level| level);
            let mut expected = grid.pad(found.as_slice().unwrap(), f32::NEG_INFINITY, |level| level);
            for _ in 0..count {
                let before = expected.clone();
                for at in (0..expected.len()).filter(|at| outside[*at] > f32::NEG_INFINITY) {
                    let around = neighbours.iter().map(|distance| before[at.wrapping_add_signed(*distance)]);
                    expected[at] = around.fold(before[at], f32::max).min(outside[at]);
                }
            }
            let array = ArrayD::from_shape_vec(shape, mask.clone()).unwrap();
            reconstruct(ViewMut::F32(found.view_mut()), &View::F32(array.view()), &structure).unwrap();
            let mut cropped = vec![0.0; count];
            grid.crop(&expected, &mut cropped, |level| level);
            prop_assert_eq!(found.as_slice().unwrap(), &cropped[..]);

            // A plateau is a maximum if lowering everything by a little leaves it below its level.
            let mut marks = vec![Bool(0); count];
            maxima(&mut marks, &View::F32(array.view()), &structure).unwrap();
            let mut lowered = array.mapv(|level| level - 0.5);
            reconstruct(ViewMut::F32(lowered.view_mut()), &View::F32(array.view()), &structure).unwrap();
            let constant = mask.iter().all(|level| *level == mask[0]);
            let cut: Vec<bool> = lowered.iter().zip(&mask).map(|(low, level)| !constant && low < level).collect();
            prop_assert_eq!(marks.iter().map(|mark| mark.0 != 0).collect::<Vec<bool>>(), cut);
        }
    }
}
