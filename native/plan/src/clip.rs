//! Clips: what earlier images of a fused chain did not hold stays hidden.
//!
//! Several maps were joined into one. Each image between them had a rectangle; a pixel of the output whose place in it
//! lies outside had the fill value in the chain, and has it here. The places of a row rise or fall by equal steps, so
//! that those inside all rectangles are one span: found with one division per axis and clip, checked in SciPy's
//! arithmetic at its ends.

use ndarray::{ArrayViewMutD, Axis, Slice};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::index::advance;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::ViewMut;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::interpolate::linear_coords::LinearCoords;
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory;
use std::ops::Range;

/// The rectangle of an earlier image, and where pixels of the output lie in it: at `matrix @ o + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// A row for each axis of the rectangle, a column for each spatial axis of the output.
    pub matrix: Vec<f64>,
    /// One for each axis of the rectangle.
    pub offset: Vec<f64>,
    /// The least coordinate inside, for each axis.
    pub low: Vec<f64>,
    /// The greatest coordinate inside, for each axis.
    pub high: Vec<f64>,
    /// The value outside.
    pub fill: f64,
}

impl Clip {
    fn fits(&self, rank: usize) -> bool {
        let axes = self.offset.len();
        self.low.len() == axes && self.high.len() == axes && self.matrix.len() == axes * rank
    }

    /// Those of all positions of a row that lie inside.
    fn visible(&self, row: &[usize], width: usize) -> Range<usize> {
        let rank = row.len() + 1;
        let mut span = 0..width;
        for (axis, factors) in self.matrix.chunks_exact(rank).enumerate() {
            // One addition after another, the offset first: SciPy's order.
            let sum = |sum: f64, (position, factor): (&usize, &f64)| sum + *position as f64 * factor;
            let start = row.iter().zip(factors).fold(self.offset[axis], sum);
            span = LinearCoords { start, step: factors[rank - 1] }.between(
                span,
                self.low[axis],
                self.high[axis],
            );
        }
        if span.is_empty() { 0..0 } else { span }
    }
}

/// Give all pixels outside one of the clips its value; outside several of them, that of the last.
pub fn hide(clips: &[Clip], output: ViewMut<'_>, axes: Axes) -> Result<()> {
    if let Some(clip) = clips.iter().find(|clip| !clip.fits(axes.spatial)) {
        return Err(KernelError::shape(format!("{clip:?} does not fit {} axes", axes.spatial)));
    }
    if clips.is_empty() || output.is_empty() {
        return Ok(());
    }
    match_dtype!(ViewMut, output, output => hide_in(clips, output, axes));
    Ok(())
}

fn hide_in<T: Sample>(clips: &[Clip], mut output: ArrayViewMutD<'_, T>, axes: Axes) {
    let last = axes.outer + axes.spatial - 1;
    let (width, planes) = (output.shape()[last], output.shape()[last + 1..].iter().product::<usize>());
    let lens = memory::copy(&output.shape()[axes.outer..last]);
    let outer: usize = output.shape()[..axes.outer].iter().product();
    let rows: usize = lens.iter().product();
    let mut row = memory::zeros(lens.len());
    for number in 0..rows {
        for clip in clips {
            let span = clip.visible(&row, width);
            if span == (0..width) {
                continue;
            }
            let fill = T::from_f64_rounded(clip.fill);
            if let Some(elements) = output.as_slice_mut() {
                for plane in 0..outer {
                    let row = &mut elements[(plane * rows + number) * width * planes..][..width * planes];
                    row[..span.start * planes].fill(fill);
                    row[span.end * planes..].fill(fill);
                }
            } else {
                let mut part = output.view_mut();
                for (axis, position) in row.iter().enumerate() {
                    part.slice_axis_inplace(Axis(axes.outer + axis), Slice::from(*position..position + 1));
                }
                for hidden in [0..span.start, span.end..width] {
                    part.slice_axis_mut(Axis(last), Slice::from(hidden)).fill(fill);
                }
            }
        }
        advance(&mut row, &lens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_pixel_is_hidden_that_lies_outside_a_rectangle(
            size in (1_usize..9, 1_usize..20),
            planes in (1_usize..3, 1_usize..4),
            numbers in prop::collection::vec(prop_oneof![-2.0..2.0_f64, (-4_i32..4).prop_map(f64::from)], 8),
            offsets in prop::collection::vec(-9.0..20.0_f64, 4),
            rectangles in prop::collection::vec(1_usize..20, 4),
            reversed in any::<bool>(),
        ) {
            let clips: Vec<Clip> = (0..2).map(|clip| Clip {
                matrix: numbers[4 * clip..4 * clip + 4].to_vec(),
                offset: offsets[2 * clip..2 * clip + 2].to_vec(),
                low: vec![0.0, -0.5],
                high: rectangles[2 * clip..2 * clip + 2].iter().map(|len| *len as f64 - 1.0).collect(),
                fill: [6.5, 9.0][clip],
            }).collect();
            let mut found = ArrayD::<u8>::zeros(vec![planes.0, size.0, size.1, planes.1]);
            let mut view = found.view_mut();
            if reversed {
                view.invert_axis(Axis(1));
            }
            hide(&clips, ViewMut::U8(view), Axes { outer: 1, spatial: 2 }).unwrap();
            for (at, value) in found.indexed_iter() {
                let y = if reversed { size.0 - 1 - at[1] } else { at[1] };
                let outside = clips.iter().rev().find(|clip| !(0..2).all(|axis| {
                    let x = clip.offset[axis] + y as f64 * clip.matrix[2 * axis];
                    (clip.low[axis]..=clip.high[axis]).contains(&(x + at[2] as f64 * clip.matrix[2 * axis + 1]))
                }));
                prop_assert_eq!(*value, outside.map_or(0, |clip| if clip.fill == 9.0 { 9 } else { 7 }));
            }
        }
    }
}
