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

/*
 * A plain file that is there already is written in place: creating and renaming costs a waking clone several times as
 * much, and what a power cut spoils is written again by the identify of the next boot.
 */
static int overwrite(const char *path, const char *text, size_t length, mode_t mode) {
  struct stat now;
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return -1;
  int failed = fstat(fd, &now) || !S_ISREG(now.st_mode) || now.st_nlink != 1;
  if (!failed && (now.st_mode & 07777) != mode) failed = fchmod(fd, mode);
  if (!failed) failed = write(fd, text, length) != (ssize_t)length;
  if (!failed && now.st_size != (off_t)length) failed = ftruncate(fd, (off_t)length);
  close(fd);
  return failed ? -1 : 0;
}

int file_replace(const char *path, const char *text, size_t length, mode_t mode) {
  char final[PATH_ROOM], draft[PATH_ROOM + 8];
  file_path(final, sizeof final, path);
  if (overwrite(final, text, length, mode) == 0) return 0;
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
  ssize_t length = readlink(final, draft, sizeof draft - 1);
  if (length > 0 && (size_t)length == strlen(target) && memcmp(draft, target, (size_t)length) == 0) return 0;
  snprintf(draft, sizeof draft, "%s.new", final);
  make_folders(draft);
  unlink(draft);
  return symlink(target, draft) || rename(draft, final) ? -1 : 0;
}
