//! Draws of steps that move nothing: values, colours, noise and blanks, for images of two spatial axes.
//!
//! For each what its Python class does in `sample` and `work`, or its `reference` for every byte: the same draws in the
//! same order, and the same float operations. `None` leaves a step to Python, which is asked for this one operation
//! ([`Unplanned::NeedsDraw`](crate::recipe::Unplanned)).

use crate::dtype::{Array, DType};
use crate::image::{ImageOp, ImageWork};
use crate::op::Op;
use crate::pointwise::{Lookup, Table};
use crate::recipe::Spec;
use crate::recipe::random::Draw;
use crate::recipe::steps::Setting;
use offgraph_kernels::array::view::ViewMut;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_kernels::noise::normal::NormalNoise;
use offgraph_kernels::noise::philox::Stream;
use offgraph_kernels::pointwise::color::ColorChange;
use std::ops::Range;
use std::sync::Arc;

/// Values of bytes.
const BYTES: usize = 256;

/// How far a byte's result has to be from the middle between two bytes, where it was computed by another power
/// function: both are off by less than 1e-12.
const UNSURE: f64 = 1e-9;

/// A whole number, or a range with both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A number.
    Fixed(i64),
    /// From low to high.
    Range(i64, i64),
}

impl Count {
    fn draw(self, draw: &mut Draw) -> i64 {
        match self {
            Self::Fixed(count) => count,
            Self::Range(low, high) => draw.integer(low, high),
        }
    }
}

/// Pixels, or percent of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The number.
    pub number: f64,
    /// Whether it is in percent.
    pub is_share: bool,
}

impl Extent {
    fn pixels(self, n: f64) -> f64 {
        if self.is_share { n * self.number / 100.0 } else { self.number }
    }
}

/// A length along an axis: one, or the ends of a range.
pub type Extents = (Extent, Option<Extent>);

/// What a byte becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum Curve {
    /// `value * factor + shift * top`.
    Brightness {
        /// The factor.
        factor: Setting,
        /// In shares of white.
        shift: Setting,
    },
    /// `(value - grey) * factor + grey`.
    Contrast {
        /// The factor.
        factor: Setting,
        /// In shares of white.
        centre: f64,
    },
    /// `top * (value / top) ** gamma`.
    Gamma(Setting),
    /// `top - value` from a threshold on, in shares of white.
    Solarize(Setting),
    /// The highest bits alone.
    Posterize(Count),
}

/// What a step draws and does.
#[derive(Debug)]
pub enum ValueWork {
    /// Each byte by itself.
    Curve(Curve),
    /// `ColorJitter`: brightness, contrast, saturation and hue.
    Jitter {
        /// Factors, and degrees.
        settings: [Setting; 4],
        /// Which of them change something, as numbers of these.
        active: Vec<usize>,
    },
    /// `HueSaturation`: degrees, two factors and two shifts.
    Hsv([Setting; 5]),
    /// `GaussianNoise`, `Speckle` and `ISONoise`: one, two or three kinds of settings.
    Normal {
        /// What is done with the numbers.
        kind: NoiseKind,
        /// Whether each channel has numbers of its own.
        per_channel: bool,
        /// Whether floats are limited.
        clip: bool,
    },
    /// `CoarseDropout`.
    Blank {
        /// How many.
        holes: Count,
        /// Rows and columns; None for the whole axis.
        size: [Option<Extents>; 2],
        /// One value, or one for each channel.
        fill: Vec<f64>,
    },
    /// `ChannelShuffle`.
    Shuffle,
    /// Only Python knows.
    Asked,
}

/// The settings of noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoiseKind {
    /// Spread and mean, in shares of white.
    Add(Setting, Setting),
    /// Spread of a factor.
    Multiply(Setting),
    /// Of the colours, and of brightness.
    Sensor(Setting, Setting),
}

/// A step that draws and moves nothing.
#[derive(Debug)]
pub struct DrawnValues {
    /// What it does.
    pub work: ValueWork,
    /// The value of white, where the step says it.
    pub range: Option<f64>,
    /// Whether each value changes by itself.
    pub is_pointwise: bool,
}

impl DrawnValues {
    /// Draw its values for an image of this spec, and return the operation, which leaves shape and type.
    pub(super) fn lower(&self, draw: &mut Draw, spec: &Spec) -> Option<Op> {
        let channels = match spec.axes() {
            b"YX" => 1,
            b"YXC" => spec.shape()[2],
            _ => return None,
        };
        let work = match &self.work {
            ValueWork::Asked => return None,
            ValueWork::Curve(curve) => return self.curve(curve, draw, spec, channels),
            ValueWork::Shuffle => {
                let order = (0..channels).collect_vec();
                ImageWork::Reorder(shuffled(draw, order))
            }
            ValueWork::Blank { holes, size, fill } => {
                let fits = fill.len() == 1 || fill.len() == channels;
                if !fits || !fill.iter().all(|value| super::holds(spec.dtype, *value)) {
                    return None;
                }
                ImageWork::Blank { holes: drawn_holes(draw, *holes, size, spec), fill: memory::copy(fill) }
            }
            ValueWork::Jitter { settings, active } => {
                let top = self.white(spec.dtype).filter(|_| channels == 3)?;
                let amounts = settings.map(|setting| setting.draw(draw) as f32);
                let order = shuffled(draw, memory::copy(active));
                let change = |part: usize| match part {
                    0 => ColorChange::Brightness(amounts[0]),
                    1 => ColorChange::Contrast { factor: amounts[1], mean: 0.0 },
                    2 => ColorChange::Saturation(amounts[2]),
                    _ => ColorChange::Hue(amounts[3] / 60.0),
                };
                if spec.pixels() > MOST_PIXELS {
                    return None;
                }
                ImageWork::Recolor { changes: order.into_iter().map(change).collect_vec(), top }
            }
            ValueWork::Hsv(settings) => {
                let top = self.white(spec.dtype).filter(|_| channels == 3)?;
                let [hue, saturation, value, paler, darker] = settings.map(|setting| setting.draw(draw));
                let change = ColorChange::Hsv {
                    hue: hue as f32 / 60.0,
                    saturation: saturation as f32,
                    value: value as f32,
                    saturation_shift: paler as f32,
                    value_shift: (darker * top) as f32,
                };
                ImageWork::Recolor { changes: memory::filled(change, 1), top }
            }
            ValueWork::Normal { kind, per_channel, clip } => {
                let is_float = spec.dtype == DType::F32;
                if !matches!(spec.dtype, DType::U8 | DType::U16 | DType::F32) {
                    return None;
                }
                let is_limited = *clip || !is_float;
                let is_multiplied = matches!(kind, NoiseKind::Multiply(_));
                // A factor needs no white, unless results are limited by it.
                let top = if is_multiplied && !is_limited { 0.0 } else { self.white(spec.dtype)? };
                let noise = match *kind {
                    NoiseKind::Add(spread, mean) => {
                        let (spread, mean) = (spread.draw(draw) * top, mean.draw(draw) * top);
                        NormalNoise::Add { spread: spread as f32, mean: mean as f32 }
                    }
                    NoiseKind::Multiply(spread) => NormalNoise::Multiply { spread: spread.draw(draw) as f32 },
                    NoiseKind::Sensor(..) if channels != 3 => return None,
                    NoiseKind::Sensor(shift, intensity) => {
                        let (shift, intensity) = (shift.draw(draw) * top, intensity.draw(draw));
                        NormalNoise::Sensor {
                            shift: shift as f32,
                            intensity: intensity as f32,
                            top: top as f32,
                        }
                    }
                };
                ImageWork::Normal {
                    noise,
                    stream: Stream { seed: draw.word() >> 11, frame: 0 },
                    is_shared: !per_channel,
                    top: is_limited.then_some(top as f32),
                }
            }
        };
        Some(Op::Image(ImageOp { work }))
    }

    /// The value of white; None where Python would refuse the image.
    fn white(&self, dtype: DType) -> Option<f64> {
        let most = match dtype {
            DType::U8 => f64::from(u8::MAX),
            DType::U16 => f64::from(u16::MAX),
            DType::F32 => return self.range,
            _ => return None,
        };
        let top = self.range.unwrap_or(most);
        (top <= most).then_some(top)
    }

    /// A table of what becomes of every byte, where the image has more pixels than that.
    fn curve(&self, curve: &Curve, draw: &mut Draw, spec: &Spec, channels: usize) -> Option<Op> {
        if spec.dtype != DType::U8 || spec.pixels() <= BYTES {
            return None;
        }
        let top = self.white(spec.dtype)?;
        let table = curve.table(draw, top)?;
        let mut entries = Array::zeros(DType::U8, &[channels, BYTES]);
        let ViewMut::U8(rows) = entries.view_mut() else { unreachable!("made as bytes") };
        rows.into_slice()?.chunks_exact_mut(BYTES).for_each(|row| row.copy_from_slice(&table));
        let table = Arc::new(Table::new(&entries.view(), &[], false).ok()?);
        Some(Op::Lookup(Lookup { table, channel: (spec.axes().len() == 3).then_some(2) }))
    }
}

/// Pixels whose luma is summed without rounding.
const MOST_PIXELS: usize = 1 << 28;

/// Fisher and Yates' shuffle from the end on: every order as likely.
fn shuffled(draw: &mut Draw, mut order: Vec<usize>) -> Vec<usize> {
    for last in (1..order.len()).rev() {
        let other = draw.integer(0, last as i64) as usize;
        order.swap(last, other);
    }
    order
}

fn drawn_holes(draw: &mut Draw, holes: Count, size: &[Option<Extents>; 2], spec: &Spec) -> Vec<Range<usize>> {
    let count = holes.draw(draw).max(0) as usize;
    let mut found = memory::with_capacity(2 * count);
    for _ in 0..count {
        for (extent, n) in size.iter().zip(spec.size()) {
            let length = extent.map_or(n as f64, |(low, high)| {
                let low = low.pixels(n as f64);
                high.map_or(low, |high| draw.uniform(low, high.pixels(n as f64))).round_ties_even()
            });
            let length = (length.max(1.0).min(n as f64)) as i64;
            let start = draw.integer(0, n as i64 - length) as usize;
            memory::push(&mut found, start..start + length as usize);
        }
    }
    found
}

/// NumPy's `clip` of numbers.
fn clipped(value: f64, top: f64) -> f64 {
    value.max(0.0).min(top)
}

impl Curve {
    /// The result for every byte; None where a power may be rounded to another one.
    fn table(&self, draw: &mut Draw, top: f64) -> Option<[u8; BYTES]> {
        let values: [f64; BYTES] = std::array::from_fn(|value| value as f64);
        let byte = |value: f64| clipped(value, top).round_ties_even() as u8;
        Some(match *self {
            Self::Brightness { factor, shift } => {
                let (factor, shift) = (factor.draw(draw), shift.draw(draw) * top);
                values.map(|value| byte(value * factor + shift))
            }
            Self::Contrast { factor, centre } => {
                let (factor, grey) = (factor.draw(draw), centre * top);
                values.map(|value| byte((value - grey) * factor + grey))
            }
            Self::Gamma(gamma) => {
                let gamma = gamma.draw(draw);
                let powers = values.map(|value| top * (clipped(value, top) / top).powf(gamma));
                let is_sure = |(value, power): (&f64, &f64)| {
                    // 0 and 1 are their own powers.
                    let is_end = *value == 0.0 || *value >= top;
                    is_end || (power - power.floor() - 0.5).abs() > UNSURE
                };
                if !values.iter().zip(&powers).all(is_sure) {
                    return None;
                }
                powers.map(|power| power.round_ties_even() as u8)
            }
            Self::Solarize(threshold) => {
                let threshold = threshold.draw(draw) * top;
                values.map(|value| {
                    let value = clipped(value, top);
                    byte(if value >= threshold { top - value } else { value })
                })
            }
            Self::Posterize(bits) => {
                let bits = bits.draw(draw);
                let levels = if bits > 1000 { return None } else { 2.0_f64.powi(bits as i32) };
                let size = ((top + 1.0) / levels).max(1.0);
                values.map(|value| byte((clipped(value, top) / size).floor() * size))
            }
        })
    }
}
