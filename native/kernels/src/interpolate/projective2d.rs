//! Projective maps with two spatial axes: coordinates made row by row, in registers, and bytes of order 1 read with them.
//!
//! Along a row the three sums of a map change by one product each. Bytes are blended in parts of 64 pixels:
//!
//! ```text
//! both ends of the part are surely inside the image, and inside earlier images:
//!     coordinates by one division for both axes, off by two units of their last places
//!     blended in f32; a block that is not certain again, from coordinates of two divisions
//! else:
//!     coordinates of two divisions; what lies outside is blended like a pixel inside, and gets the fill value
//! ```
//!
//! Between two ends the quotients rise or fall steadily, so what lies between two places inside lies inside. A blend is a
//! continuous function of the coordinates, also where these are carried past a pixel; what two units of the last place
//! move it by is far less than the bound of [`bilinear`](crate::interpolate::bilinear) has to spare.

use crate::array::axes::Axes;
use crate::array::pixels::Pixels;
use crate::array::view::{View, ViewMut};
use crate::exec::counts::match_count;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::bilinear::bytes::{FETCH_CHUNK, approximate, fetch, recompute, store};
use crate::interpolate::bilinear::points::{BLOCK, Finder};
use crate::memory::{self, CollectVec};
use crate::walk::rows::{RowMaker, RowWorker, make_rows};

/// Slack in pixels where a coordinate decides between two pixels, or between a pixel and the fill value.
pub const SLACK: f64 = 1e-9;

/// Axes at least this long have coordinates with too few places after the point.
const LONGEST: usize = 1 << 15;

/// Estimated nanoseconds per sample.
const COST: usize = 2;

/// Move a coordinate that rounding has carried over the border of an image of this length back onto it.
#[inline(always)]
#[allow(clippy::manual_range_contains)] // `contains` branches
pub fn on_border(place: f64, len: usize) -> f64 {
    let last = len as f64 - 1.0;
    // Without branches, so that several are moved at once.
    let place = if (place >= -SLACK) & (place < 0.0) { 0.0 } else { place };
    if (place > last) & (place <= last + SLACK) { last } else { place }
}

/// A matrix of a projective map, row by row, and the lengths of the image that it leads to.
pub type Leading<'a> = (&'a [f64], [usize; 2]);

/// The sums of a row: what its first pixel has, and by how much each next one has more.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowMap {
    start: [f64; 3],
    step: [f64; 3],
    size: [usize; 2],
}

impl RowMap {
    /// The sums of the row with this number.
    pub fn new((matrix, size): Leading<'_>, row: usize) -> Self {
        // The last column first, then one product after another.
        let sum = |i: usize| matrix[3 * i + 2] + matrix[3 * i] * row as f64;
        let step = |i: usize| matrix[3 * i + 1];
        Self { start: [sum(0), sum(1), sum(2)], step: [step(0), step(1), step(2)], size }
    }

    #[inline(always)]
    fn sums(&self, column: f64) -> [f64; 3] {
        [0, 1, 2].map(|i: usize| self.start[i] + self.step[i] * column)
    }

    /// Where a pixel is read, on the border where rounding has carried it over, and whether there is such a place.
    #[inline(always)]
    pub fn place(&self, column: i32) -> (f64, f64, bool) {
        let [y, x, scale] = self.sums(f64::from(column));
        let (y, x) = (y / scale, x / scale);
        let is_there = (scale > 0.0) & (y.abs() < f64::INFINITY) & (x.abs() < f64::INFINITY);
        (on_border(y, self.size[0]), on_border(x, self.size[1]), is_there)
    }

    /// The same for a pixel between two that are [surely inside](Self::is_surely_inside), off by two units of the last
    /// place.
    #[inline(always)]
    fn place_nearly(&self, column: i32) -> (f64, f64) {
        let [y, x, scale] = self.sums(f64::from(column));
        let factor = 1.0 / scale;
        (y * factor, x * factor)
    }

    /// Whether a place lies in the image.
    #[inline(always)]
    pub fn is_inside(&self, y: f64, x: f64) -> bool {
        let [bottom, right] = self.size.map(|len| len as f64 - 1.0);
        (y >= 0.0) & (y <= bottom) & (x >= 0.0) & (x <= right)
    }

    /// Whether a pixel is read inside, and so are all between it and another one of which this holds, whatever rounding
    /// does.
    ///
    /// Each quotient is rounded: a sum by less than 4 units of the last place of its terms, which the scale divides, and
    /// which count as often as the image is long where it is the scale that is off. Places that keep a distance of more
    /// than twice that from the border leave no doubt.
    #[inline(always)]
    pub fn is_surely_inside(&self, column: i32, last: i32) -> bool {
        const DISTANCE: f64 = 1e-6;
        let terms = |i: usize| self.start[i].abs() + self.step[i].abs() * f64::from(last);
        let len = self.size[0].max(self.size[1]) as f64;
        let error = 16.0 * f64::EPSILON * (terms(0).max(terms(1)) + len * terms(2));
        let (y, x, is_there) = self.place(column);
        let scale = self.start[2] + self.step[2] * f64::from(column);
        let [bottom, right] = self.size.map(|len| len as f64 - 1.0 - DISTANCE);
        let is_inside = (y >= DISTANCE) & (y <= bottom) & (x >= DISTANCE) & (x <= right);
        is_there & is_inside & (error < 0.1 * DISTANCE * scale)
    }
}

/// Read bytes at order 1, in mode 'constant'; a pixel that an earlier image does not hold gets the fill value too.
///
/// The arrays have the axes `[outer…, rows, columns, inner…]`. Returns whether it is done: whether these are bytes with at
/// most four planes side by side, and an image that is neither too small nor too long.
pub fn read_bytes(
    input: &View<'_>,
    output: &mut ViewMut<'_>,
    outer: usize,
    map: Leading<'_>,
    windows: &[Leading<'_>],
    fill: u8,
) -> bool {
    let (View::U8(image), ViewMut::U8(_), shape) = (input, &output, input.shape()) else { return false };
    let axes = Axes { outer, spatial: 2 };
    let fits = shape.len() >= outer + 2
        && output.shape().len() == shape.len()
        && shape[..outer] == output.shape()[..outer]
        && shape[outer + 2..] == output.shape()[outer + 2..]
        && shape[outer..outer + 2] == map.1
        && map.1.iter().all(|len| (2..LONGEST).contains(len))
        && output.shape()[outer + 1] < LONGEST;
    if !fits || output.is_empty() {
        return false;
    }
    let pixels = Pixels::new(image.view(), axes);
    if !pixels.blends_bytes() || pixels.elements().len() > i32::MAX as usize {
        return false;
    }
    let maps = std::iter::once(map).chain(windows.iter().copied()).collect_vec();
    let width = output.shape()[outer + 1];
    make_rows(output.reborrow(), axes, COST, &ProjectiveBytes { pixels, maps, fill, width });
    true
}

struct ProjectiveBytes<'a> {
    pixels: Pixels<'a, u8>,
    /// The map to the image, then those to earlier ones.
    maps: Vec<Leading<'a>>,
    fill: u8,
    /// Pixels of an output row.
    width: usize,
}

impl RowMaker for ProjectiveBytes<'_> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let ends = self.width.div_ceil(FETCH_CHUNK) + 1;
        Box::new(ProjectiveWorker {
            of: self,
            maps: memory::filled(RowMap::default(), self.maps.len()),
            is_sure: memory::zeros(self.maps.len() * ends),
        })
    }
}

struct ProjectiveWorker<'a> {
    of: &'a ProjectiveBytes<'a>,
    /// Those of the row.
    maps: Vec<RowMap>,
    /// For each map, whether the first pixel of each part is surely inside, and the last one of all.
    is_sure: Vec<bool>,
}

impl RowWorker for ProjectiveWorker<'_> {
    fn start(&mut self, row: &[usize]) {
        for (to, map) in self.maps.iter_mut().zip(&self.of.maps) {
            *to = RowMap::new(*map, row[0]);
        }
        let ends = self.is_sure.len() / self.maps.len();
        dispatch(FindSure { maps: &self.maps, is_sure: &mut self.is_sure, ends, width: self.of.width });
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        let mut bytes = memory::zeros::<u8>(to.len());
        self.fill_bytes(outer, &mut bytes);
        to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte.into());
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let ProjectiveBytes { pixels, fill, width, .. } = self.of;
        let elements = &pixels.elements()[pixels.outer_offset(outer)..];
        let (maps, is_sure) = (&self.maps[..], &self.is_sure[..]);
        let finder =
            Finder::new([0, 1].map(|axis| pixels.spatial[axis].0), [0, 1].map(|axis| pixels.spatial[axis].1));
        let (down, planes) = (pixels.spatial[0].1, pixels.inner.len());
        dispatch(ProjectRow {
            elements,
            down,
            planes,
            finder,
            maps,
            is_sure,
            fill: *fill,
            width: *width,
            to,
        });
        true
    }
}

struct FindSure<'a> {
    maps: &'a [RowMap],
    is_sure: &'a mut [bool],
    ends: usize,
    width: usize,
}

impl Kernel for FindSure<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let last = self.width as i32 - 1;
        for (map, is_sure) in self.maps.iter().zip(self.is_sure.chunks_exact_mut(self.ends)) {
            for (end, is_sure) in is_sure.iter_mut().enumerate() {
                *is_sure = map.is_surely_inside(((end * FETCH_CHUNK) as i32).min(last), last);
            }
        }
    }
}

/// The points of a part: where their neighbours start, and the distances from these.
struct PartPoints {
    starts: [u32; FETCH_CHUNK],
    down: [f64; FETCH_CHUNK],
    right: [f64; FETCH_CHUNK],
}

struct ProjectRow<'a> {
    /// The elements from the start of the plane on.
    elements: &'a [u8],
    /// Row stride.
    down: usize,
    planes: usize,
    finder: Finder,
    maps: &'a [RowMap],
    is_sure: &'a [bool],
    fill: u8,
    width: usize,
    to: &'a mut [u8],
}

impl Kernel for ProjectRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.planes, self.write::<1, 2, 3; 4>())
    }
}

impl ProjectRow<'_> {
    #[inline(always)]
    fn write<const PLANES: usize>(self) {
        let Self { elements, down, ref finder, maps, is_sure, fill, width, to, .. } = self;
        let ends = is_sure.len() / maps.len();
        let (to, _) = to.as_chunks_mut::<PLANES>();
        let (mut near, mut far) = ([0_u64; FETCH_CHUNK], [0_u64; FETCH_CHUNK]);
        let mut points =
            PartPoints { starts: [0; FETCH_CHUNK], down: [0.0; FETCH_CHUNK], right: [0.0; FETCH_CHUNK] };
        for (part, to) in to.chunks_mut(FETCH_CHUNK).enumerate() {
            let (first, last) = ((part * FETCH_CHUNK) as i32, width as i32 - 1);
            let is_sure = |map: usize| is_sure[map * ends + part] & is_sure[map * ends + part + 1];
            let mut hidden = [false; FETCH_CHUNK];
            let is_certain = (0..maps.len()).all(is_sure);
            if is_certain {
                let PartPoints { starts, down, right } = &mut points;
                for i in 0..FETCH_CHUNK {
                    let (y, x) = maps[0].place_nearly((first + i as i32).min(last));
                    (starts[i], down[i], right[i]) = finder.find(y, x);
                }
            } else {
                for (number, map) in maps.iter().enumerate().skip(1).filter(|(number, _)| !is_sure(*number)) {
                    debug_assert!(number > 0);
                    for (i, hidden) in hidden.iter_mut().enumerate() {
                        let (y, x, is_there) = map.place((first + i as i32).min(last));
                        *hidden |= !(is_there & map.is_inside(y, x));
                    }
                }
                exact_points(&maps[0], finder, first, last, &mut hidden, &mut points);
            }
            let highest = points.starts.iter().fold(0, |highest, start| highest.max(*start));
            fetch(elements, down, &points.starts, highest, &mut near, &mut far);
            for (block, to) in to.chunks_mut(BLOCK).enumerate() {
                let at = block * BLOCK;
                let (y, x) = (block_of(&points.down, at), block_of(&points.right, at));
                let (mut blended, is_uncertain) =
                    approximate::<PLANES>(block_of(&near, at), block_of(&far, at), y, x);
                if is_uncertain {
                    if is_certain {
                        exact_points(&maps[0], finder, first, last, &mut hidden, &mut points);
                        let highest = points.starts.iter().fold(0, |highest, start| highest.max(*start));
                        fetch(elements, down, &points.starts, highest, &mut near, &mut far);
                    }
                    let (y, x) = (block_of(&points.down, at), block_of(&points.right, at));
                    blended = recompute::<PLANES>(block_of(&near, at), block_of(&far, at), y, x);
                }
                store(to.as_flattened_mut(), &blended, PLANES);
            }
            if !is_certain {
                for (to, hidden) in to.iter_mut().zip(&hidden) {
                    if *hidden {
                        *to = [fill; PLANES];
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn block_of<T>(values: &[T; FETCH_CHUNK], at: usize) -> &[T; BLOCK] {
    values[at..].first_chunk().expect("a part is whole blocks")
}

/// The points of a part as SciPy has them; those that lie outside are hidden, and hidden ones are the first pixel.
#[inline(always)]
fn exact_points(
    map: &RowMap,
    finder: &Finder,
    first: i32,
    last: i32,
    hidden: &mut [bool; FETCH_CHUNK],
    points: &mut PartPoints,
) {
    let PartPoints { starts, down, right } = points;
    for i in 0..FETCH_CHUNK {
        let (y, x, is_there) = map.place((first + i as i32).min(last));
        let is_hidden = hidden[i] | !(is_there & map.is_inside(y, x));
        hidden[i] = is_hidden;
        let (y, x) = if is_hidden { (0.0, 0.0) } else { (y, x) };
        (starts[i], down[i], right[i]) = finder.find(y, x);
    }
}
