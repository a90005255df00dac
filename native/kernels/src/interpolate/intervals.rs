//! Which points of a row have all their taps inside the image.

use crate::border::Border;
use crate::interpolate::options::Options;
use std::ops::Range;

/// First and last coordinate on an axis, both included.
pub(crate) type Interval = (f64, f64);

/// Where all taps of a point lie within `samples` of an axis; `None` if nowhere.
///
/// Even orders would reach half a sample further; those points are left to the general loop.
pub(super) fn interior<const TAPS: usize>(samples: Range<usize>) -> Option<Interval> {
    let first = samples.start + (TAPS - 1) / 2;
    let after = TAPS / 2;
    // Odd orders have one more tap after a point between samples, and one of weight zero after a point on a sample.
    let last = samples.end.checked_sub(1 + after).filter(|last| *last >= first)? as f64;
    Some((first as f64, if TAPS.is_multiple_of(2) { (last + 1.0).next_down() } else { last }))
}

/// Whether the 2 × 2 neighbours also serve a point on the last sample, whose next tap has weight zero.
///
/// In the first three modes that tap is the last but one sample. In the others any tap may stand in for it if zero
/// times its value is zero.
pub(crate) fn reaches_last_sample(always_finite: bool, options: &Options) -> bool {
    match options.border {
        Border::Constant | Border::Mirror | Border::Wrap => true,
        // The tap is the fill value, whatever the element type.
        Border::GridConstant => always_finite && options.fill.is_finite(),
        _ => always_finite,
    }
}

/// [`interior`] for order 1, including the last sample of an axis of length `len` if `to_last`.
pub(super) fn linear_interior_of(samples: Range<usize>, len: usize, to_last: bool) -> Option<Interval> {
    let to_last = to_last && samples.end == len;
    let (first, last) = interior::<2>(samples)?;
    Some((first, if to_last { len as f64 - 1.0 } else { last }))
}

/// The positions of points between two samples of an axis, for monotonic coordinates.
pub(crate) fn linear_interior(coordinates: &[f64], len: usize, to_last: bool) -> Range<usize> {
    linear_interior_of(0..len, len, to_last)
        .and_then(|interval| positions_within(coordinates, interval))
        .unwrap_or(0..0)
}

/// The positions of monotonic coordinates within an interval; `None` if some are not finite.
pub(super) fn positions_within(coordinates: &[f64], (low, high): Interval) -> Option<Range<usize>> {
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

/// The pixels of a row outside which everything has the fill value, for monotonic coordinates.
pub(super) fn covered<'r>(
    axes: impl IntoIterator<Item = (&'r [f64], usize)>,
    width: usize,
    options: &Options,
) -> Range<usize> {
    if options.border != Border::Constant {
        return 0..width;
    }
    let ranges = axes
        .into_iter()
        .filter_map(|(coordinates, len)| positions_within(coordinates, (0.0, len as f64 - 1.0)));
    ranges.fold(0..width, intersect)
}

pub(super) fn intersect(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    let range = a.start.max(b.start)..a.end.min(b.end);
    if range.is_empty() { 0..0 } else { range }
}
