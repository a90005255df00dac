//! The nearest of the zero elements that touch nonzero ones, found by looking at each of them.
//!
//! Of equally near elements the last one in C order is named; SciPy looks at them from the last to the first. Distances
//! alone have faster ways wherever no rounding decides: the nearest zero always touches a nonzero element.

use crate::array::index::advance;
use crate::array::view::{View, ViewMut};
use crate::distance::{chamfer, euclidean};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory::{self, CollectVec};

/// Elements of the border looked at at once.
const LANES: usize = 16;

/// What a distance is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The root of the sum of squares.
    Euclidean,
    /// The sum along all axes.
    CityBlock,
    /// The largest along any axis.
    Chessboard,
}

impl Metric {
    /// The metric with this number of SciPy's: 1, 2 or 3.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Euclidean),
            2 => Some(Self::CityBlock),
            3 => Some(Self::Chessboard),
            _ => None,
        }
    }
}

/// Write the distance of each positive element of `marks` from the nearest negative one, and that one's position in C
/// order; other elements are at distance 0 from themselves.
///
/// `marks` hold 1 for nonzero elements, -1 for zeros that touch one, and 0 for other zeros. `distances` are `f64` for the
/// Euclidean metric, else `u32`, `features` are `i32`; all arrays are C-contiguous. `sampling` counts for the Euclidean
/// metric.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or the array has no axis.
pub fn brute_force(
    distances: Option<ViewMut<'_>>,
    features: Option<ViewMut<'_>>,
    marks: &View<'_>,
    metric: Metric,
    sampling: Option<&[f64]>,
) -> Result<()> {
    let shape = marks.shape();
    let refused = || KernelError::shape("distances, features, marks or spacings that do not fit each other");
    let View::I8(array) = marks else { return Err(refused()) };
    let marks = array.as_slice().ok_or_else(refused)?;
    let spacings = memory::filled(1.0, shape.len());
    let spacings = if metric == Metric::Euclidean { sampling.unwrap_or(&spacings) } else { &spacings };
    let fits = |array: Option<&ViewMut<'_>>| array.is_none_or(|array| array.shape() == shape);
    if shape.is_empty()
        || spacings.len() != shape.len()
        || !fits(distances.as_ref())
        || !fits(features.as_ref())
    {
        return Err(refused());
    }
    let mut positions = match features {
        None => None,
        Some(ViewMut::I32(array)) => Some(array.into_slice().ok_or_else(refused)?),
        Some(_) => return Err(refused()),
    };
    let mut distances = match distances {
        None => Distances::None,
        Some(ViewMut::F64(array)) if metric == Metric::Euclidean => {
            if positions.is_none() && euclidean::WholeMetric::new(Some(spacings), shape).is_some() {
                return by_euclidean(array, shape, marks, spacings);
            }
            Distances::Roots(array.into_slice().ok_or_else(refused)?)
        }
        Some(ViewMut::U32(array)) if metric != Metric::Euclidean => {
            let array = array.into_slice().ok_or_else(refused)?;
            if positions.is_none() {
                return by_chamfer(array, shape, marks, metric);
            }
            Distances::Counts(array)
        }
        Some(_) => return Err(refused()),
    };
    search(&mut distances, positions.as_deref_mut(), Marks { shape, marks }, metric, spacings);
    // Where none is nearer than infinity, SciPy keeps the one found before.
    let mut last = 0;
    for (position, mark) in positions.into_iter().flatten().zip(marks) {
        if *position < 0 {
            *position = last;
        } else if *mark > 0 {
            last = *position;
        }
    }
    Ok(())
}

fn is_foreground(marks: &[i8]) -> Vec<u8> {
    marks.iter().map(|mark| u8::from(*mark > 0)).collect_vec()
}

fn by_euclidean(
    mut distances: ndarray::ArrayViewMutD<'_, f64>,
    shape: &[usize],
    marks: &[i8],
    spacings: &[f64],
) -> Result<()> {
    let marks = is_foreground(marks);
    if !euclidean::transform_marks(Some(distances.view_mut()), None, shape, &marks, Some(spacings))? {
        distances.fill(f64::MAX.sqrt());
    }
    Ok(())
}

fn by_chamfer(distances: &mut [u32], shape: &[usize], marks: &[i8], metric: Metric) -> Result<()> {
    let before = chamfer::half_structure(shape.len(), metric == Metric::Chessboard);
    let mut steps = memory::zeros(marks.len());
    chamfer::transform_marks(&mut steps, None, shape, &is_foreground(marks), &before)?;
    // -1 is the largest number.
    distances.iter_mut().zip(&steps).for_each(|(to, steps)| *to = *steps as u32);
    Ok(())
}

enum Distances<'a> {
    None,
    Roots(&'a mut [f64]),
    Counts(&'a mut [u32]),
}

struct Marks<'a> {
    shape: &'a [usize],
    marks: &'a [i8],
}

/// Elements whose results are written together.
struct ResultBlock<'a> {
    start: usize,
    distances: Distances<'a>,
    positions: Option<&'a mut [i32]>,
}

/// Positions are negative where no element of the border is nearer than infinity.
fn search(
    distances: &mut Distances<'_>,
    positions: Option<&mut [i32]>,
    Marks { shape, marks }: Marks<'_>,
    metric: Metric,
    spacings: &[f64],
) {
    let border = BorderPoints::read(shape, marks);
    let cost = (marks.len() * shape.len()).saturating_mul(border.positions.len() / LANES + 1);
    let size = marks.len().div_ceil(threads::blocks_for(cost)).max(1);
    let mut blocks = memory::with_capacity(marks.len().div_ceil(size));
    let mut rest = (std::mem::replace(distances, Distances::None), positions);
    for start in (0..marks.len()).step_by(size) {
        let end = size.min(marks.len() - start);
        let (distances, left) = match rest.0 {
            Distances::None => (Distances::None, Distances::None),
            Distances::Roots(all) => {
                let (part, left) = all.split_at_mut(end);
                (Distances::Roots(part), Distances::Roots(left))
            }
            Distances::Counts(all) => {
                let (part, left) = all.split_at_mut(end);
                (Distances::Counts(part), Distances::Counts(left))
            }
        };
        let (positions, later) = rest.1.map(|all| all.split_at_mut(end)).unzip();
        rest = (left, later);
        memory::push(&mut blocks, ResultBlock { start, distances, positions });
    }
    threads::for_each_block(blocks, |mut block| {
        let mut index = memory::zeros(shape.len());
        let mut position = block.start;
        for (at, len) in index.iter_mut().zip(shape).rev() {
            *at = position % len;
            position /= len;
        }
        let end = (block.start + size).min(marks.len());
        for (at, mark) in marks[block.start..end].iter().enumerate() {
            let (distance, nearest) = if *mark > 0 {
                let (border, index) = (&border, &index[..]);
                match metric {
                    Metric::Euclidean => dispatch(Nearest::<1> { border, index, spacings }),
                    Metric::CityBlock => dispatch(Nearest::<2> { border, index, spacings }),
                    Metric::Chessboard => dispatch(Nearest::<3> { border, index, spacings }),
                }
            } else {
                (0.0, (block.start + at) as i32)
            };
            match &mut block.distances {
                Distances::None => {}
                Distances::Roots(to) => to[at] = distance.sqrt(),
                // Infinity becomes the largest number.
                Distances::Counts(to) => to[at] = distance as u32,
            }
            if let Some(positions) = &mut block.positions {
                positions[at] = nearest;
            }
            advance(&mut index, shape);
            if *mark > 0 && at % 64 == 0 {
                threads::check_interrupt();
            }
        }
    });
}

/// The zeros that touch nonzero elements, from the last to the first.
struct BorderPoints {
    positions: Vec<i32>,
    /// Indices along each axis.
    indices: Vec<Vec<f64>>,
}

impl BorderPoints {
    fn read(shape: &[usize], marks: &[i8]) -> Self {
        let mut positions = Vec::new();
        let mut indices = shape.iter().map(|_| Vec::new()).collect_vec();
        for (position, _) in marks.iter().enumerate().rev().filter(|(_, mark)| **mark < 0) {
            memory::push(&mut positions, position as i32);
            let mut rest = position;
            for (indices, len) in indices.iter_mut().zip(shape).rev() {
                memory::push(indices, (rest % len) as f64);
                rest /= len;
            }
        }
        Self { positions, indices }
    }
}

/// The least distance of an element from the border, squared if Euclidean, and where it is; -1 if nowhere.
struct Nearest<'a, const METRIC: u8> {
    border: &'a BorderPoints,
    index: &'a [usize],
    spacings: &'a [f64],
}

impl<const METRIC: u8> Kernel for Nearest<'_, METRIC> {
    type Output = (f64, i32);

    #[inline(always)]
    fn run(self) -> (f64, i32) {
        let Self { border, index, spacings } = self;
        let count = border.positions.len();
        let mut least = [f64::MAX; LANES];
        let mut places = [-1_i32; LANES];
        for start in (0..count).step_by(LANES) {
            let inside = LANES.min(count - start);
            let mut sums = [0.0; LANES];
            for ((at, indices), spacing) in index.iter().zip(&border.indices).zip(spacings) {
                let mut others = [f64::NAN; LANES];
                others[..inside].copy_from_slice(&indices[start..start + inside]);
                for (sum, other) in sums.iter_mut().zip(&others) {
                    let distance = (*at as f64 - other) * spacing;
                    *sum = match METRIC {
                        1 => *sum + distance * distance,
                        2 => *sum + distance.abs(),
                        _ if distance.abs() > *sum || distance.is_nan() => distance.abs(),
                        _ => *sum,
                    };
                }
            }
            for lane in 0..LANES {
                // Not for NaN.
                let nearer = sums[lane] < least[lane];
                least[lane] = if nearer { sums[lane] } else { least[lane] };
                places[lane] = if nearer { (start + lane) as i32 } else { places[lane] };
            }
        }
        let mut best = (f64::MAX, -1);
        for (distance, place) in least.into_iter().zip(places) {
            if place >= 0 && (distance < best.0 || (distance == best.0 && place < best.1)) {
                best = (distance, place);
            }
        }
        (best.0, if best.1 < 0 { -1 } else { border.positions[best.1 as usize] })
    }
}
