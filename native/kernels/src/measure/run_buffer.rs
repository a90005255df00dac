//! The runs of equal labels of a block, as they are found.

/// Most elements per block: their labels and values stay in the first cache.
pub(super) const BLOCK: usize = 2048;

/// Places that are written at once.
pub(super) const PLACES: usize = 8;

/// Room for the runs of a block, what is written in vain after them, and the end of the last one.
pub(super) const ROOM: usize = BLOCK + 2 * PLACES;

/// In a block with more runs than one per this many elements, loops go element by element.
pub(super) const SHORT_RUN: usize = 4;

/// What number of 32 bits a label is read as.
#[derive(Clone, Copy)]
pub(super) enum Numbering {
    /// The label; those that are no number of 32 bits are `u32::MAX`, and may be one run if they are neighbours.
    Itself,
    /// The label less one, in C's arithmetic of its type; those without an object are `u32::MAX`.
    Object,
}

/// The runs of a block.
pub(super) struct RunBuffer {
    /// The label of each run.
    pub labels: [u32; ROOM],
    /// Where each run starts, and after the last one how many labels there are.
    pub ends: [u32; ROOM],
    /// Each label, where runs are short.
    pub each: [u32; BLOCK],
    /// How many there are.
    pub runs: usize,
    /// The largest label.
    pub largest: u32,
}

impl RunBuffer {
    pub(super) fn new() -> Self {
        Self { labels: [0; ROOM], ends: [0; ROOM], each: [0; BLOCK], runs: 0, largest: 0 }
    }
}
