//! Labels that turn out to be one component.

use super::slab::RunNumber;

/// Join two components (Rem's algorithm): parents are smaller than their children, or themselves.
#[inline(always)]
pub(super) fn unite<N: RunNumber>(parents: &mut [N], label: usize, other: usize) {
    let (mut label, mut other) = (label, other);
    loop {
        let (above, below) = (parents[label].get(), parents[other].get());
        if above == below {
            return;
        }
        // Hang the one with the larger parent below the smaller parent, and go on with what it hung below.
        if above > below {
            parents[label] = N::new(below);
            if label == above {
                return;
            }
            label = above;
        } else {
            parents[other] = N::new(above);
            if other == below {
                return;
            }
            other = below;
        }
    }
}
