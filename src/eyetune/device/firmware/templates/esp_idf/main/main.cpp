/* Classifies one camera frame after the other and prints the results. */
#include <cinttypes>
#include <cstdio>

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "camera.h"
#include "classifier.h"
#include "prediction.h"
#include "self_test.h"

extern "C" void app_main()
{
    /* The network first: its arena needs a contiguous block of internal RAM. */
    if (!classifier_start()) {
        return;
    }
    static char text[FAULT_TEXT_BYTES];
    describe_faults(test_prediction(), text);
    printf("self-test: %s\n", text);
    if (!camera_start()) {
        return;
    }
    printf("arena: %u of %u bytes used\n", (unsigned)classifier_arena_used_bytes(), (unsigned)classifier_arena_bytes());
    while (true) {
        Prediction prediction = {};
        if (predict_frame(&prediction)) {
            const uint32_t confidence = prediction.result.confidence_per_mille;
            printf("%s %" PRIu32 ".%" PRIu32 "%% %" PRIu32 " ms\n", prediction.label, confidence / 10, confidence % 10,
                   prediction.milliseconds);
        }
        vTaskDelay(1); /* lets the idle task run, which resets the watchdog */
    }
}
