/* The board's camera. */
#ifndef EYETUNE_CAMERA_H
#define EYETUNE_CAMERA_H

/* Starts the camera. Returns false after a failure, which is logged. */
bool camera_start();

#endif
