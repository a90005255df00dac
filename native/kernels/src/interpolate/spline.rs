//! B-splines: the weights of the samples around a point, and the prefilter that turns samples into coefficients.
//!
//! All sums are in SciPy's order, and SIMD lanes are different lines. C-ordered results are filtered in tiles
//! (`c_order`), others line by line.

mod c_order;
mod recursion;

use crate::array::sample::{Cast, Sample};
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::match_dtype;
use crate::walk::line_batches::{LANES, check_lines, map_line_batches};
use c_order::filter_in_c_order;
pub(crate) use recursion::Filter;

/// The highest spline order.
pub const MAX_ORDER: usize = 5;

/// Weights of the `order + 1 = TAPS` samples around coordinate `x`, in order of increasing index.
#[inline(always)]
pub fn weights<const TAPS: usize>(x: f64) -> [f64; TAPS] {
    weights_at_fraction(x - if TAPS.is_multiple_of(2) { x.floor() } else { (x + 0.5).floor() })
}

/// [`weights`] from the distance to the middle sample; for odd orders, to the one on the left.
#[inline(always)]
pub(crate) fn weights_at_fraction<const TAPS: usize>(x: f64) -> [f64; TAPS] {
    let order = TAPS - 1;
    let mut w = [0.0; TAPS];
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
    // The weights add up to one, which gives the last.
    let mut last = 1.0;
    for weight in &w[..order] {
        last -= weight;
    }
    w[order] = last;
    w
}

/// Poles of the prefilter of an order; empty if samples are their own coefficients.
pub(crate) fn poles(order: usize) -> &'static [f64] {
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
/// `input` is `None` to filter `output` in place. Orders 2 to 5, every border mode: as in SciPy, `nearest` uses the
/// filter of `reflect`, and other modes without their own use that of `mirror`.
pub fn spline_filter1d(
    input: Option<&View<'_>>,
    mut output: ViewMut<'_>,
    axis: usize,
    order: usize,
    border: Border,
) -> Result<()> {
    if !(2..=MAX_ORDER).contains(&order) {
        return Err(KernelError::parameter(format!("spline order {order}; 2 to {MAX_ORDER} have a filter")));
    }
    check_lines(input.map_or(output.shape(), View::shape), output.shape(), axis)?;
    let filter = Filter::new(poles(order), border, output.shape()[axis]);
    if output.is_empty() {
        return Ok(());
    }
    if output.is_c_contiguous() {
        let source = input.map(|input| input.as_three_axes(axis));
        if source.as_ref().is_none_or(Option::is_some) {
            return filter_in_c_order(source.flatten().as_ref(), output, axis, &filter);
        }
    }
    if let (Some(input), ViewMut::F64(target)) = (input, &mut output)
        && target.is_standard_layout()
    {
        // A lossless copy brings the samples into C order.
        match_dtype!(View, input, input => {
            ndarray::Zip::from(target).and(input).for_each(|to, from| *to = from.to_f64());
        });
        return filter_in_c_order(None, output, axis, &filter);
    }
    let compute = |lines: &mut [[f64; LANES]]| {
        filter.run(lines.as_flattened_mut(), LANES);
    };
    map_line_batches(input, output, axis, Cast::Truncated, filter.cost(), compute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, Axis};
    use proptest::prelude::*;

    /// The uniform B-spline of `order` at distance `x` from its centre, by the recursion on orders.
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

    /// SciPy's filter of one line, step by step.
    fn plain(c: &mut [f64], order: usize, border: Border) {
        let n = c.len();
        if n < 2 {
            return;
        }
        let gain = poles(order).iter().fold(1.0, |gain, z| gain * ((1.0 - z) * (1.0 - 1.0 / z)));
        c.iter_mut().for_each(|c| *c *= gain);
        for &z in poles(order) {
            let mut power = z;
            let far = z.powf(if border == Border::Mirror { n - 1 } else { n } as f64);
            let first = c[0];
            if border != Border::GridWrap {
                c[0] += far * c[n - 1];
            }
            for i in 1..if border == Border::Mirror { n - 1 } else { n } {
                c[0] += match border {
                    Border::GridWrap => power * c[n - i],
                    _ => power * (c[i] + far * c[n - 1 - i]),
                };
                power *= z;
            }
            match border {
                Border::GridWrap => c[0] /= 1.0 - power,
                Border::Mirror => c[0] /= 1.0 - far * far,
                _ => c[0] = c[0] * (z / (1.0 - far * far)) + first,
            }
            (1..n).for_each(|i| c[i] += z * c[i - 1]);
            match border {
                Border::GridWrap => {
                    let mut power = z;
                    for i in 0..n - 1 {
                        c[n - 1] += power * c[i];
                        power *= z;
                    }
                    c[n - 1] *= z / (power - 1.0);
                }
                Border::Mirror => c[n - 1] = (z * c[n - 2] + c[n - 1]) * z / (z * z - 1.0),
                _ => c[n - 1] *= z / (z - 1.0),
            }
            (0..n - 1).rev().for_each(|i| c[i] = z * (c[i + 1] - c[i]));
        }
    }

    proptest! {
        #[test]
        fn every_layout_gives_the_bytes_of_the_plain_loop(
            order in 2_usize..=5,
            (outer, inner) in prop::sample::select(vec![
                (1, 1), (1, 7), (3, 1), (9, 1), (80, 1), (17, 3), (600, 2), (2, 31), (2, 32), (1, 45), (1, 100),
            ]),
            n in prop::sample::select(vec![1_usize, 2, 3, 4, 8, 17, 40, 200, 700]),
            code in prop::sample::select(vec![2, 3, 5]),
            kind in 0_u32..6,
            in_place in any::<bool>(),
            bytes in any::<bool>(),
            seed in any::<u32>(),
        ) {
            let border = Border::from_code(code).unwrap();
            let mut state = seed;
            let mut at = 0;
            let mut samples = ArrayD::<f64>::from_shape_simple_fn(vec![outer, n, inner], || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (size, position) = (f64::from(state >> 20), at / inner % n);
                at += 1;
                match kind {
                    // Noise; zeros up to the last sample; very different sizes; a constant; an infinity near the end;
                    // infinities and NaN.
                    0 => size,
                    1 => if position + 3 > n { size } else { 0.0 },
                    2 => size * 10.0_f64.powi((state >> 8) as i32 % 300),
                    3 => 255.0,
                    4 => if position + 3 == n { f64::INFINITY } else { size },
                    _ => [1.0, f64::INFINITY, f64::NAN, -0.0, size][(state as usize >> 8) % 5],
                }
            });
            if bytes {
                samples.mapv_inplace(|x| f64::from(x as u8));
            }
            let mut expected = samples.clone();
            for mut line in expected.lanes_mut(Axis(1)) {
                let mut plain_line = line.to_vec();
                plain(&mut plain_line, order, border);
                line.iter_mut().zip(plain_line).for_each(|(to, from)| *to = from);
            }
            let mut result = if in_place { samples.clone() } else { ArrayD::zeros(samples.raw_dim()) };
            let small = samples.mapv(|x| x as u8);
            let input = if bytes { View::U8(small.view()) } else { View::F64(samples.view()) };
            let input = (!in_place).then_some(&input);
            spline_filter1d(input, ViewMut::F64(result.view_mut()), 1, order, border).unwrap();
            for (a, b) in result.iter().zip(&expected) {
                prop_assert!(a == b || (a.is_nan() && b.is_nan()), "{} {}", a, b);
            }
        }

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
            let as_three_axes = weights_of(order, 0.0);
            for (samples, coefficients) in samples.lanes(Axis(1)).into_iter().zip(coefficients.lanes(Axis(1))) {
                for i in 0..n {
                    let taps = as_three_axes.iter().enumerate();
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
