/* From the scores of the network to the predicted class. Plain C99. */
#ifndef EYETUNE_RESULT_H
#define EYETUNE_RESULT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t class_index;           /* from 0, in the order of the labels */
    uint32_t confidence_per_mille;  /* 0 to 1000 */
} Result;

/* Returns the class with the highest score; the first one if there are several.
 *
 * A probability is (score - zero_point) * scale.
 */
Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point);

#ifdef __cplusplus
}
#endif

#endif
