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

/* Captures a frame and classifies it. Returns false after a failure, which is logged. */
bool predict_frame(Prediction *prediction);

#endif
