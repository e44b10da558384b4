#include "self_test.h"

#include <string.h>

/* Scores of different kernels may differ by rounding. */
#define MAX_SCORE_DIFFERENCE 16

/* An image whose values differ less was scaled to numbers around 0 and 1. */
#define MIN_VALUE_RANGE 2

typedef struct {
    uint32_t fault;
    const char *text;
} FaultText;

static const FaultText fault_texts[] = {
    {FAULT_RED_AND_BLUE, "red and blue are exchanged"},
    {FAULT_BYTE_ORDER, "the two bytes of an RGB565 pixel are read in the wrong order"},
    {FAULT_UPSIDE_DOWN, "the picture is upside down"},
    {FAULT_MIRRORED, "the picture is mirrored"},
    {FAULT_TRANSPOSED, "rows and columns are exchanged"},
    {FAULT_PLANES, "the channels lie one after the other, but should alternate"},
    {FAULT_OFFSET, "128 is not subtracted from the pixels, or twice"},
    {FAULT_SCALED_TWICE, "the pixels are scaled twice: the network takes bytes less 128"},
    {FAULT_OTHER_IMAGE, "the image is not the one of the training; compare image.c and settings.h with the export"},
    {FAULT_OTHER_MODEL, "wrong model: model_data.c is not from this export"},
    {FAULT_OTHER_ANSWER, "the network gives another answer than on a computer; check the version of its kernels"},
};

uint32_t checksum_of(const void *bytes, size_t num_bytes)
{
    static const uint32_t by_half_byte[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
    };
    const uint8_t *values = (const uint8_t *)bytes;
    uint32_t checksum = 0xffffffffu;
    for (size_t index = 0; index < num_bytes; index++) {
        checksum ^= values[index];
        checksum = checksum >> 4 ^ by_half_byte[checksum & 15u];
        checksum = checksum >> 4 ^ by_half_byte[checksum & 15u];
    }
    return ~checksum;
}

static int is_scaled_twice(const int8_t *values, size_t num_values)
{
    int8_t lowest = values[0];
    int8_t highest = values[0];
    for (size_t index = 1; index < num_values; index++) {
        lowest = values[index] < lowest ? values[index] : lowest;
        highest = values[index] > highest ? values[index] : highest;
    }
    return highest - lowest < MIN_VALUE_RANGE;
}

uint32_t faults_of_image(const GoldenPicture *golden, NetworkImage image)
{
    const size_t num_values = (size_t)image.height * image.width * image.channels;
    const uint32_t checksum = checksum_of(image.values, num_values);
    if (checksum == golden->image_checksum) {
        return 0;
    }
    for (uint32_t index = 0; index < golden->num_known_faults; index++) {
        if (checksum == golden->known_faults[index].checksum) {
            return golden->known_faults[index].faults;
        }
    }
    return is_scaled_twice(image.values, num_values) ? FAULT_SCALED_TWICE : FAULT_OTHER_IMAGE;
}

uint32_t faults_of_model(const GoldenPicture *golden, const void *model, size_t model_bytes)
{
    return checksum_of(model, model_bytes) == golden->model_checksum ? 0 : FAULT_OTHER_MODEL;
}

uint32_t faults_of_answer(const GoldenPicture *golden, const int8_t *scores, uint32_t num_classes)
{
    for (uint32_t index = 0; index < num_classes; index++) {
        if (scores[index] - scores[golden->class_index] > MAX_SCORE_DIFFERENCE) {
            return FAULT_OTHER_ANSWER;
        }
    }
    return 0;
}

static void append(char *text, const char *more)
{
    const size_t length = strlen(text);
    const size_t room = FAULT_TEXT_BYTES - 1 - length;
    const size_t num_bytes = strlen(more) < room ? strlen(more) : room;
    memcpy(text + length, more, num_bytes);
    text[length + num_bytes] = '\0';
}

void describe_faults(uint32_t faults, char *text)
{
    const char *separator = "FAIL: ";
    text[0] = '\0';
    if (faults == 0) {
        append(text, "PASS");
    }
    for (size_t index = 0; index < sizeof(fault_texts) / sizeof(fault_texts[0]); index++) {
        if (faults & fault_texts[index].fault) {
            append(text, separator);
            append(text, fault_texts[index].text);
            separator = "; ";
        }
    }
}
