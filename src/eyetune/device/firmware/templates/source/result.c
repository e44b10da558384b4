#include "result.h"

static uint32_t per_mille(int32_t value, float scale)
{
    const float rounded = (float)value * scale * 1000.0f + 0.5f;
    if (!(rounded > 0.0f)) {
        return 0;
    }
    return rounded < 1000.0f ? (uint32_t)rounded : 1000u;
}

static uint32_t best_class(const int8_t *scores, uint32_t num_classes)
{
    uint32_t best = 0;
    for (uint32_t index = 1; index < num_classes; index++) {
        if (scores[index] > scores[best]) {
            best = index;
        }
    }
    return best;
}

Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point)
{
    const uint32_t best = best_class(scores, num_classes);
    const Result result = {best, per_mille((int32_t)scores[best] - zero_point, scale)};
    return result;
}

Result read_known_result(const int8_t *scores, uint32_t num_classes, const UnknownRule *rule)
{
    const uint32_t best = best_class(scores, num_classes);
    const int32_t highest = rule->scores_are_logits ? (int32_t)scores[best] : INT8_MAX;
    uint64_t sum = 0;
    for (uint32_t index = 0; index < num_classes; index++) {
        sum += rule->weights[highest - (int32_t)scores[index]];
    }
    const uint64_t weight = rule->weights[highest - (int32_t)scores[best]];
    const uint64_t confidence = weight * FULL_CONFIDENCE / sum;
    const Result result = {
        confidence < rule->threshold ? UNKNOWN_CLASS : best,
        (uint32_t)((confidence * 1000 + FULL_CONFIDENCE / 2) / FULL_CONFIDENCE),
    };
    return result;
}

/* Returns the number of frames that gave an answer, and adds up their confidence. */
static uint32_t votes_for(const Vote *vote, uint32_t class_index, uint32_t *confidence)
{
    uint32_t num_votes = 0;
    for (uint32_t index = 0; index < vote->num_frames; index++) {
        if (vote->results[index].class_index == class_index) {
            num_votes++;
            *confidence += vote->results[index].confidence_per_mille;
        }
    }
    return num_votes;
}

Result vote_over_frames(Vote *vote, uint32_t num_voting, Result latest)
{
    vote->results[vote->next] = latest;
    vote->next = (vote->next + 1) % num_voting;
    if (vote->num_frames < num_voting) {
        vote->num_frames++;
    }
    uint32_t total = 0;
    for (uint32_t index = 0; index < vote->num_frames; index++) {
        const uint32_t class_index = vote->results[index].class_index;
        uint32_t confidence = 0;
        const uint32_t num_votes = votes_for(vote, class_index, &confidence);
        if (2 * num_votes > vote->num_frames) {
            const Result winner = {class_index, (confidence + num_votes / 2) / num_votes};
            return winner;
        }
        total += vote->results[index].confidence_per_mille;
    }
    const Result none = {UNKNOWN_CLASS, (total + vote->num_frames / 2) / vote->num_frames};
    return none;
}
