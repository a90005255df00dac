//! One projective map of an image, and projective ways to earlier images: coordinates made row by row, in registers.
//!
//! Along a row the three sums of a map change by one product each, in the order in which stages add them up. A pixel is
//! hidden, and gets the fill value, where nothing maps, where an earlier image did not hold it, and in mode 'constant'
//! where its coordinate lies outside: what SciPy gives there is known without its sums.

use crate::warp::{Map, Stage, Warp, on_border};
use offgraph_kernels::border::Border;
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::memory;

/// Pixels of a row that are looked at together.
const PART: usize = 64;

/// A matrix of a projective map, row by row, and the lengths of the image that it leads to.
type Leading<'a> = (&'a [f64], [usize; 2]);

/// The maps of a warp that is made here.
pub(super) struct ProjectiveRows<'a> {
    map: Leading<'a>,
    windows: Vec<Leading<'a>>,
    is_constant: bool,
}

impl<'a> ProjectiveRows<'a> {
    /// The maps of a warp, if all are projective and of images.
    pub(super) fn of(warp: &'a Warp) -> Option<Self> {
        let [Stage::Map(Map::Projective { matrix }), Stage::OnBorder(size)] = &warp.stages[..] else {
            return None;
        };
        let size = <[usize; 2]>::try_from(&size[..]).ok()?;
        let mut windows = memory::with_capacity(warp.windows.len());
        for window in &warp.windows {
            let [Stage::Map(Map::Projective { matrix })] = &window.stages[..] else { return None };
            memory::push(&mut windows, (&matrix[..], <[usize; 2]>::try_from(&window.size[..]).ok()?));
        }
        Some(Self { map: (matrix, size), windows, is_constant: warp.policy.border == Border::Constant })
    }

    /// Write the coordinates of all pixels, first rows, then columns; return the numbers of those that are hidden, whose
    /// coordinates are zero.
    pub(super) fn fill(&self, to: &mut [f64], width: usize) -> Vec<usize> {
        let (rows, columns) = to.split_at_mut(to.len() / 2);
        let mut hidden = memory::filled(false, width);
        let mut found = Vec::new();
        for (row, (y, x)) in rows.chunks_exact_mut(width).zip(columns.chunks_exact_mut(width)).enumerate() {
            let (map, is_constant) = (RowMap::new(self.map, row), self.is_constant);
            let mut is_any = dispatch(PlaceRow { map, is_constant, y, x, hidden: &mut hidden });
            for window in &self.windows {
                is_any |= dispatch(HideRow { map: RowMap::new(*window, row), hidden: &mut hidden });
            }
            if is_any {
                for (at, _) in hidden.iter().enumerate().filter(|(_, hidden)| **hidden) {
                    (y[at], x[at]) = (0.0, 0.0);
                    memory::push(&mut found, row * width + at);
                }
            }
        }
        found
    }
}

/// The sums of a row: what its first pixel has, and by how much each next one has more.
#[derive(Clone, Copy)]
struct RowMap {
    start: [f64; 3],
    step: [f64; 3],
    size: [usize; 2],
}

impl RowMap {
    fn new((matrix, size): Leading<'_>, row: usize) -> Self {
        // The last column first, then one product after another.
        let sum = |i: usize| matrix[3 * i + 2] + matrix[3 * i] * row as f64;
        let step = |i: usize| matrix[3 * i + 1];
        Self { start: [sum(0), sum(1), sum(2)], step: [step(0), step(1), step(2)], size }
    }

    /// Where a pixel is read, on the border where rounding has carried it over, and whether there is such a place.
    #[inline(always)]
    fn place(&self, column: i32) -> (f64, f64, bool) {
        let along = f64::from(column);
        let [y, x, scale] = [0, 1, 2].map(|i: usize| self.start[i] + self.step[i] * along);
        let (y, x) = (y / scale, x / scale);
        let is_there = (scale > 0.0) & (y.abs() < f64::INFINITY) & (x.abs() < f64::INFINITY);
        (on_border(y, self.size[0]), on_border(x, self.size[1]), is_there)
    }

    /// Whether it is certain that all pixels from one to another are read inside.
    ///
    /// Along a row the quotients rise or fall steadily, so they lie between those of the ends. Each is rounded: a sum by
    /// less than 4 units of the last place of its terms, which the scale divides, and which count as often as the image
    /// is long where it is the scale that is off. Ends that keep a distance of more than twice that leave no doubt.
    fn stays_inside(&self, first: i32, last: i32) -> bool {
        const DISTANCE: f64 = 1e-6;
        let terms = |i: usize| self.start[i].abs() + self.step[i].abs() * f64::from(last);
        let len = self.size[0].max(self.size[1]) as f64;
        let error = 16.0 * f64::EPSILON * (terms(0).max(terms(1)) + len * terms(2));
        [first, last].into_iter().all(|column| {
            let (y, x, is_there) = self.place(column);
            let scale = self.start[2] + self.step[2] * f64::from(column);
            let [bottom, right] = self.size.map(|len| len as f64 - 1.0 - DISTANCE);
            let is_inside = (y >= DISTANCE) & (y <= bottom) & (x >= DISTANCE) & (x <= right);
            is_there & is_inside & (error < 0.1 * DISTANCE * scale)
        })
    }

    #[inline(always)]
    fn is_inside(&self, y: f64, x: f64) -> bool {
        let [bottom, right] = self.size.map(|len| len as f64 - 1.0);
        (y >= 0.0) & (y <= bottom) & (x >= 0.0) & (x <= right)
    }
}

/// Writes the coordinates of a row and which of them are hidden; whether any is.
struct PlaceRow<'a> {
    map: RowMap,
    is_constant: bool,
    y: &'a mut [f64],
    x: &'a mut [f64],
    hidden: &'a mut [bool],
}

impl Kernel for PlaceRow<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { map, is_constant, y, x, hidden } = self;
        let count = hidden.len();
        let (y, x) = (&mut y[..count], &mut x[..count]);
        let mut is_any = false;
        for at in 0..count {
            let (row, column, is_there) = map.place(at as i32);
            let is_seen = is_there & (!is_constant | map.is_inside(row, column));
            (y[at], x[at], hidden[at]) = (row, column, !is_seen);
            is_any |= !is_seen;
        }
        is_any
    }
}

/// Hides what lies outside an earlier image; whether that is any pixel.
struct HideRow<'a> {
    map: RowMap,
    hidden: &'a mut [bool],
}

impl Kernel for HideRow<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { map, hidden } = self;
        if map.stays_inside(0, hidden.len() as i32 - 1) {
            return false;
        }
        let mut is_any = false;
        for (number, hidden) in hidden.chunks_mut(PART).enumerate() {
            let first = (number * PART) as i32;
            if map.stays_inside(first, first + hidden.len() as i32 - 1) {
                continue;
            }
            for (at, hidden) in hidden.iter_mut().enumerate() {
                let (row, column, is_there) = map.place(first + at as i32);
                let is_out = !(is_there & map.is_inside(row, column));
                *hidden |= is_out;
                is_any |= is_out;
            }
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use crate::resample::Policy;
    use crate::warp::{Map, Stage, Warp, Window};
    use ndarray::ArrayD;
    use offgraph_kernels::array::axes::Axes;
    use offgraph_kernels::array::view::{View, ViewMut};
    use offgraph_kernels::border::Border;
    use proptest::prelude::*;

    /// A stage that leaves pixels where they are, so that maps are taken one stage after another.
    fn identity() -> Stage {
        Stage::Map(Map::Affine { matrix: vec![1.0, 0.0, 0.0, 1.0], offset: vec![0.0; 2] })
    }

    proptest! {
        #[test]
        fn rows_have_the_bytes_of_stages(
            (input, output) in ((1_usize..30, 1_usize..30), (1_usize..20, 1_usize..90)),
            numbers in prop::collection::vec(-1.0..1.0_f64, 9),
            others in prop::collection::vec(-1.0..1.0_f64, 9),
            has_window in any::<bool>(), code in 0_i32..7, order in 0_usize..4,
        ) {
            let matrix = |numbers: &[f64]| {
                let scales = [0.2, 0.2, 30.0, 0.2, 0.2, 30.0, 0.02, 0.02, 0.3];
                let around = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
                (0..9).map(|i| around[i] + numbers[i] * scales[i]).collect::<Vec<f64>>()
            };
            let warp = |is_staged: bool| {
                let way = |numbers: &[f64]| {
                    let map = Stage::Map(Map::Projective { matrix: matrix(numbers) });
                    if is_staged { vec![identity(), map] } else { vec![map] }
                };
                let mut stages = way(&numbers);
                stages.push(Stage::OnBorder(vec![input.0, input.1]));
                let window = Window { stages: way(&others), size: vec![input.1, input.0] };
                Warp {
                    size: vec![output.0, output.1],
                    stages,
                    policy: Policy { order, border: Border::from_code(code).unwrap(), fill: 7.0 },
                    clips: Vec::new(),
                    windows: if has_window { vec![window] } else { Vec::new() },
                    is_labels: false,
                }
            };
            let image = ArrayD::from_shape_fn(vec![input.0, input.1, 3], |at| (at[0] * 91 + at[1] * 37 + at[2] * 5) as u8);
            let made = [false, true].map(|is_staged| {
                let mut made = ArrayD::<u8>::zeros(vec![output.0, output.1, 3]);
                let axes = Axes { outer: 0, spatial: 2 };
                warp(is_staged).run(&View::U8(image.view()), ViewMut::U8(made.view_mut()), axes).unwrap();
                made
            });
            prop_assert_eq!(&made[0], &made[1]);
        }
    }
}
