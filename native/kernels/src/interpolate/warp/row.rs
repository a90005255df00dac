//! One row of a warp: its coordinates, and which of its pixels are computed how.

use super::{Map, Options};
use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::warp::edges::Edges;
use crate::memory;
use std::ops::Range;

/// Points of a list that are passed over at once if all of them lie inside.
const SKIPPED: usize = 32;

/// The coordinates on an axis from the first to the second, both included.
pub(crate) type Interval = (f64, f64);

/// Where all taps of a point lie among these samples of an axis; `None` where they never do.
///
/// Even orders reach half a sample further, which is left to the general way.
pub(super) fn whole<const TAPS: usize>(samples: Range<usize>) -> Option<Interval> {
    let first = samples.start + (TAPS - 1) / 2;
    let behind = TAPS / 2;
    // Odd orders have a tap behind each point that lies between samples, and one with the weight zero behind a sample.
    let last = samples.end.checked_sub(1 + behind).filter(|last| *last >= first)? as f64;
    Some((first as f64, if TAPS.is_multiple_of(2) { (last + 1.0).next_down() } else { last }))
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

/// As [`whole`] for order 1, up to the last sample of an axis of this length if that is allowed.
pub(super) fn blended(samples: Range<usize>, len: usize, to_the_end: bool) -> Option<Interval> {
    let to_the_end = to_the_end && samples.end == len;
    let (first, last) = whole::<2>(samples)?;
    Some((first, if to_the_end { len as f64 - 1.0 } else { last }))
}

/// The positions of points between two samples of an axis, in coordinates that only rise, or only fall.
pub(crate) fn blended_on(coordinates: &[f64], len: usize, to_the_end: bool) -> Range<usize> {
    blended(0..len, len, to_the_end).and_then(|interval| within(coordinates, interval)).unwrap_or(0..0)
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

/// The pixels of a row beyond which there is nothing but the fill value; coordinates on each axis only rise or fall.
pub(super) fn alive<'r>(
    axes: impl IntoIterator<Item = (&'r [f64], usize)>,
    width: usize,
    options: &Options,
) -> Range<usize> {
    if options.border != Border::Constant {
        return 0..width;
    }
    let ranges =
        axes.into_iter().filter_map(|(coordinates, len)| within(coordinates, (0.0, len as f64 - 1.0)));
    ranges.fold(0..width, intersect)
}

fn intersect(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    let range = a.start.max(b.start)..a.end.min(b.end);
    if range.is_empty() { 0..0 } else { range }
}

/// The pixels of one row.
pub(super) struct Row<const TAPS: usize> {
    width: usize,
    /// One row of coordinates for each axis, but for those that the map has in memory.
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
            coordinates: memory::zeros(width * rank),
            alive: 0..0,
            inside: 0..0,
            edges: Edges::new(rank),
            outside: Vec::new(),
        }
    }

    /// The coordinates of the pixels `inside` on an axis. Points of a list that lie outside an interval are among
    /// them: what is computed of these is overwritten.
    pub fn axis_inside<'r>(
        &'r self,
        map: &'r Map<'_>,
        row: &[usize],
        axis: usize,
        options: &Options,
    ) -> &'r [f64] {
        &on_axis(&self.coordinates, map, row, axis, self.width, options)[self.inside.clone()]
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
        map.ask_for_next(row, width);
        for (axis, to) in self.coordinates.chunks_exact_mut(width).enumerate() {
            if map.row_in_place(axis, row, options.pad, width).is_none() {
                map.row(axis, row, options.pad, to);
            }
        }
        self.edges.clear();
        (self.alive, self.inside) = (0..width, 0..if intervals.is_empty() { 0 } else { width });
        if map.only_rises_or_falls() {
            let axes = self.coordinates.chunks_exact(width).zip(spatial);
            self.alive = alive(axes.map(|(coordinates, (len, _))| (coordinates, *len)), width, options);
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
            self.place_list(map, row, spatial, intervals, options);
        }
    }

    /// As [`place`](Self::place), for points in any order.
    fn place_list(
        &mut self,
        map: &Map<'_>,
        row: &[usize],
        spatial: &[(usize, usize)],
        intervals: &[Interval],
        options: &Options,
    ) {
        let Self { width, coordinates, outside, edges, .. } = self;
        let on_axis = |axis| on_axis(coordinates, map, row, axis, *width, options);
        outside.clear();
        memory::resize(outside, *width, intervals.is_empty());
        for (axis, interval) in intervals.iter().enumerate() {
            dispatch(FindOutside { coordinates: on_axis(axis), interval: *interval, outside });
        }
        for pixel in marked(outside) {
            edges.push(pixel, (0..spatial.len()).map(|axis| on_axis(axis)[pixel]), spatial, options);
        }
        if self.edges.len() == self.width {
            self.inside = 0..0;
        }
    }
}

/// The coordinates of a row on an axis: those of the map, or what was copied.
fn on_axis<'r>(
    copied: &'r [f64],
    map: &'r Map<'_>,
    row: &[usize],
    axis: usize,
    width: usize,
    options: &Options,
) -> &'r [f64] {
    map.row_in_place(axis, row, options.pad, width).unwrap_or_else(|| &copied[axis * width..][..width])
}

/// The places of those that are marked: most points lie inside, and whole pieces without one are passed over.
pub(super) fn marked(marks: &[bool]) -> impl Iterator<Item = usize> {
    let pieces = (0..).step_by(SKIPPED).zip(marks.chunks(SKIPPED));
    let pieces = pieces.filter(|(_, piece)| piece.iter().fold(false, |any, mark| any | mark));
    pieces.flat_map(|(first, piece)| first..first + piece.len()).filter(|place| marks[*place])
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
