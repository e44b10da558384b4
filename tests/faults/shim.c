/* Faults of the operating system, for LD_PRELOAD: a full or read-only disk, and a clock set back.

   EYETUNE_SHIM_FOLDER      faults concern files below this folder
   EYETUNE_SHIM_READ_ONLY   1: nothing below it can be written
   EYETUNE_SHIM_CLOCK       seconds to add to the time of day
   shim_arm(n)              from the n-th write on, the disk is full; 0: it is not
   shim_count()             writes since the last call of shim_arm */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static long num_writes = 0;
static long first_failure = 0;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void shim_arm(long n) {
  num_writes = 0;
  first_failure = n;
}

long shim_count(void) { return num_writes; }

static int is_read_only(void) {
  const char *value = getenv("EYETUNE_SHIM_READ_ONLY");
  return value != NULL && value[0] == '1';
}

static int is_below(const char *path) {
  const char *folder = getenv("EYETUNE_SHIM_FOLDER");
  char whole[2 * PATH_MAX];
  if (folder == NULL || path == NULL) return 0;
  if (path[0] != '/') {
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    path = whole;
  }
  return strncmp(path, folder, strlen(folder)) == 0;
}

static int is_open_below(int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* Counts a write; returns whether it fails, with errno. */
static int fails(int is_below_folder) {
  if (!is_below_folder) return 0;
  if (is_read_only()) {
    errno = EROFS;
    return 1;
  }
  long number = __sync_add_and_fetch(&num_writes, 1);
  if (first_failure > 0 && number >= first_failure) {
    errno = ENOSPC;
    return 1;
  }
  return 0;
}

ssize_t write(int descriptor, const void *data, size_t size) {
  if (fails(is_open_below(descriptor))) return -1;
  return REAL(write)(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
  if (fails(is_open_below(descriptor))) return -1;
  return REAL(pwrite)(descriptor, data, size, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
  if (fails(is_open_below(descriptor))) return -1;
  return REAL(pwrite64)(descriptor, data, size, offset);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
  if (fails(is_open_below(fileno(stream)))) return 0;
  return REAL(fwrite)(data, size, count, stream);
}

int mkdir(const char *path, mode_t mode) {
  if (access(path, F_OK) != 0 && fails(is_below(path))) return -1;
  return REAL(mkdir)(path, mode);
}

int unlink(const char *path) {
  if (is_read_only() && fails(is_below(path))) return -1;
  return REAL(unlink)(path);
}

int rename(const char *from, const char *to) {
  if (is_read_only() && fails(is_below(to))) return -1;
  return REAL(rename)(from, to);
}

static int opens_to_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
}

/* A new file needs space; one that exists can be opened on a full disk. */
static int open_fails(const char *path, int flags) {
  if (!opens_to_write(flags) || !is_below(path)) return 0;
  if (is_read_only()) {
    if ((flags & O_CREAT) != 0 && access(path, F_OK) == 0 && (flags & O_ACCMODE) == O_RDONLY)
      return 0;
    errno = EROFS;
    return 1;
  }
  return access(path, F_OK) != 0 && fails(1);
}

#define OPEN(name)                                        \
  int name(const char *path, int flags, ...) {            \
    mode_t mode = 0;                                      \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {           \
      va_list arguments;                                  \
      va_start(arguments, flags);                         \
      mode = va_arg(arguments, mode_t);                   \
      va_end(arguments);                                  \
    }                                                     \
    if (open_fails(path, flags)) return -1;               \
    return REAL(name)(path, flags, mode);                 \
  }

OPEN(open)
OPEN(open64)

static long clock_offset(void) {
  const char *value = getenv("EYETUNE_SHIM_CLOCK");
  return value == NULL ? 0 : atol(value);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int status = REAL(clock_gettime)(clock, now);
  if (status == 0 && clock == CLOCK_REALTIME) now->tv_sec += clock_offset();
  return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int status = REAL(gettimeofday)(now, zone);
  if (status == 0) now->tv_sec += clock_offset();
  return status;
}

time_t time(time_t *now) {
  struct timespec value;
  clock_gettime(CLOCK_REALTIME, &value);
  if (now != NULL) *now = value.tv_sec;
  return value.tv_sec;
}
