//! Small images of bytes: several short rows are located one after another and blended together.
//!
//! So blocks of pixels are full, and no row waits for its own stores before it can be loaded in one piece.

use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::interpolate::affine2d::Affine2d;
use crate::interpolate::bilinear::points::{LinearRow, Points};
use crate::interpolate::edges::{Edges, SumEdges};
use crate::memory;
use std::ops::Range;

/// Largest image, in samples; larger ones are shared among threads.
const MAX_SAMPLES: usize = 1 << 14;

/// Fewest points to blend together; their coordinates and results stay in the first-level cache.
const MIN_POINTS: usize = 512;

/// Workspace for filling images of one width.
pub(crate) struct SmallAffine2d {
    rows: Vec<LinearRow>,
    points: Points,
    /// The blended pixels of some rows, row after row.
    blended: Vec<u8>,
    /// Where these rows go in the image.
    parts: Vec<Range<usize>>,
    /// Pixels that are not blended, counted from the first of the image.
    edges: Edges<2>,
}

impl SmallAffine2d {
    /// For outputs of `len` samples whose rows are those of `affine`; `None` if they are not small images of bytes.
    pub fn new<T: Sample>(affine: &Affine2d<'_, T>, len: usize) -> Option<Self> {
        let capacity = MIN_POINTS + affine.width;
        (len <= MAX_SAMPLES && affine.pixels.blends_bytes()).then(|| Self {
            rows: Vec::new(),
            points: Points::new(capacity),
            blended: memory::zeros(capacity * affine.pixels.inner.len()),
            parts: Vec::new(),
            edges: Edges::new(2),
        })
    }

    /// Fill all rows of an output from the plane at offset `base`.
    pub fn fill<T: Sample>(&mut self, affine: &Affine2d<'_, T>, base: usize, to: &mut [u8]) {
        let Affine2d { pixels, options, width, .. } = affine;
        let planes = pixels.inner.len();
        let fill = u8::from_f64_rounded(options.fill);
        let rows = to.len() / (width * planes);
        let mut count = 0;
        self.edges.clear();
        for number in 0..rows {
            let (first, row) = (number * width, affine.row(number));
            to[first * planes..][..row.covered.start * planes].fill(fill);
            to[(first + row.covered.end) * planes..(first + width) * planes].fill(fill);
            affine.add_edges(&row, first, &mut self.edges);
            memory::extend(&mut self.rows, row.interior_row(count));
            memory::push(
                &mut self.parts,
                (first + row.inside.start) * planes..(first + row.inside.end) * planes,
            );
            count += row.inside.len();
            if count >= MIN_POINTS || number + 1 == rows {
                affine.locate(&self.rows, &mut self.points);
                self.rows.clear();
                let mut blended = &mut self.blended[..count * planes];
                pixels.blend_bytes(base, self.points.part(0..count), blended);
                for part in self.parts.drain(..) {
                    let (of_row, others) = blended.split_at_mut(part.len());
                    to[part].copy_from_slice(of_row);
                    blended = others;
                }
                count = 0;
            }
        }
        dispatch(SumEdges { edges: &self.edges, image: *pixels, base, fill: options.fill, to });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::axes::Axes;
    use crate::array::pixels::Pixels;
    use crate::array::view::ViewMut;
    use crate::border::Border;
    use crate::exec::simd::testing::every_level;
    use crate::interpolate::options::Options;
    use crate::walk::rows::make_rows;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn images_equal_their_rows(
            size in (1_usize..40, 1_usize..70, 1_usize..=4),
            to in (1_usize..40, 1_usize..70),
            turn in 0.0..7.0_f64,
            scale in prop_oneof![Just(0.5), Just(1.0), 0.1..3.0_f64],
            offset in prop::array::uniform2(prop_oneof![-60.0..60.0_f64, (-9_i32..9).prop_map(f64::from)]),
            border in 0_i32..7,
            seed in any::<u32>(),
        ) {
            let options =
                Options { order: 1, border: Border::from_code(border).unwrap(), fill: 7.5, pad: 0 };
            let image = ArrayD::from_shape_fn(vec![2, size.0, size.1, size.2], |at| {
                // Flat stretches, and values that differ by one, put sums on rounding boundaries.
                let wave = at[1] * 31 + at[2] * 7 + at[3] * 50 + at[0];
                (wave * (seed >> (at[1] % 20)) as usize) as u8 / (1 + (seed % 50) as u8)
            });
            let matrix = [scale * turn.cos(), turn.sin(), -turn.sin(), scale * turn.cos()];
            let pixels = Pixels::new(image.view(), Axes { outer: 1, spatial: 2 });
            let affine = Affine2d::new(&pixels, &matrix, &offset, &options, to.1).unwrap();
            for _ in every_level() {
                let mut rows = ArrayD::<u8>::zeros(vec![2, to.0, to.1, size.2]);
                make_rows(ViewMut::U8(rows.view_mut()), Axes { outer: 1, spatial: 2 }, 1, &affine);
                let mut found = vec![0; rows.len()];
                let len = rows.len() / 2;
                let mut small = SmallAffine2d::new(&affine, len).unwrap();
                for (image, to) in found.chunks_exact_mut(len).enumerate() {
                    small.fill(&affine, image * pixels.outer[0], to);
                }
                prop_assert_eq!(&found, rows.as_slice().unwrap());
            }
        }
    }
}
