//! Loops over a few known counts: of channels, or of axes.

/// Call a method with a count as its constant, so that its innermost loop is unrolled; the last one takes all other counts.
///
/// `match_count!(self.planes, self.write::<1, 2, 3; 4>())` calls `self.write::<2>()` for two planes, `self.write::<4>()` for
/// four and more.
macro_rules! match_count {
    ($count:expr, $this:ident.$method:ident::<$($known:literal),+; $other:literal>()) => {
        match $count {
            $($known => $this.$method::<$known>(),)+
            _ => $this.$method::<$other>(),
        }
    };
}

pub(crate) use match_count;
