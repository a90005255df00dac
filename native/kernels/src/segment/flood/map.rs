//! The array with its border, while it is flooded.

use crate::memory;
use crate::segment::grid::BorderedGrid;

/// No element, and no class: the first element is one of the border.
pub(super) const NONE: u32 = 0;

/// An element of the array with its border.
#[derive(Clone, Copy)]
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
    pub(super) fn new(grid: &BorderedGrid, highest: usize) -> Self {
        Self { elements: memory::filled(OUTSIDE, grid.len()), highest }
    }

    /// Begin a flood; return the markers in C order.
    pub(super) fn begin(&mut self, labels: &[i32], grid: &BorderedGrid, ranks: &[u32]) -> Vec<Marker> {
        let mut markers = Vec::new();
        grid.for_each_line(|to, from| {
            let line = self.elements[to..].iter_mut().zip(labels[from..].iter().zip(&ranks[from..]));
            for (at, (element, (label, rank))) in line.take(grid.length()).enumerate() {
                *element = FloodElement { rank: *rank, ..OUTSIDE };
                if *label != 0 && *rank != 0 {
                    *element = FloodElement { label: *label, ..OUTSIDE };
                    memory::push(&mut markers, Marker { place: (to + at) as u32, rank: *rank });
                }
            }
        });
        markers
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
