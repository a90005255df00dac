//! Small pictures of bytes: short rows are located one after another, and blended together.
//!
//! So blocks of pixels are whole, and no row waits until what was stored for it can be loaded in one piece.

use super::Flat;
use crate::array::sample::Sample;
use crate::exec::simd::dispatch;
use crate::interpolate::bilinear::{Points, Ramps};
use crate::interpolate::warp::edges::{Edges, SumEdges};
use crate::memory;
use std::ops::Range;

/// Samples of a picture at most: fewer than are shared among threads.
const LARGEST: usize = 1 << 14;

/// Points that are blended together at least: their coordinates and results stay in the nearest cache.
const TOGETHER: usize = 512;

/// Memory for filling pictures of one width.
pub(crate) struct Small {
    rows: Vec<Ramps>,
    points: Points,
    /// The blended pixels of some rows, one row behind the other.
    mixed: Vec<u8>,
    /// Where they belong in the picture.
    parts: Vec<Range<usize>>,
    /// Pixels that are not blended, counted from the first of the picture.
    edges: Edges<2>,
}

impl Small {
    /// For outputs of `len` samples whose rows are made by `flat`; `None` if these are not small pictures of bytes.
    pub fn new<T: Sample>(flat: &Flat<'_, T>, len: usize) -> Option<Self> {
        let room = TOGETHER + flat.width;
        (len <= LARGEST && flat.pixels.blends_bytes()).then(|| Self {
            rows: Vec::new(),
            points: Points::new(room),
            mixed: memory::zeros(room * flat.pixels.inner.len()),
            parts: Vec::new(),
            edges: Edges::new(2),
        })
    }

    /// Fill all rows of an output, from the plane that begins at `base`.
    pub fn fill<T: Sample>(&mut self, flat: &Flat<'_, T>, base: usize, to: &mut [u8]) {
        let Flat { pixels, options, width, .. } = flat;
        let planes = pixels.inner.len();
        let fill = u8::from_f64_rounded(options.fill);
        let rows = to.len() / (width * planes);
        let mut count = 0;
        self.edges.clear();
        for number in 0..rows {
            let (first, row) = (number * width, flat.row(number));
            to[first * planes..][..row.alive.start * planes].fill(fill);
            to[(first + row.alive.end) * planes..(first + width) * planes].fill(fill);
            flat.add_edges(&row, first, &mut self.edges);
            memory::extend(&mut self.rows, row.ramps(count));
            memory::push(
                &mut self.parts,
                (first + row.inside.start) * planes..(first + row.inside.end) * planes,
            );
            count += row.inside.len();
            if count >= TOGETHER || number + 1 == rows {
                flat.locate(&self.rows, &mut self.points);
                self.rows.clear();
                let mut mixed = &mut self.mixed[..count * planes];
                pixels.blend_bytes(base, self.points.part(0..count), mixed);
                for part in self.parts.drain(..) {
                    let (of_row, others) = mixed.split_at_mut(part.len());
                    to[part].copy_from_slice(of_row);
                    mixed = others;
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
    use crate::array::view::ViewMut;
    use crate::border::Border;
    use crate::exec::simd::{Level, force, level};
    use crate::interpolate::warp::Options;
    use crate::walk::rows::{Axes, Pixels, make_rows};
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pictures_equal_their_rows(
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
                // Flat stretches, and values one apart, put sums on rounding edges.
                let wave = at[1] * 31 + at[2] * 7 + at[3] * 50 + at[0];
                (wave * (seed >> (at[1] % 20)) as usize) as u8 / (1 + (seed % 50) as u8)
            });
            let matrix = [scale * turn.cos(), turn.sin(), -turn.sin(), scale * turn.cos()];
            let pixels = Pixels::new(image.view(), Axes { outer: 1, spatial: 2 });
            let flat = Flat::new(&pixels, &matrix, &offset, &options, to.1).unwrap();
            let before = level();
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut rows = ArrayD::<u8>::zeros(vec![2, to.0, to.1, size.2]);
                make_rows(ViewMut::U8(rows.view_mut()), Axes { outer: 1, spatial: 2 }, 1, &flat);
                let mut found = vec![0; rows.len()];
                let len = rows.len() / 2;
                let mut small = Small::new(&flat, len).unwrap();
                for (picture, to) in found.chunks_exact_mut(len).enumerate() {
                    small.fill(&flat, picture * pixels.outer[0], to);
                }
                prop_assert_eq!(&found, rows.as_slice().unwrap());
            }
            force(before);
        }
    }
}
