//! Samples made from where they are stored to their rows of a batch: read, planned, decoded and run in one go.
//!
//! ```text
//! for each row that is not decided yet:
//!     read its file, or its part of a shard    → a spec                 (kept until the row is decided)
//!     plan the recipe for this spec            → operations, or what Python has to make first
//!     run them, from the encoded file on       → the row
//! ```
//!
//! Nothing is allocated for a sample in Python. A row for which anything is unusual is [`State::Left`]: it is made, or
//! refused in words, by the reader in Python.

use crate::digests::{Sha, bytes_of, digest, digest_both, digest_of_values};
use crate::dtype::{DType, fill_from_le_bytes};
use crate::execute::{OneThread, Target, execute_target};
use crate::recipe::random::Key;
use crate::recipe::{Plan, Recipe, Spec, Unplanned};
use crate::source::{FileImage, Source};
use crate::workspace::Workspace;
use offgraph_codecs::{ImageFile, Samples, decode_png};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::exec::threads;
use offgraph_kernels::memory;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the image of a sample is.
#[derive(Debug)]
pub enum Place {
    /// Only Python reads it.
    Elsewhere,
    /// A file of one of the kinds that are decoded here.
    File(PathBuf),
    /// An array, from a position of an open file or of memory on.
    Array {
        /// The file, or the memory.
        from: Arc<dyn ReadAt>,
        /// Where the array begins.
        start: u64,
        /// Bytes of the PNG that it is; `None` for values in little-endian C order.
        png: Option<usize>,
        /// What it is.
        spec: Spec,
    },
}

/// Bytes that are read by their position.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Fill `bytes` from a position on; `None` if they are not there.
    fn fill(&self, bytes: &mut [u8], start: u64) -> Option<()>;
}

impl ReadAt for File {
    fn fill(&self, bytes: &mut [u8], start: u64) -> Option<()> {
        use std::os::unix::fs::FileExt;
        self.read_exact_at(bytes, start).ok()
    }
}

/// The colours that images are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Grey is repeated.
    Rgb,
    /// Files of colours are left to Python.
    Grey,
    /// As stored.
    Keep,
}

/// How files are read, and what a row may hold.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of the images.
    pub color: Color,
    /// Larger files are left to Python.
    pub max_bytes: u64,
    /// Larger images are left to Python.
    pub max_pixels: usize,
    /// Images with more pixels for each byte of their file are left to Python.
    pub pixels_per_byte: usize,
    /// Images of other bits per sample are left to Python; none are if it is None.
    pub depth: Option<usize>,
    /// Whether an image with NaN or infinity in it is left to Python.
    pub is_finite: bool,
    /// Whether the digests of files are taken.
    pub has_digests: bool,
    /// Whether those of the values in the rows are.
    pub has_row_digests: bool,
}

/// How far a row has come.
#[derive(Debug)]
pub enum State {
    /// Nothing is done.
    Waiting,
    /// Python has to make something before its plan can be made.
    Read(ImageFile),
    /// It is made, of an image with this spec.
    Made(Spec),
    /// Python has to make it, or to say why it cannot be.
    Left,
    /// Only Python can plan it, or say why it cannot be planned.
    Unplanned,
}

/// A sample, and how far it has come.
#[derive(Debug)]
pub struct Row {
    /// Where it is.
    pub place: Place,
    /// What its draws depend on.
    pub key: Key,
    /// How far it has come.
    pub state: State,
    /// SHA-256 of its file, if the rules ask for it.
    pub digest: Option<Sha>,
    /// SHA-256 of the values that were made of a file, if the rules ask for it.
    pub row_digest: Option<Sha>,
}

impl Row {
    /// A row of which nothing is done.
    pub fn new(place: Place, key: Key) -> Self {
        Self { place, key, state: State::Waiting, digest: None, row_digest: None }
    }
}

/// Which file a call is reading, for another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// One more than the number of the row that is being read; 0 for none.
    pub row: AtomicUsize,
    /// Files and parts of files that were read.
    pub steps: AtomicUsize,
}

impl Progress {
    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// Make all rows that are not decided yet, each in the output of its number, on as many threads as the call may use.
///
/// Returns what Python has to make before others can be.
pub fn make_rows(
    rows: &mut [Row],
    outputs: Vec<ViewMut<'_>>,
    recipe: &Recipe,
    rules: &Rules,
    progress: &Progress,
) -> Vec<Unplanned> {
    let mut wanted = memory::with_capacity(rows.len());
    memory::resize(&mut wanted, rows.len(), None);
    let mut blocks = memory::with_capacity(rows.len());
    memory::extend(&mut blocks, rows.iter_mut().zip(outputs).zip(&mut wanted).enumerate());
    let is_alone = blocks.len() == 1;
    threads::for_each_block(blocks, |(number, ((row, output), wanted))| {
        let _one = (!is_alone).then(OneThread::new);
        *wanted = row.advance(number, output, recipe, rules, progress);
    });
    let mut requests: Vec<Unplanned> = Vec::new();
    for request in wanted.into_iter().flatten() {
        if !requests.contains(&request) {
            memory::push(&mut requests, request);
        }
    }
    requests
}

/// Read and plan all rows that are not decided yet, for outputs that are allocated when their shapes are known.
///
/// Returns the spec that each row is to get, `None` for those that are left, and what Python has to make first.
pub fn plan_rows(
    rows: &mut [Row],
    recipe: &Recipe,
    rules: &Rules,
    progress: &Progress,
) -> (Vec<Option<Spec>>, Vec<Unplanned>) {
    let (mut specs, mut requests) = (memory::with_capacity(rows.len()), memory::with_capacity(rows.len()));
    for (number, row) in rows.iter_mut().enumerate() {
        let planned = memory::catch_memory_error(|| Ok(row.planned(number, recipe, rules, progress)));
        let planned = planned.unwrap_or_else(|_| {
            row.state = State::Left;
            None
        });
        match planned {
            Some(Err(request)) => {
                memory::push(&mut specs, None);
                memory::push(&mut requests, request);
            }
            planned => memory::push(&mut specs, planned.and_then(Result::ok)),
        }
    }
    (specs, requests)
}

impl Row {
    /// What its plan makes, or what Python has to make first; `None` if it is decided already.
    fn planned(
        &mut self,
        number: usize,
        recipe: &Recipe,
        rules: &Rules,
        progress: &Progress,
    ) -> Option<Result<Spec, Unplanned>> {
        if let (State::Waiting, Place::File(path)) = (&self.state, &self.place) {
            self.state = read_file(path, number, rules, progress).map_or(State::Left, State::Read);
        }
        let spec = match (&self.state, &self.place) {
            (State::Read(file), _) => spec_of(file, rules).map(|(spec, _)| spec),
            (State::Waiting, Place::Array { spec, .. }) => Some(*spec),
            _ => None,
        };
        let Some(spec) = spec else {
            if matches!(self.state, State::Waiting | State::Read(_)) {
                self.state = State::Left;
            }
            return None;
        };
        match recipe.plan(self.key, &spec) {
            Ok(plan) => Some(Ok(plan.after)),
            Err(Unplanned::NeedsPython) => {
                self.state = State::Unplanned;
                None
            }
            Err(request) => Some(Err(request)),
        }
    }

    /// Make the row, or as much of it as can be made now. Returns what Python has to make first.
    fn advance(
        &mut self,
        number: usize,
        output: ViewMut<'_>,
        recipe: &Recipe,
        rules: &Rules,
        progress: &Progress,
    ) -> Option<Unplanned> {
        let mut request = None;
        let state = std::mem::replace(&mut self.state, State::Left);
        // Running out of memory leaves the row to Python, which says so.
        let next = memory::catch_memory_error(|| {
            Ok(match (state, &self.place) {
                (State::Waiting, Place::File(path)) => {
                    let read = read_file(path, number, rules, progress);
                    let made = read.map(|file| decode(file, self.key, output, recipe, rules, &mut request));
                    made.map_or(State::Left, |(state, digests)| {
                        (self.digest, self.row_digest) = digests;
                        state
                    })
                }
                (State::Read(file), _) => {
                    let (state, digests) = decode(file, self.key, output, recipe, rules, &mut request);
                    (self.digest, self.row_digest) = digests;
                    state
                }
                (State::Waiting, Place::Array { from, start, png, spec }) => {
                    match recipe.plan(self.key, spec) {
                        Ok(plan) => {
                            recipe.forget(self.key);
                            progress.row.store(number + 1, Ordering::Relaxed);
                            let read = match png {
                                None => read_array(&**from, *start, spec),
                                Some(len) => read_bytes(&**from, *start, *len),
                            };
                            progress.row.store(0, Ordering::Relaxed);
                            progress.step();
                            let read =
                                if png.is_some() { read.and_then(|file| decoded(&file, spec)) } else { read };
                            read.filter(|array| run(&Input::Array(array), &plan, output, rules))
                                .map_or(State::Left, |_| State::Made(*spec))
                        }
                        Err(unplanned) => refused(unplanned, State::Waiting, &mut request),
                    }
                }
                (State::Waiting, Place::Elsewhere) => State::Left,
                (decided, _) => decided,
            })
        });
        self.state = next.unwrap_or(State::Left);
        request
    }
}

/// The digests of a file, and of the values that were made of it.
type Digests = (Option<Sha>, Option<Sha>);

fn decode(
    file: ImageFile,
    key: Key,
    mut output: ViewMut<'_>,
    recipe: &Recipe,
    rules: &Rules,
    request: &mut Option<Unplanned>,
) -> (State, Digests) {
    let Some((spec, is_rgb)) = spec_of(&file, rules) else { return (State::Left, (None, None)) };
    match recipe.plan(key, &spec) {
        Ok(plan) => {
            recipe.forget(key);
            let input = Input::File(FileImage { file: &file, is_rgb, decoding: recipe.decoding() });
            if run(&input, &plan, output.reborrow(), rules) {
                (State::Made(spec), digests_of(&file, &output.view(), rules))
            } else {
                (State::Left, (None, None))
            }
        }
        Err(unplanned) => (refused(unplanned, State::Read(file), request), (None, None)),
    }
}

/// The contents of a file, unless only Python reads it.
fn read_file(path: &Path, number: usize, rules: &Rules, progress: &Progress) -> Option<ImageFile> {
    progress.row.store(number + 1, Ordering::Relaxed);
    let read = ImageFile::read(path, rules.max_bytes, || progress.step());
    progress.row.store(0, Ordering::Relaxed);
    read.ok()
}

/// The digests that the rules ask for. The values were written a moment ago: they are still in a cache.
fn digests_of(file: &ImageFile, values: &View<'_>, rules: &Rules) -> Digests {
    if rules.has_digests
        && rules.has_row_digests
        && let Some(bytes) = bytes_of(values)
    {
        let (of_file, of_row) = digest_both(file.data(), bytes);
        return (Some(of_file), Some(of_row));
    }
    let of_file = rules.has_digests.then(|| digest(file.data()));
    (of_file, rules.has_row_digests.then(|| digest_of_values(values)))
}

/// The state of a row that is not planned, and what Python has to make for it.
fn refused(unplanned: Unplanned, waiting: State, request: &mut Option<Unplanned>) -> State {
    if unplanned == Unplanned::NeedsPython {
        return State::Unplanned;
    }
    *request = Some(unplanned);
    waiting
}

/// The spec of a file's image as it is read, upright, and whether it has three channels; `None` if Python reads it.
fn spec_of(file: &ImageFile, rules: &Rules) -> Option<(Spec, bool)> {
    let (height, width) = file.size();
    let pixels = height.saturating_mul(width);
    let most = rules.max_pixels.min(file.data().len().saturating_mul(rules.pixels_per_byte));
    if pixels > most || (file.channels() > 1 && rules.color == Color::Grey) {
        return None;
    }
    if rules.depth.is_some_and(|depth| depth != file.depth()) {
        return None;
    }
    let (height, width) = if file.orientation() >= 5 { (width, height) } else { (height, width) };
    let dtype = if file.depth() == 16 { DType::U16 } else { DType::U8 };
    if file.channels() == 1 && rules.color != Color::Rgb {
        Spec::new(&[height, width], dtype, b"YX").map(|spec| (spec, false))
    } else {
        Spec::new(&[height, width, 3], dtype, b"YXC").map(|spec| (spec, true))
    }
}

/// The values of an array; `None` if they are not there.
fn read_array(from: &dyn ReadAt, start: u64, spec: &Spec) -> Option<Workspace> {
    if spec.dtype != DType::U8 {
        let bytes = read_bytes(from, start, spec.bytes())?;
        let View::U8(values) = bytes.view() else { unreachable!("made as bytes") };
        let mut array = Workspace::new(spec.dtype, spec.shape());
        fill_from_le_bytes(array.view_mut(), values.as_slice()?);
        return Some(array);
    }
    let mut array = Workspace::new(DType::U8, spec.shape());
    fill(&mut array, from, start)?;
    Some(array)
}

/// Bytes as they are; `None` if they are not there.
fn read_bytes(from: &dyn ReadAt, start: u64, len: usize) -> Option<Workspace> {
    let mut bytes = Workspace::new(DType::U8, &[len]);
    fill(&mut bytes, from, start)?;
    Some(bytes)
}

fn fill(bytes: &mut Workspace, from: &dyn ReadAt, start: u64) -> Option<()> {
    let ViewMut::U8(mut bytes) = bytes.view_mut() else { unreachable!("made as bytes") };
    from.fill(bytes.as_slice_mut()?, start)
}

/// The image of a PNG; `None` if it is another one, or not decoded here.
fn decoded(file: &Workspace, spec: &Spec) -> Option<Workspace> {
    let View::U8(file) = file.view() else { unreachable!("made as bytes") };
    let shape = match *spec.shape() {
        [height, width] => [height, width, 1],
        [height, width, channels] => [height, width, channels],
        _ => return None,
    };
    let mut array = Workspace::new(spec.dtype, spec.shape());
    let samples = match array.view_mut() {
        ViewMut::U8(values) => Samples::U8(values.into_slice()?),
        ViewMut::U16(values) => Samples::U16(values.into_slice()?),
        _ => return None,
    };
    decode_png(file.as_slice()?, shape, samples).ok()?;
    Some(array)
}

/// What a plan reads.
enum Input<'a> {
    Array(&'a Workspace),
    File(FileImage<'a>),
}

/// Run a plan; whether the output holds its result.
fn run(input: &Input<'_>, plan: &Plan, mut output: ViewMut<'_>, rules: &Rules) -> bool {
    if plan.after.shape() != output.shape() || plan.after.dtype != DType::of_mut(&output) {
        return false;
    }
    let is_sound = |values: &View<'_>| !rules.is_finite || values.is_finite();
    let input = match input {
        Input::Array(array) if !is_sound(&array.view()) => return false,
        Input::Array(array) => Source::Array(array.view()),
        Input::File(image) => Source::File(*image),
    };
    let axes = Axes { outer: 0, spatial: 2 };
    let target = Target { input, output: output.reborrow(), axes, ops: &plan.ops };
    execute_target(target).is_ok() && (plan.is_finite || is_sound(&output.view()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::products::{Products, Rounding};
    use crate::source::Decoding;
    use ndarray::{ArrayD, IxDyn};
    use std::io::Write;

    const RULES: Rules = Rules {
        color: Color::Keep,
        max_bytes: 1 << 20,
        max_pixels: 1 << 20,
        pixels_per_byte: 1000,
        depth: None,
        is_finite: true,
        has_digests: false,
        has_row_digests: false,
    };

    fn nothing() -> Recipe {
        let products =
            Products { vector: Rounding::from_code(0).unwrap(), matrix: Rounding::from_code(0).unwrap() };
        Recipe::new(Vec::new(), true, 1 << 20, products, Decoding::Window)
    }

    fn key(index: u64) -> Key {
        Key { seed: 1, epoch: 2, index }
    }

    /// A file of its own with these bytes, removed at once: it lives as long as it is open.
    fn file(bytes: &[u8]) -> Arc<File> {
        let path = std::env::temp_dir().join(format!("offgraph-rows-{}-{:p}", std::process::id(), bytes));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    fn array(file: &Arc<File>, start: u64, dtype: DType) -> Row {
        let spec = Spec::new(&[2, 3], dtype, b"YX").unwrap();
        let from: Arc<dyn ReadAt> = Arc::<File>::clone(file);
        Row::new(Place::Array { from, start, spec, png: None }, key(start))
    }

    fn made(rows: &[Row]) -> Vec<bool> {
        rows.iter().map(|row| matches!(row.state, State::Made(_))).collect()
    }

    #[test]
    fn arrays_are_read_where_they_lie() {
        let bytes: Vec<u8> = (0..40).collect();
        let file = file(&bytes);
        let mut rows =
            vec![array(&file, 1, DType::U8), array(&file, 34, DType::U8), array(&file, 35, DType::U8)];
        let mut output = ArrayD::<u8>::zeros(IxDyn(&[3, 2, 3]));
        let outputs = ViewMut::U8(output.view_mut()).into_images();
        assert!(make_rows(&mut rows, outputs, &nothing(), &RULES, &Progress::default()).is_empty());
        assert_eq!(made(&rows), [true, true, false]); // the last one reaches over the end
        assert_eq!(output.as_slice().unwrap()[..12], [1, 2, 3, 4, 5, 6, 34, 35, 36, 37, 38, 39]);
    }

    #[test]
    fn values_are_little_endian_and_finite() {
        let values = [1.5_f32, -2.0, 0.0, 4.0, 5.0, 1e30, f32::NAN, 2.0, 3.0, 4.0, 5.0, 6.0];
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let file = file(&bytes);
        for (is_finite, wanted) in [(true, [true, false]), (false, [true, true])] {
            let mut rows = vec![array(&file, 0, DType::F32), array(&file, 24, DType::F32)];
            let mut output = ArrayD::<f32>::zeros(IxDyn(&[2, 2, 3]));
            let outputs = ViewMut::F32(output.view_mut()).into_images();
            let rules = Rules { is_finite, ..RULES };
            make_rows(&mut rows, outputs, &nothing(), &rules, &Progress::default());
            assert_eq!(made(&rows), wanted);
            assert_eq!(output.as_slice().unwrap()[..6], values[..6]);
        }
    }

    #[test]
    fn what_is_unusual_is_left() {
        let file = file(&[7; 64]);
        let missing = Place::File(PathBuf::from("/nowhere/offgraph.jpg"));
        let mut rows = vec![
            Row::new(Place::Elsewhere, key(0)),
            Row::new(missing, key(1)),
            array(&file, 0, DType::U16),
            array(&file, 0, DType::U8),
        ];
        let mut output = ArrayD::<u8>::zeros(IxDyn(&[4, 2, 3]));
        let outputs = ViewMut::U8(output.view_mut()).into_images();
        let progress = Progress::default();
        make_rows(&mut rows, outputs, &nothing(), &RULES, &progress);
        assert_eq!(made(&rows), [false, false, false, true]); // the third one gives another type
        assert_eq!(progress.row.load(Ordering::Relaxed), 0);
        let (specs, requests) = plan_rows(&mut rows, &nothing(), &RULES, &progress);
        assert!(specs.iter().all(Option::is_none) && requests.is_empty()); // all are decided
    }
}
