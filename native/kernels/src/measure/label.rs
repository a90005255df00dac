//! Connected components, numbered as SciPy numbers them: by their first pixels in the order of the lines.
//!
//! SciPy labels pixel by pixel; the labels depend on the components alone, so this works on runs of set pixels:
//!
//! 1. Each line is packed into bits. A run starts where a bit is set and the one before is not; it is numbered by the starts
//!    before it, which are counted by word.
//! 2. Runs of two neighbouring lines that touch do so from a place on where one of both starts. Shifted words, combined,
//!    are these places: at each, two runs are joined. The root of a component is its first run.
//! 3. Roots are numbered in order, and every line is written once, in blocks of [`BLOCK`] that may reach over the next run.
//!
//! Threads take slabs of lines. Lines on both sides of a seam are joined after that.

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
use std::ops::Range;

/// Pixels between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// Labels that are written at once.
const BLOCK: usize = 16;

/// The number of a run, or a place in a line.
trait RunNumber: Zero + Ord + Send + Sync {
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
    let shape = input.shape();
    let neighbours = Neighbours::read(structure, shape);
    let len = shape[shape.len() - 1];
    let mut slabs = slabs_of::<N>(input, len);
    match_dtype!(View, input, array => {
        threads::for_each_block(slabs.iter_mut().collect_vec(), |slab| {
            let lines = array.as_slice();
            dispatch(FindRuns { array: array.view(), lines, neighbours: &neighbours, slab });
        });
    });
    let mut labels = join_slabs(&mut slabs, &neighbours);
    let count = number_roots(&mut labels);
    let mut blocks = memory::with_capacity(slabs.len());
    let joined = neighbours.joined;
    match output.as_slice_mut() {
        Some(mut rest) => {
            for slab in &slabs {
                let (part, later) = rest.split_at_mut(slab.lines.len() * len);
                rest = later;
                memory::push(&mut blocks, WriteLines { to: part, slab, labels: &labels, len, joined });
            }
            threads::for_each_block(blocks, dispatch);
        }
        None => {
            let mut line = memory::filled(O::of_label(0), len);
            let last = Axis(output.ndim() - 1);
            let mut lanes = output.lanes_mut(last).into_iter();
            for slab in &slabs {
                let mut run = slab.base;
                for number in 0..slab.lines.len() {
                    run += write_line(&mut line, len, slab.line(number).pixels, &labels[run..], joined);
                    let Some(lane) = lanes.next() else { break };
                    lane.into_iter().zip(&line).for_each(|(to, label)| *to = *label);
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
                    // Of runs of single pixels, several may touch one.
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

/// Bits of a line, and numbers of its runs.
#[derive(Clone, Copy)]
struct LineBits<'a, N> {
    pixels: &'a [u64],
    /// The first pixels of runs.
    starts: &'a [u64],
    /// Runs of the slab before each word.
    before: &'a [N],
}

impl<N: RunNumber> LineBits<'_, N> {
    /// The last run that starts at or before this place.
    #[inline(always)]
    fn run_at(&self, place: usize) -> usize {
        let (word, bit) = (place / WORD, place % WORD);
        let starts = self.starts[word] & (u64::MAX >> (WORD - 1 - bit));
        self.before[word].get() + starts.count_ones() as usize - 1
    }
}

/// Lines that are labelled by one thread.
struct Slab<N> {
    lines: Range<usize>,
    /// Words per line: at least one clear bit follows the last pixel.
    words: usize,
    pixels: Vec<u64>,
    starts: Vec<u64>,
    before: Vec<N>,
    /// An earlier run of the same component, or the run itself.
    parents: Vec<N>,
    /// Runs of all slabs before.
    base: usize,
}

impl<N: RunNumber> Slab<N> {
    fn line(&self, number: usize) -> LineBits<'_, N> {
        line_bits((&self.pixels, &self.starts, &self.before), self.words, number)
    }
}

#[inline(always)]
fn line_bits<'a, N>(
    (pixels, starts, before): (&'a [u64], &'a [u64], &'a [N]),
    words: usize,
    number: usize,
) -> LineBits<'a, N> {
    let range = number * words..(number + 1) * words;
    LineBits { pixels: &pixels[range.clone()], starts: &starts[range.clone()], before: &before[range] }
}

/// Slabs of about equal size; one if the lines are not contiguous.
fn slabs_of<N: RunNumber>(input: &View<'_>, len: usize) -> Vec<Slab<N>> {
    let lines = input.len() / len;
    let count = if input.is_c_contiguous() { threads::blocks_for(input.len()).clamp(1, lines) } else { 1 };
    let words = len / WORD + 1;
    (0..count)
        .map(|number| {
            let lines = lines * number / count..lines * (number + 1) / count;
            let size = lines.len() * words;
            let (pixels, starts, before) = (memory::zeros(size), memory::zeros(size), memory::zeros(size));
            Slab { lines, words, pixels, starts, before, parents: Vec::new(), base: 0 }
        })
        .collect_vec()
}

/// Which earlier lines lie in the array, line after line.
struct LineIndex<'a> {
    neighbours: &'a Neighbours,
    index: Vec<usize>,
    /// Of each earlier line, whether it does along all outer axes but the last.
    inside: Vec<bool>,
}

impl<'a> LineIndex<'a> {
    fn new(neighbours: &'a Neighbours, line: usize) -> Self {
        let mut index = memory::zeros(neighbours.outer.len());
        let mut rest = line;
        for (at, len) in index.iter_mut().zip(&neighbours.outer).rev() {
            *at = rest % len;
            rest /= len;
        }
        let mut new = Self { neighbours, index, inside: memory::zeros(neighbours.lines.len()) };
        new.enter_plane();
        new
    }

    fn enter_plane(&mut self) {
        let planes = self.neighbours.outer.len().saturating_sub(1);
        for (inside, earlier) in self.inside.iter_mut().zip(&self.neighbours.lines) {
            *inside = (0..planes).all(|axis| {
                (1..=self.neighbours.outer[axis]).contains(&(self.index[axis] + earlier.offset[axis]))
            });
        }
    }

    /// The earlier lines that lie in the array.
    #[inline(always)]
    fn earlier(&self) -> impl Iterator<Item = &'a EarlierLine> {
        let (at, len) = (self.index.last(), self.neighbours.outer.last());
        let (at, len) = (at.copied().unwrap_or(0), len.copied().unwrap_or(1));
        self.neighbours.lines.iter().zip(&self.inside).filter_map(move |(earlier, inside)| {
            let offset = earlier.offset.last().copied().unwrap_or(1);
            (*inside && (1..=len).contains(&(at + offset))).then_some(earlier)
        })
    }

    #[inline(always)]
    fn step(&mut self) {
        advance(&mut self.index, &self.neighbours.outer);
        if self.index.last() == Some(&0) {
            self.enter_plane();
        }
    }
}

/// Find the runs of a slab, and join those that touch.
struct FindRuns<'a, T, N> {
    array: ArrayViewD<'a, T>,
    /// The elements, if they are contiguous; else there is one slab.
    lines: Option<&'a [T]>,
    neighbours: &'a Neighbours,
    slab: &'a mut Slab<N>,
}

impl<T: Sample, N: RunNumber> Kernel for FindRuns<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { array, lines, neighbours, slab } = self;
        let last = Axis(array.ndim() - 1);
        let len = array.len_of(last);
        let words = slab.words;
        let mut lanes = array.lanes(last).into_iter();
        let mut copied = Vec::new();
        let mut index = LineIndex::new(neighbours, slab.lines.start);
        let (mut runs, mut unchecked) = (0, 0);
        for number in 0..slab.lines.len() {
            let range = number * words..(number + 1) * words;
            let pixels = &mut slab.pixels[range.clone()];
            match lines {
                Some(lines) => pack_row(&lines[(slab.lines.start + number) * len..][..len], pixels, 0, 0),
                None => {
                    let Some(lane) = lanes.next() else { break };
                    match lane.to_slice() {
                        Some(line) => pack_row(line, pixels, 0, 0),
                        None => {
                            copied.clear();
                            memory::extend(&mut copied, lane.iter().copied());
                            pack_row(&copied, pixels, 0, 0);
                        }
                    }
                }
            }
            let mut carried = 0;
            let (starts, before) = (&mut slab.starts[range.clone()], &mut slab.before[range]);
            for ((word, starts), before) in pixels.iter().zip(starts).zip(before) {
                *starts = if neighbours.joined { word & !(word << 1 | carried) } else { *word };
                carried = word >> (WORD - 1);
                *before = N::new(runs);
                runs += starts.count_ones() as usize;
            }
            let first = slab.parents.len();
            memory::extend(&mut slab.parents, (first..runs).map(N::new));
            if runs > first {
                let bits = (&slab.pixels[..], &slab.starts[..], &slab.before[..]);
                let line = line_bits(bits, words, number);
                for earlier in index.earlier().filter(|earlier| earlier.distance <= number) {
                    let other = line_bits(bits, words, number - earlier.distance);
                    for window in &earlier.windows {
                        for_each_touching(line, other, *window, |run, other| {
                            unite(&mut slab.parents, run, other);
                        });
                    }
                }
            }
            index.step();
            unchecked += len + 8 * (runs - first);
            if unchecked >= CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
    }
}

/// Call `work` with each run of a line and each run of an earlier one that touch: pixels are connected at offsets `first` - 1
/// to `last` - 1 along the line.
///
/// A run [s, e) and one [a, b) of the earlier line touch first at s, if a < s + last - 1, else at a - last + 1. Only one
/// earlier run can touch the run at s without being the second case: the last one that starts before s + last - 1.
#[inline(always)]
fn for_each_touching<N: RunNumber>(
    line: LineBits<'_, N>,
    earlier: LineBits<'_, N>,
    (first, last): (usize, usize),
    mut work: impl FnMut(usize, usize),
) {
    // Bits of the earlier line at offset - 1.
    let moved = |bits: &[u64], word: usize, offset: usize| match offset {
        0 => bits[word] << 1 | if word > 0 { bits[word - 1] >> (WORD - 1) } else { 0 },
        1 => bits[word],
        _ => bits[word] >> 1 | bits.get(word + 1).map_or(0, |next| next << (WORD - 1)),
    };
    for (word, pixels) in line.pixels.iter().enumerate() {
        if *pixels == 0 {
            continue;
        }
        // Where a run starts and one that started before reaches it; then where an earlier run does.
        let mut near = moved(earlier.pixels, word, last) & !moved(earlier.starts, word, last);
        for offset in first..last {
            near |= moved(earlier.pixels, word, offset);
        }
        let mut places = line.starts[word] & near;
        while places != 0 {
            let place = word * WORD + places.trailing_zeros() as usize;
            places &= places - 1;
            work(line.run_at(place), earlier.run_at(place + last - 2));
        }
        let mut places = pixels & moved(earlier.starts, word, last);
        while places != 0 {
            let place = word * WORD + places.trailing_zeros() as usize;
            places &= places - 1;
            work(line.run_at(place), earlier.run_at(place + last - 1));
        }
    }
}

/// Join two components (Rem's algorithm): parents are smaller than their children, or themselves.
#[inline(always)]
fn unite<N: RunNumber>(parents: &mut [N], run: usize, other: usize) {
    let (mut run, mut other) = (run, other);
    loop {
        let (above, below) = (parents[run].get(), parents[other].get());
        if above == below {
            return;
        }
        // Hang the one with the larger parent below the smaller parent, and go on with what it hung below.
        if above > below {
            parents[run] = N::new(below);
            if run == above {
                return;
            }
            run = above;
        } else {
            parents[other] = N::new(above);
            if other == below {
                return;
            }
            other = below;
        }
    }
}

/// The parents of all runs, with those joined that touch across a seam.
fn join_slabs<N: RunNumber>(slabs: &mut [Slab<N>], neighbours: &Neighbours) -> Vec<N> {
    let mut parents = memory::with_capacity(slabs.iter().map(|slab| slab.parents.len()).sum());
    if let [slab] = slabs {
        return std::mem::take(&mut slab.parents);
    }
    for slab in slabs.iter_mut() {
        slab.base = parents.len();
        let base = slab.base;
        memory::extend(&mut parents, slab.parents.iter().map(|parent| N::new(parent.get() + base)));
        slab.parents = Vec::new();
    }
    let longest = neighbours.lines.iter().map(|earlier| earlier.distance).max().unwrap_or(0);
    for (number, slab) in slabs.iter().enumerate().skip(1) {
        let mut index = LineIndex::new(neighbours, slab.lines.start);
        for line in slab.lines.clone().take(longest) {
            let own = slab.line(line - slab.lines.start);
            for earlier in index.earlier() {
                let wanted = line - earlier.distance;
                if wanted >= slab.lines.start {
                    continue;
                }
                let Some(other) = slabs[..number].iter().rfind(|other| other.lines.start <= wanted) else {
                    continue;
                };
                for window in &earlier.windows {
                    let earlier = other.line(wanted - other.lines.start);
                    for_each_touching(own, earlier, *window, |run, earlier| {
                        unite(&mut parents, run + slab.base, earlier + other.base);
                    });
                }
            }
            index.step();
        }
    }
    parents
}

/// Replace each parent by the label; return the number of labels.
fn number_roots<N: RunNumber>(parents: &mut [N]) -> usize {
    let mut count = 0;
    for run in 0..parents.len() {
        let parent = parents[run].get();
        let is_root = parent == run;
        count += usize::from(is_root);
        // Parents come first, and have been replaced.
        parents[run] = if is_root { N::new(count) } else { parents[parent] };
    }
    count
}

/// Write the labels of a slab.
struct WriteLines<'a, O, N> {
    to: &'a mut [O],
    slab: &'a Slab<N>,
    /// Of all runs.
    labels: &'a [N],
    len: usize,
    joined: bool,
}

impl<O: LabelSample, N: RunNumber> Kernel for WriteLines<'_, O, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { to, slab, labels, len, joined } = self;
        let mut run = slab.base;
        for number in 0..slab.lines.len() {
            let pixels = &slab.pixels[number * slab.words..(number + 1) * slab.words];
            run += write_line(&mut to[number * len..], len, pixels, &labels[run..], joined);
        }
    }
}

/// Write the labels of a line, of which the runs have the first of `labels`; what lies after the line may be written too.
/// Return the number of runs.
#[inline(always)]
fn write_line<O: LabelSample, N: RunNumber>(
    to: &mut [O],
    len: usize,
    pixels: &[u64],
    labels: &[N],
    joined: bool,
) -> usize {
    let mut run = 0;
    if !joined {
        to[..len].fill(O::of_label(0));
        for (word, pixels) in pixels.iter().enumerate() {
            let mut pixels = *pixels;
            while pixels != 0 {
                to[word * WORD + pixels.trailing_zeros() as usize] = O::of_label(labels[run].get());
                pixels &= pixels - 1;
                run += 1;
            }
        }
        return run;
    }
    let (mut at, mut carried, mut is_inside) = (0, 0, false);
    for (word, pixels) in pixels.iter().enumerate() {
        let mut edges = pixels ^ (pixels << 1 | carried);
        carried = pixels >> (WORD - 1);
        while edges != 0 {
            let place = word * WORD + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            let label = if is_inside { labels[run].get() } else { 0 };
            fill(to, at, place, O::of_label(label));
            run += usize::from(is_inside);
            is_inside = !is_inside;
            at = place;
        }
    }
    fill(to, at, len, O::of_label(0));
    run
}

/// Fill a range, and possibly some elements after it.
#[inline(always)]
fn fill<O: Copy>(to: &mut [O], mut at: usize, end: usize, value: O) {
    while at < end {
        let Some(block) = to[at..].first_chunk_mut::<BLOCK>() else {
            to[at..end].fill(value);
            return;
        };
        *block = [value; BLOCK];
        at += BLOCK;
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
