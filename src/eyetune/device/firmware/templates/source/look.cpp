#include "look.h"

#include <cinttypes>

#include "esp_camera.h"
#include "esp_log.h"
#include "esp_timer.h"

#include "classifier.h"
#include "image.h"
#include "labels.h"
#include "settings.h"

namespace {

constexpr char kTag[] = "look";

bool is_whole(const camera_fb_t *frame)
{
    return frame->format == PIXFORMAT_RGB565 && frame->len >= 2 * frame->width * frame->height
        && frame->width >= IMAGE_WIDTH && frame->height >= IMAGE_HEIGHT;
}

/* Put the next picture into the network's input. */
bool take_image()
{
    camera_fb_t *frame = esp_camera_fb_get();
    if (frame == nullptr) {
        ESP_LOGE(kTag, "The camera gave no picture.");
        return false;
    }
    const bool whole = is_whole(frame);
    if (whole) {
        const CameraPicture picture = {frame->buf, (uint32_t)frame->width, (uint32_t)frame->height};
        const NetworkImage image = {classifier_input(), IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_CHANNELS};
        fill_image(picture, image);
    } else {
        ESP_LOGE(kTag, "The camera gave a broken picture of %u bytes.", (unsigned)frame->len);
    }
    esp_camera_fb_return(frame);
    return whole;
}

}  // namespace

bool look(Sighting *sighting)
{
    if (!take_image()) {
        return false;
    }
    const int64_t start_microseconds = esp_timer_get_time();
    const int8_t *scores = classifier_run();
    const int64_t microseconds = esp_timer_get_time() - start_microseconds;
    if (scores == nullptr) {
        return false;
    }
    sighting->result = read_result(scores, NUM_CLASSES, OUTPUT_SCALE, OUTPUT_ZERO_POINT);
    sighting->milliseconds = (uint32_t)((microseconds + 500) / 1000);
    return true;
}
