// Looks through the camera, asks the network and prints its answer, again and again.

#include "camera.h"
#include "classifier.h"
#include "labels.h"
#include "look.h"

static bool ready = false;

void setup()
{
    Serial.begin(115200);
    // The network first: its arena needs one piece of internal RAM.
    ready = classifier_start() && camera_start();
    if (ready) {
        Serial.printf("arena: %u of %u bytes used\n", (unsigned)classifier_arena_used_bytes(),
                      (unsigned)classifier_arena_bytes());
    } else {
        Serial.println("It did not start; the log on the first serial port (UART 0, 115200) says why.");
    }
}

void loop()
{
    Sighting sighting = {};
    if (!ready) {
        delay(1000);
    } else if (look(&sighting)) {
        const unsigned confidence = sighting.result.confidence_per_mille;
        Serial.printf("%s %u.%u%% %u ms\n", labels[sighting.result.class_number], confidence / 10, confidence % 10,
                      (unsigned)sighting.milliseconds);
    }
    delay(1);  // lets the idle task run, which the watchdog waits for
}
