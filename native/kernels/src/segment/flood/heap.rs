//! The flood by scikit-image's heap, where the order of markers of one level and different labels counts.
//!
//! Among markers of one level the heap decides by where they happen to lie in it. So this is the same heap, binary, with the
//! same comparisons. Level, age and place are one number, so that a step moves one word; comparisons leave the place out. An
//! element that is taken is replaced by the last one, which sinks: it nearly always belongs far down. So the path of smaller
//! children is followed to its end, without a comparison with the element, and gone back up to where that belongs. Two steps
//! down are found at once: which child is smaller, and which grandchild of either. Which element is next is known long before
//! the last one has sunk, so that its neighbours are prefetched.

use super::levels::Levels;
use super::map::{FloodMap, Marker, NONE};
use crate::exec::simd::prefetch;
use crate::exec::threads;
use crate::memory::{self, CollectVec};

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// Elements whose distance is smaller mostly lie in one cache line, or in two that are fetched together.
const ONE_LINE: usize = 3;

/// Flood by the heap until all levels up to `last` have been reached, which is the last one with markers of different labels,
/// and then by queues.
pub(super) fn flood<N: AsRef<[isize]>>(map: &mut FloodMap, markers: &[Marker], last: u32, neighbours: &N) {
    // Ages are below the number of elements, as places are.
    let bits = bits_of(map.elements.len());
    if bits_of(map.highest) + 2 * bits <= u64::BITS {
        flood_packed::<u64, N>(map, markers, last, neighbours, bits);
    } else {
        flood_packed::<u128, N>(map, markers, last, neighbours, bits);
    }
}

/// Bits that a number takes.
fn bits_of(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}

fn flood_packed<E: Packed, N: AsRef<[isize]>>(
    map: &mut FloodMap,
    markers: &[Marker],
    last: u32,
    neighbours: &N,
    bits: u32,
) {
    let mut heap = FloodHeap::<E>::new(bits);
    for Marker { place, rank } in markers {
        heap.push(E::pack(*rank, 0, *place, bits));
    }
    // A place in each line of neighbours.
    let mut lines = memory::filled(0_isize, 1);
    for distance in neighbours.as_ref() {
        if lines.iter().all(|line| line.abs_diff(*distance) > ONE_LINE) {
            memory::push(&mut lines, *distance);
        }
    }
    let elements = &mut map.elements[..];
    let (mut age, mut unchecked) = (0, 0);
    while let Some(top) = heap.entries.first() {
        // Markers come before all others of their level.
        if top.level(bits) > last {
            break;
        }
        let Some(own) = heap.pop() else { break };
        if let Some(next) = heap.entries.first() {
            let next = next.place(bits) as usize;
            lines.iter().for_each(|line| prefetch(elements, next.wrapping_add_signed(*line)));
        }
        let (at, level) = (own.place(bits) as usize, own.level(bits));
        let label = elements[at].label;
        for distance in neighbours.as_ref() {
            let place = at.wrapping_add_signed(*distance);
            let other = &mut elements[place];
            if other.rank != 0 {
                age += 1;
                let entered = other.rank.max(level);
                (other.rank, other.label) = (0, label);
                heap.push(E::pack(entered, age, place as u32, bits));
            }
        }
        unchecked += 1;
        if unchecked == CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
    // Most of what is left has no neighbour that is open, and adds nothing.
    let elements = &map.elements[..];
    let is_open =
        |at: u32, distance: &isize| elements[(at as usize).wrapping_add_signed(*distance)].rank != 0;
    let left = heap.entries.iter().copied();
    let left =
        left.filter(|entry| neighbours.as_ref().iter().any(|distance| is_open(entry.place(bits), distance)));
    let mut left = left.collect_vec();
    left.sort_unstable();
    let mut levels = Levels::new(map.highest, false);
    for entry in left {
        levels.push::<false>(&mut map.elements, entry.place(bits), entry.level(bits) as usize, NONE);
    }
    levels.flood::<false, N>(map, neighbours);
}

/// An element of the heap as one number: its level above its age above its place, of `bits` bits each but the level.
trait Packed: Copy + Ord {
    fn pack(level: u32, age: u32, place: u32, bits: u32) -> Self;
    fn level(self, bits: u32) -> u32;
    fn place(self, bits: u32) -> u32;
    /// Zeros for the place.
    fn all_but_place(bits: u32) -> Self;
    /// Whether this one has a lower level, or the same and a lower age.
    fn is_before(self, other: Self, all_but_place: Self) -> bool;
}

macro_rules! packed {
    ($($type:ty),*) => {
        $(
            impl Packed for $type {
                #[inline(always)]
                fn pack(level: u32, age: u32, place: u32, bits: u32) -> Self {
                    (Self::from(level) << bits | Self::from(age)) << bits | Self::from(place)
                }

                #[inline(always)]
                fn level(self, bits: u32) -> u32 {
                    (self >> (2 * bits)) as u32
                }

                #[inline(always)]
                fn place(self, bits: u32) -> u32 {
                    (self & !Self::all_but_place(bits)) as u32
                }

                #[inline(always)]
                fn all_but_place(bits: u32) -> Self {
                    Self::MAX << bits
                }

                // The place of this one counts only where the rest is equal, and is not below zero then.
                #[inline(always)]
                fn is_before(self, other: Self, all_but_place: Self) -> bool {
                    self < other & all_but_place
                }
            }
        )*
    };
}

packed!(u64, u128);

struct FloodHeap<E> {
    entries: Vec<E>,
    all_but_place: E,
}

impl<E: Packed> FloodHeap<E> {
    fn new(bits: u32) -> Self {
        Self { entries: Vec::new(), all_but_place: E::all_but_place(bits) }
    }

    #[inline(always)]
    fn push(&mut self, entry: E) {
        memory::push(&mut self.entries, entry);
        let mut at = self.entries.len() - 1;
        let entries = &mut self.entries[..];
        while at > 0 {
            let parent = (at - 1) / 2;
            if !entry.is_before(entries[parent], self.all_but_place) {
                break;
            }
            entries[at] = entries[parent];
            at = parent;
        }
        entries[at] = entry;
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        let entry = self.entries.pop()?;
        let Some(top) = self.entries.first().copied() else { return Some(entry) };
        let mask = self.all_but_place;
        let entries = &mut self.entries[..];
        let mut at = 0;
        while let (Some(children), Some(grandchildren)) = (
            entries.get(2 * at + 1..).and_then(<[E]>::first_chunk::<2>),
            entries.get(4 * at + 3..).and_then(<[E]>::first_chunk::<4>),
        ) {
            // Of equal children the left one is taken. Numbers in place of branches, which would be guessed wrongly.
            let right = usize::from(children[1].is_before(children[0], mask));
            let [of_left, of_right] =
                [0, 2].map(|from| usize::from(grandchildren[from + 1].is_before(grandchildren[from], mask)));
            let child = 2 * at + 1 + right;
            let grandchild = 2 * child + 1 + (of_left ^ ((of_left ^ of_right) & right.wrapping_neg()));
            entries[at] = entries[child];
            entries[child] = entries[grandchild];
            at = grandchild;
        }
        while 2 * at + 1 < entries.len() {
            let left = 2 * at + 1;
            let is_right = left + 1 < entries.len() && entries[left + 1].is_before(entries[left], mask);
            let child = left + usize::from(is_right);
            entries[at] = entries[child];
            at = child;
        }
        // Among equal elements it stays above: it sinks only below what is before it.
        while at > 0 {
            let parent = (at - 1) / 2;
            if entries[parent].is_before(entry, mask) {
                break;
            }
            entries[at] = entries[parent];
            at = parent;
        }
        entries[at] = entry;
        Some(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Debug;

    /// The heap by swaps, as textbooks have it.
    fn pop_by_swaps<E: Copy>(elements: &mut Vec<E>, key: impl Fn(E) -> (u32, u32)) -> E {
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
                if child < elements.len() && key(elements[child]) < key(elements[least]) {
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

    fn lies_where_swaps_leave_it<E: Packed + Debug>(steps: &[(u32, u32, bool)], bits: u32) {
        let mut heap = FloodHeap::<E>::new(bits);
        let key = |entry: E| (entry.level(bits), steps[entry.place(bits) as usize].1);
        for (at, (level, age, pops)) in steps.iter().enumerate() {
            heap.push(E::pack(*level, *age, at as u32, bits));
            if *pops {
                let mut swapped = heap.entries.clone();
                let expected = pop_by_swaps(&mut swapped, key);
                assert_eq!(heap.pop(), Some(expected));
                assert_eq!(heap.entries, swapped);
            }
        }
    }

    proptest! {
        #[test]
        fn equal_elements_lie_where_swaps_leave_them(
            steps in prop::collection::vec((0_u32..4, 0_u32..2, any::<bool>()), 1..120),
            bits in 7_u32..30,
        ) {
            lies_where_swaps_leave_it::<u64>(&steps, bits);
            lies_where_swaps_leave_it::<u128>(&steps, bits);
        }

        #[test]
        fn level_and_place_are_unpacked(level in 0_u32..16, age in 0_u32.., place in 0_u32.., bits in 1_u32..31) {
            let below = |number: u32| number & ((1 << bits) - 1);
            let (age, place) = (below(age), below(place));
            let (short, long) = (u64::pack(level, age, place, bits), u128::pack(level, age, place, bits));
            prop_assert_eq!((short.level(bits), short.place(bits)), (level, place));
            prop_assert_eq!((long.level(bits), long.place(bits)), (level, place));
        }
    }

    #[test]
    fn long_numbers_flood_as_short_ones() {
        use super::super::{BorderedGrid, ranks};
        use crate::array::sample::Bool;
        let (rows, columns) = (23, 31);
        let count = rows * columns;
        let heights: Vec<u64> = (0..count as u64).map(|at| 1 + at * at * 2654435761 / 977 % 5).collect();
        let markers: Vec<i32> =
            (0..count).map(|at| if at % 13 == 5 { 1 + (at / 13 % 7) as i32 } else { 0 }).collect();
        let grid = BorderedGrid::new(&[rows, columns]).unwrap();
        let neighbours = grid.neighbours(&[true; 9]).unwrap();
        let (ranks, highest) = ranks::ranks(&heights, &vec![Bool(1); count], |height| height);
        let flooded = |is_long: bool| {
            let (mut map, places) = FloodMap::new(&grid, &markers, &ranks, highest);
            let (last, bits) = (map.last_tie(&places), bits_of(map.elements.len()));
            if is_long {
                flood_packed::<u128, _>(&mut map, &places, last, &neighbours, bits);
            } else {
                flood_packed::<u64, _>(&mut map, &places, last, &neighbours, bits);
            }
            map.elements.iter().map(|element| element.label).collect::<Vec<_>>()
        };
        assert_eq!(flooded(true), flooded(false));
    }
}
