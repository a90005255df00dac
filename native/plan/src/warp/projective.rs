//! One projective map of an image, and projective ways to earlier images: coordinates made row by row, in registers.
//!
//! Along a row the three sums of a map change by one product each, in the order in which stages add them up. A pixel is
//! hidden, and gets the fill value, where nothing maps, where an earlier image did not hold it, and in mode 'constant'
//! where its coordinate lies outside: what SciPy gives there is known without its sums.

use crate::warp::{Map, Stage, Warp};
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::projective2d::{Leading, RowMap, read_bytes};
use offgraph_kernels::memory;

/// Pixels of a row that are looked at together.
const PART: usize = 64;

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

    /// Read bytes at order 1 in mode 'constant', without a list of coordinates; returns whether that is done.
    pub(super) fn read(&self, warp: &Warp, input: &View<'_>, output: &mut ViewMut<'_>, outer: usize) -> bool {
        let fill = u8::from_f64_rounded(warp.policy.fill);
        let is_read = self.is_constant && warp.policy.order == 1;
        is_read && read_bytes(input, output, outer, self.map, &self.windows, fill)
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
        let stays_inside =
            |first: i32, last: i32| map.is_surely_inside(first, last) && map.is_surely_inside(last, last);
        if stays_inside(0, hidden.len() as i32 - 1) {
            return false;
        }
        let mut is_any = false;
        for (number, hidden) in hidden.chunks_mut(PART).enumerate() {
            let first = (number * PART) as i32;
            if stays_inside(first, first + hidden.len() as i32 - 1) {
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
            (input, output) in ((1_usize..30, 1_usize..30), (1_usize..20, 1_usize..160)),
            numbers in prop::collection::vec(-1.0..1.0_f64, 9),
            others in prop::collection::vec(-1.0..1.0_f64, 9),
            has_window in any::<bool>(), code in 0_i32..7, order in 0_usize..4, planes in 1_usize..5,
            is_gentle in any::<bool>(),
        ) {
            // A gentle one keeps most pixels inside, and of even brightness, whose sums lie on the middle of two integers.
            let input = if is_gentle { (output.0 + 3, output.1 + 3) } else { input };
            let (code, order) = if is_gentle { (4, 1) } else { (code, order) };
            let matrix = |numbers: &[f64]| {
                let scales = if is_gentle {
                    [0.0, 0.0, 1.5, 0.0, 0.01, 1.5, 0.0, 0.0001 * numbers[0].round(), 0.0]
                } else {
                    [0.2, 0.2, 30.0, 0.2, 0.2, 30.0, 0.02, 0.02, 0.3]
                };
                let around = if is_gentle {
                    [1.0, 0.0, 1.5, 0.0, 1.0, 1.5, 0.0, 0.0, 1.0]
                } else {
                    [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
                };
                let halves = |number: f64| if is_gentle { (number * 2.0).round() / 2.0 } else { number };
                (0..9).map(|i| around[i] + halves(numbers[i]) * scales[i]).collect::<Vec<f64>>()
            };
            let warp = |is_staged: bool| {
                let way = |numbers: &[f64]| {
                    let map = Stage::Map(Map::Projective { matrix: matrix(numbers) });
                    if is_staged { vec![identity(), map] } else { vec![map] }
                };
                let mut stages = way(&numbers);
                stages.push(Stage::OnBorder(vec![input.0, input.1]));
                let size = if is_gentle { vec![input.0, input.1] } else { vec![input.1, input.0] };
                let window = Window { stages: way(&others), size };
                Warp {
                    size: vec![output.0, output.1],
                    stages,
                    policy: Policy { order, border: Border::from_code(code).unwrap(), fill: 7.0 },
                    clips: Vec::new(),
                    windows: if has_window { vec![window] } else { Vec::new() },
                    is_labels: false,
                }
            };
            let factors = if is_gentle { [3, 1] } else { [91, 37] };
            let image = ArrayD::from_shape_fn(vec![input.0, input.1, planes], |at| {
                (at[0] * factors[0] + at[1] * factors[1] + at[2] * 5) as u8
            });
            let made = [false, true].map(|is_staged| {
                let mut made = ArrayD::<u8>::zeros(vec![output.0, output.1, planes]);
                let axes = Axes { outer: 0, spatial: 2 };
                warp(is_staged).run(&View::U8(image.view()), ViewMut::U8(made.view_mut()), axes).unwrap();
                made
            });
            prop_assert_eq!(&made[0], &made[1]);
        }
    }
}
