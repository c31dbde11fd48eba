// An MPU-6050 on an ESP32 or an Arduino, printed as a stream that gaitd reads from the serial port:
//
//   stty -F /dev/ttyUSB0 115200 raw -echo && gaitd run serial.json
//
// A header may come again at any time and costs nothing. This one comes every two seconds, so that gaitd can begin at any line.

#include <Wire.h>

const uint8_t SENSOR = 0x68;            // 0x69 where AD0 is high
const unsigned long PERIOD_MS = 20;     // 50 samples a second
const float COUNTS_PER_G = 16384, COUNTS_PER_DEG_S = 131;

unsigned long next_ms;
unsigned long samples = 0;

void set(uint8_t reg, uint8_t value) {
  Wire.beginTransmission(SENSOR);
  Wire.write(reg);
  Wire.write(value);
  Wire.endTransmission();
}

int16_t word() {
  uint16_t high = Wire.read(), low = Wire.read();
  return (int16_t)(high << 8 | low);
}

void setup() {
  Serial.begin(115200);
  Wire.begin();
  Wire.setClock(400000);
  set(0x6B, 0);  // awake
  set(0x1A, 3);  // low pass at 44 Hz, so that little folds back at 50 samples a second
  next_ms = millis();
}

void loop() {
  if ((long)(millis() - next_ms) < 0) return;
  next_ms += PERIOD_MS;
  if (samples++ % 100 == 0) {
    Serial.println("t_ms,acc_x [g],acc_y [g],acc_z [g],gyro_x [deg/s],gyro_y [deg/s],gyro_z [deg/s]");
  }
  Wire.beginTransmission(SENSOR);
  Wire.write(0x3B);
  Wire.endTransmission(false);
  Wire.requestFrom(SENSOR, (uint8_t)14);
  // starts at 0 again after 49 days, which gaitd takes for a clock that was set back
  Serial.print(millis());
  for (int value = 0; value < 7; value++) {
    int16_t counts = word();
    if (value == 3) continue;  // the temperature
    Serial.print(',');
    Serial.print(counts / (value < 3 ? COUNTS_PER_G : COUNTS_PER_DEG_S), 4);
  }
  Serial.println();
}
