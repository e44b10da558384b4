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
} Colour;

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

/* The largest part of a picture that has the proportions of an image, in the middle. */
static Crop middle(CameraPicture picture, NetworkImage image)
{
    Crop crop = {0, 0, picture.width, picture.height};
    if (picture.width * image.height >= picture.height * image.width) {
        crop.width = picture.height * image.width / image.height;
    } else {
        crop.height = picture.width * image.height / image.width;
    }
    crop.left = (picture.width - crop.width) / 2;
    crop.top = (picture.height - crop.height) / 2;
    return crop;
}

/* Along one axis, `length` pixels become `size` values. How much of a pixel lies in a value that it has a part in:
 * where a pixel is `size` long, a value is `length` long, and nothing has to be rounded. */
static uint32_t share(uint32_t pixel, uint32_t value, uint32_t length, uint32_t size)
{
    const uint32_t start = larger(pixel * size, value * length);
    const uint32_t end = smaller((pixel + 1) * size, (value + 1) * length);
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

/* The mean colour of the area that a pixel of the image stands for. */
static Colour mean_colour(CameraPicture picture, Crop crop, NetworkImage image, uint32_t row, uint32_t column)
{
    const uint32_t area = crop.width * crop.height;
    const uint32_t last_y = last_pixel(row, crop.height, image.height);
    const uint32_t last_x = last_pixel(column, crop.width, image.width);
    Colour sum = {area / 2, area / 2, area / 2}; /* so that the division rounds */

    for (uint32_t y = first_pixel(row, crop.height, image.height); y <= last_y; y++) {
        const uint32_t row_share = share(y, row, crop.height, image.height);
        const uint8_t *pixels = picture.bytes + 2 * ((size_t)(crop.top + y) * picture.width + crop.left);

        for (uint32_t x = first_pixel(column, crop.width, image.width); x <= last_x; x++) {
            const uint32_t weight = row_share * share(x, column, crop.width, image.width);
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

/* Gray as the training images were made gray: by ITU-R BT.601, in 16 bits behind the point. */
static uint32_t gray(Colour colour)
{
    return (colour.red * 19595u + colour.green * 38470u + colour.blue * 7471u + 0x8000u) >> 16;
}

static int8_t less_128(uint32_t value)
{
    return (int8_t)((int32_t)value - 128);
}

void fill_image(CameraPicture picture, NetworkImage image)
{
    const Crop crop = middle(picture, image);
    int8_t *values = image.values;

    for (uint32_t row = 0; row < image.height; row++) {
        for (uint32_t column = 0; column < image.width; column++) {
            const Colour colour = mean_colour(picture, crop, image, row, column);
            if (image.channels == 1) {
                *values++ = less_128(gray(colour));
            } else {
                *values++ = less_128(colour.red);
                *values++ = less_128(colour.green);
                *values++ = less_128(colour.blue);
            }
        }
    }
}
