//! An array with a border of one element on every side.

use crate::array::index::advance;
use crate::error::{KernelError, Result};
use crate::memory;

/// Places in an array and in the array with a border, both in C order.
pub struct BorderedGrid {
    shape: Vec<usize>,
    /// From an element to the next one along each axis, with the border.
    strides: Vec<usize>,
    /// Elements, with the border.
    len: usize,
}

impl BorderedGrid {
    /// # Errors
    ///
    /// If the array has no axis, or 2^32 elements or more with the border.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let mut strides = memory::filled(1, shape.len());
        let mut len = 1_usize;
        for (stride, axis) in strides.iter_mut().zip(shape).rev() {
            *stride = len;
            len = axis.checked_add(2).and_then(|padded| padded.checked_mul(len)).unwrap_or(usize::MAX);
        }
        if shape.is_empty() || len >= u32::MAX as usize {
            let message = format!("shape {shape:?}: one axis at least, and less than 2^32 elements");
            return Err(KernelError::shape(message));
        }
        Ok(Self { shape: memory::copy(shape), strides, len })
    }

    /// Call `work` with the place of the first element of each line, with and without the border.
    pub(super) fn for_each_line(&self, mut work: impl FnMut(usize, usize)) {
        let Some((length, outer)) = self.shape.split_last() else { return };
        if self.shape.contains(&0) {
            return;
        }
        let (mut index, mut place) = (memory::zeros(outer.len()), 0);
        loop {
            let lines = index.iter().zip(&self.strides);
            work(lines.map(|(at, stride)| (at + 1) * stride).sum::<usize>() + 1, place);
            place += length;
            if !advance(&mut index, outer) {
                return;
            }
        }
    }

    /// The elements with a border of `outside`.
    pub(super) fn pad<T: Copy, P: Clone>(&self, from: &[T], outside: P, of: impl Fn(T) -> P) -> Vec<P> {
        let mut padded = memory::filled(outside, self.len);
        let length = self.length();
        self.for_each_line(|to, place| {
            let line = padded[to..to + length].iter_mut().zip(&from[place..place + length]);
            line.for_each(|(to, from)| *to = of(*from));
        });
        padded
    }

    /// The elements without the border.
    pub(super) fn crop<P: Copy, T>(&self, padded: &[P], to: &mut [T], of: impl Fn(P) -> T) {
        let length = self.length();
        self.for_each_line(|from, place| {
            let line = to[place..place + length].iter_mut().zip(&padded[from..from + length]);
            line.for_each(|(to, from)| *to = of(*from));
        });
    }

    /// Elements, with the border.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Elements of a line, without the border.
    pub(super) fn length(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Distances in C order to the neighbours without the element itself: the nearest first, equally near ones in C order.
    ///
    /// # Errors
    ///
    /// If `structure` has not three elements along each axis.
    pub(super) fn neighbours(&self, structure: &[bool]) -> Result<Vec<isize>> {
        let axes = self.shape.len();
        if 3_usize.checked_pow(axes as u32) != Some(structure.len()) {
            return Err(KernelError::shape("a structure without three elements along each axis"));
        }
        let mut sorted = Vec::new();
        for steps in 1..=axes {
            for (cell, _) in structure.iter().enumerate().filter(|(_, is_set)| **is_set) {
                let (mut rest, mut distance, mut moved) = (cell, 0, 0);
                for stride in self.strides.iter().rev() {
                    let step = (rest % 3) as isize - 1;
                    distance += step * *stride as isize;
                    moved += step.unsigned_abs();
                    rest /= 3;
                }
                if moved == steps {
                    memory::push(&mut sorted, distance);
                }
            }
        }
        Ok(sorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_is_put_around_and_taken_off() {
        let grid = BorderedGrid::new(&[2, 3]).unwrap();
        let elements = [1, 2, 3, 4, 5, 6];
        let padded = grid.pad(&elements, 0, |element| element);
        assert_eq!(padded, [0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
        let mut back = [0; 6];
        grid.crop(&padded, &mut back, |element| element);
        assert_eq!(back, elements);
        assert!(BorderedGrid::new(&[]).is_err() && BorderedGrid::new(&[1 << 20, 1 << 20]).is_err());
        BorderedGrid::new(&[0, 3]).unwrap().crop(&padded, &mut [0; 0], |element| element);
    }

    #[test]
    fn neighbours_are_sorted_by_their_distance() {
        let grid = BorderedGrid::new(&[2, 3]).unwrap();
        assert_eq!(grid.neighbours(&[true; 9]).unwrap(), [-5, -1, 1, 5, -6, -4, 4, 6]);
        assert!(grid.neighbours(&[true; 3]).is_err());
    }
}
