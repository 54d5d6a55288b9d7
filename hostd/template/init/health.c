#define _GNU_SOURCE
#include "health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"
#include "fields.h"
#include "frame.h"
#include "identify.h"
#include "options.h"
#include "send.h"

enum { ASKERS_MAX = 16, DISPLAY_WAIT_MS = 700, REPLIES_MAX = 65536 };
enum { WANT_SETUP, WANT_ATOM, WANT_WINDOW, WANT_CHECK };

static uint32_t askers[ASKERS_MAX];
static int asker_count;
static int display_fd = -1;
static int64_t display_deadline_ms;
static int want, display_up, manager_up;
static uint8_t replies[REPLIES_MAX];
static size_t reply_count;
static uint32_t root_window, check_atom;

static const char check_name[] = "_NET_SUPPORTING_WM_CHECK";

static uint32_t u32(const uint8_t *at) { return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24; }

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void display_close(void) {
  if (display_fd >= 0) close(display_fd);
  display_fd = -1;
}

static int display_write(const void *bytes, size_t count) {
  return send(display_fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count ? 0 : -1;
}

static int ask_setup(void) {
  uint8_t bytes[12 + 8 + sizeof check_name + 3] = {'l', 0, 11};
  size_t name = sizeof check_name - 1, padded = (name + 3) & ~3ul;
  uint8_t *intern = bytes + 12;
  intern[0] = 16, intern[1] = 1, intern[2] = (uint8_t)(2 + padded / 4);
  intern[4] = (uint8_t)name;
  memcpy(intern + 8, check_name, name);
  return display_write(bytes, 12 + 8 + padded);
}

static int ask_property(uint32_t window) {
  uint8_t bytes[24] = {20, 0, 6};
  put_u32(bytes + 4, window);
  put_u32(bytes + 8, check_atom);
  put_u32(bytes + 20, 1);
  return display_write(bytes, sizeof bytes);
}

static void display_open(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", options.display);
  display_up = manager_up = 0;
  reply_count = 0;
  want = WANT_SETUP;
  display_deadline_ms = monotonic_ms() + DISPLAY_WAIT_MS;
  display_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (display_fd < 0) return;
  if (connect(display_fd, (struct sockaddr *)&address, sizeof address) || ask_setup()) display_close();
}

/* Takes the first reply from the buffer. Returns its size, 0 when it is not whole yet, -1 when it cannot be. */
static long reply_size(void) {
  if (reply_count < 8) return 0;
  size_t size = want == WANT_SETUP ? 8 + 4 * (size_t)(replies[6] | replies[7] << 8) : 32;
  if (want != WANT_SETUP && reply_count >= 32 && replies[0] == 1) size += 4 * (size_t)u32(replies + 4);
  if (size > sizeof replies) return -1;
  return reply_count >= size ? (long)size : 0;
}

/* Root window of the first screen, from the connection setup (X11 protocol, section 8). */
static int take_setup(size_t size) {
  if (replies[0] != 1 || size < 40) return -1;
  size_t vendor = replies[24] | replies[25] << 8, formats = replies[29];
  size_t screen = 40 + ((vendor + 3) & ~3ul) + 8 * formats;
  if (screen + 40 > size) return -1;
  root_window = u32(replies + screen);
  display_up = 1;
  want = WANT_ATOM;
  return 0;
}

static int take_reply(size_t size) {
  if (want == WANT_SETUP) return take_setup(size);
  if (replies[0] > 1) return 0; /* an event */
  if (replies[0] == 0) return -1;
  if (want == WANT_ATOM) {
    check_atom = u32(replies + 8);
    want = WANT_WINDOW;
    return check_atom ? ask_property(root_window) : -1;
  }
  int has_value = u32(replies + 16) > 0 && size >= 36;
  if (!has_value) return -1;
  if (want == WANT_CHECK) {
    manager_up = 1;
    return -1;
  }
  /* The property of a window manager that died stays; its own window does not. */
  want = WANT_CHECK;
  return ask_property(u32(replies + 32));
}

static void display_read(void) {
  ssize_t got = recv(display_fd, replies + reply_count, sizeof replies - reply_count, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return display_close();
  reply_count += (size_t)got;
  long size;
  while ((size = reply_size()) > 0) {
    if (take_reply((size_t)size) < 0) return display_close();
    reply_count -= (size_t)size;
    memmove(replies, replies + size, reply_count);
  }
  if (size < 0 || reply_count == sizeof replies) display_close();
}

void health_ask(uint32_t stream) {
  if (asker_count == ASKERS_MAX) return send_error(stream, "busy", "too many questions at once");
  askers[asker_count++] = stream;
  if (display_fd < 0) display_open();
}

void health_forget(void) {
  asker_count = 0;
  display_close();
}

int health_polls(struct pollfd *polls, int *timeout_ms) {
  if (display_fd < 0) return 0;
  int64_t left = display_deadline_ms - monotonic_ms();
  if (left < 0) left = 0;
  if (*timeout_ms < 0 || left < *timeout_ms) *timeout_ms = (int)left;
  polls[0] = (struct pollfd){display_fd, POLLIN, 0};
  return 1;
}

void health_polled(const struct pollfd *polls, int count) {
  if (count == 1 && polls[0].revents && display_fd >= 0) display_read();
}

static long long memory_free_mib(void) {
  char line[128];
  long long kib = 0;
  FILE *file = fopen("/proc/meminfo", "re");
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %lld", &kib) == 1) break;
  fclose(file);
  return kib / 1024;
}

static void answer(uint32_t stream) {
  struct timespec up;
  struct statvfs disk;
  clock_gettime(CLOCK_BOOTTIME, &up);
  FieldWriter writer = {.count = 0};
  fields_put_number(&writer, "protocol", PROTOCOL_VERSION);
  fields_put(&writer, "programVersion", PROGRAM_VERSION);
  if (identify_current()[0]) fields_put(&writer, "identity", identify_current());
  fields_put_number(&writer, "uptimeSeconds", up.tv_sec);
  fields_put_number(&writer, "memoryFreeMiB", memory_free_mib());
  if (statvfs(options.root, &disk) == 0)
    fields_put_number(&writer, "diskFreeMiB", (long long)(disk.f_bavail * (disk.f_frsize / 1024) / 1024));
  fields_put_number(&writer, "displayUp", display_up);
  fields_put_number(&writer, "windowManagerUp", manager_up);
  frame_send(T_HEALTH | T_ANSWER, stream, writer.bytes, writer.count);
}

void health_advance(void) {
  if (asker_count == 0) return;
  if (display_fd >= 0 && monotonic_ms() < display_deadline_ms) return;
  display_close();
  for (int i = 0; i < asker_count; i++) answer(askers[i]);
  asker_count = 0;
}
