#include "camera.h"

#include <cstdint>
#include <initializer_list>

#include "driver/gpio.h"
#include "esp_camera.h"
#include "esp_err.h"
#include "esp_log.h"

#include "board.h"
#include "settings.h"

namespace {

constexpr char kTag[] = "camera";

void pull_up(int pin)
{
    gpio_config_t config = {};
    config.pin_bit_mask = UINT64_C(1) << pin;
    config.mode = GPIO_MODE_INPUT;
    config.pull_up_en = GPIO_PULLUP_ENABLE;
    config.intr_type = GPIO_INTR_DISABLE;
    ESP_ERROR_CHECK(gpio_config(&config));
}

camera_config_t configuration()
{
    camera_config_t config = {};
    config.pin_pwdn = CAMERA_PIN_PWDN;
    config.pin_reset = CAMERA_PIN_RESET;
    config.pin_xclk = CAMERA_PIN_XCLK;
    config.pin_sccb_sda = CAMERA_PIN_SDA;
    config.pin_sccb_scl = CAMERA_PIN_SCL;
    config.pin_d0 = CAMERA_PIN_D0;
    config.pin_d1 = CAMERA_PIN_D1;
    config.pin_d2 = CAMERA_PIN_D2;
    config.pin_d3 = CAMERA_PIN_D3;
    config.pin_d4 = CAMERA_PIN_D4;
    config.pin_d5 = CAMERA_PIN_D5;
    config.pin_d6 = CAMERA_PIN_D6;
    config.pin_d7 = CAMERA_PIN_D7;
    config.pin_vsync = CAMERA_PIN_VSYNC;
    config.pin_href = CAMERA_PIN_HREF;
    config.pin_pclk = CAMERA_PIN_PCLK;
    config.xclk_freq_hz = CAMERA_XCLK_HZ;
    config.ledc_timer = LEDC_TIMER_0;
    config.ledc_channel = LEDC_CHANNEL_0;
    config.pixel_format = PIXFORMAT_RGB565;
    config.frame_size = FRAME_SIZE;
    config.fb_count = 1; /* with more, the driver captures continuously and uses memory bandwidth */
    config.fb_location = HAS_PSRAM ? CAMERA_FB_IN_PSRAM : CAMERA_FB_IN_DRAM;
    config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
    return config;
}

}  // namespace

bool camera_start()
{
    for (const int pin : std::initializer_list<int>{CAMERA_PULL_UPS}) {
        pull_up(pin);
    }
    const camera_config_t config = configuration();
    const esp_err_t error = esp_camera_init(&config);
    if (error != ESP_OK) {
        ESP_LOGE(kTag, "The camera did not start: %s. Check its cable and the pins in board.h.",
                 esp_err_to_name(error));
        return false;
    }
    if (CAMERA_FLIP_VERTICALLY) {
        sensor_t *sensor = esp_camera_sensor_get();
        sensor->set_vflip(sensor, 1);
    }
    return true;
}
