#include "image.h"

#include <stddef.h>

typedef struct {
    uint32_t left;
    uint32_t top;
    uint32_t width;
    uint32_t height;
} Crop;

typedef struct {
    uint32_t red;
    uint32_t green;
    uint32_t blue;
} Color;

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Returns the largest crop in the center of a frame that has the aspect ratio of an image. */
static Crop center_crop(CameraFrame frame, NetworkImage image)
{
    Crop crop = {0, 0, frame.width, frame.height};
    if (frame.width * image.height >= frame.height * image.width) {
        crop.width = frame.height * image.width / image.height;
    } else {
        crop.height = frame.width * image.height / image.width;
    }
    crop.left = (frame.width - crop.width) / 2;
    crop.top = (frame.height - crop.height) / 2;
    return crop;
}

/* Returns the overlap of a pixel with a value, along an axis on which `length` pixels become `size` values.
 *
 * In units in which a pixel is `size` long and a value is `length` long, nothing has to be rounded. The two must
 * overlap. */
static uint32_t overlap(uint32_t pixel, uint32_t value, uint32_t length, uint32_t size)
{
    const uint32_t start = max_of(pixel * size, value * length);
    const uint32_t end = min_of((pixel + 1) * size, (value + 1) * length);
    return end - start;
}

static uint32_t first_pixel(uint32_t value, uint32_t length, uint32_t size)
{
    return value * length / size;
}

static uint32_t last_pixel(uint32_t value, uint32_t length, uint32_t size)
{
    return ((value + 1) * length - 1) / size;
}

/* Returns the mean color of the area that a pixel of the image covers. */
static Color mean_color(CameraFrame frame, Crop crop, NetworkImage image, uint32_t row, uint32_t column)
{
    const uint32_t area = crop.width * crop.height;
    const uint32_t last_y = last_pixel(row, crop.height, image.height);
    const uint32_t last_x = last_pixel(column, crop.width, image.width);
    Color sum = {area / 2, area / 2, area / 2}; /* for rounding */

    for (uint32_t y = first_pixel(row, crop.height, image.height); y <= last_y; y++) {
        const uint32_t row_overlap = overlap(y, row, crop.height, image.height);
        const uint8_t *pixels = frame.bytes + 2 * ((size_t)(crop.top + y) * frame.width + crop.left);

        for (uint32_t x = first_pixel(column, crop.width, image.width); x <= last_x; x++) {
            const uint32_t weight = row_overlap * overlap(x, column, crop.width, image.width);
            const uint32_t high = pixels[2 * x];
            const uint32_t low = pixels[2 * x + 1];
            sum.red += weight * (high & 0xF8u);
            sum.green += weight * ((high & 0x07u) << 5 | (low & 0xE0u) >> 3);
            sum.blue += weight * ((low & 0x1Fu) << 3);
        }
    }
    sum.red /= area;
    sum.green /= area;
    sum.blue /= area;
    return sum;
}

/* Returns grayscale by ITU-R BT.601 with 16 fractional bits, as for the training images. */
static uint32_t grayscale(Color color)
{
    return (color.red * 19595u + color.green * 38470u + color.blue * 7471u + 0x8000u) >> 16;
}

static int8_t less_128(uint32_t value)
{
    return (int8_t)((int32_t)value - 128);
}

void fill_image(CameraFrame frame, NetworkImage image)
{
    const Crop crop = center_crop(frame, image);
    int8_t *values = image.values;

    for (uint32_t row = 0; row < image.height; row++) {
        for (uint32_t column = 0; column < image.width; column++) {
            const Color color = mean_color(frame, crop, image, row, column);
            if (image.channels == 1) {
                *values++ = less_128(grayscale(color));
            } else {
                *values++ = less_128(color.red);
                *values++ = less_128(color.green);
                *values++ = less_128(color.blue);
            }
        }
    }
}
