/* One look through the camera. */
#ifndef EYETUNE_LOOK_H
#define EYETUNE_LOOK_H

#include <cstdint>

#include "result.h"

struct Sighting {
    Result result;
    uint32_t milliseconds; /* that the network took */
};

/* Take a picture and say what is in it. False: that failed, and the log says why. */
bool look(Sighting *sighting);

#endif
