//! The way from one orientation to another during a transition.

use super::voice::Axes;

type Vector = [f64; 3];

fn dot(a: &Vector, b: &Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: &Vector, b: &Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn norm(a: &Vector) -> f64 {
    dot(a, a).sqrt()
}

fn scaled(a: &Vector, by: f64) -> Vector {
    a.map(|x| x * by)
}

/// A turn of the mean acceleration (gravity, as the sensor sees it) from one vector to another along the shortest
/// arc, with the angular rate that a gyroscope on the body sees meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    from: Axes,
    to: Axes,
    /// Unit vector of the mean acceleration at the start, the one at right angles towards the end, and their normal.
    start: Vector,
    side: Vector,
    axis: Vector,
    angle: f64,
    seconds: f64,
}

impl Turn {
    /// A turn from the mean `from` to the mean `to` (acceleration, then angular rate) that takes `seconds`.
    pub(super) fn new(from: &Axes, to: &Axes, seconds: f64) -> Self {
        let [ax, ay, az, ..] = *from;
        let [bx, by, bz, ..] = *to;
        let (a, b) = ([ax, ay, az], [bx, by, bz]);
        let start = unit(&a).unwrap_or([1.0, 0.0, 0.0]);
        let target = unit(&b).unwrap_or(start);
        // opposite vectors have no shortest arc: any axis at right angles to them will do
        let axis = unit(&cross(&start, &target))
            .or_else(|| unit(&cross(&start, &[1.0, 0.0, 0.0])))
            .or_else(|| unit(&cross(&start, &[0.0, 1.0, 0.0])))
            .unwrap_or([0.0, 0.0, 1.0]);
        let side = cross(&axis, &start);
        let angle = dot(&target, &side).atan2(dot(&target, &start));
        Self { from: *from, to: *to, start, side, axis, angle, seconds }
    }

    /// How far the turn has come at the share `at` (0 to 1) of its time, starting and ending at rest.
    pub(super) fn progress(at: f64) -> f64 {
        at * at * (3.0 - 2.0 * at)
    }

    /// The mean at the share `at` (0 to 1) of the time.
    pub(super) fn mean(&self, at: f64) -> Axes {
        let progress = Self::progress(at);
        let mut mean: Axes = std::array::from_fn(|i| self.from[i] + (self.to[i] - self.from[i]) * progress);
        let (sin, cos) = (self.angle * progress).sin_cos();
        let length = |v: &Axes| norm(&[v[0], v[1], v[2]]);
        let length = length(&self.from) + (length(&self.to) - length(&self.from)) * progress;
        // a vector that stands still in the world turns against the body's own rotation
        let rate = -self.angle * 6.0 * at * (1.0 - at) / self.seconds;
        let rotation = scaled(&self.axis, rate);
        for i in 0..3 {
            mean[i] = length * (cos * self.start[i] + sin * self.side[i]);
            mean[3 + i] += rotation[i];
        }
        mean
    }
}

fn unit(a: &Vector) -> Option<Vector> {
    let length = norm(a);
    (length > 1e-9).then(|| scaled(a, length.recip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Following the gyroscope from the first orientation must lead to the last: dg/dt = -omega x g.
    #[test]
    fn the_gyroscope_tells_the_same_turn_as_the_accelerometer() {
        let cases = [
            ([1.0, 0.0, 0.0], [0.0, 0.6, 0.8]),
            ([0.9, 0.1, -0.2], [-0.9, -0.1, 0.2]),
            ([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
        ];
        for (a, b) in cases {
            let with_rates = |v: Vector| [v[0], v[1], v[2], 0.0, 0.0, 0.0];
            let turn = Turn::new(&with_rates(a), &with_rates(b), 2.5);
            let steps = 20_000;
            let mut g = a;
            for i in 0..steps {
                let m = turn.mean((f64::from(i) + 0.5) / f64::from(steps));
                let change = scaled(&cross(&[m[3], m[4], m[5]], &g), -2.5 / f64::from(steps));
                g = [g[0] + change[0], g[1] + change[1], g[2] + change[2]];
            }
            for i in 0..3 {
                assert!((g[i] - b[i]).abs() < 2e-3, "{a:?} to {b:?} came to {g:?}");
                assert!((turn.mean(0.0)[i] - a[i]).abs() < 1e-12 && (turn.mean(1.0)[i] - b[i]).abs() < 1e-12);
            }
        }
    }
}
