/* From what the network gives to an answer. Plain C99. */
#ifndef EYETUNE_RESULT_H
#define EYETUNE_RESULT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t class_number;          /* from 0, in the order of the labels */
    uint32_t confidence_per_mille;  /* 0 to 1000 */
} Result;

/* Read the class with the highest score, of several the first. A probability is (score - zero_point) * scale. */
Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point);

#ifdef __cplusplus
}
#endif

#endif
