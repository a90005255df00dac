//! The flood by scikit-image's heap, where the order of markers of one level and different labels counts.
//!
//! Among markers of one level the heap decides by where they happen to lie in it. So this is the same heap, binary, with the
//! same comparisons. Levels and ages are one number. An element that is taken is replaced by the last one, which sinks: it
//! nearly always belongs far down. So the path of smaller children is followed to its end, without a comparison with the
//! element, and gone back up to where that belongs. Two steps down are found at once: which child is smaller, and which
//! grandchild of either.

use super::levels::Levels;
use super::map::{FloodMap, Marker, NONE};
use crate::exec::threads;
use crate::memory::{self, CollectVec};

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// Flood by the heap until all levels up to `last` have been reached, which is the last one with markers of different labels,
/// and then by queues.
pub(super) fn flood<N: AsRef<[isize]>>(map: &mut FloodMap, markers: &[Marker], last: u32, neighbours: &N) {
    let mut heap = FloodHeap::default();
    for Marker { place, rank } in markers {
        heap.push(key(*rank, 0), *place);
    }
    let elements = &mut map.elements[..];
    let (mut age, mut unchecked) = (0, 0);
    while let Some(top) = heap.keys.first() {
        // Markers come before all others of their level.
        if *top > key(last, 0) {
            break;
        }
        let Some((own, at)) = heap.pop() else { break };
        let (level, label) = (level_of(own), elements[at as usize].label);
        for distance in neighbours.as_ref() {
            let place = (at as usize).wrapping_add_signed(*distance);
            let other = &mut elements[place];
            if other.rank != 0 {
                age += 1;
                heap.push(key(other.rank.max(level), age), place as u32);
                (other.rank, other.label) = (0, label);
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
    let left = heap.keys.iter().copied().zip(heap.places.iter().copied());
    let left = left.filter(|(_, at)| neighbours.as_ref().iter().any(|distance| is_open(*at, distance)));
    let mut left = left.collect_vec();
    left.sort_unstable();
    let mut levels = Levels::new(map.highest, false);
    for (key, at) in left {
        levels.push::<false>(&mut map.elements, at, level_of(key) as usize, NONE);
    }
    levels.flood::<false, N>(map, neighbours);
}

/// The level above the age.
fn key(level: u32, age: u32) -> u64 {
    u64::from(level) << u32::BITS | u64::from(age)
}

fn level_of(key: u64) -> u32 {
    (key >> u32::BITS) as u32
}

/// Keys, and the places of their elements.
#[derive(Default)]
struct FloodHeap {
    keys: Vec<u64>,
    places: Vec<u32>,
}

impl FloodHeap {
    #[inline(always)]
    fn push(&mut self, key: u64, place: u32) {
        memory::push(&mut self.keys, key);
        memory::push(&mut self.places, place);
        let mut at = self.keys.len() - 1;
        let (keys, places) = (&mut self.keys[..], &mut self.places[..]);
        while at > 0 {
            let parent = (at - 1) / 2;
            if key >= keys[parent] {
                break;
            }
            (keys[at], places[at]) = (keys[parent], places[parent]);
            at = parent;
        }
        (keys[at], places[at]) = (key, place);
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<(u64, u32)> {
        let (key, place) = (self.keys.pop()?, self.places.pop()?);
        let (Some(top), Some(top_place)) = (self.keys.first().copied(), self.places.first().copied()) else {
            return Some((key, place));
        };
        let len = self.keys.len();
        let (keys, places) = (&mut self.keys[..], &mut self.places[..len]);
        let mut at = 0;
        while let (Some(children), Some(grandchildren)) = (
            keys.get(2 * at + 1..).and_then(<[u64]>::first_chunk::<2>),
            keys.get(4 * at + 3..).and_then(<[u64]>::first_chunk::<4>),
        ) {
            // Of equal children the left one is taken. Numbers in place of branches, which would be guessed wrongly.
            let right = usize::from(children[1] < children[0]);
            let [of_left, of_right] =
                [0, 2].map(|from| usize::from(grandchildren[from + 1] < grandchildren[from]));
            let child = 2 * at + 1 + right;
            let grandchild = 2 * child + 1 + (of_left ^ ((of_left ^ of_right) & right.wrapping_neg()));
            (keys[at], places[at]) = (keys[child], places[child]);
            (keys[child], places[child]) = (keys[grandchild], places[grandchild]);
            at = grandchild;
        }
        while 2 * at + 1 < len {
            let left = 2 * at + 1;
            let child = left + usize::from(left + 1 < len && keys[left + 1] < keys[left]);
            (keys[at], places[at]) = (keys[child], places[child]);
            at = child;
        }
        // Among equal elements it stays above: it sinks only below what is before it.
        while at > 0 {
            let parent = (at - 1) / 2;
            if keys[parent] < key {
                break;
            }
            (keys[at], places[at]) = (keys[parent], places[parent]);
            at = parent;
        }
        (keys[at], places[at]) = (key, place);
        Some((top, top_place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The heap by swaps, as textbooks have it.
    fn pop_by_swaps(elements: &mut Vec<(u64, u32)>) -> (u64, u32) {
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
                if child < elements.len() && elements[child].0 < elements[least].0 {
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

    proptest! {
        #[test]
        fn equal_elements_lie_where_swaps_leave_them(
            keys in prop::collection::vec((0_u32..4, 0_u32..2, any::<bool>()), 1..120),
        ) {
            let contents = |heap: &FloodHeap| heap.keys.iter().copied().zip(heap.places.iter().copied()).collect::<Vec<_>>();
            let mut heap = FloodHeap::default();
            for (at, (level, age, pops)) in keys.iter().enumerate() {
                heap.push(key(*level, *age), at as u32);
                if *pops {
                    let mut swapped = contents(&heap);
                    let expected = pop_by_swaps(&mut swapped);
                    prop_assert_eq!(heap.pop(), Some(expected));
                    prop_assert_eq!(contents(&heap), swapped);
                }
            }
        }
    }
}
