/* The board's camera. */
#ifndef EYETUNE_CAMERA_H
#define EYETUNE_CAMERA_H

/* Start it. False: it did not start, and the log says why. */
bool camera_start();

#endif
