#define _GNU_SOURCE
#include "grow.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef EXT4_IOC_RESIZE_FS
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
#endif

enum { SUPERBLOCK_AT = 1024, EXT_MAGIC = 0xef53, SLACK_BYTES = 16 * 1024 * 1024 };

typedef struct {
  uint64_t blocks, block_size;
} Size;

static uint32_t u32(const uint8_t *at) { return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24; }

static int file_system_size(int disk, Size *size) {
  uint8_t super[1024];
  if (pread(disk, super, sizeof super, SUPERBLOCK_AT) != sizeof super) return -1;
  if ((super[0x38] | super[0x39] << 8) != EXT_MAGIC) return -1;
  size->blocks = u32(super + 4) | (uint64_t)u32(super + 0x150) << 32;
  size->block_size = 1024ull << super[0x18];
  return 0;
}

void grow_root(void) {
  /* The size that the file system fills; a clone wakes up with what its template saw. */
  static uint64_t seen_bytes;
  int disk = open("/dev/vda", O_RDONLY | O_CLOEXEC);
  uint64_t bytes;
  Size size;
  if (disk < 0) return;
  int changed = ioctl(disk, BLKGETSIZE64, &bytes) == 0 && bytes != seen_bytes;
  int known = changed && file_system_size(disk, &size) == 0;
  close(disk);
  if (!known) return;
  if (bytes < size.blocks * size.block_size + SLACK_BYTES) {
    seen_bytes = bytes;
    return;
  }
  uint64_t blocks = bytes / size.block_size;
  if (fork() != 0) return;
  struct sched_param plain = {0};
  sched_setscheduler(0, SCHED_OTHER, &plain);
  int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  _exit(root < 0 || ioctl(root, EXT4_IOC_RESIZE_FS, &blocks) ? 1 : 0);
}
