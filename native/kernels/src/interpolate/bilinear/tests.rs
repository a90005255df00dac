use crate::exec::simd::testing::every_level;
use crate::interpolate::bilinear::points::{BLOCK, Locate, Points};
use crate::interpolate::bilinear::*;
use proptest::prelude::*;

const SIZE: [usize; 2] = [5, 6];

/// Points and an image from a seed; every fourth distance is one that makes ties.
fn some_points(count: usize, planes: usize, mut seed: u64) -> (Vec<u8>, Vec<f64>, Vec<f64>) {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let image = (0..SIZE[0] * SIZE[1] * planes).map(|_| (next() % 256) as u8).collect();
    let mut line = |len: usize| -> Vec<f64> {
        let far = (len - 1) as f64;
        (0..count)
            .map(|_| match next() % 4 {
                0 => (next() % (4 * len as u64 - 3)) as f64 / 4.0,
                1 => far,
                _ => far * (next() % 1_000_003) as f64 / 1_000_003.0,
            })
            .collect()
    };
    let (y, x) = (line(SIZE[0]), line(SIZE[1]));
    (image, y, x)
}

/// How the planes of an image lie: the distances of rows, of columns and of each plane.
fn layout(planes: usize, in_pixels: bool) -> ([usize; 2], Vec<usize>) {
    let (down, plane) = (SIZE[1], SIZE[0] * SIZE[1]);
    if in_pixels {
        ([down * planes, planes], (0..planes).collect())
    } else {
        ([down, 1], (0..planes).map(|k| k * plane).collect())
    }
}

/// The sum at one point, from the definition.
fn plain(image: &[u8], [below, beside]: [usize; 2], plane: usize, y: f64, x: f64) -> f64 {
    let (row, column) = (y.floor().min(SIZE[0] as f64 - 2.0), x.floor().min(SIZE[1] as f64 - 2.0));
    let (ty, tx) = (y - row, x - column);
    let mut sum = 0.0;
    for (i, down) in [1.0 - ty, 1.0 - (1.0 - ty)].into_iter().enumerate() {
        for (j, right) in [1.0 - tx, 1.0 - (1.0 - tx)].into_iter().enumerate() {
            let at = (row as usize + i) * below + (column as usize + j) * beside + plane;
            sum += f64::from(image[at]) * down * right;
        }
    }
    sum
}

proptest! {
    #[test]
    fn blocks_equal_the_definition(
        count in prop_oneof![0_usize..70, 100_usize..300],
        planes in prop_oneof![1_usize..=7, Just(pairs::MANY_PLANES), Just(pairs::MANY_PLANES + 5)],
        in_pixels in any::<bool>(),
        level in any::<bool>(),
        is_large in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (image, mut y, x) = some_points(count, planes, seed);
        if let (true, Some(first)) = (level, y.first().copied()) {
            y.fill(first);
        }
        let (strides, inner) = layout(planes, in_pixels);
        let sums: Vec<f64> = (0..count * planes)
            .map(|i| plain(&image, strides, inner[i % planes], y[i / planes], x[i / planes]))
            .collect();
        for _ in every_level() {
            let mut points = Points::new(count);
            let intervals = SIZE.map(|len| (0.0, len as f64 - 1.0));
            let (mut outside, points_mut) = (vec![true; count], &mut points);
            dispatch(Locate {
                y: &y,
                x: &x,
                intervals,
                lens: SIZE,
                strides,
                points: points_mut,
                outside: &mut outside,
            });
            prop_assert!(!outside.contains(&true));
            let mut to = vec![f64::NAN; count * planes];
            let down = [points.down[0]; BLOCK];
            let weights = points.weights(0..count);
            let part =
                if level { points.with_constant_row(0..count, &down, &weights) } else { points.part(0..count) };
            dispatch(BlendPixels { elements: &image, strides, inner: &inner, is_large, points: part, to: &mut to });
            prop_assert_eq!(&to, &sums);
            let mut to = vec![f32::NAN; count * planes];
            dispatch(BlendPixels { elements: &image, strides, inner: &inner, is_large, points: part, to: &mut to });
            prop_assert!(to.iter().zip(&sums).all(|(to, sum)| *to == *sum as f32));
            if planes <= 4 && in_pixels {
                let mut to = vec![77; count * planes];
                dispatch(BlendBytes { elements: &image, down: strides[0], planes, is_large, points: part, to: &mut to });
                let rounded: Vec<u8> = sums.iter().map(|sum| u8::from_f64_rounded(*sum)).collect();
                prop_assert_eq!(&to, &rounded);
            }
        }
    }

    #[test]
    fn what_lies_outside_is_marked(
        y in prop::collection::vec(prop_oneof![-2.0..7.0_f64, proptest::num::f64::ANY, Just(4.0)], 0..70),
        end in prop_oneof![Just(5.0_f64), Just(5.0_f64.next_down())],
    ) {
        let x: Vec<f64> = y.iter().rev().map(|y| y + 1.0).collect();
        for _ in every_level() {
            let (mut points, mut outside) = (Points::new(y.len()), vec![false; y.len()]);
            let intervals = [(0.0, 4.0), (0.0, end)];
            let (lens, strides) = (SIZE, [SIZE[1], 1]);
            dispatch(Locate { y: &y, x: &x, intervals, lens, strides, points: &mut points, outside: &mut outside });
            for i in 0..y.len() {
                let inside = (0.0..=4.0).contains(&y[i]) && (0.0..=end).contains(&x[i]);
                prop_assert_eq!(outside[i], !inside);
                let (y, x) = if inside { (y[i], x[i]) } else { (0.0, 0.0) };
                let (row, column) = (y.floor().min(3.0), x.floor().min(4.0));
                prop_assert_eq!(points.starts[i], (row * 6.0 + column) as u32);
                prop_assert_eq!((points.down[i], points.right[i]), (y - row, x - column));
            }
        }
    }
}
