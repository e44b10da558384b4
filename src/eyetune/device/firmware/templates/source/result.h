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

/* The class of a picture that the network is not sure about, as a class index. */
#define UNKNOWN_CLASS UINT32_MAX

/* The largest number of frames in a vote. */
#define MAX_VOTE_FRAMES 32

/* Confidence 1 as an integer. */
#define FULL_CONFIDENCE (1u << 24)

/* How scores become a confidence, and below which one a picture is unknown.
 *
 * Each score has a weight, and the confidence is the weight of the highest score divided by the sum of all weights.
 * Integers only: the same scores give the same answer on every computer.
 */
typedef struct {
    const uint32_t *weights;    /* 256 of them, at most FULL_CONFIDENCE; that of the highest score is above 0 */
    int32_t scores_are_logits;  /* 1: a weight belongs to the difference from the highest score; 0: from 127 */
    uint32_t threshold;         /* 0 to FULL_CONFIDENCE */
} UnknownRule;

/* The answers for the last frames. All zeros at the start. */
typedef struct {
    Result results[MAX_VOTE_FRAMES];
    uint32_t num_frames;
    uint32_t next;
} Vote;

/* Returns the class with the highest score; the first one if there are several.
 *
 * A probability is (score - zero_point) * scale.
 */
Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point);

/* Returns the same class, or UNKNOWN_CLASS if its confidence is below the threshold of a rule. */
Result read_known_result(const int8_t *scores, uint32_t num_classes, const UnknownRule *rule);

/* Returns the answer that more than half of the last frames gave, or else UNKNOWN_CLASS.
 *
 * Its confidence is the mean of these frames; of all of them if there is no majority. `num_voting` is the number of
 * frames that vote, once there have been enough: 1 to MAX_VOTE_FRAMES, always the same.
 */
Result vote_over_frames(Vote *vote, uint32_t num_voting, Result latest);

#ifdef __cplusplus
}
#endif

#endif
