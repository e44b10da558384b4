"""Firmware that is written: what is in it, that it compiles, that it runs on stand-ins, and what is
refused.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyetune.device import firmware
from eyetune.device.boards.profiles import Board, boards, load_board
from eyetune.device.estimate.operators import SUPPORTED
from eyetune.device.firmware import FirmwareModel, preprocess, read_result
from eyetune.errors import BoardError, EyetuneError, UsageError

GCC, GXX = shutil.which("gcc"), shutil.which("g++")
needs_gcc = pytest.mark.skipif(
    GCC is None or GXX is None, reason="gcc and g++ compile the firmware for this machine"
)
WARNINGS = ("-Wall", "-Wextra", "-Werror")
CAMERA_BOARDS = [one for one in boards() if one.chip and one.camera]

MODEL = FirmwareModel(
    content=b"\x1c\0\0\0TFL3" + bytes(range(256)) * 3,
    title="run 3f2a1b4c of eyetune",
    image_shape=(32, 32, 3),
    class_names=("airplane", "cat", "dog"),
    operators=("CONV_2D", "MAX_POOL_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"),
    arena_bytes=40_001,
    output_scale=1 / 256,
    output_zero_point=-128,
)

# Every method of MicroMutableOpResolver that adds a builtin operator, as of 2025.
_ADDED = """
    Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd BroadcastArgs BroadcastTo
    CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace DepthwiseConv2D Dequantize Div EmbeddingLookup
    Elu Equal Exp ExpandDims Fill Floor FloorDiv FloorMod FullyConnected Gather GatherNd Greater GreaterEqual
    HardSwish If L2Normalization L2Pool2D LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr Logistic
    LogSoftmax Maximum MaxPool2D MirrorPad Mean Minimum Mul Neg NotEqual Pack Pad PadV2 Prelu Quantize ReadVariable
    ReduceMax ReduceMin Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt SelectV2 Shape
    Sin Slice Softmax SpaceToBatchNd SpaceToDepth Split SplitV Squeeze Sqrt Square SquaredDifference StridedSlice
    Sub Sum Svdf Tanh TransposeConv Transpose Unpack UnidirectionalSequenceLSTM VarHandle While ZerosLike
"""
ADD_METHODS = frozenset("Add" + name for name in _ADDED.split())

# Stand-ins for the headers of ESP-IDF, the camera's driver and TensorFlow Lite Micro: their names
# and kinds are the real ones; what they do is told through macros and seen in what is printed.
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
enum framesize_t { FRAMESIZE_96X96, FRAMESIZE_QQVGA, FRAMESIZE_240X240, FRAMESIZE_QVGA, FRAMESIZE_CIF, FRAMESIZE_VGA };
enum camera_fb_location_t { CAMERA_FB_IN_PSRAM, CAMERA_FB_IN_DRAM };
enum camera_grab_mode_t { CAMERA_GRAB_WHEN_EMPTY, CAMERA_GRAB_LATEST };
struct camera_config_t {
    int pin_pwdn, pin_reset, pin_xclk;
    union { int pin_sccb_sda; int pin_sscb_sda; };
    union { int pin_sccb_scl; int pin_sscb_scl; };
    int pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2, pin_d1, pin_d0, pin_vsync, pin_href, pin_pclk, xclk_freq_hz;
    ledc_timer_t ledc_timer; ledc_channel_t ledc_channel; pixformat_t pixel_format; framesize_t frame_size;
    int jpeg_quality; size_t fb_count; camera_fb_location_t fb_location; camera_grab_mode_t grab_mode;
    int sccb_i2c_port;
};
struct camera_fb_t { uint8_t *buf; size_t len, width, height; pixformat_t format; };
struct sensor_t { int (*set_vflip)(sensor_t *, int); };
#ifndef CAMERA_ERROR
#define CAMERA_ERROR ESP_OK
#endif
inline esp_err_t esp_camera_init(const camera_config_t *config)
{
    printf("camera xclk=%d sda=%d scl=%d d0=%d d7=%d pclk=%d hz=%d frame=%d count=%d place=%d port=%d\\n",
           config->pin_xclk, config->pin_sccb_sda, config->pin_sccb_scl, config->pin_d0, config->pin_d7,
           config->pin_pclk, config->xclk_freq_hz, config->frame_size, (int)config->fb_count, config->fb_location,
           config->sccb_i2c_port);
    return CAMERA_ERROR;
}
inline int set_vflip(sensor_t *, int on) { printf("flipped %d\\n", on); return 0; }
inline sensor_t *esp_camera_sensor_get() { static sensor_t sensor = {set_vflip}; return &sensor; }
inline camera_fb_t *esp_camera_fb_get()
{
    static int pictures = 0;
    FILE *file = fopen("picture.rgb565", "rb");
    if (++pictures == 2 || !file) return nullptr; /* the second picture fails, as pictures sometimes do */
    const size_t bytes = 2 * (size_t)PICTURE_WIDTH * PICTURE_HEIGHT;
    uint8_t *buffer = (uint8_t *)malloc(bytes);
    const size_t read = fread(buffer, 1, bytes, file);
    fclose(file);
    return new camera_fb_t{buffer, pictures == 3 ? 10 : read, PICTURE_WIDTH, PICTURE_HEIGHT, PIXFORMAT_RGB565};
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
inline void vTaskDelay(unsigned) { static int times = 0; if (++times == 4) { fflush(stdout); exit(0); } }
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
    TfLiteStatus Invoke() /* the scores are the first values of the image; the image is kept for the test */
    {
        FILE *file = fopen("image.int8", "wb");
        fwrite(input_.data.int8, 1, INPUT_BYTES, file);
        fclose(file);
        for (int number = 0; number < SCORES; number++) output_.data.int8[number] = input_.data.int8[number];
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


def made(folder: Path, form: str, model: FirmwareModel = MODEL, where: Board | None = None) -> Path:
    folder.mkdir(parents=True)
    firmware.write(form, folder, model, where or load_board("esp-eye"))
    return folder


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout.decode("utf-8")


def stand_ins(folder: Path) -> Path:
    for name, content in STAND_INS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def played(
    folder: Path,
    sources: Path,
    starter: str,
    model: FirmwareModel,
    picture: tuple[int, int],
    *macros: str,
) -> list[str]:
    """Compile firmware for this machine against the stand-ins, run it and return the lines that it
    prints.
    """
    headers = stand_ins(folder / "stand-ins")
    (folder / "starter.cpp").write_text(starter, encoding="utf-8")
    width, height = picture
    frame = np.random.default_rng(7).integers(0, 256, (height, width, 2), dtype=np.uint8)
    (folder / "picture.rgb565").write_bytes(frame.tobytes())
    sizes = {
        "PICTURE_WIDTH": width,
        "PICTURE_HEIGHT": height,
        "INPUT_BYTES": np.prod(model.image_shape),
    }
    defined = [*(f"{name}={size}" for name, size in sizes.items()), *macros]
    sanitized = [
        "-g",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-ftrivial-auto-var-init=pattern",
    ]
    common = [
        *WARNINGS,
        *sanitized,
        f"-I{headers}",
        f"-I{sources}",
        *(f"-D{macro}" for macro in defined),
    ]
    objects = []
    for source in (
        *sorted(sources.glob("*.c")),
        *sorted(sources.glob("*.cpp")),
        folder / "starter.cpp",
    ):
        compiler = [str(GCC), "-std=gnu17"] if source.suffix == ".c" else [str(GXX), "-std=gnu++20"]
        objects.append(f"{source.stem}.o")
        run([*compiler, *common, "-c", str(source), "-o", objects[-1]], folder)
    run([str(GXX), *sanitized, *objects, "-o", "firmware"], folder)
    return run([str(folder / "firmware")], folder).splitlines()


START_IDF = 'extern "C" void app_main();\nint main() { app_main(); return 0; }\n'


def test_an_esp_idf_project_has_its_files(tmp_path: Path) -> None:
    (folder := tmp_path / "project").mkdir()
    paths = firmware.write_esp_idf(folder, MODEL, load_board("esp-eye"))
    assert {str(path.relative_to(folder)) for path in paths} == {
        *("CMakeLists.txt", "README.md", "partitions.csv", "sdkconfig.defaults"),
        *(
            "main/CMakeLists.txt",
            "main/idf_component.yml",
            "main/main.cpp",
            "main/board.h",
            "main/settings.h",
        ),
        *(
            "main/camera.h",
            "main/camera.cpp",
            "main/classifier.h",
            "main/classifier.cpp",
            "main/labels.h",
        ),
        *(
            "main/look.h",
            "main/look.cpp",
            "main/image.h",
            "main/image.c",
            "main/result.h",
            "main/result.c",
        ),
        *("main/model_data.h", "main/model_data.c"),
    }
    assert all(path.is_file() for path in paths)
    registered = re.findall(r'"(\w+\.c(?:pp)?)"', (folder / "main/CMakeLists.txt").read_text())
    assert sorted(registered) == sorted(path.name for path in (folder / "main").glob("*.c*"))


@pytest.mark.parametrize("form", ["esp-idf", "arduino", "c"])
def test_the_same_network_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    one, other = made(tmp_path / "one", form), made(tmp_path / "other", form)
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((one / path).read_bytes() == (other / path).read_bytes() for path in files)


@pytest.mark.parametrize("where", CAMERA_BOARDS, ids=lambda one: one.name)
def test_the_settings_are_those_of_the_board(tmp_path: Path, where: Board) -> None:
    folder = made(tmp_path / "project", "esp-idf", where=where)
    lines = (folder / "sdkconfig.defaults").read_text().splitlines()
    assert f'CONFIG_IDF_TARGET="{where.chip}"' in lines
    assert "CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ_240=y" in lines
    assert f"CONFIG_ESPTOOLPY_FLASHSIZE_{where.flash_bytes // 1024**2}MB=y" in lines
    assert ("CONFIG_SPIRAM_MODE_OCT=y" in lines) == (where.psram_mode == "octal")
    assert {
        "CONFIG_SPIRAM=y",
        "CONFIG_SPIRAM_SPEED_80M=y",
        "CONFIG_PARTITION_TABLE_CUSTOM=y",
    } <= set(lines)
    stack = next(int(line.split("=")[1]) for line in lines if "MAIN_TASK_STACK" in line)
    assert stack >= 8192
    rows = [
        row.split(", ")
        for row in (folder / "partitions.csv").read_text().splitlines()
        if row[0] != "#"
    ]
    spans = sorted((int(offset, 16), int(size, 16)) for *_, offset, size in rows)
    assert spans[-1] == (0x10000, where.partition_bytes)
    assert all(start + size <= after for (start, size), (after, _) in itertools.pairwise(spans))
    assert sum(spans[-1]) <= where.flash_bytes
    pins = dict(
        re.findall(r"#define CAMERA_PIN_(\w+) (-?\d+)", (folder / "main/board.h").read_text())
    )
    assert where.camera is not None
    assert {name.lower(): int(pin) for name, pin in pins.items()} == where.camera.model_dump(
        exclude={"xclk_hz", "flip_vertically", "pull_ups"}
    )


def test_a_model_that_is_too_large_for_internal_ram_has_its_arena_in_psram(tmp_path: Path) -> None:
    inside = made(tmp_path / "inside", "esp-idf", dataclasses.replace(MODEL, arena_bytes=102_400))
    outside = made(tmp_path / "outside", "esp-idf", dataclasses.replace(MODEL, arena_bytes=102_401))
    assert "#define ARENA_IN_INTERNAL_RAM 1\n" in (inside / "main/settings.h").read_text()
    assert "#define ARENA_IN_INTERNAL_RAM 0\n" in (outside / "main/settings.h").read_text()
    assert "#define ARENA_BYTES 102400\n" in (inside / "main/settings.h").read_text()
    assert "#define ARENA_BYTES 102416\n" in (outside / "main/settings.h").read_text()


def test_the_resolver_has_exactly_the_operators_of_the_network(tmp_path: Path) -> None:
    source = (made(tmp_path / "project", "esp-idf") / "main/classifier.cpp").read_text()
    added = re.findall(r"resolver\.(\w+)\(\)", source)
    assert added == ["AddConv2D", "AddMaxPool2D", "AddReshape", "AddFullyConnected", "AddSoftmax"]
    assert "MicroMutableOpResolver<5>" in source


def test_every_operator_of_tensorflow_lite_micro_has_its_method(tmp_path: Path) -> None:
    folder = made(
        tmp_path / "array", "c", dataclasses.replace(MODEL, operators=tuple(sorted(SUPPORTED)))
    )
    assert (
        set(re.findall(r"resolver\.(\w+)\(\)", (folder / "README.md").read_text())) == ADD_METHODS
    )


@needs_gcc
@pytest.mark.parametrize("where", CAMERA_BOARDS, ids=lambda one: one.name)
def test_the_project_runs_on_stand_ins(tmp_path: Path, where: Board) -> None:
    folder = made(tmp_path / "project", "esp-idf", where=where)
    lines = played(tmp_path, folder / "main", START_IDF, MODEL, (96, 96))
    camera = where.camera
    assert camera is not None
    assert lines[: len(camera.pull_ups)] == [f"pull-up 1: pin {pin}" for pin in camera.pull_ups]
    rest = lines[len(camera.pull_ups) :]
    assert rest.pop(0) == (
        f"camera xclk={camera.xclk} sda={camera.sda} scl={camera.scl} d0={camera.d0} d7={camera.d7} pclk={camera.pclk} "
        f"hz={camera.xclk_hz} frame=0 count=1 place=0 port=0"
    )
    if camera.flip_vertically:
        assert rest.pop(0) == "flipped 1"
    frame = np.fromfile(tmp_path / "picture.rgb565", np.uint8).reshape(96, 96, 2)
    image = np.fromfile(tmp_path / "image.int8", np.int8).reshape(32, 32, 3)
    np.testing.assert_array_equal(image, preprocess(frame, (32, 32, 3)))
    number, per_mille = read_result(image.reshape(-1)[:3], 1 / 256, -128)
    answer = f"{MODEL.class_names[number]} {per_mille // 10}.{per_mille % 10}% 131 ms"
    assert rest == [
        "arena: 40000 of 40016 bytes used",
        answer,
        "E look: The camera gave no picture.",
        "E look: The camera gave a broken picture of 10 bytes.",
        answer,
    ]


@needs_gcc
def test_the_sketch_runs_on_stand_ins(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, image_shape=(50, 110, 1))
    folder = made(tmp_path / "sketch", "arduino", model) / "eyetune_camera"
    sketch = folder / "eyetune_camera.ino"
    starter = (
        f'#include "Arduino.h"\n#include "{sketch}"\nint main() {{ setup(); loop(); return 0; }}\n'
    )
    lines = played(tmp_path, folder, starter, model, (160, 120))
    frame = np.fromfile(tmp_path / "picture.rgb565", np.uint8).reshape(120, 160, 2)
    image = np.fromfile(tmp_path / "image.int8", np.int8).reshape(model.image_shape)
    np.testing.assert_array_equal(image, preprocess(frame, model.image_shape))
    number, per_mille = read_result(image.reshape(-1)[:3], 1 / 256, -128)
    assert lines[-2:] == [
        "arena: 40000 of 40016 bytes used",
        f"{model.class_names[number]} {per_mille // 10}.{per_mille % 10}% 131 ms",
    ]


@needs_gcc
@pytest.mark.parametrize(
    ("macros", "expected"),
    [
        (["NEEDED_BYTES=70000"], "arena: 70000 of 90016 bytes used"),
        (["INTERNAL_BYTES=1000"], "external RAM, which is slower"),
        (["NEEDED_BYTES=900000"], "E classifier: The tensor arena is too small"),
        (
            ["INTERNAL_BYTES=0", "EXTERNAL_BYTES=0"],
            "The largest free blocks are 0 bytes of internal and 0 bytes",
        ),
        (["SCHEMA=4"], "E classifier: The network is of schema version 4"),
        (["SCORES=5"], "E classifier: The network does not give 3 int8 scores"),
        (["CAMERA_ERROR=-1"], "E camera: The camera did not start: ESP_FAIL"),
    ],
)
def test_what_goes_wrong_on_the_board_is_said(
    tmp_path: Path, macros: list[str], expected: str
) -> None:
    folder = made(tmp_path / "project", "esp-idf")
    lines = played(tmp_path, folder / "main", START_IDF, MODEL, (96, 96), *macros)
    assert any(expected in line for line in lines), lines


@needs_gcc
def test_the_array_holds_the_model_and_is_aligned(tmp_path: Path) -> None:
    folder = made(tmp_path / "array", "c")
    (folder / "check.c").write_text(
        '#include <stdint.h>\n#include <stdio.h>\n#include "model_data.h"\n#include "settings.h"\n'
        "int main(void) { if ((uintptr_t)model_data % 16) return 1;"
        ' printf("%d %d %d %.9g %d\\n", IMAGE_HEIGHT, IMAGE_WIDTH, IMAGE_CHANNELS, OUTPUT_SCALE, OUTPUT_ZERO_POINT);'
        ' for (unsigned int place = 0; place < model_data_bytes; place++) printf("%02x", model_data[place]); }\n'
    )
    run([str(GCC), "-std=c11", *WARNINGS, "check.c", "model_data.c", "-o", "check"], folder)
    settings_line, content = run([str(folder / "check")], folder).splitlines()
    assert settings_line == "32 32 3 0.00390625 -128"
    assert bytes.fromhex(content) == MODEL.content
    assert max(len(line) for line in (folder / "model_data.c").read_text().splitlines()) <= 120


@needs_gcc
def test_even_a_model_that_the_compiler_would_not_align_is_aligned(tmp_path: Path) -> None:
    folder = made(tmp_path / "array", "c", dataclasses.replace(MODEL, content=MODEL.content[:9]))
    assembler = run([str(GCC), "-std=c11", "-S", "-o", "-", "model_data.c"], folder)
    assert re.search(r"\.align\s+16\s(\s*\.(type|size)[^\n]*\n)*model_data:", assembler), assembler


HOSTILE = [
    'quote " end',
    "back\\slash\\",
    "*/ int x; /*",
    "line\nbreak\r\n#error broken",
    "??/",
    "??/\n#error trigraph",
    "???/\n#error trigraph",
    "100%s%n%d",
    "\U0001f408 cat",
    "caf\u00e9",
    "\u202eright to left",
    "nul\0byte",
    "\ud800 half a letter",
    "`rm -rf` $(HOME) ${HOME} $ENV{HOME}",
    "{{ model }} {% raw %} {# #}",
    "",
    " ",
    "a" * 5000,
    "\\\n#error spliced",
    "*\\/ #error",
    "/\\\n*",
]
WORDS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(st.sampled_from("*/\\?\"'\n\r%#{}<!u0 \u2028"), max_size=12),
)


def as_shown(text: str) -> bytes:
    """Say how a name arrives on the serial port: a line of UTF-8."""
    spaced = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)
    return re.sub(r"[\ud800-\udfff]", "?", spaced).encode("utf-8")


@needs_gcc
@given(names=st.lists(WORDS, min_size=1, max_size=8), title=WORDS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_name_or_title_breaks_out(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], title: str
) -> None:
    model = dataclasses.replace(MODEL, class_names=tuple(names), title=title)
    folder = made(tmp_path_factory.mktemp("hostile") / "array", "c", model)
    (folder / "check.c").write_text(
        '#include <stdio.h>\n#include "labels.h"\n#include "settings.h"\n#include "model_data.h"\n'
        'int main(void) { for (int number = 0; number < NUM_CLASSES; number++) printf("%s\\n", labels[number]); }\n'
    )
    run([str(GCC), "-std=c99", "-trigraphs", *WARNINGS, "check.c", "-o", "check"], folder)
    run([str(GCC), "-std=c11", "-trigraphs", *WARNINGS, "-fsyntax-only", "model_data.c"], folder)
    done = subprocess.run([folder / "check"], capture_output=True, check=True)
    assert done.stdout.split(b"\n")[:-1] == [as_shown(name) for name in names]


@needs_gcc
def test_all_hostile_names_at_once_compile_in_the_project(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, class_names=tuple(HOSTILE), title="".join(HOSTILE))
    hostile = load_board("esp-eye").model_copy(
        update={"title": 'ESP*/ "\\\n#error', "quirks": ("a\nb", "<script>")}
    )
    folder = made(tmp_path / "project", "esp-idf", model, hostile)
    macros = [f"SCORES={len(HOSTILE)}"]
    lines = played(tmp_path, folder / "main", START_IDF, model, (96, 96), *macros)
    assert len([line for line in lines if line.endswith("131 ms")]) == 2


@given(title=WORDS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_title_becomes_markup_in_the_readme(
    tmp_path_factory: pytest.TempPathFactory, title: str
) -> None:
    plain = made(tmp_path_factory.mktemp("plain") / "a", "esp-idf").joinpath("README.md")
    model = dataclasses.replace(MODEL, title=title)
    readme = made(tmp_path_factory.mktemp("title") / "a", "esp-idf", model).joinpath("README.md")
    lines = readme.read_bytes().decode("utf-8").split("\n")
    assert lines[1:] == plain.read_text(encoding="utf-8").split("\n")[1:]
    assert not re.search(r"(?<!\\)[<>`\[\]]", lines[0].replace("\\\\", ""))


def test_the_readme_says_how_to_build_and_what_is_untested(tmp_path: Path) -> None:
    model = dataclasses.replace(
        MODEL, expected="arena: 39696 of 40016 bytes used\ncat 97.3%\n```\n# no heading"
    )
    text = (made(tmp_path / "project", "esp-idf", model) / "README.md").read_text()
    for words in (
        "idf.py set-target esp32\n",
        "idf.py build\n",
        "idf.py -p PORT flash monitor\n",
        "Not tested is",
    ):
        assert words in text
    assert "    cat 97.3%\n    ```\n    # no heading\n" in text
    assert all(quirk.split(",")[0] in text for quirk in load_board("esp-eye").quirks)
    assert "/dev/ttyUSB0" in text


@pytest.mark.parametrize("form", ["esp-idf", "arduino", "c"])
def test_nothing_is_written_over(tmp_path: Path, form: str) -> None:
    kept = tmp_path / "README.md"
    kept.write_text("mine")
    with pytest.raises(UsageError, match="cannot be written there"):
        firmware.write(form, tmp_path, MODEL, load_board("esp-eye"))
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert kept.read_text() == "mine"
    for place in (tmp_path / "missing", kept):
        with pytest.raises(UsageError, match="cannot be written there"):
            firmware.write(form, place, MODEL, load_board("esp-eye"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_shape": (32, 32, 2)}, "such images"),
        ({"image_shape": (0, 32, 3)}, "such images"),
        ({"content": b"PK\x03\x04 a zip file"}, "no TensorFlow Lite file"),
        ({"content": b""}, "no TensorFlow Lite file"),
        ({"class_names": ()}, "no classes"),
        ({"operators": ()}, "no operators"),
        ({"arena_bytes": 0}, "arena"),
        ({"output_scale": float("nan")}, "scores"),
        ({"output_scale": 0.0}, "scores"),
        ({"output_zero_point": 128}, "scores"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(MODEL, **changes)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"operators": ("CONV_2D", "GELU")}, UsageError, "GELU"),
        ({"image_shape": (500, 500, 3)}, UsageError, "at most 480 x 640"),
        ({"content": MODEL.content + bytes(4_000_000)}, BoardError, "3,667,968 bytes of flash"),
        ({"arena_bytes": 4_194_305}, BoardError, "4,194,304 of RAM"),
        ({"arena_bytes": 4_190_000}, BoardError, "no room for a picture"),
    ],
)
def test_a_network_that_the_board_cannot_hold_or_run_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[EyetuneError], words: str
) -> None:
    for form in ("esp-idf", "arduino"):
        with pytest.raises(error) as caught:
            firmware.write(
                form, tmp_path, dataclasses.replace(MODEL, **changes), load_board("esp-eye")
            )
        assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_board_without_chip_or_camera_gets_a_c_array_only(tmp_path: Path) -> None:
    bare = load_board("esp-eye").model_copy(update={"camera": None})
    for where in (load_board("nucleo-l4r5zi"), bare):
        for form in ("esp-idf", "arduino"):
            with pytest.raises(UsageError, match="no such firmware") as caught:
                firmware.write(form, tmp_path, MODEL, where)
            assert "format c" in str(caught.value)
            with pytest.raises(UsageError, match="no such firmware"):
                firmware.check_board(where, ["c", form], (32, 32, 3))
        firmware.check_board(where, ["c"], (32, 32, 3))
    assert not list(tmp_path.iterdir())
    assert firmware.write("c", tmp_path, MODEL, bare)


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_hz": 239_000_000},
        {"flash_bytes": 4_200_000},
        {"partition_bytes": 4_128_767},
        {"partition_bytes": 4_190_208},
    ],
)
def test_a_board_with_values_that_esp_idf_does_not_know_is_refused(changes: dict[str, int]) -> None:
    wrong = load_board("esp-eye").model_copy(update=changes)
    with pytest.raises(UsageError, match="no settings"):
        firmware.check_board(wrong, ["esp-idf"], (32, 32, 3))


def test_without_external_ram_picture_and_arena_share_the_internal_one(tmp_path: Path) -> None:
    small = load_board("esp-eye").model_copy(update={"psram_bytes": 0, "psram_mode": ""})
    folder = made(tmp_path / "project", "esp-idf", where=small)
    assert "SPIRAM" not in (folder / "sdkconfig.defaults").read_text()
    assert "#define HAS_PSRAM 0" in (folder / "main/board.h").read_text()
    with pytest.raises(BoardError, match="no room for a picture"):
        firmware.check_board(small, ["esp-idf"], (300, 300, 3))
    with pytest.raises(BoardError, match="no room for a picture"):
        made(tmp_path / "other", "esp-idf", dataclasses.replace(MODEL, arena_bytes=90_000), small)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such format"):
        firmware.write("zephyr", tmp_path, MODEL, load_board("esp-eye"))


def test_the_components_are_those_that_are_fast_enough(tmp_path: Path) -> None:
    text = (made(tmp_path / "project", "esp-idf") / "main/idf_component.yml").read_text()
    assert 'espressif/esp-tflite-micro: "^1.4.0"' in text
    assert 'espressif/esp32-camera: ">=2.0.15,<3.0.0"' in text
