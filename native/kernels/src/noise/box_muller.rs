//! Numbers of the standard normal distribution, each found by its position.
//!
//! Philox4x32 (Salmon et al., 2011) encrypts counters with seven rounds, the fewest that pass the whole of TestU01's
//! BigCrush there. The transform of Box and Muller makes two numbers of two of its words:
//!
//! ```text
//! lane l of 128, block n of 512 numbers: w = philox4x32(counter (128 n + l, its upper half, frame, plane), key seed)
//! of words 0 and 1 come the numbers l and 128 + l of the block, of words 2 and 3 those at 256 + l and 384 + l
//!
//! u = (w0 >> 1) + 1/2            r = sqrt(-2 ln(u / 2^31))      at most 6.6
//! t = (w1 >> 8) / 2^23, signed: an angle of t pi / 4 from the diagonal
//! r (cos - sin) / sqrt(2), r (cos + sin) / sqrt(2)              signs are the two lowest bits of w1
//! ```
//!
//! Logarithm, sine and cosine are polynomials, within 2e-6 of the true functions. Each product and sum is rounded to
//! `f32` in the order that is written here, so that NumPy has the same bits (`transforms/noise/_normal.py`).

use crate::noise::philox::Stream;

/// Numbers that are made together.
pub const BLOCK: usize = 512;

/// Counters of a block: lanes of wide registers, with four words each.
const LANES: usize = BLOCK / 4;

const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 7;
const LOW: u64 = 0xFFFF_FFFF;

/// Encrypt a counter of four words of 32 bits; of what is returned the lower halves count.
///
/// Words stay in registers of 64 bits, as products take the lower halves and give both.
#[inline(always)]
fn philox4x32(counter: [u64; 4], key: [u32; 2]) -> [u64; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let (first, second) = ((c0 & LOW) * MULTIPLIERS[0], (c2 & LOW) * MULTIPLIERS[1]);
        (c0, c1) = ((second >> 32) ^ c1 ^ u64::from(k0), second);
        (c2, c3) = ((first >> 32) ^ c3 ^ u64::from(k1), first);
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
    [c0, c1, c2, c3]
}

/// The bits of sqrt(1/2): mantissas are from it to twice as much.
const LEAST_MANTISSA: i32 = 0x3F35_04F3;

/// -2 ln(1 + f) = f (c0 + c1 f + ...), the highest power first.
const LOGARITHM: [f32; 7] =
    [-0.237_922_16, 0.373_357_1, -0.409_926_56, 0.498_194_87, -0.666_290_16, 1.000_022_3, -2.000_002];

/// -2 ln 2.
const OCTAVE: f32 = -1.386_294_4;

/// sin(t pi / 4) / sqrt(2) = t (c0 + c1 t² + ...), the highest power first.
const SINE: [f32; 4] = [-2.542_080_8e-5, 0.001_760_696_6, -0.057_095_643, 0.555_360_4];

/// cos(t pi / 4) / sqrt(2) = c0 + c1 t² + ..., the highest power first.
const COSINE: [f32; 4] = [-0.000_225_374_62, 0.011_207_419, -0.218_088_82, 0.707_106_77];

/// A polynomial by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = sum * x + coefficient;
    }
    sum
}

/// Two numbers of two random words.
#[inline(always)]
fn box_muller(radius: u32, angle: u32) -> [f32; 2] {
    let share = (radius >> 1) as i32 as f32 + 0.5;
    let bits = share.to_bits() as i32 - LEAST_MANTISSA;
    let octaves = (bits >> 23) - 31;
    let fraction = f32::from_bits(((bits & 0x007F_FFFF) + LEAST_MANTISSA) as u32) - 1.0;
    let radius = (polynomial(LOGARITHM, fraction) * fraction + octaves as f32 * OCTAVE).sqrt();
    let turn = ((angle as i32) >> 8) as f32 * (1.0 / 8_388_608.0);
    let squared = turn * turn;
    let (sine, cosine) = (polynomial(SINE, squared) * turn, polynomial(COSINE, squared));
    let signed = |value: f32, sign: u32| f32::from_bits(value.to_bits() ^ (sign & 0x8000_0000));
    [signed(radius * (cosine - sine), angle << 31), signed(radius * (cosine + sine), angle << 30)]
}

/// Write the numbers of block `number` of a plane. Planes of one stream do not repeat one another.
#[inline(always)]
pub fn fill(stream: Stream, plane: u32, number: usize, to: &mut [f32; BLOCK]) {
    let key = [stream.seed as u32, (stream.seed >> 32) as u32];
    let first = (number * LANES) as u64;
    let mut words = [[0_u32; LANES]; 4];
    let [w0, w1, w2, w3] = &mut words;
    for lane in 0..LANES {
        let counter = [first + lane as u64, first >> 32, stream.frame, u64::from(plane)];
        let encrypted = philox4x32(counter, key);
        [w0[lane], w1[lane], w2[lane], w3[lane]] = encrypted.map(|word| word as u32);
    }
    let (pairs, _) = to.as_chunks_mut::<{ 2 * LANES }>();
    for (to, [radii, angles]) in pairs.iter_mut().zip(words.as_chunks::<2>().0) {
        let (one, other) = to.split_at_mut(LANES);
        for lane in 0..LANES {
            [one[lane], other[lane]] = box_muller(radii[lane], angles[lane]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use crate::exec::simd::{Kernel, dispatch};

    struct Filled(Stream, u32, usize);

    impl Kernel for Filled {
        type Output = [f32; BLOCK];

        #[inline(always)]
        fn run(self) -> [f32; BLOCK] {
            let mut numbers = [0.0; BLOCK];
            fill(self.0, self.1, self.2, &mut numbers);
            numbers
        }
    }

    #[test]
    fn a_block_of_words_is_the_published_one() {
        // The known answers of Random123 for seven rounds.
        let known = |counter: [u64; 4], key: [u32; 2]| philox4x32(counter, key).map(|word| word as u32);
        assert_eq!(known([0; 4], [0; 2]), [0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]);
        assert_eq!(known([LOW; 4], [u32::MAX; 2]), [0x5207_ddc2, 0x4516_5e59, 0x4d8e_e751, 0x8c52_f662]);
    }

    #[test]
    fn two_words_make_two_numbers_of_the_formula() {
        for step in 0..20_000_u32 {
            let (radius, angle) = (step.wrapping_mul(0x9E37_79B9), step.wrapping_mul(0x85EB_CA6B));
            let share = (f64::from(radius >> 1) + 0.5) / 2_147_483_648.0;
            let turn = f64::from((angle as i32) >> 8) / 8_388_608.0 * std::f64::consts::FRAC_PI_4;
            let length = (-2.0 * share.ln()).sqrt() * std::f64::consts::FRAC_1_SQRT_2;
            let sign = |bit: u32| if angle & bit == 0 { 1.0 } else { -1.0 };
            let wanted =
                [sign(1) * length * (turn.cos() - turn.sin()), sign(2) * length * (turn.cos() + turn.sin())];
            for (found, wanted) in box_muller(radius, angle).iter().zip(wanted) {
                // Shares next to one are numbers of 24 bits, whose logarithms the radius is the root of.
                assert!((f64::from(*found) - wanted).abs() < 1e-5 + 4e-8 / length, "{found} {wanted}");
            }
        }
        assert!((box_muller(0, 0)[0] - 6.6).abs() < 0.1 * 6.6 + 2.0);
        assert_eq!(box_muller(u32::MAX, 0), [0.0, 0.0]);
    }

    #[test]
    fn every_level_has_the_same_bits_and_every_block_its_own() {
        let words = |stream: Stream, plane: u32, number: u64, lane: u64| {
            let counter = number * LANES as u64 + lane;
            let key = [stream.seed as u32, (stream.seed >> 32) as u32];
            philox4x32([counter & LOW, counter >> 32, stream.frame, u64::from(plane)], key)
                .map(|word| word as u32)
        };
        for (stream, plane, number) in [
            (Stream { seed: 7, frame: 0 }, 0, 0),
            (Stream { seed: u64::MAX / 5, frame: 3 }, 2, 9),
            (Stream { seed: 1 << 40, frame: 1 }, 1, (1 << 25) + 3),
        ] {
            at_every_level(1, || -> Result<(), ()> {
                let found = dispatch(Filled(stream, plane, number));
                for lane in 0..LANES {
                    let [w0, w1, w2, w3] = words(stream, plane, number as u64, lane as u64);
                    let ([a, b], [c, d]) = (box_muller(w0, w1), box_muller(w2, w3));
                    let lanes = [0, 1, 2, 3].map(|part| found[part * LANES + lane].to_bits());
                    assert_eq!(lanes, [a, b, c, d].map(f32::to_bits));
                }
                Ok(())
            })
            .unwrap();
        }
    }
}
