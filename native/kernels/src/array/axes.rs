//! The axes of an image: `[outer…, spatial…, inner…]`. Outer and inner axes hold planes; the spatial ones are
//! resampled.

use crate::error::{KernelError, Result};
use crate::memory::CollectVec;

/// How the axes of an image are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// Number of leading plane axes.
    pub outer: usize,
    /// Number of spatial axes, at least 1.
    pub spatial: usize,
}

/// Refuse arrays without a spatial axis, or whose planes differ.
pub fn check_planes(input: &[usize], output: &[usize], input_axes: Axes, output_axes: Axes) -> Result<()> {
    fn planes(shape: &[usize], axes: Axes) -> Option<(&[usize], &[usize])> {
        let last = axes.outer + axes.spatial;
        (axes.spatial > 0 && shape.len() >= last).then(|| (&shape[..axes.outer], &shape[last..]))
    }
    match (planes(input, input_axes), planes(output, output_axes)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => Err(KernelError::shape(format!("planes of {input:?} and {output:?} do not match"))),
    }
}

/// Treat identity axes as planes: return the new order of all axes, and what they then are.
///
/// `resampled` are the spatial axes that stay spatial (at least one), `identity` those that only carry planes; both are
/// indices into all axes.
pub fn order_axes(
    outer: usize,
    identity: Vec<usize>,
    resampled: &[usize],
    ndim: usize,
) -> (Vec<usize>, Axes) {
    let last = *resampled.last().expect("one axis is kept");
    let inner = outer + identity.len() + resampled.len()..ndim;
    let before = identity.iter().copied().filter(|axis| *axis < last).collect_vec();
    let after = identity.into_iter().filter(|axis| *axis >= last).collect_vec();
    let axes = Axes { outer: outer + before.len(), spatial: resampled.len() };
    let order = (0..outer).chain(before).chain(resampled.iter().copied()).chain(after).chain(inner);
    (order.collect_vec(), axes)
}

/// Move axes from `identity` back to the resampled ones, longest first, until at least `least` of `rank` are resampled.
pub fn keep_resampled(identity: &mut Vec<usize>, rank: usize, least: usize, len: impl Fn(usize) -> usize) {
    while rank - identity.len() < least {
        let longest = (0..identity.len()).max_by_key(|place| len(identity[*place]));
        identity.remove(longest.expect("fewer axes are resampled than there are"));
    }
}

/// How many of `rank` axes must be resampled. Order 1 has a fast loop for two axes and none for one; and if only the
/// first axis were resampled, the whole image would be a single row.
pub const fn min_resampled(rank: usize) -> usize {
    if rank < 2 { rank } else { 2 }
}

/// Longest row, in samples, that is processed in one piece; longer rows are split.
pub(crate) const MAX_ROW_LEN: usize = 1 << 16;

/// Largest row, in samples and counting all its inner planes; wider images are split by planes.
const MAX_ROW_WITH_PLANES: usize = 1 << 19;

/// The inner axis to split if rows are too wide. Planes share coordinates whether they are processed together or not.
pub(crate) fn cut_planes(shape: &[usize], axes: Axes) -> Option<usize> {
    let last = axes.outer + axes.spatial;
    let is_wide =
        shape[last - 1..].iter().fold(1, |row, len| usize::saturating_mul(row, *len)) > MAX_ROW_WITH_PLANES;
    let widest = (last..shape.len()).max_by_key(|axis| shape[*axis]);
    widest.filter(|axis| is_wide && shape[*axis] > 1)
}
