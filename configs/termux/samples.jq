# What termux-sensor prints, as samples for gaitd:
#
#   termux-sensor -s accelerometer,gyroscope -d 10 | jq -nc --unbuffered -f samples.jq | gaitd run --source -
#
# termux-sensor prints, at that delay in milliseconds, one object with the latest values of each sensor, and no times:
#   { "LSM6DSO Accelerometer": { "values": [9.7, 0.3, -0.9] }, "LSM6DSO Gyroscope": { "values": [0.01, 0.0, 0.02] } }
# Android renews them about 15 times a second, so most objects repeat the one before. Here each reading gets the time
# at which it is new, and the samples between two readings lie on a straight line, 50 a second.

# samples per second, as the model expects
def rate: 50;

# a reading that stays the same for so long, in seconds, is one nevertheless: the phone lies still
def patience: 0.1;

# readings further apart than this, in seconds, have a gap between them
def gap: 0.5;

# sensors have other names on every phone
def sensor(name; but):
  first(to_entries[] | select((.key | test(name; "i")) and (.key | test(but; "i") | not)) | .value.values[0:3]);

# time and six values; nothing as long as one of the two sensors has told nothing
def reading:
  (.t? // now) as $t
  | del(.t)
  | {$t, values: (sensor("accel"; "linear|uncalib") + sensor("gyro"; "uncalib"))}
  | select(.values | length == 6 and all(type == "number"));

def between($one; $other; $t):
  (($t - $one.t) / ($other.t - $one.t)) as $share
  | [$one.values, $other.values] | transpose | map(.[0] + (.[1] - .[0]) * $share);

def sample($t; $values):
  {$t, acc_x: $values[0], acc_y: $values[1], acc_z: $values[2],
   gyro_x: $values[3], gyro_y: $values[4], gyro_z: $values[5]};

# where this stands, and the samples that follow from a reading
def follow($now):
  if .last == null or $now.t <= .last.t or $now.t - .last.t > gap then {last: $now, samples: []}
  elif $now.values[0:3] == .last.values[0:3] and $now.t - .last.t < patience then .samples = []
  else .last as $last
    | {last: $now,
       samples: [range(($last.t * rate | floor) + 1; ($now.t * rate | floor) + 1) / rate
                 | sample(.; between($last; $now; .))]}
  end;

{class: "stream", rate_hz: rate,
 units: {acc_x: "m/s2", acc_y: "m/s2", acc_z: "m/s2", gyro_x: "rad/s", gyro_y: "rad/s", gyro_z: "rad/s"}},
(foreach (inputs | reading) as $now ({last: null, samples: []}; follow($now); .samples[]))
