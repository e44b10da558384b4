/* The classification of one camera frame. */
#ifndef EYETUNE_PREDICTION_H
#define EYETUNE_PREDICTION_H

#include <cstdint>

#include "result.h"

struct Prediction {
    Result result;
    const char *label;     /* name of the class */
    uint32_t milliseconds; /* time that the network took */
};

/* Classifies the golden picture. Returns the likely faults of the firmware; see self_test.h. */
uint32_t test_prediction();

/* Captures a frame and classifies it. Returns false after a failure, which is logged. */
bool predict_frame(Prediction *prediction);

#endif
