//! Watershed from markers by a priority flood (Meyer, 1992; Barnes, Lehman and Mulla, 2014), as scikit-image defines it.
//!
//! ```text
//! put each marker into a heap, with its height and age 0
//! while the heap is not empty: take the lowest element, of equally low ones that of the least age
//!     each neighbour that is open gets its label, is closed, and enters with the next age, no lower than the element
//! ```
//!
//! Among markers of one height and age the heap decides by where they happen to lie in it. Labels depend on that, so this is
//! the same heap, binary, with the same comparisons; elements of 16 bytes lie in it side by side. An element that is taken
//! is replaced by the last one, which sinks: it nearly always belongs far down. So the path of smaller children is followed
//! to its end, without a comparison with the element, and gone back up to where that belongs.

use crate::array::sample::Bool;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::memory;
use crate::segment::grid::BorderedGrid;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// The key of infinity: above are those of NaN.
const INFINITE_KEY: u64 = f64::INFINITY.to_bits() | 1 << 63;

/// The key of the border.
const OUTSIDE_KEY: u64 = 0;

/// The marker's label goes to each element that its flood reaches first; others, and those outside the mask, get 0.
///
/// `heights` are floats without NaN; `mask` is not zero inside; `structure` tells the neighbours: three elements along each
/// axis, in C order. `labels` holds the markers; those outside the mask are taken away. All are C-contiguous.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, a height is NaN, or there are 2^32 elements or more.
pub fn flood(labels: &mut [i32], heights: &View<'_>, mask: &[Bool], structure: &[bool]) -> Result<()> {
    let grid = BorderedGrid::new(heights.shape())?;
    let neighbours = grid.neighbours(structure)?;
    if labels.len() != heights.len() || mask.len() != heights.len() {
        return Err(KernelError::shape("labels or a mask of another shape than the heights"));
    }
    let keys = match heights {
        View::F32(array) => {
            array.as_slice().map(|heights| grid.pad(heights, OUTSIDE_KEY, |height| key(height.into())))
        }
        View::F64(array) => array.as_slice().map(|heights| grid.pad(heights, OUTSIDE_KEY, key)),
        _ => return Err(KernelError::parameter("heights that are not floats")),
    };
    let keys = keys.ok_or_else(|| KernelError::shape("heights that are not C-contiguous"))?;
    if keys.iter().any(|key| *key > INFINITE_KEY) {
        return Err(KernelError::parameter("a height that is not a number"));
    }
    labels.iter_mut().zip(mask).for_each(|(label, inside)| *label = if inside.0 == 0 { 0 } else { *label });
    let mut flooded = grid.pad(labels, 0, |label| label);
    let mut open = grid.pad(mask, false, |inside| inside.0 != 0);
    open.iter_mut().zip(&flooded).for_each(|(open, label)| *open &= *label == 0);
    let mut heap = FloodHeap::default();
    for (at, _) in flooded.iter().enumerate().filter(|(_, label)| **label != 0) {
        heap.push(HeapElement { key: keys[at], age: 0, at: at as u32 });
    }
    let (mut age, mut unchecked) = (0, 0);
    while let Some(element) = heap.pop() {
        let at = element.at as usize;
        for distance in &neighbours {
            let place = at.wrapping_add_signed(*distance);
            if open[place] {
                open[place] = false;
                flooded[place] = flooded[at];
                age += 1;
                heap.push(HeapElement { key: keys[place].max(element.key), age, at: place as u32 });
            }
        }
        unchecked += 1;
        if unchecked == CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
    grid.crop(&flooded, labels, |label| label);
    Ok(())
}

/// An integer in the order of the floats, in which both zeros are equal.
fn key(height: f64) -> u64 {
    let bits = if height.is_nan() { f64::NAN.abs().to_bits() } else { (height + 0.0).to_bits() };
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

#[derive(Clone, Copy, Default)]
struct HeapElement {
    key: u64,
    age: u32,
    at: u32,
}

impl HeapElement {
    #[inline(always)]
    fn is_before(&self, other: &Self) -> bool {
        self.key < other.key || (self.key == other.key && self.age < other.age)
    }
}

#[derive(Default)]
struct FloodHeap {
    elements: Vec<HeapElement>,
}

impl FloodHeap {
    fn push(&mut self, element: HeapElement) {
        memory::push(&mut self.elements, element);
        self.rise(0, self.elements.len() - 1, element);
    }

    /// Put an element where it belongs on the way from a place up to `top`.
    #[inline(always)]
    fn rise(&mut self, top: usize, mut place: usize, element: HeapElement) {
        let elements = &mut self.elements[..];
        while place > top {
            let parent = (place - 1) / 2;
            if !element.is_before(&elements[parent]) {
                break;
            }
            elements[place] = elements[parent];
            place = parent;
        }
        elements[place] = element;
    }

    fn pop(&mut self) -> Option<HeapElement> {
        let last = self.elements.pop()?;
        let Some(taken) = self.elements.first().copied() else { return Some(last) };
        let elements = &mut self.elements[..];
        let mut place = 0;
        while 2 * place + 2 < elements.len() {
            let left = 2 * place + 1;
            let child = left + usize::from(elements[left + 1].is_before(&elements[left]));
            elements[place] = elements[child];
            place = child;
        }
        if 2 * place + 1 < elements.len() {
            elements[place] = elements[2 * place + 1];
            place = 2 * place + 1;
        }
        // Among equal elements it stays above: it sinks only below what is before it.
        self.settle(place, last);
        Some(taken)
    }

    /// Put an element on the way from a hole up, above all that are not before it.
    #[inline(always)]
    fn settle(&mut self, mut place: usize, element: HeapElement) {
        let elements = &mut self.elements[..];
        while place > 0 {
            let parent = (place - 1) / 2;
            if elements[parent].is_before(&element) {
                break;
            }
            elements[place] = elements[parent];
            place = parent;
        }
        elements[place] = element;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The heap by swaps, as textbooks have it.
    fn pop_by_swaps(elements: &mut Vec<(u64, u32, u32)>) -> (u64, u32, u32) {
        let before = |a: (u64, u32, u32), b: (u64, u32, u32)| (a.0, a.1) < (b.0, b.1);
        let taken = elements[0];
        let last = elements.pop().unwrap();
        if elements.is_empty() {
            return taken;
        }
        elements[0] = last;
        let mut at = 0;
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < elements.len() && before(elements[child], elements[least]) {
                    least = child;
                }
            }
            if least == at {
                return taken;
            }
            elements.swap(at, least);
            at = least;
        }
    }

    fn contents(heap: &FloodHeap) -> Vec<(u64, u32, u32)> {
        heap.elements.iter().map(|element| (element.key, element.age, element.at)).collect()
    }

    proptest! {
        #[test]
        fn equal_elements_lie_where_swaps_leave_them(
            keys in prop::collection::vec((0_u64..4, 0_u32..2, any::<bool>()), 1..80),
        ) {
            let mut heap = FloodHeap::default();
            for (at, (key, age, pops)) in keys.iter().enumerate() {
                heap.push(HeapElement { key: *key, age: *age, at: at as u32 });
                if *pops {
                    let mut swapped = contents(&heap);
                    let expected = pop_by_swaps(&mut swapped);
                    let taken = heap.pop().unwrap();
                    prop_assert_eq!((taken.key, taken.age, taken.at), expected);
                    prop_assert_eq!(contents(&heap), swapped);
                }
            }
        }
    }

    #[test]
    fn basins_meet_at_the_ridge_and_stay_in_the_mask() {
        let heights = ArrayD::from_shape_vec(vec![7], vec![0.0, 1.0, 5.0, 2.0, -0.0, 1.0, 3.0]).unwrap();
        let mut labels = [7, 0, 0, 0, -2, 0, 0];
        let mask = [1, 1, 1, 1, 1, 1, 0].map(Bool);
        flood(&mut labels, &View::F64(heights.view()), &mask, &[true; 3]).unwrap();
        assert_eq!(labels, [7, 7, 7, -2, -2, -2, 0]);
        let nan = ArrayD::from_shape_vec(vec![1], vec![f32::NAN]).unwrap();
        assert!(flood(&mut [1], &View::F32(nan.view()), &[Bool(1)], &[true; 3]).is_err());
        assert!(flood(&mut [1], &View::F64(heights.view()), &mask, &[true; 3]).is_err());
    }
}
