#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

enum { PATH_ROOM = 1024 };

void file_path(char *out, size_t room, const char *path) {
  const char *root = strcmp(options.root, "/") == 0 ? "" : options.root;
  if (snprintf(out, room, "%s%s", root, path) >= (int)room) out[0] = 0;
}

static void make_folders(char *path) {
  for (char *at = path + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    mkdir(path, 0755);
    *at = '/';
  }
}

/* The folders exist in every guest but a test's, so they are made only after a first failure. */
static int open_new(char *path, mode_t mode) {
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  unlink(path);
  int fd = open(path, flags, mode);
  if (fd >= 0 || errno != ENOENT) return fd;
  make_folders(path);
  return open(path, flags, mode);
}

int file_replace(const char *path, const char *text, size_t length, mode_t mode) {
  char final[PATH_ROOM], draft[PATH_ROOM + 8];
  file_path(final, sizeof final, path);
  snprintf(draft, sizeof draft, "%s.new", final);
  int fd = open_new(draft, mode);
  if (fd < 0) return -1;
  int failed = fchmod(fd, mode) || write(fd, text, length) != (ssize_t)length;
  close(fd);
  if (!failed && rename(draft, final) == 0) return 0;
  unlink(draft);
  return -1;
}

int file_link(const char *path, const char *target) {
  char final[PATH_ROOM], draft[PATH_ROOM + 8];
  file_path(final, sizeof final, path);
  snprintf(draft, sizeof draft, "%s.new", final);
  make_folders(draft);
  unlink(draft);
  return symlink(target, draft) || rename(draft, final) ? -1 : 0;
}
