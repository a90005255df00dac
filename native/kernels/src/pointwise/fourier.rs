//! Filters of spectra: each element of an array is multiplied by a number that depends on its frequency.
//!
//! Functions of a frequency along one axis come as tables. Their product is formed in the order of the axes, as SciPy does.
//! A complex array has its real and imaginary parts along a further axis, the last.

use crate::array::index::advance;
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut, read_line};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use ndarray::ArrayView1;

/// What elements are multiplied by.
pub enum Factors<'a> {
    /// The product of one number per axis.
    Product(&'a [&'a [f64]]),
    /// A number per element, in C order.
    Each(&'a [f64]),
    /// The cosine plus i times the sine of the sum of one number per axis.
    Phase(&'a [&'a [f64]]),
}

/// Nanoseconds per element.
const COST: usize = 2;

/// Nanoseconds per sine and cosine.
const PHASE_COST: usize = 40;

/// Multiply each element. Both arrays are C-contiguous and have the same shape, without the axis of parts.
///
/// `parts` are those of the output's and the input's elements: 1, or 2 for complex arrays, of which the output is one if
/// the input is one, or factors are phases. `output` holds `f32`, `f64`, or the bits of 16-bit floats as `u16`.
///
/// # Errors
///
/// If shapes, types, memory layouts or factors do not fit.
pub fn multiply(
    output: ViewMut<'_>,
    input: &View<'_>,
    parts: (usize, usize),
    factors: &Factors<'_>,
) -> Result<()> {
    match output {
        ViewMut::F32(array) => multiply_into(array.into_slice(), input, parts, factors),
        ViewMut::F64(array) => multiply_into(array.into_slice(), input, parts, factors),
        ViewMut::U16(array) => multiply_into(array.into_slice(), input, parts, factors),
        _ => Err(KernelError::parameter("spectra are floats")),
    }
}

fn multiply_into<O: Sample>(
    output: Option<&mut [O]>,
    input: &View<'_>,
    (to, from): (usize, usize),
    factors: &Factors<'_>,
) -> Result<()> {
    let refused = || KernelError::shape("spectra or factors of another shape or memory layout");
    let output = output.ok_or_else(refused)?;
    let shape = input.shape();
    let shape = if from == 2 {
        shape.split_last().filter(|(parts, _)| **parts == 2).map(|(_, rest)| rest)
    } else {
        Some(shape)
    };
    let shape = shape.filter(|shape| !shape.is_empty()).ok_or_else(refused)?;
    let count: usize = shape.iter().product();
    let is_phase = matches!(factors, Factors::Phase(_));
    let fits = match factors {
        Factors::Product(tables) | Factors::Phase(tables) => {
            tables.len() == shape.len() && tables.iter().zip(shape).all(|(table, len)| table.len() == *len)
        }
        Factors::Each(factors) => factors.len() == count,
    };
    let parts_fit = matches!((to, from), (1, 1) | (2, 1 | 2)) && (to == 2 || !is_phase);
    if !fits || !parts_fit || output.len() != count * to || !input.is_c_contiguous() {
        return Err(refused());
    }
    if count == 0 {
        return Ok(());
    }
    let (outer, len) = (&shape[..shape.len() - 1], shape[shape.len() - 1]);
    let rows = count / len;
    let cost = count.saturating_mul(if is_phase { PHASE_COST } else { COST });
    let size = rows.div_ceil(threads::blocks_for(cost)).max(1);
    let blocks = output.chunks_mut(size * len * to).enumerate().collect_vec();
    threads::for_each_block(blocks, |(number, block)| {
        let first = number * size;
        let mut index = memory::zeros(outer.len());
        let mut rest = first;
        for (at, len) in index.iter_mut().zip(outer).rev() {
            *at = rest % len;
            rest /= len;
        }
        let mut values = memory::zeros(len * from);
        let mut row_factors = memory::zeros(len);
        for (row, to_row) in block.chunks_exact_mut(len * to).enumerate() {
            let row = first + row;
            match_dtype!(View, input, array => {
                let elements = array.as_slice().expect("contiguous elements");
                read_line(ArrayView1::from(&elements[row * len * from..][..len * from]), &mut values);
            });
            match factors {
                Factors::Product(tables) => {
                    let (last, tables) = tables.split_last().expect("an axis");
                    let factor =
                        tables.iter().zip(&index).fold(1.0, |factor, (table, at)| factor * table[*at]);
                    row_factors.iter_mut().zip(*last).for_each(|(to, own)| *to = factor * own);
                }
                Factors::Each(factors) => row_factors.copy_from_slice(&factors[row * len..][..len]),
                Factors::Phase(tables) => {
                    let (last, tables) = tables.split_last().expect("an axis");
                    let phase = tables.iter().zip(&index).fold(0.0, |phase, (table, at)| phase + table[*at]);
                    row_factors.iter_mut().zip(*last).for_each(|(to, own)| *to = phase + own);
                }
            }
            if is_phase {
                turn_row(to_row, &values, from, &row_factors);
            } else {
                dispatch(MultiplyRow {
                    to: to_row,
                    values: &values,
                    parts: (to, from),
                    factors: &row_factors,
                });
            }
            advance(&mut index, outer);
        }
    });
    Ok(())
}

struct MultiplyRow<'a, O> {
    to: &'a mut [O],
    values: &'a [f64],
    parts: (usize, usize),
    factors: &'a [f64],
}

impl<O: Sample> Kernel for MultiplyRow<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { to, values, parts, factors } = self;
        match parts {
            (1, _) => {
                for ((to, value), factor) in to.iter_mut().zip(values).zip(factors) {
                    *to = O::from_f64_truncated(value * factor);
                }
            }
            (_, 1) => {
                let to = to.as_chunks_mut::<2>().0;
                for ((to, value), factor) in to.iter_mut().zip(values).zip(factors) {
                    *to = [O::from_f64_truncated(value * factor), O::default()];
                }
            }
            _ => {
                let (to, values) = (to.as_chunks_mut::<2>().0, values.as_chunks::<2>().0);
                for ((to, [real, imaginary]), factor) in to.iter_mut().zip(values).zip(factors) {
                    *to = [O::from_f64_truncated(real * factor), O::from_f64_truncated(imaginary * factor)];
                }
            }
        }
    }
}

/// Multiply by the cosine plus i times the sine of each phase.
fn turn_row<O: Sample>(to: &mut [O], values: &[f64], parts: usize, phases: &[f64]) {
    for (at, (to, phase)) in to.as_chunks_mut::<2>().0.iter_mut().zip(phases).enumerate() {
        let (sine, cosine) = (phase.sin(), phase.cos());
        let (real, imaginary) = if parts == 1 {
            (values[at] * cosine, values[at] * sine)
        } else {
            let (real, imaginary) = (values[2 * at], values[2 * at + 1]);
            (real * cosine - imaginary * sine, real * sine + imaginary * cosine)
        };
        *to = [O::from_f64_truncated(real), O::from_f64_truncated(imaginary)];
    }
}

/// Replace distances from the origin by the transform of a ball of that many axes: 1 or 3.
pub fn ball_spectrum(distances: &mut [f64], axes: usize) {
    for distance in distances {
        let r = *distance;
        let is_origin = r == 0.0 || (axes != 1 && r.is_nan());
        *distance = match axes {
            _ if is_origin => 1.0,
            1 => r.sin() / r,
            _ => 3.0 * (r.sin() - r * r.cos()) / (r * r * r),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    #[test]
    fn elements_are_multiplied_by_the_product_of_both_axes() {
        let input = ArrayD::<f32>::from_elem(vec![2, 3], 2.0);
        let view = View::F32(input.view());
        let tables: [&[f64]; 2] = [&[1.0, 3.0], &[1.0, 0.5, 0.25]];
        let mut output = ArrayD::<f64>::zeros(vec![2, 3]);
        multiply(ViewMut::F64(output.view_mut()), &view, (1, 1), &Factors::Product(&tables)).unwrap();
        assert_eq!(output.as_slice().unwrap(), [2.0, 1.0, 0.5, 6.0, 3.0, 1.5]);
        let mut output = ArrayD::<f64>::from_elem(vec![2, 3, 2], 7.0);
        let factors = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        multiply(ViewMut::F64(output.view_mut()), &view, (2, 1), &Factors::Each(&factors)).unwrap();
        assert_eq!(
            output.as_slice().unwrap(),
            [2.0, 0.0, 4.0, 0.0, 6.0, 0.0, 8.0, 0.0, 10.0, 0.0, 12.0, 0.0]
        );
    }

    #[test]
    fn phases_turn_elements() {
        let input = ArrayD::from_shape_vec(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let mut output = ArrayD::<f64>::zeros(vec![2, 2]);
        let factors = Factors::Phase(&[&[0.0, std::f64::consts::PI]]);
        multiply(ViewMut::F64(output.view_mut()), &View::F64(input.view()), (2, 2), &factors).unwrap();
        let expected = [1.0, 2.0, -3.0, -4.0];
        assert!(output.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let input = ArrayD::<f64>::zeros(vec![2, 3]);
        let view = View::F64(input.view());
        for (factors, parts) in [
            (Factors::Product(&[&[1.0, 2.0]]), (1, 1)),
            (Factors::Each(&[1.0]), (1, 1)),
            (Factors::Product(&[&[1.0, 2.0], &[1.0; 3]]), (2, 1)),
            (Factors::Phase(&[&[1.0, 2.0], &[1.0; 3]]), (1, 1)),
        ] {
            let mut output = ArrayD::<f64>::zeros(vec![2, 3]);
            let found = multiply(ViewMut::F64(output.view_mut()), &view, parts, &factors);
            assert!(matches!(found, Err(KernelError::Shape(_))));
        }
    }
}
