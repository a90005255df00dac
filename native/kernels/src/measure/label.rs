//! Connected components, numbered as SciPy numbers them: by their first pixels in the order of the lines.
//!
//! SciPy labels pixel by pixel; the labels depend on the components alone, so this works on runs of set pixels:
//!
//! 1. Each line is packed into bits; a run starts and ends where a bit differs from the one before.
//! 2. Runs of a line are compared with those of each earlier neighbouring line, both in order. Runs that touch are
//!    joined; the root of a component is its first run.
//! 3. Roots are numbered in order, and every line is written once.

use crate::array::index::advance;
use crate::array::packing::{WORD, pack_row};
use crate::array::sample::{Bool, Sample};
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec, Zero};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

/// Pixels between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// The number of a run, or a place in a line.
trait RunNumber: Zero + Ord {
    fn new(number: usize) -> Self;
    fn get(self) -> usize;
}

macro_rules! run_number {
    ($($type:ty),*) => {
        $(
            impl RunNumber for $type {
                #[inline(always)]
                fn new(number: usize) -> Self {
                    number as $type
                }

                #[inline(always)]
                fn get(self) -> usize {
                    self as usize
                }
            }
        )*
    };
}

run_number!(u32, usize);

/// An element of the output.
trait LabelSample: Sample {
    fn of_label(label: usize) -> Self;
}

impl LabelSample for i32 {
    #[inline(always)]
    fn of_label(label: usize) -> Self {
        label as i32
    }
}

impl LabelSample for i64 {
    #[inline(always)]
    fn of_label(label: usize) -> Self {
        label as i64
    }
}

/// Label the components of the nonzero elements of `input`; return how many there are.
///
/// `structure` has three elements along each axis and is symmetric at its centre, which does not count. Lines lie along
/// the last axis. `output` holds `i32` or `i64`.
///
/// # Errors
///
/// If shapes do not fit, or `output` has another element type or one too small for its number of elements.
pub fn label(output: ViewMut<'_>, input: &View<'_>, structure: &ArrayViewD<'_, Bool>) -> Result<usize> {
    let shape = input.shape();
    if output.shape() != shape || shape.is_empty() || structure.shape() != memory::filled(3, shape.len()) {
        return Err(KernelError::shape(format!(
            "labels of shape {:?} of an array of shape {shape:?} by a structure of shape {:?}",
            output.shape(),
            structure.shape()
        )));
    }
    let few = input.len() < i32::MAX as usize;
    match output {
        _ if input.is_empty() => Ok(0),
        ViewMut::I32(output) if few => label_as::<_, u32>(output, input, structure),
        ViewMut::I64(output) if few => label_as::<_, u32>(output, input, structure),
        ViewMut::I64(output) => label_as::<_, usize>(output, input, structure),
        _ => Err(KernelError::parameter("labels are 32-bit integers, or 64-bit ones for large arrays")),
    }
}

fn label_as<O: LabelSample, N: RunNumber>(
    mut output: ArrayViewMutD<'_, O>,
    input: &View<'_>,
    structure: &ArrayViewD<'_, Bool>,
) -> Result<usize> {
    let neighbours = Neighbours::read(structure, input.shape());
    let mut runs = match_dtype!(View, input, array => {
        dispatch(FindRuns { array: array.view(), joined: neighbours.joined, number: |number| N::new(number) })
    });
    runs.join(&neighbours);
    let count = runs.number_roots();
    let last = Axis(output.ndim() - 1);
    for (line, mut to) in output.lanes_mut(last).into_iter().enumerate() {
        let (runs, labels) = (runs.of_line(line), &runs.parents[runs.lines[line]..]);
        match to.as_slice_mut() {
            Some(to) => {
                let mut at = 0;
                for ([start, end], label) in runs.iter().zip(labels) {
                    to[at..start.get()].fill(O::of_label(0));
                    to[start.get()..end.get()].fill(O::of_label(label.get()));
                    at = end.get();
                }
                to[at..].fill(O::of_label(0));
            }
            None => {
                to.fill(O::of_label(0));
                for ([start, end], label) in runs.iter().zip(labels) {
                    (start.get()..end.get()).for_each(|at| to[at] = O::of_label(label.get()));
                }
            }
        }
    }
    Ok(count)
}

/// Which offsets from a pixel lie in the structure and in earlier lines.
struct Neighbours {
    /// Lengths of all axes but the last.
    outer: Vec<usize>,
    /// Whether neighbours within a line are connected.
    joined: bool,
    lines: Vec<EarlierLine>,
}

/// An earlier line with neighbours of a line's pixels.
struct EarlierLine {
    /// From the line to the earlier one, plus one, along each axis but the last: 0, 1 or 2.
    offset: Vec<usize>,
    /// How many lines before.
    distance: usize,
    /// First and last offset along the line, plus one: of each group of offsets without a gap.
    windows: Vec<(usize, usize)>,
}

impl Neighbours {
    fn read(structure: &ArrayViewD<'_, Bool>, shape: &[usize]) -> Self {
        let last = shape.len() - 1;
        let outer = memory::copy(&shape[..last]);
        let mut strides = memory::filled(1, last);
        for axis in (1..last).rev() {
            strides[axis - 1] = strides[axis] * outer[axis];
        }
        let lanes = || structure.lanes(Axis(last)).into_iter();
        let count = lanes().len();
        let set = |lane: ndarray::ArrayView1<'_, Bool>, at: usize| lane[at].0 != 0;
        let joined = lanes().nth(count / 2).is_some_and(|lane| set(lane, 0));
        let threes = memory::filled(3, last);
        let mut offset = memory::zeros(last);
        let mut lines = Vec::new();
        for lane in lanes().take(count / 2) {
            let mut windows: Vec<(usize, usize)> = Vec::new();
            for at in (0..3).filter(|at| set(lane, *at)) {
                match windows.last_mut() {
                    // Runs of single pixels may touch each other; see `join_lines`.
                    Some(window) if joined && window.1 + 1 == at => window.1 = at,
                    _ => memory::push(&mut windows, (at, at)),
                }
            }
            if !windows.is_empty() {
                // The first offset that is not 1 is 0, so the sum is of an earlier line.
                let centre: usize = strides.iter().sum();
                let moved: usize = strides.iter().zip(&offset).map(|(stride, offset)| stride * offset).sum();
                let distance = centre.wrapping_sub(moved);
                memory::push(&mut lines, EarlierLine { offset: memory::copy(&offset), distance, windows });
            }
            advance(&mut offset, &threes);
        }
        Self { outer, joined, lines }
    }
}

/// The runs of set pixels of all lines, in order.
struct Runs<N> {
    /// Start and end of each.
    spans: Vec<[N; 2]>,
    /// The first run of each line, and the number of all.
    lines: Vec<usize>,
    /// An earlier run of the same component, or the run itself; after `number_roots`, its label.
    parents: Vec<N>,
}

struct FindRuns<'a, T, F> {
    array: ArrayViewD<'a, T>,
    joined: bool,
    number: F,
}

impl<T: Sample, N: RunNumber, F: Fn(usize) -> N> Kernel for FindRuns<'_, T, F> {
    type Output = Runs<N>;

    #[inline(always)]
    fn run(self) -> Runs<N> {
        let last = self.array.ndim() - 1;
        let len = self.array.len_of(Axis(last));
        let lanes = self.array.lanes(Axis(last)).into_iter();
        let mut lines = memory::with_capacity(lanes.len() + 1);
        let mut spans = Vec::new();
        // At least one clear bit follows the last pixel, so every run ends.
        let mut words = memory::zeros::<u64>(len / WORD + 1);
        let mut copied = Vec::new();
        let mut unchecked = 0;
        for lane in lanes {
            memory::push(&mut lines, spans.len());
            match lane.to_slice() {
                Some(line) => pack_row(line, &mut words, 0, 0),
                None => {
                    copied.clear();
                    memory::extend(&mut copied, lane.iter().copied());
                    pack_row(&copied, &mut words, 0, 0);
                }
            }
            if self.joined {
                self.push_runs(&words, &mut spans);
            } else {
                self.push_pixels(&words, &mut spans);
            }
            unchecked += len;
            if unchecked >= CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
        memory::push(&mut lines, spans.len());
        let parents = (0..spans.len()).map(&self.number).collect_vec();
        Runs { spans, lines, parents }
    }
}

impl<T, N: RunNumber, F: Fn(usize) -> N> FindRuns<'_, T, F> {
    #[inline(always)]
    fn push_runs(&self, words: &[u64], spans: &mut Vec<[N; 2]>) {
        let (mut before, mut start) = (0, None);
        for (at, word) in words.iter().enumerate() {
            let mut edges = word ^ (word << 1 | before);
            before = word >> (WORD - 1);
            while edges != 0 {
                let place = at * WORD + edges.trailing_zeros() as usize;
                edges &= edges - 1;
                match start.take() {
                    Some(start) => memory::push(spans, [(self.number)(start), (self.number)(place)]),
                    None => start = Some(place),
                }
            }
        }
    }

    #[inline(always)]
    fn push_pixels(&self, words: &[u64], spans: &mut Vec<[N; 2]>) {
        for (at, word) in words.iter().enumerate() {
            let mut pixels = *word;
            while pixels != 0 {
                let place = at * WORD + pixels.trailing_zeros() as usize;
                pixels &= pixels - 1;
                memory::push(spans, [(self.number)(place), (self.number)(place + 1)]);
            }
        }
    }
}

impl<N: RunNumber> Runs<N> {
    fn of_line(&self, line: usize) -> &[[N; 2]] {
        &self.spans[self.lines[line]..self.lines[line + 1]]
    }

    /// Join the runs that touch.
    fn join(&mut self, neighbours: &Neighbours) {
        let mut index = memory::zeros(neighbours.outer.len());
        let mut unchecked = 0;
        for line in 0..self.lines.len() - 1 {
            let runs = self.of_line(line).len();
            if runs > 0 {
                for earlier in &neighbours.lines {
                    let inside = index
                        .iter()
                        .zip(&neighbours.outer)
                        .zip(&earlier.offset)
                        .all(|((at, len), offset)| (1..=*len).contains(&(at + offset)));
                    if inside {
                        for (first, last) in &earlier.windows {
                            self.join_lines(line, line - earlier.distance, *first, *last, neighbours.joined);
                        }
                    }
                }
                unchecked += runs * neighbours.lines.len();
                if unchecked >= CHECK_EVERY {
                    unchecked = 0;
                    threads::check_interrupt();
                }
            }
            advance(&mut index, &neighbours.outer);
        }
    }

    /// Join the runs of a line and of an earlier one that touch: pixels are connected at offsets `first` - 1 to
    /// `last` - 1 along the line.
    ///
    /// ```text
    /// take the first run [s, e) of the line and the first [a, b) of the earlier one
    /// they touch if s + first - 1 < b and a < e + last - 1
    /// go on with the next run of the line, if this one cannot touch the earlier line's next, else with that
    /// ```
    ///
    /// Between two runs lies a clear pixel, so the next [a, ..) has a > b. Runs of single pixels, which may lie side by
    /// side, have `first` = `last`, and a ≥ b is enough.
    fn join_lines(&mut self, line: usize, earlier: usize, first: usize, last: usize, joined: bool) {
        let gap = if joined { 2 } else { 1 };
        let (mut run, end) = (self.lines[line], self.lines[line + 1]);
        let (mut other, other_end) = (self.lines[earlier], self.lines[earlier + 1]);
        while run < end && other < other_end {
            let ([s, e], [a, b]) = (self.spans[run], self.spans[other]);
            let (s, e, a, b) = (s.get(), e.get(), a.get(), b.get());
            if s + first < b + 1 && a + 1 < e + last {
                self.unite(run, other);
            }
            if e + last <= b + gap {
                run += 1;
            } else {
                other += 1;
            }
        }
    }

    fn unite(&mut self, run: usize, other: usize) {
        let (run, other) = (self.root(run), self.root(other));
        let (first, second) = (run.min(other), run.max(other));
        self.parents[second] = N::new(first);
    }

    /// The first run of the component, as far as it is known; shortens the way to it.
    fn root(&mut self, mut run: usize) -> usize {
        loop {
            let parent = self.parents[run].get();
            if parent == run {
                return run;
            }
            let next = self.parents[parent];
            self.parents[run] = next;
            run = next.get();
        }
    }

    /// Replace each parent by the label; return the number of labels.
    fn number_roots(&mut self) -> usize {
        let mut count = 0;
        for run in 0..self.parents.len() {
            let parent = self.parents[run].get();
            // Parents come first, and have been replaced.
            self.parents[run] = if parent == run {
                count += 1;
                N::new(count)
            } else {
                self.parents[parent]
            };
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// Flood from every pixel without a label, in order.
    fn plain(image: &ArrayD<u8>, structure: &ArrayD<Bool>) -> (ArrayD<i64>, usize) {
        let mut labels = ArrayD::zeros(image.raw_dim());
        let mut count = 0;
        for (start, pixel) in image.indexed_iter() {
            if *pixel == 0 || labels[&start] != 0 {
                continue;
            }
            count += 1;
            labels[&start] = count;
            let mut waiting = vec![start];
            while let Some(at) = waiting.pop() {
                for (offset, element) in structure.indexed_iter() {
                    let place: Vec<usize> =
                        (0..image.ndim()).map(|axis| (at[axis] + offset[axis]).wrapping_sub(1)).collect();
                    let inside = place.iter().zip(image.shape()).all(|(at, len)| at < len);
                    let place = IxDyn(&place);
                    if element.0 != 0 && inside && image[&place] != 0 && labels[&place] == 0 {
                        labels[&place] = count;
                        waiting.push(place);
                    }
                }
            }
        }
        (labels, count as usize)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn equals_floods_from_each_pixel(
            lengths in prop::collection::vec(1_usize..6, 0..4),
            line in 1_usize..150,
            pixels in prop::collection::vec(0_u8..4, 700),
            least in 1_u8..4,
            elements in prop::collection::vec(any::<bool>(), 81),
        ) {
            let shape: Vec<usize> = lengths.iter().copied().chain([line]).collect();
            let mut pixels = pixels.iter().cycle();
            let image = ArrayD::from_shape_simple_fn(IxDyn(&shape), || u8::from(*pixels.next().unwrap() >= least));
            let threes = vec![3; shape.len()];
            let cells = 3_usize.pow(shape.len() as u32);
            let at = |cell: usize| elements[cell.min(cells - 1 - cell)];
            let mut cell = 0;
            let structure = ArrayD::from_shape_simple_fn(IxDyn(&threes), || {
                cell += 1;
                Bool(u8::from(at(cell - 1)))
            });
            let (expected, count) = plain(&image, &structure);
            let mut output = ArrayD::<i32>::from_elem(image.raw_dim(), 77);
            let found = label(ViewMut::I32(output.view_mut()), &View::U8(image.view()), &structure.view());
            prop_assert_eq!(found, Ok(count));
            prop_assert_eq!(output.mapv(i64::from), expected.clone());
            let mut wide = ArrayD::<i64>::from_elem(image.raw_dim(), 77);
            let found = label_as::<_, usize>(wide.view_mut(), &View::U8(image.view()), &structure.view());
            prop_assert_eq!(found, Ok(count));
            prop_assert_eq!(wide, expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let image = ArrayD::<u8>::zeros(vec![4, 4]);
        let input = View::U8(image.view());
        let structure = ArrayD::from_elem(vec![3, 3], Bool(1));
        let mut wrong = ArrayD::<i32>::zeros(vec![4, 5]);
        let found = label(ViewMut::I32(wrong.view_mut()), &input, &structure.view());
        assert!(matches!(found, Err(KernelError::Shape(_))));
        let mut bytes = image.clone();
        let found = label(ViewMut::U8(bytes.view_mut()), &input, &structure.view());
        assert!(matches!(found, Err(KernelError::Parameter(_))));
    }
}
