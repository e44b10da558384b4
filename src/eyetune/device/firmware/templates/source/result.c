#include "result.h"

static uint32_t per_mille(int32_t value, float scale)
{
    const float rounded = (float)value * scale * 1000.0f + 0.5f;
    if (!(rounded > 0.0f)) {
        return 0;
    }
    return rounded < 1000.0f ? (uint32_t)rounded : 1000u;
}

Result read_result(const int8_t *scores, uint32_t num_classes, float scale, int32_t zero_point)
{
    uint32_t best = 0;
    for (uint32_t index = 1; index < num_classes; index++) {
        if (scores[index] > scores[best]) {
            best = index;
        }
    }
    const Result result = {best, per_mille((int32_t)scores[best] - zero_point, scale)};
    return result;
}
