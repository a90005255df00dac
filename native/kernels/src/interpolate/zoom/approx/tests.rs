use crate::array::view::View;
use crate::interpolate::spline::spline_filter1d;
use crate::interpolate::zoom::approx::*;
use crate::interpolate::zoom::{zoom, zoom_filtered};
use ndarray::ArrayD;
use proptest::prelude::*;

/// Hard values: noise, steps that cancel, very different sizes, black beside content, halves, NaN and infinities.
fn hard_values(shape: &[usize], kind: u32, seed: u32) -> ArrayD<f64> {
    let mut state = seed;
    let mut count = 0;
    ArrayD::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        count += 1;
        let noise = f64::from(state >> 16) / 256.0 - 128.0;
        match kind {
            0 => noise,
            1 => {
                if state >> 31 == 0 {
                    1e9
                } else {
                    -1e9
                }
            }
            2 => noise * 10.0_f64.powi((state >> 8) as i32 % 60 - 30),
            3 => {
                if count % 97 < 60 {
                    0.0
                } else {
                    noise
                }
            }
            4 => f64::from(count % 13) / 2.0,
            _ => [1.0, f64::INFINITY, f64::NAN, 1e307, noise][(state >> 8) as usize % 5],
        }
    })
}

#[derive(Debug, Clone)]
struct Case {
    input: Vec<usize>,
    output: Vec<usize>,
    outer: usize,
    maps: Vec<AxisMap>,
    options: Options,
    kind: u32,
    seed: u32,
}

impl Case {
    fn values(&self) -> ArrayD<f64> {
        hard_values(&self.input, self.kind, self.seed)
    }

    fn filtered(&self, axes: usize) -> ArrayD<f64> {
        let mut coefficients = self.values();
        for axis in self.outer..self.outer + axes {
            let target = ViewMut::F64(coefficients.view_mut());
            spline_filter1d(None, target, axis, self.options.order, self.options.border).unwrap();
        }
        coefficients
    }
}

fn cases(kinds: u32) -> impl Strategy<Value = Case> {
    let shapes = prop::sample::select(vec![
        (vec![23], 0, 0),
        (vec![11, 37], 0, 0),
        (vec![9, 14, 3], 0, 1),
        (vec![9, 14, 3], 0, 0),
        (vec![7, 9, 7], 0, 1),
        (vec![3, 6, 15], 1, 0),
        (vec![5, 6, 8], 0, 0),
        (vec![19, 4], 0, 1),
        (vec![21, 2], 0, 0),
    ]);
    let map = (0.3_f64..3.0, prop::sample::select(vec![0.0, 0.5, -2.3]), any::<bool>());
    (shapes, map, 2_usize..=5, 0..7, 0..kinds, any::<u32>()).prop_map(
        |((input, outer, still), (factor, shift, grid), order, code, kind, seed)| {
            let spatial = input.len() - outer;
            let map = |axis: usize| {
                if axis < spatial - still {
                    AxisMap { shift: Some(shift), zoom: Some(1.0 / factor), grid }
                } else {
                    AxisMap { shift: None, zoom: Some(1.0), grid: false }
                }
            };
            let maps: Vec<AxisMap> = (0..spatial).map(map).collect();
            let mut output = input.clone();
            for axis in outer..input.len() - still {
                output[axis] = ((input[axis] as f64 * factor) as usize).max(1);
            }
            let border = Border::from_code(code).unwrap();
            let options = Options { order, border, fill: 0.5, pad: 0 };
            Case { input, output, outer, maps, options, kind, seed }
        },
    )
}

/// How far the cheaper sum is from SciPy's at most, as a fraction of its bound.
fn worst<const TAPS: usize>(case: &Case) -> f64 {
    let target = ArrayD::<f32>::zeros(case.output.clone());
    let mut same_shape = target.clone();
    let output = ViewMut::F32(same_shape.view_mut());
    let weighed = approximated_axes(&case.input, &output, case.outer, &case.maps, &case.options).unwrap();
    let coefficients = case.filtered(weighed);
    let view = coefficients.view();
    let approx = ApproxZoom::<TAPS>::new(&view, &case.output, case.outer, weighed, &case.maps, &case.options);
    let mut worker = approx.worker();
    let lead = case.outer + weighed - 1;
    let (rows, line) = case.output.split_at(lead);
    let mut to = vec![0.0; line.iter().product()];
    let mut index = vec![0; lead];
    let mut worst = 0.0_f64;
    loop {
        let (outer, row) = index.split_at(case.outer);
        worker.start(row);
        if !worker.outside {
            let base = outer.iter().zip(&approx.outer).map(|(index, stride)| index * stride).sum();
            worker.approx_row(base, &mut to);
            let (_, planes, _) = approx.last();
            let mut pixels = vec![0.0; *planes];
            for (at, value) in to.iter().enumerate() {
                let pixel = at / planes;
                let right = if approx.channels.is_some() {
                    worker.sample_channels(base, pixel, &mut pixels);
                    pixels[at % planes]
                } else {
                    worker.sample(base, pixel, at % planes)
                };
                if *value != right {
                    worst = worst.max((value - right).abs() / worker.errors[at]);
                }
            }
        }
        if !advance(&mut index, rows) {
            return worst;
        }
    }
}

proptest! {
    #[test]
    fn an_approximation_is_within_its_bound(case in cases(5)) {
        let worst = match case.options.order {
            2 => worst::<3>(&case),
            3 => worst::<4>(&case),
            4 => worst::<5>(&case),
            _ => worst::<6>(&case),
        };
        prop_assert!(worst <= 1.0, "{}", worst);
    }

    #[test]
    fn what_is_stored_is_what_all_axes_give(case in cases(6), threads in 1_usize..3) {
        let before = crate::exec::threads::set_local_threads(threads);
        let values = case.values();
        let coefficients = case.filtered(case.maps.len());
        macro_rules! check {
            ($variant:ident, $type:ty) => {{
                let mut ours = ArrayD::<$type>::zeros(case.output.clone());
                let mut plain = ours.clone();
                let mut room = values.clone();
                zoom_filtered(
                    &View::F64(values.view()), room.view_mut(), ViewMut::$variant(ours.view_mut()), case.outer, &case.maps, &case.options,
                ).unwrap();
                zoom(
                    &View::F64(coefficients.view()), ViewMut::$variant(plain.view_mut()), case.outer, &case.maps,
                    &case.options,
                ).unwrap();
                for (a, b) in ours.iter().zip(&plain) {
                    prop_assert!(a == b || a.to_f64().is_nan() && b.to_f64().is_nan(), "{a} {b}");
                }
            }};
        }
        check!(F32, f32);
        check!(F64, f64);
        check!(I64, i64);
        check!(U8, u8);
        check!(I16, i16);
        check!(U32, u32);
        crate::exec::threads::set_local_threads(before);
    }
}
