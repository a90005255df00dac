//! Watershed from markers by a priority flood (Meyer, 1992; Barnes, Lehman and Mulla, 2014), as scikit-image defines it.
//!
//! ```text
//! put each marker into a queue, with its height and age 0
//! while the queue is not empty: take the lowest element, of equally low ones that of the least age
//!     each neighbour that is open gets its label, is closed, and enters with the next age, no lower than the element
//! ```
//!
//! Only the order of heights counts, so they are replaced by their [`ranks`], the levels of the flood. Then the queue is a list
//! per level ([`levels`]). Equal markers leave scikit-image's queue in an order that only its heap knows. Where their labels
//! differ, the flood by lists finds out whether the order counts, mostly after a few elements, and is begun again by the
//! same heap if it does ([`heap`]).

mod heap;
mod levels;
mod map;
mod ranks;

use crate::array::sample::Bool;
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::segment::grid::BorderedGrid;
use levels::Levels;
use map::{FloodMap, Marker, NONE};

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
    let scattered = || KernelError::shape("heights that are not C-contiguous");
    let (ranks, highest) = match heights {
        View::F32(array) => {
            let heights = array.as_slice().ok_or_else(scattered)?;
            check(heights.iter().any(|height| height.is_nan()))?;
            ranks::ranks(heights, mask, |height| key(height.into()))
        }
        View::F64(array) => {
            let heights = array.as_slice().ok_or_else(scattered)?;
            check(heights.iter().any(|height| height.is_nan()))?;
            ranks::ranks(heights, mask, key)
        }
        _ => return Err(KernelError::parameter("heights that are not floats")),
    };
    match neighbours.len() {
        2 => flood_map(labels, &grid, &ranks, highest, &fixed::<2>(&neighbours)),
        4 => flood_map(labels, &grid, &ranks, highest, &fixed::<4>(&neighbours)),
        6 => flood_map(labels, &grid, &ranks, highest, &fixed::<6>(&neighbours)),
        8 => flood_map(labels, &grid, &ranks, highest, &fixed::<8>(&neighbours)),
        _ => flood_map(labels, &grid, &ranks, highest, &neighbours),
    }
    Ok(())
}

fn check(has_nan: bool) -> Result<()> {
    if has_nan { Err(KernelError::parameter("a height that is not a number")) } else { Ok(()) }
}

/// An integer in the order of the floats, in which both zeros are equal; never 0.
fn key(height: f64) -> u64 {
    let bits = (height + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// As many neighbours as the loop over them is compiled for.
fn fixed<const K: usize>(neighbours: &[isize]) -> [isize; K] {
    std::array::from_fn(|at| neighbours[at])
}

fn flood_map<N: AsRef<[isize]>>(
    labels: &mut [i32],
    grid: &BorderedGrid,
    ranks: &[u32],
    highest: usize,
    neighbours: &N,
) {
    let (mut map, markers) = FloodMap::new(grid, labels, ranks, highest);
    let tie = map.last_tie(&markers);
    if tie == 0 {
        flood_levels::<false, N>(&mut map, &markers, neighbours);
    } else if !flood_levels::<true, N>(&mut map, &markers, neighbours) {
        heap::flood(&mut map, &markers, tie, neighbours);
    }
    grid.crop(&map.elements, labels, |element| element.label);
}

/// Flood by queues of levels; where that does not decide, leave the map as it was and return false.
fn flood_levels<const SORTED: bool, N: AsRef<[isize]>>(
    map: &mut FloodMap,
    markers: &[Marker],
    neighbours: &N,
) -> bool {
    let mut levels = Levels::new(map.highest, SORTED);
    for Marker { place, rank } in markers {
        levels.push::<SORTED>(&mut map.elements, *place, *rank as usize, NONE);
    }
    let is_decided = levels.flood::<SORTED, N>(map, neighbours);
    if !is_decided {
        levels.undo(map, markers);
    }
    is_decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// By a sorted list. Of equal markers, those of a later place come first if `turned`.
    fn plain(heights: &[f64], markers: &[i32], columns: usize, turned: bool) -> Vec<i32> {
        let mut labels = markers.to_vec();
        let mut queue: Vec<(f64, usize, usize)> = Vec::new();
        for at in (0..labels.len()).filter(|at| labels[*at] != 0) {
            queue.push((heights[at], 0, if turned { labels.len() - at } else { at }));
        }
        let place_of = |entry: &(f64, usize, usize)| {
            if entry.1 == 0 && turned { markers.len() - entry.2 } else { entry.2 }
        };
        let mut age = 0;
        while let Some(first) = (0..queue.len()).min_by(|a, b| queue[*a].partial_cmp(&queue[*b]).unwrap()) {
            let entry = queue.remove(first);
            let at = place_of(&entry);
            let (row, column) = (at / columns, at % columns);
            let near = [
                row.checked_sub(1).map(|row| row * columns + column),
                column.checked_sub(1).map(|column| row * columns + column),
                Some(at + 1).filter(|_| column + 1 < columns),
                Some(at + columns).filter(|at| *at < labels.len()),
            ];
            for place in near.into_iter().flatten().filter(|place| markers[*place] == 0) {
                if labels[place] == 0 {
                    labels[place] = labels[at];
                    age += 1;
                    queue.push((heights[place].max(entry.0), age, place));
                }
            }
        }
        labels
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn where_no_order_counts_all_orders_give_the_same(
            columns in 1_usize..9,
            elements in prop::collection::vec((0_u8..200, 0_i32..30), 1..120),
            levels in prop::sample::select(vec![2_u8, 6, 200]),
            kinds in prop::sample::select(vec![2_i32, 9]),
        ) {
            let rows = elements.len().div_ceil(columns);
            let count = rows * columns;
            let heights: Vec<f64> =
                elements.iter().map(|(height, _)| f64::from(height % levels)).cycle().take(count).collect();
            let markers: Vec<i32> = elements
                .iter()
                .map(|(_, label)| if *label < 5 { 1 + label % kinds } else { 0 })
                .cycle()
                .take(count)
                .collect();
            let grid = BorderedGrid::new(&[rows, columns]).unwrap();
            let cross = [false, true, false, true, false, true, false, true, false];
            let neighbours = grid.neighbours(&cross).unwrap();
            let (ranks, highest) = ranks::ranks(&heights, &vec![Bool(1); count], key);
            let (mut map, places) = FloodMap::new(&grid, &markers, &ranks, highest);
            let before = map.elements.clone();
            let (one, other) = (plain(&heights, &markers, columns, false), plain(&heights, &markers, columns, true));
            let mut found = vec![0; count];
            if flood_levels::<true, _>(&mut map, &places, &neighbours) {
                grid.crop(&map.elements, &mut found, |element| element.label);
                prop_assert_eq!(&found, &one);
                prop_assert_eq!(&found, &other);
            } else {
                prop_assert_eq!(&map.elements, &before);
            }
            // The heap decides by itself, or has no say.
            map.elements = before;
            let tie = map.last_tie(&places);
            heap::flood(&mut map, &places, tie, &neighbours);
            let mut by_heap = vec![0; count];
            grid.crop(&map.elements, &mut by_heap, |element| element.label);
            let mut whole = markers.clone();
            let image = ArrayD::from_shape_vec(vec![rows, columns], heights).unwrap();
            flood(&mut whole, &View::F64(image.view()), &vec![Bool(1); count], &cross).unwrap();
            prop_assert_eq!(&whole, &by_heap);
            if tie == 0 {
                prop_assert_eq!(&whole, &one);
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
