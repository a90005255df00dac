//! The steps that are drawn and lowered here: for each what its Python class does in `sample`, `output_size`, `map` and
//! `lower`, in the same order of draws and of float operations.

use crate::recipe::degrees::cos_sin;
use crate::recipe::maps::{AffineMap, GridMap, Size};
use crate::recipe::products::{Matrix, Products};
use crate::recipe::projective::perspective;
use crate::recipe::random::Draw;
use crate::recipe::values::DrawnValues;
use crate::recipe::{Mode, Resizing, Rule, Unplanned, Work};
use std::sync::atomic::{AtomicBool, Ordering};

/// A number, or a range from which each image draws evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// A number.
    Fixed(f64),
    /// From low to high.
    Range(f64, f64),
}

impl Setting {
    pub(super) fn draw(self, draw: &mut Draw) -> f64 {
        match self {
            Self::Fixed(value) => value,
            Self::Range(low, high) => draw.uniform(low, high),
        }
    }

    /// A value whose logarithm is drawn evenly: low * (high / low) ** u, the power as a product of square roots.
    fn draw_log(self, draw: &mut Draw) -> f64 {
        let (low, high) = match self {
            Self::Fixed(value) => return value,
            Self::Range(low, high) => (low, high),
        };
        let word = draw.word() >> (64 - BITS);
        let (mut value, mut root) = (low, high / low);
        for bit in (0..BITS).rev() {
            root = root.sqrt();
            if word >> bit & 1 == 1 {
                value *= root;
            }
        }
        if high < value { high } else { value }
    }

    fn map(self, of: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Fixed(value) => Self::Fixed(of(value)),
            Self::Range(low, high) => Self::Range(of(low), of(high)),
        }
    }
}

/// Settings in the order in which they are drawn, and which of them is for which axis.
#[derive(Debug, Clone, PartialEq)]
pub struct PerAxis {
    /// The settings.
    pub settings: Vec<Setting>,
    /// For rows and columns; None where an axis is left as it is.
    pub places: [Option<usize>; 2],
}

impl PerAxis {
    /// A value for each axis; `otherwise` for those without a setting.
    fn draw(&self, draw: &mut Draw, otherwise: f64) -> [f64; 2] {
        let mut values = [otherwise; 2];
        for (number, setting) in self.settings.iter().enumerate() {
            let value = setting.draw(draw);
            for (axis, place) in self.places.iter().enumerate() {
                if *place == Some(number) {
                    values[axis] = value;
                }
            }
        }
        values
    }
}

/// Pixels, or a share of an axis as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Pixels.
    Pixels(i64),
    /// Numerator and denominator, which is positive.
    Share(i64, i64),
}

impl Length {
    /// In pixels of an axis of `n`; a share is rounded, half up.
    fn pixels(self, n: usize, at_least: i64) -> i64 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Share(part, whole) => {
                let (part, whole) = (i128::from(part) * n as i128, i128::from(whole));
                let rounded = (2 * part + whole).div_euclid(2 * whole);
                i64::try_from(rounded).unwrap_or(i64::MAX).max(at_least)
            }
        }
    }
}

/// Where an image is moved to, in pixels or in percent of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The number or range.
    pub setting: Setting,
    /// Whether it is in percent.
    pub is_share: bool,
    /// Whether rows and columns are moved by it.
    pub moves: [bool; 2],
}

/// The size of a resize.
#[derive(Debug, Clone, PartialEq)]
pub enum NewSize {
    /// Pixels; a length that is None keeps the aspect.
    Given([Option<usize>; 2]),
    /// Factors.
    Scaled(PerAxis),
}

/// The map of an affine step, about the centre or the first pixel.
#[derive(Debug, Clone, PartialEq)]
pub enum AffineValues {
    /// Drawn, each in its turn.
    Drawn {
        /// Factors.
        scale: PerAxis,
        /// Rows per column, columns per row.
        shear: PerAxis,
        /// Degrees.
        rotate: Setting,
        /// In the order in which they are drawn.
        translate: Vec<Shift>,
        /// Whether those name their axes: one number that is drawn moves all of them.
        by_name: bool,
    },
    /// Given: matrix and offset, from output to input.
    Given(Matrix, [f64; 2]),
}

/// What a step does.
#[derive(Debug)]
pub enum Kind {
    /// `Resize`.
    Resize {
        /// The size.
        size: NewSize,
        /// Number of the kernel.
        kernel: u8,
        /// Whether the kernel widens when the image shrinks.
        antialias: bool,
    },
    /// `RandomResizedCrop`.
    ResizedCrop {
        /// The size.
        size: [Option<usize>; 2],
        /// Share of the image's area.
        scale: Setting,
        /// Width divided by height.
        ratio: Setting,
        /// Number of the kernel.
        kernel: u8,
        /// Whether the kernel widens when the window shrinks.
        antialias: bool,
    },
    /// `Rotate`.
    Rotate {
        /// Degrees.
        angle: Setting,
        /// Whether all of the image stays inside.
        reshape: bool,
    },
    /// `Perspective`.
    Perspective {
        /// How far a corner may move, as a share of each side.
        distortion: Setting,
        /// Whether corners move into the image only.
        inwards: bool,
    },
    /// `Affine`.
    Affine {
        /// The map.
        values: AffineValues,
        /// Whether coordinates are counted from the centre.
        is_centred: bool,
    },
    /// `Zoom`.
    Zoom {
        /// Factors.
        factor: PerAxis,
        /// Whether edges stay edges.
        on_edges: bool,
        /// Whether Python has had the chance to say what its hints say.
        hinted: AtomicBool,
    },
    /// `Flip`.
    Flip {
        /// The spatial axis.
        axis: usize,
    },
    /// `CenterCrop` and `RandomCrop`.
    Crop {
        /// The size.
        size: [Length; 2],
        /// Whether an image that is smaller is padded.
        pad: bool,
        /// Whether the place is drawn.
        is_random: bool,
    },
    /// `Pad`.
    Pad {
        /// Before and after, for each axis.
        sides: [[Length; 2]; 2],
    },
    /// A step that moves nothing and draws nothing; Python makes its operation.
    Values {
        /// Whether neighbours are mixed; else each value changes by itself.
        is_filter: bool,
        /// Whether the operation depends on the image's size.
        by_size: bool,
    },
    /// A step that moves nothing and draws.
    Drawn(DrawnValues),
}

/// A step at its place in a recipe.
#[derive(Debug)]
pub struct Step {
    /// Hash of the address of its draws.
    pub address: u64,
    /// Hash of the address at which it is drawn whether it applies.
    pub chance_address: u64,
    /// Probability that it applies.
    pub p: f64,
    /// Whether it refuses images of bool.
    pub averages: bool,
    /// How pixels are read.
    pub rule: Rule,
    /// What it does.
    pub kind: Kind,
}

/// What a step becomes.
pub(super) struct Lowered {
    /// A crop before its operation.
    pub crop: Option<GridMap>,
    /// Its operation.
    pub work: Work,
    /// The size afterwards.
    pub size: Size,
}

const REFUSED: Unplanned = Unplanned::NeedsPython;

impl Step {
    /// Draw its values for an image of this size, and return its operations.
    pub(super) fn lower(
        &self,
        draw: &mut Draw,
        size: Size,
        products: Products,
    ) -> Result<Lowered, Unplanned> {
        let rule = self.rule;
        let alone = |work, size| Ok(Lowered { crop: None, work, size });
        let resampled = |map: AffineMap| alone(Work::Resample(map, rule, Vec::new()), map.output_size);
        let grid = |map: GridMap| alone(Work::Grid(map, rule), map.output_size);
        match &self.kind {
            Kind::Resize { size: new, kernel, antialias } => {
                let made = new.of(draw, size);
                let work = Resizing { size: made, window: None, kernel: *kernel, antialias: *antialias };
                alone(Work::Resize(work), made)
            }
            Kind::ResizedCrop { size: new, scale, ratio, kernel, antialias } => {
                let crop = resized_crop(draw, *scale, *ratio, size)?;
                let made = NewSize::Given(*new).of(draw, crop.output_size);
                let work = Resizing { size: made, window: None, kernel: *kernel, antialias: *antialias };
                Ok(Lowered { crop: Some(crop), work: Work::Resize(work), size: made })
            }
            Kind::Rotate { angle, reshape } => {
                resampled(rotated(angle.draw(draw), *reshape, size, products)?)
            }
            Kind::Perspective { distortion, inwards } => {
                let map = perspective(draw, *distortion, *inwards, size)?;
                alone(Work::Project(map, rule, Vec::new()), size)
            }
            Kind::Affine { values, is_centred } => {
                resampled(values.map(draw, *is_centred, size, products)?)
            }
            Kind::Zoom { factor, on_edges, hinted } => {
                let factors = factor.draw(draw, 1.0);
                let made = [0, 1].map(|i: usize| scaled(size[i], factors[i]));
                if made.contains(&0) {
                    return Err(REFUSED);
                }
                if factors == [1.0, 1.0] {
                    return grid(GridMap::identity(size));
                }
                if rule.mode == Mode::Constant
                    && blackens_an_edge(size, made, *on_edges)
                    && !hinted.swap(true, Ordering::Relaxed)
                {
                    return Err(REFUSED); // the first time, Python says a hint
                }
                alone(Work::Zoom(zoomed(size, made, *on_edges)?, rule, *on_edges), made)
            }
            Kind::Flip { axis } => grid(GridMap::flip(*axis, size)),
            Kind::Crop { size: wanted, pad, is_random } => {
                let wanted = [0, 1].map(|i: usize| wanted[i].pixels(size[i], 1));
                let more = [0, 1].map(|i: usize| size[i] as i64 - wanted[i]);
                if !pad && more.iter().any(|more| *more < 0) {
                    return Err(REFUSED);
                }
                let start = more.map(|more| {
                    if *is_random && more >= 0 { draw.integer(0, more) } else { more.div_euclid(2) }
                });
                grid(GridMap::crop(start, wanted.map(|length| length as usize), size)?)
            }
            Kind::Pad { sides } => {
                let [before, after] =
                    [0, 1].map(|end: usize| [0, 1].map(|i: usize| sides[i][end].pixels(size[i], 0)));
                let made = [0, 1].map(|i: usize| (size[i] as i64 + before[i] + after[i]) as usize);
                grid(GridMap::crop(before.map(|pixels| -pixels), made, size)?)
            }
            Kind::Values { .. } | Kind::Drawn(_) => unreachable!("it moves nothing"),
        }
    }
}

/// A length times a factor, rounded half to even.
fn scaled(n: usize, factor: f64) -> usize {
    let length = n as f64 * factor;
    let most = (1_u64 << 62) as f64;
    (if most < length { most } else { length }).round_ties_even() as usize
}

impl NewSize {
    fn of(&self, draw: &mut Draw, size: Size) -> Size {
        match self {
            Self::Given([Some(rows), Some(columns)]) => [*rows, *columns],
            Self::Given([rows, columns]) => {
                let (side, now) = rows.map_or((columns.unwrap_or(1), size[1]), |rows| (rows, size[0]));
                // n * side / now, rounded half to even, in integers.
                let kept = |n: usize| {
                    let (product, now) = (n as u128 * side as u128, now as u128);
                    let (whole, rest) = (product / now, product % now);
                    let up = 2 * rest > now || (2 * rest == now && whole % 2 == 1);
                    ((whole + u128::from(up)) as usize).max(1)
                };
                [rows.unwrap_or_else(|| kept(size[0])), columns.unwrap_or_else(|| kept(size[1]))]
            }
            Self::Scaled(scale) => {
                let scales = scale.draw(draw, 1.0);
                [0, 1].map(|i: usize| scaled(size[i], scales[i]).max(1))
            }
        }
    }
}

/// Windows that are drawn before the largest central one is taken.
const TRIES: usize = 10;

/// Bits of the exponent of a drawn aspect ratio.
const BITS: u32 = 32;

fn resized_crop(
    draw: &mut Draw,
    scale: Setting,
    ratio: Setting,
    [height, width]: Size,
) -> Result<GridMap, Unplanned> {
    let input = [height, width];
    let area = (height * width) as f64;
    let fits = |length: f64, most: usize| length > 0.0 && length <= most as f64;
    for _ in 0..TRIES {
        let (share, aspect) = (scale.draw(draw), ratio.draw_log(draw));
        let wide = (area * share * aspect).sqrt().round_ties_even();
        let high = (area * share / aspect).sqrt().round_ties_even();
        if !(high.is_finite() && wide.is_finite()) {
            return Err(REFUSED);
        }
        if fits(high, height) && fits(wide, width) {
            let window = [high as usize, wide as usize];
            let start = [0, 1].map(|i: usize| draw.integer(0, (input[i] - window[i]) as i64));
            return GridMap::crop(start, window, input);
        }
    }
    let (low, high) = match ratio {
        Setting::Fixed(ratio) => (ratio, ratio),
        Setting::Range(low, high) => (low, high),
    };
    let (rows, columns) = (height as f64, width as f64);
    let window = if columns < rows * low {
        [((columns / low).round_ties_even() as usize).max(1).min(height), width]
    } else if columns > rows * high {
        [height, ((rows * high).round_ties_even() as usize).max(1).min(width)]
    } else {
        input
    };
    GridMap::crop([0, 1].map(|i: usize| ((input[i] - window[i]) / 2) as i64), window, input)
}

/// SciPy's pull matrix of a turn.
fn rotation(angle: f64) -> Result<Matrix, Unplanned> {
    let (cosine, sine) = cos_sin(angle);
    if cosine == 0.0 && sine == 0.0 {
        return Err(REFUSED);
    }
    Ok([[cosine, sine], [-sine, cosine]])
}

fn rotated(angle: f64, reshape: bool, size: Size, products: Products) -> Result<AffineMap, Unplanned> {
    let turn = rotation(angle)?;
    let mut made = size;
    if reshape {
        let [rows, columns] = size.map(|length| length as f64);
        for (length, row) in made.iter_mut().zip(turn) {
            let corners = [[0.0, 0.0], [0.0, columns], [rows, 0.0], [rows, columns]]
                .map(|corner| products.matrix.dot(row, corner));
            let [least, most] = [f64::min, f64::max].map(|of| corners.into_iter().fold(corners[0], of));
            *length = ((most - least) + 0.5) as usize;
        }
    }
    let middle = |size: Size| size.map(|length| (length as f64 - 1.0) / 2.0);
    let (centre, to) = (middle(size), products.times_vector(turn, middle(made)));
    AffineMap::new(turn, [centre[0] - to[0], centre[1] - to[1]], size, made)
}

impl AffineValues {
    fn map(
        &self,
        draw: &mut Draw,
        is_centred: bool,
        size: Size,
        products: Products,
    ) -> Result<AffineMap, Unplanned> {
        let centre = size.map(|length| if is_centred { (length as f64 - 1.0) / 2.0 } else { 0.0 });
        let (matrix, offset) = match self {
            Self::Given(matrix, offset) => {
                let to = products.times_vector(*matrix, centre);
                (*matrix, [0, 1].map(|i: usize| offset[i] + centre[i] - to[i]))
            }
            Self::Drawn { scale, shear, rotate, translate, by_name } => {
                let scale = scale.draw(draw, 1.0);
                let [down, right] = shear.draw(draw, 0.0);
                let angle = rotate.draw(draw);
                let mut shift = [0.0; 2];
                for part in translate {
                    part.draw(draw, size, *by_name, &mut shift);
                }
                if down * right == 1.0 {
                    return Err(REFUSED);
                }
                let turned = products.times([[1.0, down], [right, 1.0]], rotation(angle)?);
                let matrix = [0, 1].map(|i: usize| turned[i].map(|factor| factor / scale[i]));
                let to = products.times_vector(matrix, [0, 1].map(|i: usize| centre[i] + shift[i]));
                (matrix, [0, 1].map(|i: usize| centre[i] - to[i]))
            }
        };
        AffineMap::new(matrix, offset, size, size)
    }
}

impl Shift {
    fn draw(&self, draw: &mut Draw, size: Size, by_name: bool, shift: &mut [f64; 2]) {
        let of =
            |n: f64| if self.is_share { self.setting.map(|part| n * part / 100.0) } else { self.setting };
        let shared = by_name.then(|| of(100.0).draw(draw));
        for axis in (0..2).filter(|axis| self.moves[*axis]) {
            let n = size[axis] as f64;
            shift[axis] = match shared {
                Some(value) if self.is_share => value * n / 100.0,
                Some(value) => value,
                None => of(n).draw(draw),
            };
        }
    }
}

fn zoomed(size: Size, made: Size, on_edges: bool) -> Result<AffineMap, Unplanned> {
    let ratio = [0, 1].map(|i: usize| {
        let (n, m) = (size[i] as f64, made[i] as f64);
        match made[i] {
            _ if on_edges => n / m,
            1 => 1.0,
            _ => (n - 1.0) / (m - 1.0),
        }
    });
    let offset = ratio.map(|ratio| if on_edges { 0.5 * ratio - 0.5 } else { 0.0 });
    AffineMap::new([[ratio[0], 0.0], [0.0, ratio[1]]], offset, size, made)
}

/// Whether SciPy takes coordinates at the border for ones beyond it.
fn blackens_an_edge(size: Size, made: Size, on_edges: bool) -> bool {
    size.into_iter().zip(made).any(|(given, made)| {
        let (n, m) = (given as f64 - 1.0, made as f64 - 1.0);
        if on_edges { made > given } else { made > 1 && n / m * m > n }
    })
}
