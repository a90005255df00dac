//! B-splines: the weights of the samples around a point, and the filter that turns samples into coefficients.
//!
//! The filter is a recursion forth and back for each pole (Unser, Aldroubi, Eden 1991), started so that the border
//! mode holds exactly. All sums run in SciPy's order; the lanes of a register are different lines.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::line::{LANES, map_line_batches};
use crate::sample::Cast;
use crate::simd::{Kernel, dispatch};
use crate::view::{View, ViewMut};

/// The highest spline order.
pub const MAX_ORDER: usize = 5;

/// Weights of the `order + 1 = TAPS` samples around coordinate `x`, the sample of lowest index first.
#[inline(always)]
pub fn weights<const TAPS: usize>(x: f64) -> [f64; TAPS] {
    let order = TAPS - 1;
    let mut w = [0.0; TAPS];
    // The distance to the middle sample; for odd orders to the one on the left.
    let x = x - if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
    match order {
        1 => w[0] = 1.0 - x,
        2 => {
            w[1] = 0.75 - x * x;
            let y = 0.5 - x;
            w[0] = 0.5 * y * y;
        }
        3 => {
            let z = 1.0 - x;
            w[1] = (x * x * (x - 2.0) * 3.0 + 4.0) / 6.0;
            w[2] = (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0;
            w[0] = z * z * z / 6.0;
        }
        4 => {
            let outer = |y: f64| y * (y * (y * (5.0 - y) / 6.0 - 1.25) + 5.0 / 24.0) + 55.0 / 96.0;
            let t = x * x;
            w[2] = t * (t * 0.25 - 0.625) + 115.0 / 192.0;
            w[1] = outer(1.0 + x);
            w[3] = outer(1.0 - x);
            let y = 0.5 - x;
            let t = y * y;
            w[0] = t * t / 24.0;
        }
        5 => {
            let inner = |y: f64| {
                let t = y * y;
                t * (t * (0.25 - y / 12.0) - 0.5) + 0.55
            };
            let outer = |y: f64| y * (y * (y * (y * (y / 24.0 - 0.375) + 1.25) - 1.75) + 0.625) + 0.425;
            let z = 1.0 - x;
            w[2] = inner(x);
            w[3] = inner(z);
            w[1] = outer(x + 1.0);
            w[4] = outer(z + 1.0);
            let t = z * z;
            w[0] = z * t * t / 120.0;
        }
        _ => {}
    }
    // They add to one, which gives the last.
    let mut last = 1.0;
    for weight in &w[..order] {
        last -= weight;
    }
    w[order] = last;
    w
}

/// Poles of the filter of one order; empty where samples are their own coefficients.
fn poles(order: usize) -> &'static [f64] {
    match order {
        // sqrt(8) - 3
        2 => &[-0.171_572_875_253_809_9],
        // sqrt(3) - 2
        3 => &[-0.267_949_192_431_122_7],
        // sqrt(664 -+ sqrt(438976)) +- sqrt(304) - 19
        4 => &[-0.361_341_225_900_220_16, -0.013_725_429_297_339_121],
        // sqrt(67.5 -+ sqrt(4436.25)) +- sqrt(26.25) - 6.5
        5 => &[-0.430_575_347_099_973_8, -0.043_096_288_203_264_65],
        _ => &[],
    }
}

/// Turn the samples of every line along `axis` into spline coefficients.
///
/// `input` is `None` to change `output` in place. Orders 2 to 5; every border mode (those without a filter of their
/// own take that of `mirror`, as SciPy does, and `nearest` takes that of `reflect`).
pub fn spline_filter1d(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    axis: usize,
    order: usize,
    border: Border,
) -> Result<()> {
    if !(2..=MAX_ORDER).contains(&order) {
        return Err(KernelError::parameter(format!("spline order {order}; 2 to {MAX_ORDER} have a filter")));
    }
    let poles = poles(order);
    let compute = |lines: &mut [[f64; LANES]]| {
        if lines.len() > 1 {
            dispatch(Prefilter { lines, poles, border });
        }
    };
    map_line_batches(input, output, axis, Cast::Truncated, 3 * poles.len(), compute)
}

type Lanes = [f64; LANES];

/// The whole filter over one batch of lines of length at least 2.
struct Prefilter<'a> {
    lines: &'a mut [Lanes],
    poles: &'a [f64],
    border: Border,
}

impl Kernel for Prefilter<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lines: c, poles, border } = self;
        let mut gain = 1.0;
        for z in poles {
            gain *= (1.0 - z) * (1.0 - 1.0 / z);
        }
        c.iter_mut().for_each(|c| lanes(|k| c[k] *= gain));
        for &z in poles {
            match border {
                Border::GridWrap => start_wrap(c, z),
                Border::Nearest | Border::Reflect => start_reflect(c, z),
                _ => start_mirror(c, z),
            }
            for i in 1..c.len() {
                let before = c[i - 1];
                lanes(|k| c[i][k] += z * before[k]);
            }
            match border {
                Border::GridWrap => turn_wrap(c, z),
                Border::Nearest | Border::Reflect => turn_reflect(c, z),
                _ => turn_mirror(c, z),
            }
            for i in (0..c.len() - 1).rev() {
                let after = c[i + 1];
                lanes(|k| c[i][k] = z * (after[k] - c[i][k]));
            }
        }
    }
}

#[inline(always)]
fn lanes(step: impl FnMut(usize)) {
    (0..LANES).for_each(step);
}

#[inline(always)]
fn start_mirror(c: &mut [Lanes], z: f64) {
    let n = c.len();
    let far = z.powf((n - 1) as f64);
    let last = c[n - 1];
    let mut sum = c[0];
    lanes(|k| sum[k] += far * last[k]);
    let mut power = z;
    for i in 1..n - 1 {
        let (near, mirrored) = (c[i], c[n - 1 - i]);
        lanes(|k| sum[k] += power * (near[k] + far * mirrored[k]));
        power *= z;
    }
    lanes(|k| c[0][k] = sum[k] / (1.0 - far * far));
}

#[inline(always)]
fn turn_mirror(c: &mut [Lanes], z: f64) {
    let n = c.len();
    let before = c[n - 2];
    lanes(|k| c[n - 1][k] = (z * before[k] + c[n - 1][k]) * z / (z * z - 1.0));
}

#[inline(always)]
fn start_wrap(c: &mut [Lanes], z: f64) {
    let n = c.len();
    let mut sum = c[0];
    let mut power = z;
    for i in 1..n {
        let wrapped = c[n - i];
        lanes(|k| sum[k] += power * wrapped[k]);
        power *= z;
    }
    lanes(|k| c[0][k] = sum[k] / (1.0 - power));
}

#[inline(always)]
fn turn_wrap(c: &mut [Lanes], z: f64) {
    let n = c.len();
    let mut sum = c[n - 1];
    let mut power = z;
    for value in &c[..n - 1] {
        lanes(|k| sum[k] += power * value[k]);
        power *= z;
    }
    lanes(|k| c[n - 1][k] = sum[k] * (z / (power - 1.0)));
}

#[inline(always)]
fn start_reflect(c: &mut [Lanes], z: f64) {
    let n = c.len();
    let far = z.powf(n as f64);
    let first = c[0];
    let last = c[n - 1];
    lanes(|k| c[0][k] += far * last[k]);
    let mut power = z;
    for i in 1..n {
        // The last step reads the sum itself in place of the first sample, as SciPy 1.17 does.
        let (near, mirrored) = (c[i], c[n - 1 - i]);
        lanes(|k| c[0][k] += power * (near[k] + far * mirrored[k]));
        power *= z;
    }
    lanes(|k| c[0][k] = c[0][k] * (z / (1.0 - far * far)) + first[k]);
}

#[inline(always)]
fn turn_reflect(c: &mut [Lanes], z: f64) {
    let n = c.len();
    lanes(|k| c[n - 1][k] *= z / (z - 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Axis};
    use proptest::prelude::*;

    /// The value of the uniform B-spline of `order` at distance `x` from its centre, by the recursion on orders.
    fn b_spline(order: usize, x: f64) -> f64 {
        if order == 0 {
            return if (-0.5..0.5).contains(&x) { 1.0 } else { 0.0 };
        }
        let half = (order as f64 + 1.0) / 2.0;
        ((half + x) * b_spline(order - 1, x + 0.5) + (half - x) * b_spline(order - 1, x - 0.5)) / order as f64
    }

    fn weights_of(order: usize, x: f64) -> Vec<f64> {
        match order {
            0 => weights::<1>(x).to_vec(),
            1 => weights::<2>(x).to_vec(),
            2 => weights::<3>(x).to_vec(),
            3 => weights::<4>(x).to_vec(),
            4 => weights::<5>(x).to_vec(),
            _ => weights::<6>(x).to_vec(),
        }
    }

    proptest! {
        #[test]
        fn weights_are_b_splines(order in 1_usize..=5, x in -20.0_f64..20.0) {
            let middle = if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
            let start = middle - (order / 2) as f64;
            for (tap, weight) in weights_of(order, x).into_iter().enumerate() {
                prop_assert!((weight - b_spline(order, x - start - tap as f64)).abs() < 1e-12);
            }
        }

        #[test]
        fn coefficients_give_the_samples_back(
            order in 2_usize..=5,
            n in 2_usize..20,
            code in prop::sample::select(vec![3, 5]),
            seed in 0_u32..1000,
        ) {
            let border = Border::from_code(code).unwrap();
            let mut state = seed;
            let samples = ArrayD::from_shape_simple_fn(vec![3, n], || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 16)
            });
            let mut coefficients = samples.clone();
            spline_filter1d(None, ViewMut::F64(coefficients.view_mut()), 1, order, border).unwrap();
            let around = weights_of(order, 0.0);
            for (samples, coefficients) in samples.lanes(Axis(1)).into_iter().zip(coefficients.lanes(Axis(1))) {
                for i in 0..n {
                    let taps = around.iter().enumerate();
                    let value: f64 = taps.map(|(tap, weight)| {
                        let at = (i + tap) as isize - (order / 2) as isize;
                        weight * coefficients[border.index(at, n).unwrap()]
                    }).sum();
                    prop_assert!((value - samples[i]).abs() < 1e-6 * 65536.0, "{value} {}", samples[i]);
                }
            }
        }
    }

    #[test]
    fn orders_without_a_filter_are_refused() {
        let mut array = ArrayD::<f64>::zeros(vec![3]);
        for order in [0, 1, 6] {
            assert!(spline_filter1d(None, ViewMut::F64(array.view_mut()), 0, order, Border::Mirror).is_err());
        }
    }
}
