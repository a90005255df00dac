//! One row of a warp: its coordinates, and which of its pixels are computed how.

use super::{Map, Options};
use crate::border::Border;
use crate::interpolate::edges::Edges;
use crate::simd::{Kernel, dispatch};
use std::ops::Range;

/// Points of a list that are passed over at once if all of them lie inside.
const SKIPPED: usize = 32;

/// The coordinates on an axis from the first to the second, both included.
pub(crate) type Interval = (f64, f64);

/// Where all taps of a point lie on an axis of this length; `None` where they never do.
///
/// Even orders reach half a sample further, which is left to the general way.
pub(super) fn whole<const TAPS: usize>(len: usize) -> Option<Interval> {
    let before = (TAPS - 1) / 2;
    let behind = TAPS / 2;
    // Odd orders have a tap behind each point that lies between samples, and one with the weight zero behind a sample.
    let last = len.checked_sub(1 + behind).filter(|last| *last >= before)? as f64;
    Some((before as f64, if TAPS.is_multiple_of(2) { (last + 1.0).next_down() } else { last }))
}

/// Whether two by two neighbours serve a point on the last sample too, where the next one has the weight zero.
///
/// It is the last but one in these modes; in the others that may stand in for it if zero times any value is nothing.
pub(crate) fn blends_to_the_end(always_finite: bool, options: &Options) -> bool {
    match options.border {
        Border::Constant | Border::Mirror | Border::Wrap => true,
        // The next one is the fill value, whatever the type of the samples.
        Border::GridConstant => always_finite && options.fill.is_finite(),
        _ => always_finite,
    }
}

/// As [`whole`] for order 1, up to the last sample if that is allowed.
pub(super) fn blended(len: usize, to_the_end: bool) -> Option<Interval> {
    let (first, last) = whole::<2>(len)?;
    Some((first, if to_the_end { len as f64 - 1.0 } else { last }))
}

/// The positions of points between two samples of an axis, in coordinates that only rise, or only fall.
pub(crate) fn blended_on(coordinates: &[f64], len: usize, to_the_end: bool) -> Range<usize> {
    blended(len, to_the_end).and_then(|interval| within(coordinates, interval)).unwrap_or(0..0)
}

/// The positions in an interval, of coordinates that only rise, or only fall; `None` if some are no finite numbers.
fn within(coordinates: &[f64], (low, high): Interval) -> Option<Range<usize>> {
    let (first, last) = (coordinates.first()?, coordinates.last()?);
    if !(first.is_finite() && last.is_finite()) {
        None
    } else if (low..=high).contains(first) && (low..=high).contains(last) {
        Some(0..coordinates.len())
    } else if first <= last {
        Some(coordinates.partition_point(|x| *x < low)..coordinates.partition_point(|x| *x <= high))
    } else {
        Some(coordinates.partition_point(|x| *x > high)..coordinates.partition_point(|x| *x >= low))
    }
}

fn intersect(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    let range = a.start.max(b.start)..a.end.min(b.end);
    if range.is_empty() { 0..0 } else { range }
}

/// The pixels of one row.
pub(super) struct Row<const TAPS: usize> {
    width: usize,
    /// One row of coordinates for each axis.
    coordinates: Vec<f64>,
    /// The pixels beyond which there is nothing but the fill value.
    pub alive: Range<usize>,
    /// The pixels to compute without a border test. What `edges` holds of them is computed again.
    pub inside: Range<usize>,
    /// All others that are alive.
    pub edges: Edges<TAPS>,
    /// Where points of a list lie outside the intervals.
    outside: Vec<bool>,
}

impl<const TAPS: usize> Row<TAPS> {
    pub fn new(width: usize, rank: usize) -> Self {
        Self {
            width,
            coordinates: vec![0.0; width * rank],
            alive: 0..0,
            inside: 0..0,
            edges: Edges::new(rank),
            outside: Vec::new(),
        }
    }

    /// The coordinates on each axis of the pixels `inside`; all of them lie in the intervals.
    pub fn axes_inside(&self) -> impl Iterator<Item = &[f64]> {
        self.coordinates.chunks_exact(self.width).map(|axis| &axis[self.inside.clone()])
    }

    /// Find out where the pixels of a row lie.
    ///
    /// `spatial` has length and stride of each axis, `intervals` where points have all taps inside; none if empty.
    pub fn place(
        &mut self,
        map: &Map<'_>,
        row: &[usize],
        spatial: &[(usize, usize)],
        intervals: &[Interval],
        options: &Options,
    ) {
        let width = self.width;
        for (axis, to) in self.coordinates.chunks_exact_mut(width).enumerate() {
            map.row(axis, row, options.pad, to);
        }
        self.edges.clear();
        (self.alive, self.inside) = (0..width, 0..if intervals.is_empty() { 0 } else { width });
        if map.only_rises_or_falls() {
            for (coordinates, (len, _)) in self.coordinates.chunks_exact(width).zip(spatial) {
                let samples = (0.0, *len as f64 - 1.0);
                if options.border == Border::Constant
                    && let Some(range) = within(coordinates, samples)
                {
                    self.alive = intersect(self.alive.clone(), range);
                }
            }
            for (coordinates, interval) in self.coordinates.chunks_exact(width).zip(intervals) {
                self.inside = intersect(self.inside.clone(), within(coordinates, *interval).unwrap_or(0..0));
            }
            let inside =
                if self.inside.is_empty() { self.alive.start..self.alive.start } else { self.inside.clone() };
            for pixel in (self.alive.start..inside.start).chain(inside.end..self.alive.end) {
                self.edges.push(
                    pixel,
                    self.coordinates.iter().skip(pixel).step_by(width).copied(),
                    spatial,
                    options,
                );
            }
        } else {
            self.place_list(spatial, intervals, options);
        }
    }

    /// As [`place`](Self::place), for points in any order.
    fn place_list(&mut self, spatial: &[(usize, usize)], intervals: &[Interval], options: &Options) {
        let width = self.width;
        self.outside.clear();
        self.outside.resize(width, intervals.is_empty());
        for (coordinates, interval) in self.coordinates.chunks_exact(width).zip(intervals) {
            dispatch(FindOutside { coordinates, interval: *interval, outside: &mut self.outside });
        }
        // Most points lie inside: whole pieces of the row are passed over.
        let pieces = (0..).step_by(SKIPPED).zip(self.outside.chunks(SKIPPED));
        let outside = pieces.filter(|(_, piece)| piece.iter().fold(false, |any, outside| any | outside));
        for pixel in outside.flat_map(|(first, piece)| first..first + piece.len()) {
            if !self.outside[pixel] {
                continue;
            }
            self.edges.push(
                pixel,
                self.coordinates.iter().skip(pixel).step_by(width).copied(),
                spatial,
                options,
            );
            // They go along with the others, to be overwritten.
            for (coordinates, interval) in self.coordinates.chunks_exact_mut(width).zip(intervals) {
                coordinates[pixel] = interval.0;
            }
        }
        if self.edges.len() == width {
            self.inside = 0..0;
        }
    }
}

/// Mark the coordinates that are not in an interval, NaN among them.
struct FindOutside<'a> {
    coordinates: &'a [f64],
    interval: Interval,
    outside: &'a mut [bool],
}

impl Kernel for FindOutside<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (low, high) = self.interval;
        for (outside, x) in self.outside.iter_mut().zip(self.coordinates) {
            *outside |= !((*x >= low) & (*x <= high));
        }
    }
}
