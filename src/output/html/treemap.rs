//! Rectangles whose areas are as given, as near to squares as they come: the squarified treemap of Bruls, Huizing and van Wijk.

/// A rectangle, in per cent of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Lays out `sizes`, which are sorted from the largest on, over a picture that is `aspect` times as wide as it is high. One
/// rectangle for each; nothing has an area of nothing.
pub(super) fn squarified(sizes: &[u64], aspect: f64) -> Vec<Rect> {
    let total: f64 = sizes.iter().map(|size| *size as f64).sum();
    // In units in which the picture is `aspect` wide and 1 high.
    let mut free = Rect { x: 0.0, y: 0.0, width: aspect, height: 1.0 };
    let areas: Vec<f64> = sizes.iter().map(|size| *size as f64 / total.max(1.0) * aspect).collect();
    let mut rects = Vec::with_capacity(sizes.len());
    let mut rest = areas.as_slice();
    while !rest.is_empty() {
        let side = free.width.min(free.height);
        let count = (1..rest.len()).find(|&n| worst(&rest[..n + 1], side) > worst(&rest[..n], side));
        let (row, after) = rest.split_at(count.unwrap_or(rest.len()));
        free = lay(row, free, &mut rects);
        rest = after;
    }
    let percent = |rect: &Rect| Rect {
        x: rect.x / aspect * 100.0,
        y: rect.y * 100.0,
        width: rect.width / aspect * 100.0,
        height: rect.height * 100.0,
    };
    rects.iter().map(percent).collect()
}

/// How far from a square the worst of a row's rectangles is, if the row lies along `side`.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    let thickness = sum / side;
    let ratio = |area: &f64| {
        let length = area / thickness;
        (length / thickness).max(thickness / length)
    };
    row.iter().map(ratio).fold(0.0, f64::max)
}

/// Lays a row along the shorter side; returns what is free after it.
fn lay(row: &[f64], free: Rect, rects: &mut Vec<Rect>) -> Rect {
    let sum: f64 = row.iter().sum();
    let upright = free.width >= free.height;
    let side = free.width.min(free.height);
    let thickness = if side > 0.0 { sum / side } else { 0.0 };
    let mut at = 0.0;
    for area in row {
        let length = if thickness > 0.0 { area / thickness } else { 0.0 };
        rects.push(if upright {
            Rect { x: free.x, y: free.y + at, width: thickness, height: length }
        } else {
            Rect { x: free.x + at, y: free.y, width: length, height: thickness }
        });
        at += length;
    }
    if upright {
        Rect { x: free.x + thickness, width: (free.width - thickness).max(0.0), ..free }
    } else {
        Rect { y: free.y + thickness, height: (free.height - thickness).max(0.0), ..free }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_as_given_and_nothing_overlaps() {
        for sizes in [&[6, 6, 4, 3, 2, 2, 1][..], &[1_000_000, 3, 2, 1, 1], &[5], &[u64::MAX / 2, u64::MAX / 3]] {
            let rects = squarified(sizes, 2.5);
            let total: f64 = sizes.iter().map(|size| *size as f64).sum();
            for (rect, size) in rects.iter().zip(sizes) {
                let area = rect.width * rect.height / 10_000.0;
                assert!((area - *size as f64 / total).abs() < 1e-9, "{rect:?} of {size}");
                assert!(rect.x >= 0.0 && rect.y >= 0.0, "{rect:?}");
                assert!(rect.x + rect.width < 100.001 && rect.y + rect.height < 100.001, "{rect:?}");
            }
            for (i, a) in rects.iter().enumerate() {
                for b in &rects[i + 1..] {
                    let apart = |x: f64, width: f64, other: f64| x + width <= other + 1e-6;
                    assert!(
                        apart(a.x, a.width, b.x)
                            || apart(b.x, b.width, a.x)
                            || apart(a.y, a.height, b.y)
                            || apart(b.y, b.height, a.y),
                        "{a:?} {b:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_example_of_the_paper() {
        // A rectangle of 6 by 4: the first two share a column that is 3 wide.
        let rects = squarified(&[6, 6, 4, 3, 2, 2, 1], 1.5);
        assert_eq!(rects[0], Rect { x: 0.0, y: 0.0, width: 50.0, height: 50.0 });
        assert_eq!(rects[1], Rect { x: 0.0, y: 50.0, width: 50.0, height: 50.0 });
        assert_eq!(squarified(&[], 2.0), []);
        assert!(squarified(&[0, 0], 2.0).iter().all(|rect| rect.width.is_finite() && rect.height.is_finite()));
    }
}
