/* The network, run by TensorFlow Lite Micro. */
#ifndef EYETUNE_CLASSIFIER_H
#define EYETUNE_CLASSIFIER_H

#include <cstddef>
#include <cstdint>

/* Get ready to run it. False: that failed, and the log says why. */
bool classifier_start();

/* Where the next image is to be put. */
int8_t *classifier_input();

/* Run it on that image. Returns the scores of all classes, or nullptr where it failed. */
const int8_t *classifier_run();

/* How much memory it was given, and how much of that it uses. */
size_t classifier_arena_bytes();
size_t classifier_arena_used_bytes();

#endif
