//! Maps that are a formula, on a row of coordinates.

use super::Map;
use offgraph_kernels::exec::simd::Kernel;

/// Take a row of coordinates, one axis after another, through a map.
pub(super) struct Pull<'a> {
    pub(super) map: &'a Map,
    pub(super) from: &'a [f64],
    pub(super) to: &'a mut [f64],
    pub(super) width: usize,
}

impl Kernel for Pull<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { map, from, to, width } = self;
        // The last column first, then one product after another: SciPy's order of an affine map.
        let sum = |to: &mut [f64], factors: &[f64], start: f64| {
            to.fill(start);
            for (factor, from) in factors.iter().zip(from.chunks_exact(width)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
            }
        };
        match map {
            Map::Affine { matrix, offset } => {
                let rank = offset.len();
                for ((factors, start), to) in
                    matrix.chunks_exact(rank).zip(offset).zip(to.chunks_exact_mut(width))
                {
                    sum(to, factors, *start);
                }
            }
            Map::Projective { matrix } => {
                let rank = from.len() / width;
                for (factors, to) in matrix.chunks_exact(rank + 1).zip(to.chunks_exact_mut(width)) {
                    sum(to, &factors[..rank], factors[rank]);
                }
                let (products, scale) = to.split_at_mut(rank * width);
                let scale = &scale[..width];
                for to in products.chunks_exact_mut(width) {
                    for (to, scale) in to.iter_mut().zip(scale) {
                        let place = *to / scale;
                        *to = if *scale > 0.0 && place.is_finite() { place } else { f64::NAN };
                    }
                }
            }
            Map::Radial { coefficients, centre, squared_radius } => {
                let (places, factor) = to.split_at_mut(from.len());
                let factor = &mut factor[..width];
                factor.fill(0.0);
                for (from, middle) in from.chunks_exact(width).zip(centre) {
                    factor
                        .iter_mut()
                        .zip(from)
                        .for_each(|(sum, from)| *sum += (from - middle) * (from - middle));
                }
                let (highest, lower) = coefficients.split_last().expect("checked: there is one");
                for factor in &mut *factor {
                    let squared = *factor / squared_radius;
                    let sum = lower.iter().rev().fold(highest * squared, |sum, k| (sum + k) * squared);
                    *factor = sum + 1.0;
                }
                for ((from, middle), to) in
                    from.chunks_exact(width).zip(centre).zip(places.chunks_exact_mut(width))
                {
                    for ((to, from), factor) in to.iter_mut().zip(from).zip(&*factor) {
                        *to = (from - middle) * factor + middle;
                    }
                }
            }
            Map::Displacement { .. } | Map::Field { .. } => {}
        }
    }
}
