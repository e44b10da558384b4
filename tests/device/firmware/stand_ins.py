"""A network and stand-ins for the headers of ESP-IDF, to compile and run firmware on a computer."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, boards, load_board
from eyetune.device.firmware import FirmwareModel, golden_picture
from eyetune.recipe import Resize
from eyetune.testing.datasets import tiny_images

GCC, GXX = shutil.which("gcc"), shutil.which("g++")
needs_gcc = pytest.mark.skipif(
    GCC is None or GXX is None, reason="gcc and g++ compile the firmware for this computer"
)
WARNINGS = ("-Wall", "-Wextra", "-Werror")
_SANITIZERS = (
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-ftrivial-auto-var-init=pattern",
)
CAMERA_BOARDS = [board for board in boards() if board.chip and board.camera]
EYE = load_board("esp-eye")


def first_values(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the scores that the stand-in for the interpreter gives to images."""
    values = pixels.reshape(len(pixels), -1)[:, :3].astype(np.int16) - 128
    return values.astype(np.int8)


MODEL = FirmwareModel(
    content=b"\x1c\0\0\0TFL3" + bytes(range(256)) * 3,
    title="run 3f2a1b4c of eyetune",
    image_shape=(32, 32, 3),
    class_names=("airplane", "cat", "dog"),
    operators=("CONV_2D", "MAX_POOL_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"),
    arena_bytes=40_001,
    output_scale=1 / 256,
    output_zero_point=-128,
    golden=golden_picture(tiny_images(20, 3)[0], "crop", first_values),
)


def model_with(shape: tuple[int, int, int], resize: Resize) -> FirmwareModel:
    """Return the network with other images, and a golden picture for them."""
    images = tiny_images(20, 3, size=64)[0][:, : shape[0], : shape[1], : shape[2]]
    golden = golden_picture(np.ascontiguousarray(images), resize, first_values)
    return dataclasses.replace(MODEL, image_shape=shape, resize=resize, golden=golden)


# Every method of MicroMutableOpResolver that adds a builtin operator, as of 2025.
_ADDED = """
    Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd
    BroadcastArgs BroadcastTo CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace
    DepthwiseConv2D Dequantize Div EmbeddingLookup Elu Equal Exp ExpandDims Fill Floor FloorDiv
    FloorMod FullyConnected Gather GatherNd Greater GreaterEqual HardSwish If L2Normalization
    L2Pool2D LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr Logistic LogSoftmax
    Maximum MaxPool2D MirrorPad Mean Minimum Mul Neg NotEqual Pack Pad PadV2 Prelu Quantize
    ReadVariable ReduceMax ReduceMin Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor
    ReverseV2 Round Rsqrt SelectV2 Shape Sin Slice Softmax SpaceToBatchNd SpaceToDepth Split
    SplitV Squeeze Sqrt Square SquaredDifference StridedSlice Sub Sum Svdf Tanh TransposeConv
    Transpose Unpack UnidirectionalSequenceLSTM VarHandle While ZerosLike
"""
ADD_METHODS = frozenset("Add" + name for name in _ADDED.split())

# Names and types are the real ones. Macros set what the stand-ins do, and they print their calls.
RESOLVER = "\n".join(
    f"    TfLiteStatus {name}() {{ return add(); }}" for name in sorted(ADD_METHODS)
)
STAND_INS = {
    "esp_err.h": """#pragma once
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(x) do { if ((x) != ESP_OK) __builtin_abort(); } while (0)
inline const char *esp_err_to_name(esp_err_t) { return "ESP_FAIL"; }
""",
    "esp_log.h": """#pragma once
#include <cstdio>
#define ESP_LOGE(tag, format, ...) printf("E %s: " format "\\n", tag, ##__VA_ARGS__)
#define ESP_LOGW(tag, format, ...) printf("W %s: " format "\\n", tag, ##__VA_ARGS__)
""",
    "driver/gpio.h": """#pragma once
#include <cstdint>
#include <cstdio>
#include "esp_err.h"
enum gpio_mode_t { GPIO_MODE_INPUT };
enum gpio_pullup_t { GPIO_PULLUP_DISABLE, GPIO_PULLUP_ENABLE };
enum gpio_pulldown_t { GPIO_PULLDOWN_DISABLE };
enum gpio_int_type_t { GPIO_INTR_DISABLE };
struct gpio_config_t {
    uint64_t pin_bit_mask; gpio_mode_t mode; gpio_pullup_t pull_up_en; gpio_pulldown_t pull_down_en;
    gpio_int_type_t intr_type;
};
inline esp_err_t gpio_config(const gpio_config_t *config)
{
    printf("pull-up %d: pin %d\\n", config->pull_up_en, __builtin_ctzll(config->pin_bit_mask));
    return ESP_OK;
}
""",
    "esp_camera.h": """#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include "esp_err.h"
enum ledc_timer_t { LEDC_TIMER_0 };
enum ledc_channel_t { LEDC_CHANNEL_0 };
enum pixformat_t { PIXFORMAT_RGB565, PIXFORMAT_JPEG };
enum framesize_t {
    FRAMESIZE_96X96, FRAMESIZE_QQVGA, FRAMESIZE_240X240, FRAMESIZE_QVGA, FRAMESIZE_CIF,
    FRAMESIZE_VGA
};
enum camera_fb_location_t { CAMERA_FB_IN_PSRAM, CAMERA_FB_IN_DRAM };
enum camera_grab_mode_t { CAMERA_GRAB_WHEN_EMPTY, CAMERA_GRAB_LATEST };
struct camera_config_t {
    int pin_pwdn, pin_reset, pin_xclk;
    union { int pin_sccb_sda; int pin_sscb_sda; };
    union { int pin_sccb_scl; int pin_sscb_scl; };
    int pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2, pin_d1, pin_d0;
    int pin_vsync, pin_href, pin_pclk, xclk_freq_hz;
    ledc_timer_t ledc_timer; ledc_channel_t ledc_channel;
    pixformat_t pixel_format; framesize_t frame_size;
    int jpeg_quality; size_t fb_count;
    camera_fb_location_t fb_location; camera_grab_mode_t grab_mode;
    int sccb_i2c_port;
};
struct camera_fb_t { uint8_t *buf; size_t len, width, height; pixformat_t format; };
struct sensor_t { int (*set_vflip)(sensor_t *, int); };
#ifndef CAMERA_ERROR
#define CAMERA_ERROR ESP_OK
#endif
inline esp_err_t esp_camera_init(const camera_config_t *config)
{
    printf("camera xclk=%d sda=%d scl=%d d0=%d d7=%d pclk=%d hz=%d",
           config->pin_xclk, config->pin_sccb_sda, config->pin_sccb_scl, config->pin_d0,
           config->pin_d7, config->pin_pclk, config->xclk_freq_hz);
    printf(" frame=%d count=%d location=%d port=%d\\n",
           config->frame_size, (int)config->fb_count, config->fb_location, config->sccb_i2c_port);
    return CAMERA_ERROR;
}
inline int set_vflip(sensor_t *, int on) { printf("flipped %d\\n", on); return 0; }
inline sensor_t *esp_camera_sensor_get() { static sensor_t sensor = {set_vflip}; return &sensor; }
inline camera_fb_t *esp_camera_fb_get()
{
    static int frames = 0;
    FILE *file = fopen("frame.rgb565", "rb");
    if (++frames == 2 || !file) return nullptr; /* the second frame fails, as frames sometimes do */
    const size_t bytes = 2 * (size_t)FRAME_WIDTH * FRAME_HEIGHT;
    uint8_t *buffer = (uint8_t *)malloc(bytes);
    const size_t read = fread(buffer, 1, bytes, file);
    fclose(file);
    const size_t length = frames == 3 ? 10 : read;
    return new camera_fb_t{buffer, length, FRAME_WIDTH, FRAME_HEIGHT, PIXFORMAT_RGB565};
}
inline void esp_camera_fb_return(camera_fb_t *frame) { free(frame->buf); delete frame; }
""",
    "esp_heap_caps.h": """#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#define MALLOC_CAP_INTERNAL 1
#define MALLOC_CAP_8BIT 2
#define MALLOC_CAP_SPIRAM 4
#ifndef INTERNAL_BYTES
#define INTERNAL_BYTES 200000
#endif
#ifndef EXTERNAL_BYTES
#define EXTERNAL_BYTES 4000000
#endif
inline void *heap_caps_aligned_alloc(size_t alignment, size_t bytes, uint32_t caps)
{
    const size_t room = caps & MALLOC_CAP_SPIRAM ? EXTERNAL_BYTES : INTERNAL_BYTES;
    return bytes <= room ? aligned_alloc(alignment, bytes) : nullptr;
}
inline void heap_caps_free(void *memory) { free(memory); }
inline size_t heap_caps_get_largest_free_block(uint32_t caps)
{
    return caps & MALLOC_CAP_SPIRAM ? EXTERNAL_BYTES : INTERNAL_BYTES;
}
""",
    "esp_timer.h": """#pragma once
#include <cstdint>
inline int64_t esp_timer_get_time() { static int64_t now = 0; return now += 131000; }
""",
    "freertos/FreeRTOS.h": "#pragma once\n",
    "freertos/task.h": """#pragma once
#include <cstdlib>
inline void vTaskDelay(unsigned)
{
    static int times = 0;
    if (++times == 4) { fflush(stdout); exit(0); }
}
""",
    "tensorflow/lite/schema/schema_generated.h": """#pragma once
#ifndef SCHEMA
#define SCHEMA 3
#endif
#define TFLITE_SCHEMA_VERSION 3
namespace tflite {
struct Model { unsigned version() const { return SCHEMA; } };
inline const Model *GetModel(const void *) { static const Model model; return &model; }
}
""",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": f"""#pragma once
enum TfLiteStatus {{ kTfLiteOk, kTfLiteError }};
namespace tflite {{
struct MicroOpResolver {{ virtual ~MicroOpResolver() = default; }};
template <unsigned int count>
class MicroMutableOpResolver : public MicroOpResolver {{
 public:
{RESOLVER}
 private:
    TfLiteStatus add() {{ return added_++ < count ? kTfLiteOk : kTfLiteError; }}
    unsigned int added_ = 0;
}};
}}
""",
    "tensorflow/lite/micro/micro_interpreter.h": """#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#ifndef NEEDED_BYTES
#define NEEDED_BYTES 40000
#endif
#ifndef SCORES
#define SCORES 3
#endif
enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };
struct TfLiteTensor { TfLiteType type; union { int8_t *int8; } data; size_t bytes; };
namespace tflite {
class MicroInterpreter {
 public:
    MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *arena, size_t bytes)
        : arena_(arena), bytes_(bytes) {}
    TfLiteStatus AllocateTensors()
    {
        input_ = {kTfLiteInt8, {(int8_t *)arena_}, INPUT_BYTES};
        output_ = {kTfLiteInt8, {(int8_t *)arena_ + INPUT_BYTES}, SCORES};
        return bytes_ >= NEEDED_BYTES ? kTfLiteOk : kTfLiteError;
    }
    TfLiteTensor *input(size_t) { return &input_; }
    TfLiteTensor *output(size_t) { return &output_; }
    size_t arena_used_bytes() const { return NEEDED_BYTES; }
    /* The scores are the first values of the image, which is kept for the test. */
    TfLiteStatus Invoke()
    {
        FILE *file = fopen("image.int8", "wb");
        fwrite(input_.data.int8, 1, INPUT_BYTES, file);
        fclose(file);
        for (int i = 0; i < SCORES; i++) output_.data.int8[i] = input_.data.int8[i];
        return kTfLiteOk;
    }
 private:
    uint8_t *arena_;
    size_t bytes_;
    TfLiteTensor input_, output_;
};
}
""",
    "Arduino.h": """#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
struct FakeSerial {
    void begin(unsigned long) {}
    void println(const char *text) { puts(text); }
    void printf(const char *format, ...) __attribute__((format(printf, 2, 3)))
    {
        va_list values;
        va_start(values, format);
        vprintf(format, values);
        va_end(values);
    }
};
static FakeSerial Serial;
inline void delay(unsigned) {}
""",
}


def written(
    folder: Path, format_name: str, model: FirmwareModel = MODEL, board: Board = EYE
) -> Path:
    """Write firmware into a new folder and return the folder."""
    folder.mkdir(parents=True)
    firmware.write(format_name, folder, model, board)
    return folder


def run(command: list[str], folder: Path) -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout.decode("utf-8")


def compile_and_run(
    folder: Path,
    sources: Path,
    starter: str,
    model: FirmwareModel,
    frame_size: tuple[int, int],
    *macros: str,
) -> list[str]:
    """Compile firmware against the stand-ins, run it and return the lines that it prints.

    Args:
        folder: Folder for the program, the frame that it reads and the image that it writes.
        sources: Folder of the firmware's sources.
        starter: A C++ source with a main function.
        model: The network of the firmware.
        frame_size: Width and height of the camera's frames.
        *macros: Macros that set what the stand-ins do.
    """
    headers = folder / "stand-ins"
    for name, content in STAND_INS.items():
        (headers / name).parent.mkdir(parents=True, exist_ok=True)
        (headers / name).write_text(content, encoding="utf-8")
    (folder / "starter.cpp").write_text(starter, encoding="utf-8")
    width, height = frame_size
    frame = np.random.default_rng(7).integers(0, 256, (height, width, 2), dtype=np.uint8)
    (folder / "frame.rgb565").write_bytes(frame.tobytes())
    input_bytes = int(np.prod(model.image_shape))
    sizes = [f"FRAME_WIDTH={width}", f"FRAME_HEIGHT={height}", f"INPUT_BYTES={input_bytes}"]
    options = [*WARNINGS, *_SANITIZERS, f"-I{headers}", f"-I{sources}"]
    options += [f"-D{macro}" for macro in (*sizes, *macros)]
    c_sources = [str(path) for path in sorted(sources.glob("*.c"))]
    cpp_sources = [str(path) for path in sorted(sources.glob("*.cpp"))]
    run([str(GCC), "-std=gnu17", *options, "-c", *c_sources], folder)
    run([str(GXX), "-std=gnu++20", *options, "-c", *cpp_sources, "starter.cpp"], folder)
    objects = sorted(path.name for path in folder.glob("*.o"))
    run([str(GXX), *_SANITIZERS, *objects, "-o", "firmware"], folder)
    return run([str(folder / "firmware")], folder).splitlines()
