// Classifies one camera frame after the other and prints the results.

#include "camera.h"
#include "classifier.h"
#include "prediction.h"
#include "self_test.h"

static bool ready = false;

void setup()
{
    Serial.begin(115200);
    // The network first: its arena needs a contiguous block of internal RAM.
    ready = classifier_start();
    if (ready) {
        static char text[FAULT_TEXT_BYTES];
        describe_faults(test_prediction(), text);
        Serial.printf("self-test: %s\n", text);
        ready = camera_start();
    }
    if (ready) {
        Serial.printf("arena: %u of %u bytes used\n", (unsigned)classifier_arena_used_bytes(),
                      (unsigned)classifier_arena_bytes());
    } else {
        Serial.println("Start failed. The log on the first serial port (UART 0, 115200 baud) shows the reason.");
    }
}

void loop()
{
    Prediction prediction = {};
    if (!ready) {
        delay(1000);
    } else if (predict_frame(&prediction)) {
        const unsigned confidence = prediction.result.confidence_per_mille;
        Serial.printf("%s %u.%u%% %u ms\n", prediction.label, confidence / 10, confidence % 10,
                      (unsigned)prediction.milliseconds);
    }
    delay(1);  // lets the idle task run, which resets the watchdog
}
