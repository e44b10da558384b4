/* From what the camera gives to what the network takes. Plain C99, whole numbers only. */
#ifndef EYETUNE_IMAGE_H
#define EYETUNE_IMAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A picture of the camera in RGB565: row by row, two bytes a pixel, the high one first. */
typedef struct {
    const uint8_t *bytes;
    uint32_t width;
    uint32_t height;
} CameraPicture;

/* An image for the network: row by row, a value a channel (red, green, blue; or gray), each less 128. */
typedef struct {
    int8_t *values;
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 1 or 3 */
} NetworkImage;

/* Fill an image with the middle of a picture, as much of it as has the image's proportions.
 *
 * A value is the mean of the area that it stands for, rounded. The picture must be at least as wide and as high as
 * the image, and have at most 4096 x 4096 pixels: sums are kept in 32 bits.
 */
void fill_image(CameraPicture picture, NetworkImage image);

#ifdef __cplusplus
}
#endif

#endif
