//! Images scaled by their own statistics to `f32`: by two percentiles, or by mean and standard deviation.
//!
//! ```text
//! for each channel, or for all of them together: numbers a and b by NumPy's definition
//! f32((value - a) / b)                           0 where b is 0
//! ```

use crate::dtype::DType;
use crate::pointwise::{Arithmetic, Operation};
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::Result;
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_kernels::pointwise::histogram;
use offgraph_kernels::pointwise::statistics::{Lane, mean_and_std, percentiles, percentiles_of_counts};

/// By what an image is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistics {
    /// A low percentile becomes 0, and a high one 1.
    Percentiles {
        /// From 0 to 100, the low one first.
        ends: [f64; 2],
        /// Whether results are limited to 0 and 1.
        clips: bool,
    },
    /// The mean becomes 0, and the standard deviation 1.
    Moments {
        /// Whether zeros are left out of the statistics, and stay.
        skips_zeros: bool,
        /// Whether values are divided by the standard deviation.
        divides: bool,
    },
}

impl Statistics {
    /// Scale pixels of so many channels, in C order, into `f32`; with statistics of their own or common ones.
    pub(crate) fn scale(
        &self,
        input: &View<'_>,
        mut output: ViewMut<'_>,
        channels: usize,
        per_channel: bool,
    ) -> Result<()> {
        let groups = if per_channel { channels } else { 1 };
        let pixels = input.len() / groups;
        let numbers = self.numbers(&input.view().into_shape(&[pixels, groups])?, groups)?;
        let all = |place: usize| numbers.iter().map(|pair| pair[place]).collect_vec();
        let mut steps = memory::with_capacity(3);
        if let Self::Percentiles { .. } = self {
            // Zero has one sign, as it has where percentiles are looked for.
            memory::push(&mut steps, (Operation::Add, memory::filled(0.0, 1)));
        }
        memory::push(&mut steps, (Operation::Subtract, all(0)));
        if !matches!(self, Self::Moments { divides: false, .. }) {
            memory::push(&mut steps, (Operation::Divide, all(1)));
        }
        let arithmetic = Arithmetic { steps, dtype: DType::F32, channel: Some(1) };
        let shape = [pixels, groups];
        arithmetic.run(&input.view().into_shape(&shape)?, output.reborrow().into_shape(&shape)?)?;
        self.mend(input, output, &numbers);
        Ok(())
    }

    /// What is subtracted, and what divides: for each channel, or for all together.
    fn numbers(&self, input: &View<'_>, groups: usize) -> Result<Vec<[f64; 2]>> {
        match *self {
            Self::Percentiles { ends, .. } => {
                let width = |[low, high]: [f64; 2]| [low, if high > low { high - low } else { 0.0 }];
                if let View::U8(_) | View::U16(_) = input {
                    let levels = 1 << (8 * input.sample_bytes());
                    let mut counts = memory::zero_array::<i64>(&[groups, levels]);
                    histogram::count(ViewMut::I64(counts.view_mut()), input)?;
                    let rows = counts.as_slice().expect("in C order").chunks_exact(levels);
                    return Ok(rows.map(|row| width(percentiles_of_counts(row, 0.0, ends))).collect_vec());
                }
                Ok(match_dtype!(View, input, input => {
                    let values = input.as_slice().expect("in C order");
                    let lane = |group| Lane::new(values, group, groups);
                    (0..groups).map(|group| width(percentiles(lane(group), ends))).collect_vec()
                }))
            }
            Self::Moments { skips_zeros, .. } => Ok(match_dtype!(View, input, input => {
                let values = input.as_slice().expect("in C order");
                let found = |group| mean_and_std(Lane::new(values, group, groups), skips_zeros);
                let of = |group| {
                    let [mean, std] = found(group).unwrap_or([0.0; 2]);
                    [mean, if std == 0.0 { 1.0 } else { std }]
                };
                (0..groups).map(of).collect_vec()
            })),
        }
    }

    /// Zeros where nothing divides, results between 0 and 1, and zeros that stay.
    fn mend(&self, input: &View<'_>, output: ViewMut<'_>, numbers: &[[f64; 2]]) {
        let ViewMut::F32(mut output) = output else { return };
        let to = output.as_slice_mut().expect("in C order");
        match self {
            Self::Percentiles { clips, .. } => {
                for (group, _) in numbers.iter().enumerate().filter(|(_, pair)| pair[1] == 0.0) {
                    to.iter_mut().skip(group).step_by(numbers.len()).for_each(|value| *value = 0.0);
                }
                if *clips {
                    to.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0) + 0.0);
                }
            }
            Self::Moments { skips_zeros: true, .. } => match_dtype!(View, input, input => {
                let from = input.as_slice().expect("in C order");
                for (to, _) in to.iter_mut().zip(from).filter(|(_, value)| value.to_f64() == 0.0) {
                    *to = 0.0;
                }
            }),
            Self::Moments { .. } => {}
        }
    }
}
