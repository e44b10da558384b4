/* Looks through the camera, asks the network and prints its answer, again and again. */
#include <cinttypes>
#include <cstdio>

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "camera.h"
#include "classifier.h"
#include "labels.h"
#include "look.h"

extern "C" void app_main()
{
    /* The network first: its arena needs one piece of internal RAM. */
    if (!classifier_start() || !camera_start()) {
        return;
    }
    printf("arena: %u of %u bytes used\n", (unsigned)classifier_arena_used_bytes(), (unsigned)classifier_arena_bytes());
    while (true) {
        Sighting sighting = {};
        if (look(&sighting)) {
            const uint32_t confidence = sighting.result.confidence_per_mille;
            printf("%s %" PRIu32 ".%" PRIu32 "%% %" PRIu32 " ms\n", labels[sighting.result.class_number],
                   confidence / 10, confidence % 10, sighting.milliseconds);
        }
        vTaskDelay(1); /* lets the idle task run, which the watchdog waits for */
    }
}
