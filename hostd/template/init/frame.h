#ifndef LB_FRAME_H
#define LB_FRAME_H
#include <stddef.h>
#include <stdint.h>

/* One frame, before COBS: type u8, stream u32, payload, crc32 u32 (big endian, over all before it). */
enum {
  PAYLOAD_MAX = 256 * 1024,
  FRAME_MAX = PAYLOAD_MAX + 9,
  ENCODED_MAX = FRAME_MAX + FRAME_MAX / 254 + 2,
  OUT_MAX = 1024 * 1024,
  /* Child pipes and the device are read only while less than this waits to be written. */
  OUT_HIGH = 384 * 1024,
};

enum {
  T_HELLO = 0x01, T_HEALTH = 0x02, T_IDENTIFY = 0x03, T_EXEC = 0x04,
  T_STDIN = 0x05, T_STDIN_END = 0x06, T_KILL = 0x07, T_FORGET = 0x08, T_CONNECT = 0x09,
  T_STDOUT = 0x21, T_STDERR = 0x22, T_EXIT = 0x23, T_CREDIT = 0x24,
  T_ANSWER = 0x80, T_ERROR = 0xff,
};

typedef struct {
  uint8_t type;
  uint32_t stream;
  const uint8_t *payload;
  size_t length;
} Frame;

typedef void (*FrameHandler)(const Frame *frame);

/* Takes bytes as they come from the host; calls the handler for each whole frame. Garbage is dropped up to the next zero. */
void frame_feed(const uint8_t *bytes, size_t count, FrameHandler handle);
void frame_reset_input(void);

/* Queues one frame. Returns 0, or -1 when the queue has no room (nothing is queued then). */
int frame_send(uint8_t type, uint32_t stream, const void *payload, size_t length);
/* Drops what waits and queues a lone zero, so that a half-written frame ends as garbage. */
void frame_reset_output(void);
size_t frame_pending(void);
/* Writes what the descriptor takes. Returns -1 when it is gone. */
int frame_flush(int fd);
#endif
