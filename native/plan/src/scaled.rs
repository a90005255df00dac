//! A resize that reads an image which is decoded at a half, a quarter or an eighth of its size.
//!
//! A pixel of the smaller image stands for the block of pixels that it is the mean of, more or less: the weights that the
//! resize has for the pixels of a block are added up, and the sum becomes the weight of the block's one pixel. So the
//! resize stays where it is on the image, whatever was cropped and flipped before it.
//!
//! ```text
//! scale  = the largest at which both axes have as many pixels left as the resize makes
//! w'[b]  = Σ w[i] of the pixels i in block b      for each position of the result
//! ```
//!
//! This is close to the resize of all pixels, and not equal to it.

use crate::grid::{Grid, GridAxis};
use crate::resample::Resize;
use offgraph_codecs::ImageFile;
use offgraph_codecs::jpeg::{Scale, Window};
use offgraph_kernels::interpolate::resize::Taps;
use offgraph_kernels::memory::{self, CollectVec};
use std::ops::Range;
use std::sync::Arc;

/// What to decode of a file, and what to do with it.
#[derive(Debug)]
pub(crate) struct Scaled {
    /// What the file is decoded at.
    pub(crate) scale: Scale,
    /// Of the scaled image.
    pub(crate) window: Window,
    /// From the window on, to the image that the resize reads.
    pub(crate) grid: Grid,
    pub(crate) resize: Resize,
}

impl Scaled {
    /// A resize of what a grid map keeps of a file; `None` where it needs all pixels, or skips some of them.
    pub(crate) fn new(file: &ImageFile, grid: &Grid, resize: &Resize) -> Option<Self> {
        let shrinks = |scale: &Scale| {
            resize.ratios.iter().all(|ratio| *ratio >= scale.divisor()) && file.has_scale(*scale)
        };
        let scale = [Scale::Eighth, Scale::Quarter, Scale::Half].into_iter().find(shrinks)?;
        if resize.size.contains(&0) || resize.tables.iter().any(skips_pixels) {
            return None;
        }
        let blocks = |map: &GridAxis| {
            let Range { start, end } = map.reads();
            start / scale.divisor()..(end - 1) / scale.divisor() + 1
        };
        let taps = |(map, table): (&GridAxis, &Taps)| summed(table, map, scale.divisor());
        let tables = grid.axes.iter().zip(resize.tables.iter()).map(taps).collect_vec();
        let axes = grid.axes.iter().map(|map| {
            let blocks = blocks(map);
            let start = if map.flip { blocks.len() as isize - 1 } else { 0 };
            GridAxis { axis: map.axis, flip: map.flip, start, len: blocks.len() }
        });
        let along = |axis: usize| grid.axes.iter().find(|map| map.axis == axis).map(blocks);
        Some(Self {
            scale,
            window: Window { rows: along(0)?, columns: along(1)? },
            grid: Grid { axes: axes.collect_vec(), border: grid.border, fill: grid.fill },
            resize: Resize {
                size: memory::copy(&resize.size),
                tables: Arc::new(tables),
                ratios: memory::copy(&resize.ratios),
            },
        })
    }
}

/// Whether some pixels between others count for no result: their details would alias, and a mean has none.
fn skips_pixels(table: &Taps) -> bool {
    let mut end = usize::MAX;
    table.positions().any(|(start, weights)| {
        let skips = start > end;
        end = start + weights.len();
        skips
    })
}

/// The weights of blocks of pixels, along the axis of a map.
fn summed(table: &Taps, map: &GridAxis, divisor: usize) -> Taps {
    let stored =
        |pixel: usize| if map.flip { map.start as usize - pixel } else { map.start as usize + pixel };
    let first = stored(0) / divisor;
    let block = |pixel: usize| (stored(pixel) / divisor).abs_diff(first);
    let mut summed = Taps::new();
    let mut sums: Vec<f64> = Vec::new();
    for (start, weights) in table.positions() {
        sums.clear();
        let first = block(start);
        for (pixel, weight) in (start..).zip(weights) {
            let place = block(pixel) - first;
            if place == sums.len() {
                memory::push(&mut sums, 0.0);
            }
            sums[place] += weight;
        }
        summed.push(first, &sums);
    }
    summed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(positions: &[(usize, &[f64])]) -> Taps {
        let mut taps = Taps::new();
        positions.iter().for_each(|(start, weights)| taps.push(*start, weights));
        taps
    }

    #[test]
    fn weights_of_a_block_are_added_up() {
        let fifth = [0.2; 5];
        let taps = table(&[(0, &fifth), (4, &fifth)]);
        let map = GridAxis { axis: 0, flip: false, start: 3, len: 9 };
        // Pixels 3 to 11 are in blocks 0 | 1 1 1 1 | 2 2 2 2.
        let found = summed(&taps, &map, 4);
        let expected = table(&[(0, &[0.2, 0.2 + 0.2 + 0.2 + 0.2]), (1, &[0.2, 0.2 + 0.2 + 0.2 + 0.2])]);
        assert!(found.equals(&expected), "{found:?}");
        // Backwards, pixels 11 to 3 are in blocks 2 2 2 2 | 1 1 1 1 | 0.
        let found = summed(&taps, &GridAxis { flip: true, start: 11, ..map }, 4);
        let expected = table(&[(0, &[0.2 + 0.2 + 0.2 + 0.2, 0.2]), (1, &[0.2 + 0.2 + 0.2 + 0.2, 0.2])]);
        assert!(found.equals(&expected), "{found:?}");
    }

    #[test]
    fn skipped_pixels_are_noticed() {
        assert!(!skips_pixels(&table(&[(0, &[0.5, 0.5]), (2, &[0.5, 0.5]), (3, &[1.0])])));
        assert!(skips_pixels(&table(&[(0, &[0.5, 0.5]), (3, &[1.0])])));
    }
}
