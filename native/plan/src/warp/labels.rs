//! Labels, looked up at the nearest pixel.

use crate::dtype::match_pair;
use crate::workspace::{read_in_c_order, write_in_c_order};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::projective2d::SLACK;
use offgraph_kernels::memory;

/// Look up the pixel nearest to each coordinate, of two equally near ones the later.
pub(super) fn gather(
    input: &View<'_>,
    output: ViewMut<'_>,
    axes: Axes,
    coordinates: &View<'_>,
) -> Result<()> {
    let last = axes.outer + axes.spatial;
    let (from, to) = (input.shape(), output.shape());
    let fits = from.len() == to.len()
        && from[..axes.outer] == to[..axes.outer]
        && from[last..] == to[last..]
        && from[axes.outer..last].iter().all(|len| *len > 0);
    let View::F64(coordinates) = coordinates else {
        return Err(KernelError::parameter("coordinates are float64"));
    };
    let made: usize = to[axes.outer..last].iter().product();
    let (Some(coordinates), true) =
        (coordinates.as_slice(), fits && coordinates.len() == axes.spatial * made)
    else {
        return Err(KernelError::shape(format!("labels of {from:?} cannot be read to {to:?}")));
    };
    let planes: usize = from[last..].iter().product();
    let size = memory::copy(&from[axes.outer..last]);
    if made * planes == 0 {
        return Ok(());
    }
    let mut numbers = memory::zeros::<usize>(made);
    for (line, n) in coordinates.chunks_exact(made).zip(&size) {
        dispatch(Nearest { line, n: *n, numbers: &mut numbers });
    }
    let pixels = size.iter().product::<usize>() * planes;
    read_in_c_order(input, |input| {
        write_in_c_order(output, |output| {
            match_pair!(input.view(), output, (from, to) => {
                let mut to = to;
                let from = from.as_slice().expect("in C order");
                let to = to.as_slice_mut().expect("in C order");
                for (from, to) in from.chunks_exact(pixels).zip(to.chunks_exact_mut(made * planes)) {
                    if planes == 1 {
                        to.iter_mut().zip(&numbers).for_each(|(to, number)| *to = from[*number]);
                        continue;
                    }
                    for (to, number) in to.chunks_exact_mut(planes).zip(&numbers) {
                        to.copy_from_slice(&from[number * planes..][..planes]);
                    }
                }
                Ok(())
            }, _ => Err(KernelError::parameter("labels keep their type")))
        })
    })
}

/// Counts the pixels before the nearest ones along an axis of `n`, of those before times `n`.
struct Nearest<'a> {
    line: &'a [f64],
    n: usize,
    numbers: &'a mut [usize],
}

impl Kernel for Nearest<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let last = self.n as f64 - 1.0;
        for (number, along) in self.numbers.iter_mut().zip(self.line) {
            *number = *number * self.n + (along + (0.5 + SLACK)).floor().clamp(0.0, last) as usize;
        }
    }
}
