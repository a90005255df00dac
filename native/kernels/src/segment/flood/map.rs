//! The array with its border, while it is flooded.

use crate::memory;
use crate::segment::grid::BorderedGrid;

/// No element, and no class: the first element is one of the border.
pub(super) const NONE: u32 = 0;

/// An element of the array with its border.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(16))]
pub(super) struct FloodElement {
    /// The one that follows in its queue.
    pub next: u32,
    /// The rank of its height; 0 once it has entered a queue, and outside.
    pub rank: u32,
    pub label: i32,
    /// See [`levels`](super::levels).
    pub class: u32,
}

impl FloodElement {
    /// As it is before the flood, inside and unlabelled.
    pub(super) fn open(rank: u32) -> Self {
        Self { rank, ..OUTSIDE }
    }
}

const OUTSIDE: FloodElement = FloodElement { next: NONE, rank: 0, label: 0, class: NONE };

/// The array with its border, while it is flooded.
pub(super) struct FloodMap {
    pub elements: Vec<FloodElement>,
    /// The highest rank.
    pub highest: usize,
}

/// A marker's place in the array with its border, and the rank of its height.
#[derive(Clone, Copy)]
pub(super) struct Marker {
    pub place: u32,
    pub rank: u32,
}

impl FloodMap {
    /// The map before a flood; and its markers in C order.
    pub(super) fn new(
        grid: &BorderedGrid,
        labels: &[i32],
        ranks: &[u32],
        highest: usize,
    ) -> (Self, Vec<Marker>) {
        let (mut elements, mut markers) = (memory::with_capacity(grid.len()), Vec::new());
        grid.for_each_line(|to, from| {
            memory::resize(&mut elements, to, OUTSIDE);
            let line = labels[from..].iter().zip(&ranks[from..]).take(grid.length());
            let line = line.enumerate().map(|(at, (label, rank))| {
                if *label == 0 || *rank == 0 {
                    return FloodElement::open(*rank);
                }
                memory::push(&mut markers, Marker { place: (to + at) as u32, rank: *rank });
                FloodElement { label: *label, ..OUTSIDE }
            });
            memory::extend(&mut elements, line);
        });
        memory::resize(&mut elements, grid.len(), OUTSIDE);
        (Self { elements, highest }, markers)
    }

    /// The last level with markers of different labels; 0 if there is none.
    pub(super) fn last_tie(&self, markers: &[Marker]) -> u32 {
        let mut labels = memory::zeros(self.highest + 1);
        let mut last = 0;
        for Marker { place, rank } in markers {
            let (known, label) = (&mut labels[*rank as usize], self.elements[*place as usize].label);
            if *known != 0 && *known != label {
                last = last.max(*rank);
            }
            *known = label;
        }
        last
    }
}
