#include "prediction.h"

#include <cinttypes>

#include "esp_camera.h"
#include "esp_log.h"
#include "esp_timer.h"

#include "classifier.h"
#include "image.h"
#include "labels.h"
#include "settings.h"

namespace {

constexpr char kTag[] = "prediction";

bool is_complete(const camera_fb_t *frame)
{
    return frame->format == PIXFORMAT_RGB565 && frame->len >= 2 * frame->width * frame->height
        && frame->width >= IMAGE_WIDTH && frame->height >= IMAGE_HEIGHT;
}

/* Puts the next frame into the network's input. */
bool capture_image()
{
    camera_fb_t *frame = esp_camera_fb_get();
    if (frame == nullptr) {
        ESP_LOGE(kTag, "The camera did not return a frame.");
        return false;
    }
    const bool complete = is_complete(frame);
    if (complete) {
        const CameraFrame source = {frame->buf, (uint32_t)frame->width, (uint32_t)frame->height};
        const NetworkImage image = {classifier_input(), IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_CHANNELS};
        fill_image(source, image);
    } else {
        ESP_LOGE(kTag, "The camera returned an incomplete frame of %u bytes.", (unsigned)frame->len);
    }
    esp_camera_fb_return(frame);
    return complete;
}

}  // namespace

bool predict_frame(Prediction *prediction)
{
    if (!capture_image()) {
        return false;
    }
    const int64_t start_microseconds = esp_timer_get_time();
    const int8_t *scores = classifier_run();
    const int64_t microseconds = esp_timer_get_time() - start_microseconds;
    if (scores == nullptr) {
        return false;
    }
    prediction->result = read_result(scores, NUM_CLASSES, OUTPUT_SCALE, OUTPUT_ZERO_POINT);
    prediction->milliseconds = (uint32_t)((microseconds + 500) / 1000);
    return true;
}
