#include "result.h"

static uint32_t per_mille(int32_t steps, float scale)
{
    const float rounded = (float)steps * scale * 1000.0f + 0.5f;
    if (!(rounded > 0.0f)) {
        return 0;
    }
    return rounded < 1000.0f ? (uint32_t)rounded : 1000u;
}

Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point)
{
    uint32_t best = 0;
    for (uint32_t number = 1; number < num_classes; number++) {
        if (scores[number] > scores[best]) {
            best = number;
        }
    }
    const Result result = {best, per_mille((int32_t)scores[best] - zero_point, scale)};
    return result;
}
