/* A test of the firmware with a picture whose image and answer are known. Plain C99. */
#ifndef EYETUNE_SELF_TEST_H
#define EYETUNE_SELF_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What can be wrong. Several faults are a sum; 0 is none. */
#define FAULT_RED_AND_BLUE 1u
#define FAULT_BYTE_ORDER 2u
#define FAULT_UPSIDE_DOWN 4u
#define FAULT_MIRRORED 8u
#define FAULT_TRANSPOSED 16u
#define FAULT_PLANES 32u
#define FAULT_OFFSET 64u
#define FAULT_SCALED_TWICE 128u
#define FAULT_OTHER_IMAGE 256u /* none of the above */
#define FAULT_OTHER_MODEL 512u
#define FAULT_OTHER_ANSWER 1024u

/* Size of a buffer for the text of faults; a longer text is cut. */
#define FAULT_TEXT_BYTES 512

typedef struct {
    uint32_t checksum; /* of the image that these faults would make of the golden picture */
    uint32_t faults;
} KnownFault;

/* A small picture, made of a training image, and what should become of it. */
typedef struct {
    CameraFrame frame;
    uint32_t image_checksum;
    const KnownFault *known_faults;
    uint32_t num_known_faults;
    uint32_t model_checksum;
    uint32_t class_index;
} GoldenPicture;

extern const GoldenPicture golden_picture; /* in golden.c */

/* Returns the CRC-32 of some bytes, as zlib computes it. */
uint32_t checksum_of(const void *bytes, size_t num_bytes);

/* Returns the likely faults of the image that the firmware made of the golden picture. */
uint32_t faults_of_image(const GoldenPicture *golden, NetworkImage image);

/* Returns whether the network in flash is another one than at the export. */
uint32_t faults_of_model(const GoldenPicture *golden, const void *model, size_t model_bytes);

/* Returns whether the network gives another answer than on a computer, by more than rounding. */
uint32_t faults_of_answer(const GoldenPicture *golden, const int8_t *scores, uint32_t num_classes);

/* Writes "PASS", or "FAIL" with the likely faults. `text` has FAULT_TEXT_BYTES bytes. */
void describe_faults(uint32_t faults, char *text);

#ifdef __cplusplus
}
#endif

#endif
