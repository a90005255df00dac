//! Distance transforms: how far each nonzero element lies from the nearest zero element, and where that lies.

pub mod brute_force;
pub mod chamfer;
mod envelope;
pub mod euclidean;
mod line_group;
mod nearby;
pub mod per_label;
pub mod positions;
mod squared;

use crate::array::view::View;
use crate::match_dtype;
use ndarray::Axis;

/// Mark with 1 the elements that are not zero.
fn read_marks(input: &View<'_>, marks: &mut [u8]) {
    match_dtype!(View, input, array => {
        let last = Axis(array.ndim() - 1);
        let len = array.len_of(last).max(1);
        for (to, lane) in marks.chunks_exact_mut(len).zip(array.lanes(last)) {
            let zero = Default::default();
            match lane.to_slice() {
                Some(line) => to.iter_mut().zip(line).for_each(|(to, from)| *to = u8::from(*from != zero)),
                None => to.iter_mut().zip(lane).for_each(|(to, from)| *to = u8::from(*from != zero)),
            }
        }
    });
}
