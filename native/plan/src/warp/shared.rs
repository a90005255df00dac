//! The enlarged field of a displacement, kept while the targets of one sample are made: an image and its mask move by the
//! same one.

use crate::dtype::Array;
use crate::workspace::Workspace;
use offgraph_kernels::array::view::View;
use offgraph_kernels::memory;
use std::cell::{Cell, RefCell};

/// A field, and what it was enlarged to.
struct EnlargedField {
    nodes: Array,
    order: usize,
    zooms: Vec<f64>,
    dense: Workspace,
}

thread_local! {
    static IS_SHARING: Cell<bool> = const { Cell::new(false) };
    /// That of the last displacement.
    static LAST: RefCell<Option<EnlargedField>> = const { RefCell::new(None) };
}

/// RAII guard: until it is dropped, the thread keeps the last field that it enlarged.
pub(crate) struct SharedFields(());

impl SharedFields {
    pub(crate) fn new() -> Self {
        IS_SHARING.set(true);
        Self(())
    }
}

impl Drop for SharedFields {
    fn drop(&mut self) {
        IS_SHARING.set(false);
        LAST.take();
    }
}

/// What this field was enlarged to, if that is kept; it is no longer kept then.
pub(super) fn take(nodes: &View<'_>, order: usize, zooms: &[f64], shape: &[usize]) -> Option<Workspace> {
    let last = LAST.take()?;
    let is_same = last.order == order
        && last.zooms == zooms
        && last.dense.view().shape() == shape
        && is_equal(&last.nodes.view(), nodes);
    is_same.then_some(last.dense)
}

/// Keep what a field was enlarged to.
pub(super) fn keep(nodes: &View<'_>, order: usize, zooms: &[f64], dense: Workspace) {
    if IS_SHARING.get() {
        LAST.set(Some(EnlargedField { nodes: Array::copy(nodes), order, zooms: memory::copy(zooms), dense }));
    }
}

/// Whether two fields have the same bytes.
fn is_equal(one: &View<'_>, other: &View<'_>) -> bool {
    match (one, other) {
        (View::F32(one), View::F32(other)) => {
            one.shape() == other.shape() && one.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use ndarray::ArrayD;

    #[test]
    fn a_field_is_kept_for_the_same_nodes_only_and_no_longer_than_a_sample() {
        let nodes = ArrayD::from_shape_fn(vec![2, 3, 3], |at| (at[0] + 2 * at[1] + 5 * at[2]) as f32);
        let mut others = nodes.clone();
        others[[1, 2, 0]] = -others[[1, 2, 0]];
        let (nodes, others) = (View::F32(nodes.view()), View::F32(others.view()));
        let (zooms, shape) = ([0.5, 0.25], [2, 6, 12]);
        let enlarged = || Workspace::new(DType::F32, &shape);
        keep(&nodes, 1, &zooms, enlarged());
        assert!(take(&nodes, 1, &zooms, &shape).is_none());
        let sharing = SharedFields::new();
        let is_taken = |by: &View<'_>, order, zooms: &[f64], shape: &[usize]| {
            keep(&nodes, 1, &[0.5, 0.25], enlarged());
            take(by, order, zooms, shape).is_some()
        };
        assert!(is_taken(&nodes, 1, &zooms, &shape));
        assert!(!is_taken(&others, 1, &zooms, &shape));
        assert!(!is_taken(&nodes, 2, &zooms, &shape));
        assert!(!is_taken(&nodes, 1, &[0.5, 0.5], &shape));
        assert!(!is_taken(&nodes, 1, &zooms, &[2, 6, 13]));
        keep(&nodes, 1, &zooms, enlarged());
        drop(sharing);
        assert!(take(&nodes, 1, &zooms, &shape).is_none());
    }
}
