#define _GNU_SOURCE
#include "identify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"
#include "fields.h"
#include "files.h"
#include "grow.h"
#include "network.h"
#include "options.h"
#include "send.h"

#ifndef RNDRESEEDCRNG
#define RNDRESEEDCRNG _IO('R', 0x07)
#endif

enum { ENTROPY_MAX = 512, TEXT_MAX = 1024 };

static char current[TEXT_MAX];
/*
 * Who a guest is lies in memory only: /etc has links to these files, and a bind mount in place of machine-id. Writing to the
 * disk would cost a waking clone the whole of its file system's code, and a copied disk would carry somebody's keys.
 */
#define RUN "/run/lebureau/"
static const char *identity_file = RUN "identity";
static const char *machine_id_file = RUN "machine-id";

const char *identify_current(void) { return current; }

void identify_restore(void) {
  char path[TEXT_MAX];
  file_path(path, sizeof path, identity_file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t got = read(fd, current, sizeof current - 1);
  current[got > 0 ? got : 0] = 0;
  close(fd);
}

void identify_forget(void) {
  char path[TEXT_MAX];
  current[0] = 0;
  file_path(path, sizeof path, identity_file);
  unlink(path);
}

static int is_live(void) { return strcmp(options.root, "/") == 0; }

static const char *set_host_name(const char *name) {
  char text[TEXT_MAX];
  int length = snprintf(text, sizeof text, "%s\n", name);
  if (length <= 0 || length >= (int)sizeof text) return "host name";
  if (file_replace(RUN "hostname", text, (size_t)length, 0644)) return "hostname";
  if (is_live() && sethostname(name, strlen(name))) return "host name";
  return NULL;
}

static const char *set_time_zone(const char *zone) {
  char target[TEXT_MAX], text[TEXT_MAX];
  if (strstr(zone, "..") || zone[0] == '/') return "time zone";
  if (snprintf(target, sizeof target, "/usr/share/zoneinfo/%s", zone) >= (int)sizeof target) return "time zone";
  if (is_live() && access(target, R_OK)) return "time zone";
  if (file_link("/etc/localtime", target)) return "/etc/localtime";
  int length = snprintf(text, sizeof text, "%s\n", zone);
  return file_replace("/etc/timezone", text, (size_t)length, 0644) ? "/etc/timezone" : NULL;
}

static int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

static const char *add_entropy(const char *hex) {
  struct {
    struct rand_pool_info info;
    uint8_t bytes[ENTROPY_MAX];
  } pool;
  size_t count = strlen(hex) / 2;
  if (count > ENTROPY_MAX) return "entropy";
  for (size_t i = 0; i < count; i++) {
    int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return "entropy";
    ((uint8_t *)pool.info.buf)[i] = (uint8_t)(high << 4 | low);
  }
  if (!is_live()) return NULL;
  pool.info.entropy_count = (int)count * 8;
  pool.info.buf_size = (int)count;
  int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  if (fd < 0) return "entropy";
  int failed = ioctl(fd, RNDADDENTROPY, &pool.info) || ioctl(fd, RNDRESEEDCRNG);
  close(fd);
  return failed ? "entropy" : NULL;
}

/* The time is that of the message's arrival; what was done since is added. */
static const char *set_clock(const char *text, int64_t arrived_ms) {
  long long ms = atoll(text);
  if (ms > 0) ms += monotonic_ms() - arrived_ms;
  struct timespec now = {ms / 1000, (ms % 1000) * 1000000};
  if (ms <= 0) return "clock";
  return is_live() && clock_settime(CLOCK_REALTIME, &now) ? "clock" : NULL;
}

static const char *write_whole(const char *path, const char *text, mode_t mode) {
  return file_replace(path, text, strlen(text), mode) ? path : NULL;
}

/* A text without its key is left as it is, so an older host can leave out what it does not know. */
static const char *apply(const char *key, const char *value) {
  if (strcmp(key, "hostName") == 0) return set_host_name(value);
  if (strcmp(key, "timeZone") == 0) return set_time_zone(value);
  if (strcmp(key, "machineId") == 0) {
    char line[64];
    int length = snprintf(line, sizeof line, "%.32s\n", value);
    return file_replace(machine_id_file, line, (size_t)length, 0444) ? "machine-id" : NULL;
  }
  if (strcmp(key, "sshHostKey") == 0) return write_whole(RUN "ssh_host_ed25519_key", value, 0600);
  if (strcmp(key, "sshHostKeyPublic") == 0) return write_whole(RUN "ssh_host_ed25519_key.pub", value, 0644);
  if (strcmp(key, "sshAuthorizedKey") == 0) return write_whole(RUN "authorized_keys", value, 0644);
  if (strcmp(key, "config") == 0) return write_whole(RUN "config.json", value, 0600);
  if (strcmp(key, "entropy") == 0) return add_entropy(value);
  if (strcmp(key, "mac") == 0) return is_live() ? network_set_mac(value) : NULL;
  return NULL;
}

static const char *apply_all(const Frame *frame) {
  Fields fields = {(const char *)frame->payload, (const char *)frame->payload + frame->length};
  const char *key, *value;
  int more;
  while ((more = fields_next(&fields, &key, &value)) == 1) {
    const char *trouble = apply(key, value);
    if (trouble) return trouble;
  }
  return more < 0 ? "message" : NULL;
}

void identify_prepare(void) {
  char id[64];
  if (!is_live() || access(machine_id_file, F_OK) == 0) return;
  int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, id, sizeof id);
  if (fd >= 0) close(fd);
  if (got <= 0 || file_replace(machine_id_file, id, (size_t)got, 0444)) return;
  mount(machine_id_file, "/etc/machine-id", NULL, MS_BIND, NULL);
}

void identify(const Frame *frame, int64_t arrived_ms) {
  const char *identity = fields_find(frame->payload, frame->length, "identity");
  const char *clock = fields_find(frame->payload, frame->length, "clockMs");
  const char *trouble = identity && strlen(identity) < sizeof current - 1 ? apply_all(frame) : "message";
  if (!trouble && write_whole(identity_file, identity, 0644)) trouble = identity_file;
  /* Last, so that nothing of the above runs between the measured way and the new time. */
  if (!trouble && clock) trouble = set_clock(clock, arrived_ms);
  if (trouble) {
    char detail[TEXT_MAX];
    snprintf(detail, sizeof detail, "%s: %s", trouble, strerror(errno));
    send_error(frame->stream, "identify_failed", detail);
    return;
  }
  strcpy(current, identity);
  send_number(T_IDENTIFY | T_ANSWER, frame->stream, "elapsedMs", monotonic_ms() - arrived_ms);
  if (is_live()) grow_root();
}
