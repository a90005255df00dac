//! Every kernel with a failing allocator: at its first large allocation, at its second, and so on.
//!
//! An allocation that bypasses `memory.rs` aborts the tests. Images have rows or columns of so many samples that
//! whatever grows with them is large.

use crate::array::sample::Bool;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::distance::brute_force::{self, Metric};
use crate::distance::{chamfer, euclidean, per_label};
use crate::exec::simd::testing::LevelLock;
use crate::exec::threads::{self, LocalThreads};
use crate::filter::correlate_nd::{self, Weights};
use crate::filter::correlate1d::{self, AxisPass};
use crate::filter::line_filter::LineFilterArgs;
use crate::filter::{plane_kernel, separable, uniform1d};
use crate::interpolate::options::Options;
use crate::interpolate::projective2d;
use crate::interpolate::resize::{self, Taps};
use crate::interpolate::zoom::AxisMap;
use crate::interpolate::{batch, spline, warp, zoom, zoom_blur};
use crate::measure::extremes::ExtremeTables;
use crate::measure::{extremes, groups, label, objects, regions, sums, watershed};
use crate::memory::*;
use crate::morphology::{Erosion, LaterMask, Passes, Structure};
use crate::noise::philox::Stream;
use crate::noise::{events, normal, poisson};
use crate::pointwise::fourier::{self, Factors};
use crate::pointwise::{clahe, color, histogram, lookup, shade};
use crate::rank::{self, BoxWindow, Outside, Window};
use crate::segment::{flood, reconstruct};
use std::alloc::{GlobalAlloc, System};
use std::cell::Cell;

/// Allocations of at least this size may fail. Boxes of workers and jobs of the thread pool are smaller.
const LARGE: usize = 2048;

thread_local! {
    /// Large allocations of this thread that still succeed.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Failing;

impl Failing {
    /// Whether this allocation fails. Only one does, so that an abort shows where it was made.
    fn fails(bytes: usize) -> bool {
        bytes >= LARGE && LEFT.replace(LEFT.get().wrapping_sub(1)) == 0
    }
}

// SAFETY: the system's allocator, or a failed allocation, which every caller must expect.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        if Self::fails(layout.size()) { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised by the caller.
        if Self::fails(layout.size()) { std::ptr::null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, from: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as promised by the caller.
        if Self::fails(size) { std::ptr::null_mut() } else { unsafe { System.realloc(from, layout, size) } }
    }

    unsafe fn dealloc(&self, from: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(from, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Most runs per call, evenly spaced over its allocations.
const MAX_RUNS: usize = 16;

/// Call `kernel`, which fills `output`, with each allocation of this thread failing in turn.
fn try_all<T: Clone + Default + PartialEq + std::fmt::Debug>(
    name: &str,
    shape: &[usize],
    kernel: impl Fn(&mut ArrayD<T>) -> Result<()>,
) {
    const PLENTY: usize = usize::MAX / 2;
    for threads in [1, 3] {
        let _threads = LocalThreads::new(threads);
        let run = |pieces: usize| {
            let mut output = ArrayD::from_elem(IxDyn(shape), T::default());
            LEFT.set(pieces);
            let done = threads::interruptible(|| false, || kernel(&mut output)).expect("nothing interrupts");
            let taken = pieces.wrapping_sub(LEFT.replace(usize::MAX));
            (done, output, taken)
        };
        // Kept workspaces and the pool exist from the first call on.
        run(PLENTY).0.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (done, expected, taken) = run(PLENTY);
        assert_eq!(done, Ok(()), "{name}");
        for pieces in (0..taken).step_by(taken.div_ceil(MAX_RUNS).max(1)) {
            match run(pieces) {
                (Err(KernelError::Memory(_)), ..) => {}
                // How much this thread allocates depends on the blocks that it gets.
                (Ok(()), output, _) if threads > 1 => assert_eq!(output, expected, "{name}"),
                (done, ..) => panic!("{name} of {shape:?}, after {pieces} of {taken} pieces: {done:?}"),
            }
        }
        let (done, again, _) = run(PLENTY);
        assert_eq!((done, again), (Ok(()), expected), "{name}, after lack of memory");
    }
}

fn image<T>(shape: &[usize], sample: impl Fn(usize) -> T) -> ArrayD<T> {
    let mut count = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        count += 1;
        sample(count * 7919 % 1009)
    })
}

fn floats(shape: &[usize]) -> ArrayD<f32> {
    image(shape, |number| number as f32 * 1.1)
}

fn bytes(shape: &[usize]) -> ArrayD<u8> {
    image(shape, |number| number as u8)
}

/// Wide, high, many planes, and a single line.
const SHAPES: [&[usize]; 4] = [&[3, 2100], &[2100, 3], &[1050, 2, 3], &[2500]];

fn options(order: usize) -> Options {
    Options { order, border: Border::Constant, fill: 1.5, pad: 0 }
}

/// The identity, slightly rotated.
fn matrix(rank: usize) -> Vec<f64> {
    (0..rank * rank).map(|at| if at / rank == at % rank { 0.9 } else { 0.05 }).collect()
}

fn interpolation() {
    for shape in SHAPES {
        let rank = shape.len();
        let (matrix, offset) = (matrix(rank), vec![0.3; rank]);
        let points = image(&[&[rank], shape].concat(), |number| number as f64 * 0.03);
        let maps = vec![AxisMap { shift: Some(0.4), zoom: Some(0.9), grid: false }; rank];
        for order in 0..=3 {
            let options = options(order);
            let (floats, doubles) = (floats(shape), image(shape, |number| number as f64));
            try_all("affine", shape, |output: &mut ArrayD<f32>| {
                let (input, output) = (View::F32(floats.view()), ViewMut::F32(output.view_mut()));
                warp::affine(&input, output, 0, &matrix, &offset, &options)
            });
            try_all("affine, bytes", shape, |output: &mut ArrayD<u8>| {
                let bytes = View::F64(doubles.view());
                warp::affine(&bytes, ViewMut::U8(output.view_mut()), 0, &matrix, &offset, &options)
            });
            try_all("at points", shape, |output: &mut ArrayD<f64>| {
                let (input, points) = (View::F32(floats.view()), View::F64(points.view()));
                warp::at_points(&input, ViewMut::F64(output.view_mut()), 0, &points, &options)
            });
            try_all("zoom", shape, |output: &mut ArrayD<f32>| {
                let (input, output) = (View::F32(floats.view()), ViewMut::F32(output.view_mut()));
                zoom::zoom(&input, output, 0, &maps, &options)
            });
            if order > 1 {
                let room = std::cell::RefCell::new(ArrayD::zeros(IxDyn(shape)));
                try_all("zoom, filtered", shape, |output: &mut ArrayD<u8>| {
                    let (input, output) = (View::F32(floats.view()), ViewMut::U8(output.view_mut()));
                    let mut room = room.borrow_mut();
                    zoom::zoom_filtered(&input, room.view_mut(), output, 0, &maps, &options)
                });
            }
        }
    }
}

/// Images that are not stored as they are read.
fn parts() {
    for shape in [&[40, 9000], &[9000, 40]] {
        let (wide, options) = (floats(&[shape[0], shape[1] * 2]), options(1));
        let every_other = wide.slice(ndarray::s![.., ..;2]).into_dyn();
        let (matrix, offset) = (matrix(2), [0.3, 0.2]);
        let maps = [AxisMap { shift: None, zoom: Some(0.9), grid: false }; 2];
        try_all("affine of parts", shape, |output: &mut ArrayD<f32>| {
            let (input, output) = (View::F32(every_other.view()), ViewMut::F32(output.view_mut()));
            warp::affine(&input, output, 0, &matrix, &offset, &options)
        });
        try_all("zoom of parts", shape, |output: &mut ArrayD<f32>| {
            let (input, output) = (View::F32(every_other.view()), ViewMut::F32(output.view_mut()));
            zoom::zoom(&input, output, 0, &maps, &options)
        });
    }
}

fn batches() {
    let (shape, options) = ([400, 9, 11], options(1));
    let images = bytes(&shape);
    let (matrices, offsets) = (matrix(2).repeat(400), vec![0.25; 800]);
    try_all("affine of each", &shape, |output: &mut ArrayD<u8>| {
        let (input, output) = (View::U8(images.view()), ViewMut::U8(output.view_mut()));
        batch::affine_each(&input, output, 0, &matrices, &offsets, &options)
    });
    let (flat, table) = (bytes(&[400, 9, 1]), bytes(&[1, 256]));
    try_all("lookup", &[400, 9, 1], |output: &mut ArrayD<u8>| {
        let output = ViewMut::U8(output.view_mut());
        lookup::lookup(output, &View::U8(flat.view()), &View::U8(table.view()))
    });
}

/// What changes values: pixels of three bytes.
fn values() {
    let shape = [6000, 3];
    let pixels = bytes(&shape);
    let (stream, view) = (Stream { seed: 1, frame: 0 }, View::U8(pixels.view()));
    let quantiles = zeros::<f32>(poisson::QUANTILES);
    try_all("recolor", &shape, |output: &mut ArrayD<u8>| {
        color::recolor(ViewMut::U8(output.view_mut()), &view, &[color::ColorChange::Hue(1.0)], 255.0)
    });
    try_all("histogram", &[3, 256], |output: &mut ArrayD<i64>| {
        histogram::count(ViewMut::I64(output.view_mut()), &view)
    });
    try_all("noise", &shape, |output: &mut ArrayD<u8>| {
        let noise = normal::NormalNoise::Add { spread: 9.0, mean: 0.0 };
        normal::add(ViewMut::U8(output.view_mut()), &view, stream, noise, false, Some(255.0))
    });
    let black = bytes(&[1, 3]);
    try_all("events", &shape, |output: &mut ArrayD<u8>| {
        let event = events::Event { low: 0, high: 1 << 30 };
        events::replace(
            ViewMut::U8(output.view_mut()),
            &view,
            &View::U8(black.view()),
            &[event],
            stream,
            true,
        )
    });
    let means = filled(3.0, 256);
    try_all("photons", &shape, |output: &mut ArrayD<u8>| {
        let means = poisson::Means { means: &means, zeros: &means, photons: 1.0, top: 255.0 };
        poisson::count(ViewMut::U8(output.view_mut()), &view, means, &quantiles, stream)
    });
    let plane = [60, 100, 3];
    let cube = pixels.clone().into_shape_with_order(IxDyn(&plane)).expect("as many values");
    let view = View::U8(cube.view());
    try_all("projective", &plane, |output: &mut ArrayD<u8>| {
        let matrix = [1.0, 0.1, 2.0, -0.1, 1.0, 1.0, 1e-4, 0.0, 1.0];
        let map = (&matrix[..], [plane[0], plane[1]]);
        let is_read = projective2d::read_bytes(&view, &mut ViewMut::U8(output.view_mut()), 0, map, &[map], 0);
        is_read.then_some(()).ok_or_else(|| KernelError::shape("bytes of order 1"))
    });
    try_all("weights in the plane", &plane, |output: &mut ArrayD<u8>| {
        let taps = [-1, 1].map(|row| plane_kernel::PlaneTap { row, column: 2, weight: 0.3 });
        plane_kernel::correlate(ViewMut::U8(output.view_mut()), &view, &taps, Border::Reflect, 0.0)
    });
    try_all("zooms", &plane, |output: &mut ArrayD<u8>| {
        let map = AxisMap { shift: Some(0.5), zoom: Some(0.9), grid: false };
        zoom_blur::mean_of_zooms(ViewMut::U8(output.view_mut()), &view, &[[map; 2]; 3])
    });
    try_all("shade", &plane, |output: &mut ArrayD<u8>| {
        let corners = (0..300).map(|i| [f64::from(i % 7) * 9.0, f64::from(i)]).collect_vec();
        shade::darken(ViewMut::U8(output.view_mut()), &view, &[shade::Shade { factor: 0.5, corners }])
    });
    let numbers = |len: i64| (0..len).collect_vec();
    let (rows, columns, ones) = (numbers(60), numbers(100), filled(0.5, 100));
    let first = zeros::<i64>(100);
    let axis = |sources, len: usize| clahe::TiledAxis {
        tiles: 1,
        sources,
        before: (&first[..len], &ones[..len]),
        after: (&first[..len], &ones[..len]),
    };
    let (rows, columns) = (axis(&rows, 60), axis(&columns, 100));
    try_all("tiles", &plane, |output: &mut ArrayD<u8>| {
        clahe::equalize(ViewMut::U8(output.view_mut()), &view, [&rows, &columns], 90, 255)
    });
}

fn along<'a>(axis: usize, input: &'a View<'a>, output: ViewMut<'a>) -> LineFilterArgs<'a> {
    LineFilterArgs { input: Some(input), output, axis, border: Border::Reflect, fill: 0.0, origin: 0 }
}

fn filters() {
    for shape in SHAPES {
        let (floats, bytes, rank) = (floats(shape), bytes(shape), shape.len());
        for axis in 0..rank {
            let weights = [0.1, 0.3, 0.2, 0.4];
            try_all("correlate", shape, |output: &mut ArrayD<f32>| {
                let view = View::F32(floats.view());
                correlate1d::correlate1d(along(axis, &view, ViewMut::F32(output.view_mut())), &weights)
            });
            try_all("correlate, bytes", shape, |output: &mut ArrayD<u8>| {
                let view = View::U8(bytes.view());
                correlate1d::correlate1d(along(axis, &view, ViewMut::U8(output.view_mut())), &weights)
            });
            for size in [3, 700] {
                try_all("uniform", shape, |output: &mut ArrayD<f32>| {
                    let view = View::F32(floats.view());
                    uniform1d::uniform1d(along(axis, &view, ViewMut::F32(output.view_mut())), size)
                });
            }
            try_all("spline", shape, |output: &mut ArrayD<f64>| {
                let view = View::F32(floats.view());
                spline::spline_filter1d(
                    Some(&view),
                    ViewMut::F64(output.view_mut()),
                    axis,
                    3,
                    Border::Reflect,
                )
            });
            try_all("spline, turned", shape, |output: &mut ArrayD<f32>| {
                let output = ViewMut::F32(output.view_mut().reversed_axes());
                let input = View::F32(floats.view().reversed_axes());
                spline::spline_filter1d(Some(&input), output, axis, 3, Border::Reflect)
            });
        }
        try_all("correlate along axes", shape, |output: &mut ArrayD<f32>| {
            let pass = |axis| AxisPass {
                axis,
                weights: &[0.5, 0.2, 0.5],
                border: Border::Wrap,
                fill: 0.0,
                origin: 0,
            };
            let passes: Vec<_> = (0..rank).map(pass).collect();
            let output = ViewMut::F32(output.view_mut());
            separable::correlate_axes(Some(&View::F32(floats.view())), output, &passes)
        });
        let lengths: Vec<usize> = shape.iter().map(|len| 4.min(*len)).collect();
        let values = vec![0.25; lengths.iter().product()];
        try_all("correlate over all axes", shape, |output: &mut ArrayD<f64>| {
            let weights = Weights { values: &values, shape: &lengths, origins: &vec![0; rank] };
            let (input, output) = (View::F32(floats.view()), ViewMut::F64(output.view_mut()));
            correlate_nd::correlate(&input, output, weights, Border::Reflect, 0.0)
        });
        let table = |len: usize| {
            let mut taps = Taps::new();
            (0..len).for_each(|at| taps.push(at.min(len.saturating_sub(2)), &vec![0.5; 2.min(len)]));
            taps
        };
        try_all("resize", shape, |output: &mut ArrayD<f32>| {
            let tables: Vec<Taps> = shape.iter().map(|len| table(*len)).collect();
            resize::resize(&View::F32(floats.view()), ViewMut::F32(output.view_mut()), 0, &tables)
        });
    }
}

fn ranks() {
    for shape in SHAPES {
        let (floats, bytes, rank) = (floats(shape), bytes(shape), shape.len());
        let (view, of_bytes) = (View::F32(floats.view()), View::U8(bytes.view()));
        let origins = vec![0; rank];
        let long = (0..rank).max_by_key(|axis| shape[*axis]).unwrap();
        // Few cells, more, and a long line of them.
        for most in [3, 5, 100, 2000] {
            let other = if most < 10 { most } else { 1 };
            let lengths: Vec<usize> = (0..rank).map(|axis| if axis == long { most } else { other }).collect();
            let cells: usize = lengths.iter().product();
            for full in [true, false] {
                let mask: Vec<bool> = (0..cells).map(|cell| full || cell % 3 != 1).collect();
                let window = Window { shape: &lengths, mask: &mask, origins: &origins };
                let count = mask.iter().filter(|counts| **counts).count();
                let (border, outside) = (Border::Reflect, Outside::Double(0.0));
                for rank in if most > 100 { vec![0] } else { vec![0, count / 2] } {
                    try_all("rank", shape, |output: &mut ArrayD<f32>| {
                        rank::rank_filter(
                            &view,
                            ViewMut::F32(output.view_mut()),
                            window,
                            rank,
                            border,
                            outside,
                        )
                    });
                    try_all("rank, bytes to floats", shape, |output: &mut ArrayD<f32>| {
                        let output = ViewMut::F32(output.view_mut());
                        rank::rank_filter(&of_bytes, output, window, rank, border, outside)
                    });
                    try_all("rank, bytes", shape, |output: &mut ArrayD<u8>| {
                        let output = ViewMut::U8(output.view_mut());
                        rank::rank_filter(&of_bytes, output, window, rank, border, outside)
                    });
                }
                if most < 100 {
                    let heights = vec![1.5; count];
                    try_all("raised", shape, |output: &mut ArrayD<f32>| {
                        let output = ViewMut::F32(output.view_mut());
                        rank::raised_extremum(&view, output, window, &heights, true, border, 0.0)
                    });
                }
            }
            let window =
                BoxWindow { lengths: &lengths, origins: &origins, borders: &vec![Border::Reflect; rank] };
            try_all("box", shape, |output: &mut ArrayD<f32>| {
                rank::box_extremum(&view, ViewMut::F32(output.view_mut()), window, true, 0.0)
            });
            try_all("box, bytes to floats", shape, |output: &mut ArrayD<f64>| {
                rank::box_extremum(&of_bytes, ViewMut::F64(output.view_mut()), window, true, 0.0)
            });
        }
    }
}

fn morphology() {
    for shape in SHAPES {
        let input = image(shape, |number| Bool(u8::from(number % 11 != 0)));
        let mask = image(shape, |number| Bool(u8::from(number % 5 != 0)));
        let lengths: Vec<usize> = shape.iter().map(|len| if *len > 1000 { 301 } else { 3 }).collect();
        for full in [true, false] {
            let elements = image(&lengths, |number| Bool(u8::from(full || number % 2 == 0)));
            let mut elements = elements;
            let middle: Vec<usize> = lengths.iter().map(|len| len / 2).collect();
            elements[IxDyn(&middle)] = Bool(1);
            let origin = vec![0; shape.len()];
            let structure = Structure { elements: elements.view(), origin: &origin, border: false };
            for (passes, masked) in
                [(Passes::Count(1), false), (Passes::Count(3), true), (Passes::UntilStable, true)]
            {
                try_all("erosion", shape, |output: &mut ArrayD<Bool>| {
                    let mask = View::Bool(mask.view());
                    let mask = masked.then_some(&mask);
                    let input = View::Bool(input.view());
                    let mut erosion = Erosion::new(&input, &structure, true, mask, &LaterMask::Same, passes)?;
                    while !erosion.advance() {}
                    erosion.store(ViewMut::Bool(output.view_mut()))
                });
            }
        }
    }
}

fn distances() {
    for shape in SHAPES {
        let input = image(shape, |number| u8::from(number % 50 != 3));
        let view = || View::U8(input.view());
        let per_axis: Vec<usize> = [shape.len()].iter().chain(shape).copied().collect();
        for spacing in [1.0, 0.3] {
            let sampling = vec![spacing; shape.len()];
            try_all("euclidean distances", shape, |output: &mut ArrayD<f64>| {
                let output = Some(ViewMut::F64(output.view_mut()));
                euclidean::euclidean(output, None, &view(), Some(&sampling)).map(|_| ())
            });
            try_all("nearest zeros", &per_axis, |output: &mut ArrayD<i32>| {
                let output = Some(ViewMut::I32(output.view_mut()));
                euclidean::euclidean(None, output, &view(), Some(&sampling)).map(|_| ())
            });
        }
        try_all("steps", shape, |output: &mut ArrayD<i32>| {
            let before = vec![true; 3_usize.pow(shape.len() as u32) / 2];
            chamfer::chamfer(ViewMut::I32(output.view_mut()), None, &view(), &before)
        });
        let marks = image(shape, |number| if number % 50 == 3 { -1 } else { 1_i8 });
        for metric in [Metric::Euclidean, Metric::CityBlock] {
            try_all("brute force", shape, |output: &mut ArrayD<i32>| {
                let output = Some(ViewMut::I32(output.view_mut()));
                brute_force::brute_force(None, output, &View::I8(marks.view()), metric, None)
            });
        }
    }
}

fn spectra() {
    for shape in SHAPES {
        let input = floats(shape);
        let tables: Vec<Vec<f64>> = shape.iter().map(|len| vec![0.5; *len]).collect();
        let tables: Vec<&[f64]> = tables.iter().map(|table| &table[..]).collect();
        try_all("multiply spectrum", shape, |output: &mut ArrayD<f64>| {
            let output = ViewMut::F64(output.view_mut());
            fourier::multiply(output, &View::F32(input.view()), (1, 1), &Factors::Product(&tables))
        });
    }
}

fn measures() {
    for shape in SHAPES {
        let (input, heights) = (image(shape, |number| u8::from(number % 3 == 0)), bytes(shape));
        let marked = image(shape, |number| (number % 7) as i32);
        let mask = vec![Bool(1); marked.len()];
        let (below, levels) = (image(shape, |number| (number % 7) as i32 - 1), floats(shape));
        // Not contiguous, so that lines are copied.
        let turned: Vec<usize> = (0..shape.len()).rev().collect();
        let (turned, back) = (marked.view().permuted_axes(turned), floats(shape).reversed_axes());
        let structure = ArrayD::from_elem(vec![3; shape.len()], Bool(1));
        try_all("label", shape, |output: &mut ArrayD<i32>| {
            let input = View::U8(input.view());
            label::label(ViewMut::I32(output.view_mut()), &input, &structure.view()).map(|_| ())
        });
        try_all("watershed", shape, |output: &mut ArrayD<i32>| {
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            let (output, markers) = (ViewMut::I32(output.view_mut()), View::I32(marked.view()));
            watershed::watershed(output, &View::U8(heights.view()), &markers, &structure)
        });
        try_all("watershed with a label below zero", shape, |output: &mut ArrayD<i32>| {
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            let signed = View::I32(below.view());
            watershed::watershed(
                ViewMut::I32(output.view_mut()),
                &View::U8(heights.view()),
                &signed,
                &structure,
            )
        });
        try_all("regions", shape, |output: &mut ArrayD<i32>| {
            regions::label_regions(output.as_slice_mut().unwrap(), &View::I32(marked.view()), 1).map(|_| ())
        });
        try_all("label distances", shape, |output: &mut ArrayD<f32>| {
            let spacings = vec![1.0; shape.len()];
            per_label::label_distances(
                output.as_slice_mut().unwrap(),
                &View::I32(marked.view()),
                &spacings,
                true,
            )
        });
        try_all("priority flood", shape, |output: &mut ArrayD<i32>| {
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            let labels = output.as_slice_mut().unwrap();
            labels.copy_from_slice(marked.as_slice().unwrap());
            flood::flood(labels, &View::F32(levels.view()), &mask, &structure)
        });
        try_all("reconstruction", shape, |output: &mut ArrayD<f32>| {
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            output.assign(&levels);
            output.mapv_inplace(|level| level - 1.0);
            reconstruct::reconstruct(ViewMut::F32(output.view_mut()), &View::F32(levels.view()), &structure)
        });
        try_all("regional maxima", shape, |output: &mut ArrayD<Bool>| {
            let structure = vec![true; 3_usize.pow(shape.len() as u32)];
            reconstruct::maxima(output.as_slice_mut().unwrap(), &View::F32(levels.view()), &structure)
        });
        try_all("find objects", &[6, 2 * shape.len()], |bounds: &mut ArrayD<i64>| {
            objects::find_objects(bounds.view_mut(), &View::I32(turned.view()))
        });
        try_all("group by value", &[shape.len(), 10], |indices: &mut ArrayD<i64>| {
            groups::group_by_value(indices.view_mut(), &mut [0, 5], &View::I32(turned.view()), 3, None)
        });
        try_all("sums", &[7], |output: &mut ArrayD<f64>| {
            let (output, values) = (output.as_slice_mut().unwrap(), View::F32(back.view()));
            output.fill(0.0);
            sums::sum(output, &mut [], &View::I32(turned.view()), &values, None, 0).map(|_| ())
        });
        // Made outside, where no allocation fails.
        let other_tables = std::cell::RefCell::new((vec![0; 5000], vec![0; 5000], vec![0; 5000]));
        try_all("extremes", &[5000], |output: &mut ArrayD<i64>| {
            let (other, tied, other_tied) = &mut *other_tables.borrow_mut();
            let tables = ExtremeTables {
                least: output.as_slice_mut().unwrap(),
                least_tied: tied,
                largest: other,
                largest_tied: other_tied,
            };
            extremes::extremes(tables, &View::I32(turned.view()), &View::F32(back.view())).map(|_| ())
        });
    }
}

#[test]
fn want_of_memory_is_an_error_of_every_kernel() {
    // Kernels keep other tables at other levels, which other tests set.
    let _level = LevelLock::new();
    interpolation();
    parts();
    batches();
    values();
    filters();
    ranks();
    morphology();
    measures();
    spectra();
    distances();
}

/// More than any machine has, and more than can be counted.
const TOO_MANY: [usize; 2] = [1 << 60, usize::MAX];

#[test]
fn elements_are_those_of_the_standard_library() {
    assert_eq!(zeros::<f64>(3), [0.0; 3]);
    assert_eq!(zeros::<[bool; 2]>(2), [[false; 2]; 2]);
    assert_eq!(zeros::<u8>(0), []);
    assert_eq!(filled('x', 3), ['x'; 3]);
    assert_eq!(zero_array::<u16>(&[2, 0, 3]).shape(), [2, 0, 3]);
    assert_eq!(zero_array::<u16>(&[2, 3]), ndarray::ArrayD::<u16>::zeros(vec![2, 3]));
    let mut grown = copy(&[1, 2]);
    extend(&mut grown, (3..9).filter(|number| number % 2 == 1));
    extend(&mut grown, [9, 9]);
    push(&mut grown, 10);
    resize(&mut grown, 9, 0);
    assert_eq!(grown, [1, 2, 3, 5, 7, 9, 9, 10, 0]);
    resize(&mut grown, 2, 0);
    assert_eq!(grown, [1, 2]);
    assert_eq!((0..4).map(|number| number * 2).collect_vec(), [0, 2, 4, 6]);
}

#[test]
fn want_of_memory_is_an_error() {
    for len in TOO_MANY {
        let taken =
            |take: &dyn Fn() -> Vec<u16>| catch_memory_error(|| Ok(std::hint::black_box(take()).len()));
        let one = || copy(&[1_u16]);
        let refused = [
            taken(&|| zeros(len)),
            taken(&|| filled(1, len)),
            taken(&|| with_capacity(len)),
            taken(&|| zero_array(&[len, 3]).into_raw_vec_and_offset().0),
            taken(&|| std::iter::repeat_n(1, len).collect_vec()),
            taken(&|| {
                let mut grown = one();
                extend(&mut grown, std::iter::repeat_n(1, len));
                grown
            }),
            taken(&|| {
                let mut grown = one();
                resize(&mut grown, len, 1);
                grown
            }),
            check::<u16>(len).map(|()| 0),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(KernelError::Memory(_))), "{refused:?} for {len}");
        }
    }
}

#[test]
fn other_panics_are_passed_on() {
    let caught = catch_unwind(|| catch_memory_error(|| -> Result<()> { resume_unwind(Box::new("other")) }));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "other");
}
