#include "image.h"

#include <stddef.h>

typedef struct {
    uint32_t left;
    uint32_t top;
    uint32_t width;
    uint32_t height;
} Area;

/* Which part of the frame becomes which part of the image. */
typedef struct {
    Area source;
    Area target;
} Placement;

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

/* Returns the rectangle of a size, at least one pixel, in the center of another one. */
static Area centered(uint32_t width, uint32_t height, Area whole)
{
    Area area = {0, 0, max_of(width, 1), max_of(height, 1)};
    area.left = (whole.width - area.width) / 2;
    area.top = (whole.height - area.height) / 2;
    return area;
}

/* Returns a quotient, rounded half up. */
static uint32_t rounded(uint32_t numerator, uint32_t denominator)
{
    return (2 * numerator + denominator) / (2 * denominator);
}

/* Returns the largest part in the center of a frame that has the aspect ratio of an image. */
static Area cropped(Area frame, Area image)
{
    if (frame.width * image.height >= frame.height * image.width) {
        return centered(frame.height * image.width / image.height, frame.height, frame);
    }
    return centered(frame.width, frame.width * image.height / image.width, frame);
}

/* Returns the part in the center of an image that a whole frame fills. */
static Area padded(Area frame, Area image)
{
    if (frame.width * image.height >= frame.height * image.width) {
        const uint32_t height = rounded(frame.height * image.width, frame.width);
        return centered(image.width, height, image);
    }
    const uint32_t width = rounded(frame.width * image.height, frame.height);
    return centered(width, image.height, image);
}

static Placement placement(CameraFrame frame, NetworkImage image, Resize resize)
{
    const Area whole_frame = {0, 0, frame.width, frame.height};
    const Area whole_image = {0, 0, image.width, image.height};
    Placement place = {whole_frame, whole_image};
    if (resize == RESIZE_CROP) {
        place.source = cropped(whole_frame, whole_image);
    } else if (resize == RESIZE_PAD) {
        place.target = padded(whole_frame, whole_image);
    }
    return place;
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

/* Returns the mean color of the area that a pixel of the target covers. */
static Color mean_color(CameraFrame frame, Placement place, uint32_t row, uint32_t column)
{
    const Area source = place.source;
    const uint32_t area = source.width * source.height;
    const uint32_t last_y = last_pixel(row, source.height, place.target.height);
    const uint32_t last_x = last_pixel(column, source.width, place.target.width);
    Color sum = {area / 2, area / 2, area / 2}; /* for rounding */

    for (uint32_t y = first_pixel(row, source.height, place.target.height); y <= last_y; y++) {
        const uint32_t row_overlap = overlap(y, row, source.height, place.target.height);
        const uint8_t *pixels = frame.bytes + 2 * ((size_t)(source.top + y) * frame.width + source.left);

        for (uint32_t x = first_pixel(column, source.width, place.target.width); x <= last_x; x++) {
            const uint32_t weight = row_overlap * overlap(x, column, source.width, place.target.width);
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

/* Returns the color of a pixel of the image: black outside of the target. */
static Color color_at(CameraFrame frame, Placement place, uint32_t row, uint32_t column)
{
    const Area target = place.target;
    if (row < target.top || row >= target.top + target.height
        || column < target.left || column >= target.left + target.width) {
        const Color black = {0, 0, 0};
        return black;
    }
    return mean_color(frame, place, row - target.top, column - target.left);
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

void fill_image(CameraFrame frame, NetworkImage image, Resize resize)
{
    const Placement place = placement(frame, image, resize);
    int8_t *values = image.values;

    for (uint32_t row = 0; row < image.height; row++) {
        for (uint32_t column = 0; column < image.width; column++) {
            const Color color = color_at(frame, place, row, column);
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
