/* From a frame of the camera to the image of the network. Plain C99, integers only. */
#ifndef EYETUNE_IMAGE_H
#define EYETUNE_IMAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A frame of the camera in RGB565: row by row, two bytes per pixel, the high byte first. */
typedef struct {
    const uint8_t *bytes;
    uint32_t width;
    uint32_t height;
} CameraFrame;

/* An image for the network: row by row, one value per channel (red, green, blue; or grayscale), each less 128. */
typedef struct {
    int8_t *values;
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 1 or 3 */
} NetworkImage;

/* How a frame becomes an image of another aspect ratio. */
typedef enum {
    RESIZE_CROP,   /* the largest part in the center of the frame that has the image's aspect ratio */
    RESIZE_PAD,    /* all of the frame with its aspect ratio; the rest of the image is black */
    RESIZE_SQUASH  /* all of the frame, without its aspect ratio */
} Resize;

/* Fills an image with a frame.
 *
 * Each value is the rounded mean of the area that it covers. A frame that is smaller than the image is enlarged. It
 * must have at most 4096 x 4096 pixels, since sums are kept in 32 bits.
 */
void fill_image(CameraFrame frame, NetworkImage image, Resize resize);

#ifdef __cplusplus
}
#endif

#endif
