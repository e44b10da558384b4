/* The network, run by TensorFlow Lite Micro. */
#ifndef EYETUNE_CLASSIFIER_H
#define EYETUNE_CLASSIFIER_H

#include <cstddef>
#include <cstdint>

/* Prepares the network. Returns false after a failure, which is logged. */
bool classifier_start();

/* Returns the memory for the next image. */
int8_t *classifier_input();

/* Classifies that image. Returns the scores of all classes, or nullptr after a failure. */
const int8_t *classifier_run();

/* Size of the tensor arena, and how much of it is in use. */
size_t classifier_arena_bytes();
size_t classifier_arena_used_bytes();

#endif
