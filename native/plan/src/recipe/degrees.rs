//! Sine and cosine of degrees with the bits of `scipy.special.sindg` and `cosdg`.
//!
//! The method is Cephes' (Moshier): the angle is reduced to an octant of 45 degrees, and a polynomial in the square of
//! the rest in radians gives the sine or the cosine. Multiples of 30 and 45 degrees come out as SciPy gives them.

const SINE: [f64; 6] = [
    1.589_623_015_722_184_4e-10,
    -2.505_074_776_285_035_5e-8,
    2.755_731_362_138_567_6e-6,
    -1.984_126_982_958_954e-4,
    8.333_333_333_322_118e-3,
    -1.666_666_666_666_663e-1,
];
const COSINE: [f64; 7] = [
    1.136_781_713_820_445_5e-11,
    -2.087_588_337_576_836_3e-9,
    2.755_731_554_298_166_3e-7,
    -2.480_158_729_361_863e-5,
    1.388_888_888_888_066_7e-3,
    -4.166_666_666_666_664e-2,
    0.5,
];
const RADIANS_PER_DEGREE: f64 = 1.745_329_251_994_329_5e-2;

/// Beyond this, an angle has no digits after the full turns, and both functions are 0.
const LARGEST: f64 = 1.0e14;

/// Cosine and sine of an angle in degrees.
pub fn cos_sin(angle: f64) -> (f64, f64) {
    let size = angle.abs();
    if size > LARGEST {
        return (0.0, 0.0);
    }
    let mut octant = (size / 45.0).floor();
    let mut number = (octant - (octant / 16.0).floor() * 16.0) as u32;
    if number & 1 == 1 {
        number += 1;
        octant += 1.0;
    }
    let quarter = (number & 7) / 2;
    let rest = (size - octant * 45.0) * RADIANS_PER_DEGREE;
    let square = rest * rest;
    let near_zero = rest + rest * (square * polynomial(&SINE, square));
    let near_one = 1.0 - square * polynomial(&COSINE, square);
    let (cosine, sine) = match quarter {
        0 => (near_one, near_zero),
        1 => (-near_zero, near_one),
        2 => (-near_one, -near_zero),
        _ => (near_zero, -near_one),
    };
    (cosine, if angle < 0.0 { -sine } else { sine })
}

/// Horner's scheme, from the highest power.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients[1..].iter().fold(coefficients[0], |sum, next| sum * x + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarter_turns_are_exact() {
        for turns in -9_i32..9 {
            let (cosine, sine) = cos_sin(f64::from(turns) * 90.0);
            let expected = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][turns.rem_euclid(4) as usize];
            assert_eq!((cosine, sine), expected);
        }
    }
}
