/* The network as a TensorFlow Lite file. It is read from flash. */
#ifndef EYETUNE_MODEL_DATA_H
#define EYETUNE_MODEL_DATA_H

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char model_data[]; /* aligned to 16 bytes */
extern const unsigned int model_data_bytes;

#ifdef __cplusplus
}
#endif

#endif
