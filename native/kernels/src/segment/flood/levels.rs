//! The flood by a queue per level: where the order of markers of one level is known, or does not count.
//!
//! Elements of a level leave it in the order in which they entered, so that a list per level is the queue. No element enters
//! a level below the present one, and the next level that has an element is found in a [`LevelSet`].
//!
//! Among markers of one level and different labels, the order is that of scikit-image's heap, which only [`heap`](super::heap)
//! knows. It seldom counts. To see whether it does, elements are put into classes:
//!
//! - Markers of one level are a class. So are elements of one level that elements of one class pushed.
//! - The elements of a class follow each other in their queue. Another order of the markers changes the order within
//!   classes, and nothing else, as long as no element could be taken by two elements of one class with different labels.
//!
//! So when an element of a class comes upon one that its class has taken with another label, the flood gives up.

use super::map::{FloodElement, FloodMap, Marker, NONE};
use crate::exec::threads;
use crate::memory;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// The queue of a level.
#[derive(Clone, Copy)]
struct Queue {
    first: u32,
    last: u32,
}

/// The class of the last element of a queue, and that of the element that pushed it.
#[derive(Clone, Copy)]
struct LastClass {
    class: u32,
    pushed_by: u32,
}

/// Queues of all levels.
pub(super) struct Levels {
    queues: Vec<Queue>,
    occupied: LevelSet,
    /// Of each level, if elements are sorted into classes.
    last_classes: Vec<LastClass>,
    /// The class that pushed the elements of each class.
    pushed_by: Vec<u32>,
    /// What has been labelled, if elements are sorted into classes.
    taken: Vec<Taken>,
}

/// An element that has been labelled, and the rank that it had.
#[derive(Clone, Copy)]
struct Taken {
    place: u32,
    rank: u32,
}

impl Levels {
    /// Empty queues of levels from 0 to `highest`, whose elements are sorted into classes or not.
    pub(super) fn new(highest: usize, sorted: bool) -> Self {
        let no_class = LastClass { class: NONE, pushed_by: NONE };
        Self {
            queues: memory::filled(Queue { first: NONE, last: NONE }, highest + 1),
            occupied: LevelSet::new(highest + 1),
            last_classes: memory::filled(no_class, if sorted { highest + 1 } else { 0 }),
            pushed_by: memory::filled(NONE, 1),
            taken: Vec::new(),
        }
    }

    /// Put an element at the end of a level's queue; if `SORTED`, into the class of what the same class pushed there.
    #[inline(always)]
    pub(super) fn push<const SORTED: bool>(
        &mut self,
        elements: &mut [FloodElement],
        at: u32,
        level: usize,
        pushed_by: u32,
    ) {
        if SORTED {
            let last = &mut self.last_classes[level];
            if last.class == NONE || last.pushed_by != pushed_by {
                *last = LastClass { class: self.pushed_by.len() as u32, pushed_by };
                memory::push(&mut self.pushed_by, pushed_by);
            }
            elements[at as usize].class = last.class;
        }
        let queue = &mut self.queues[level];
        if queue.first == NONE {
            queue.first = at;
            self.occupied.insert(level);
        } else {
            elements[queue.last as usize].next = at;
        }
        queue.last = at;
    }

    /// Empty all queues; with `SORTED`, return false when the order of markers of one level counts.
    pub(super) fn flood<const SORTED: bool, N: AsRef<[isize]>>(
        &mut self,
        map: &mut FloodMap,
        neighbours: &N,
    ) -> bool {
        let elements = &mut map.elements[..];
        let (mut level, mut unchecked) = (0, 0);
        while let Some(next) = self.occupied.next(level) {
            level = next;
            loop {
                let at = self.queues[level].first as usize;
                if at == NONE as usize {
                    break;
                }
                let own = elements[at];
                self.queues[level].first = own.next;
                for distance in neighbours.as_ref() {
                    let place = at.wrapping_add_signed(*distance);
                    let other = &mut elements[place];
                    if other.rank != 0 {
                        let entered = level.max(other.rank as usize);
                        if SORTED {
                            memory::push(&mut self.taken, Taken { place: place as u32, rank: other.rank });
                        }
                        (other.rank, other.label) = (0, own.label);
                        self.push::<SORTED>(elements, place as u32, entered, own.class);
                    } else if SORTED
                        && other.label != own.label
                        && self.pushed_by[other.class as usize] == own.class
                    {
                        return false;
                    }
                }
                unchecked += 1;
                if unchecked == CHECK_EVERY {
                    unchecked = 0;
                    threads::check_interrupt();
                }
            }
            self.occupied.remove(level);
        }
        true
    }

    /// Make the map what it was before a flood of elements sorted into classes.
    pub(super) fn undo(&self, map: &mut FloodMap, markers: &[Marker]) {
        for Taken { place, rank } in &self.taken {
            map.elements[*place as usize] = FloodElement::open(*rank);
        }
        for marker in markers {
            let element = &mut map.elements[marker.place as usize];
            (element.next, element.class) = (NONE, NONE);
        }
    }
}

/// Bits per word.
const WORD: usize = 64;

/// Layers for 2^36 levels: the last one is one word.
const LAYERS: usize = 6;

/// A set of levels: a bit each, a bit for each word that is not 0, and so on.
struct LevelSet {
    layers: [Vec<u64>; LAYERS],
}

impl LevelSet {
    fn new(len: usize) -> Self {
        let mut len = len;
        let layers = std::array::from_fn(|_| {
            len = len.div_ceil(WORD);
            memory::zeros(len)
        });
        Self { layers }
    }

    #[inline(always)]
    fn insert(&mut self, level: usize) {
        let mut at = level;
        for layer in &mut self.layers {
            let word = &mut layer[at / WORD];
            let was_empty = *word == 0;
            *word |= 1 << (at % WORD);
            if !was_empty {
                break;
            }
            at /= WORD;
        }
    }

    #[inline(always)]
    fn remove(&mut self, level: usize) {
        let mut at = level;
        for layer in &mut self.layers {
            let word = &mut layer[at / WORD];
            *word &= !(1 << (at % WORD));
            if *word != 0 {
                break;
            }
            at /= WORD;
        }
    }

    /// The first level of the set from `level` on.
    #[inline(always)]
    fn next(&self, level: usize) -> Option<usize> {
        let mut at = level;
        for number in 0..LAYERS {
            let word = self.layers[number].get(at / WORD)? & (u64::MAX << (at % WORD));
            if word != 0 {
                let found = at / WORD * WORD + word.trailing_zeros() as usize;
                let down = self.layers[..number].iter().rev();
                return Some(down.fold(found, |at, layer| at * WORD + layer[at].trailing_zeros() as usize));
            }
            at = at / WORD + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_next_level_is_the_first_from_there_on(
            len in prop::sample::select(vec![1_usize, 64, 65, 5000, 300_000, 20_000_000]),
            steps in prop::collection::vec((any::<bool>(), 0_usize..20_000_000), 1..60),
        ) {
            let (mut set, mut plain) = (LevelSet::new(len), BTreeSet::new());
            for (inserts, level) in steps {
                let level = level % len;
                if inserts {
                    set.insert(level);
                    plain.insert(level);
                } else if let Some(first) = plain.range(level..).next().copied() {
                    set.remove(first);
                    plain.remove(&first);
                }
                for from in [0, level, level + 1] {
                    prop_assert_eq!(set.next(from), plain.range(from..).next().copied());
                }
            }
        }
    }
}
