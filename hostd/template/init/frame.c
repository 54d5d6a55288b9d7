#include "frame.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint8_t in_bytes[ENCODED_MAX];
static size_t in_count;
static int in_overflow;

static uint8_t out_bytes[OUT_MAX];
static size_t out_start, out_end;

static uint32_t crc_table[256];

static void crc_prepare(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320u ^ (value >> 1) : value >> 1;
    crc_table[i] = value;
  }
}

static uint32_t crc_add(uint32_t crc, const uint8_t *bytes, size_t count) {
  if (!crc_table[1]) crc_prepare();
  for (size_t i = 0; i < count; i++) crc = crc_table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
  return crc;
}

static uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value) {
  at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

/* Decodes in place (the decoded form is never longer). Returns its length, or -1 for a broken encoding. */
static ssize_t cobs_decode(uint8_t *bytes, size_t count) {
  size_t from = 0, to = 0;
  while (from < count) {
    uint8_t code = bytes[from++];
    if (code == 0 || from + code - 1 > count) return -1;
    memmove(bytes + to, bytes + from, code - 1);
    to += code - 1;
    from += code - 1;
    if (code != 0xff && from < count) bytes[to++] = 0;
  }
  return (ssize_t)to;
}

static void take_frame(FrameHandler handle) {
  ssize_t length = cobs_decode(in_bytes, in_count);
  if (length < 9) return;
  uint32_t crc = ~crc_add(~0u, in_bytes, (size_t)length - 4);
  if (crc != read_u32(in_bytes + length - 4)) return;
  Frame frame = {in_bytes[0], read_u32(in_bytes + 1), in_bytes + 5, (size_t)length - 9};
  handle(&frame);
}

void frame_feed(const uint8_t *bytes, size_t count, FrameHandler handle) {
  while (count > 0) {
    const uint8_t *zero = memchr(bytes, 0, count);
    size_t part = zero ? (size_t)(zero - bytes) : count;
    if (in_count + part > sizeof in_bytes) in_overflow = 1;
    if (!in_overflow) memcpy(in_bytes + in_count, bytes, part), in_count += part;
    if (!zero) return;
    if (!in_overflow && in_count > 0) take_frame(handle);
    frame_reset_input();
    bytes += part + 1;
    count -= part + 1;
  }
}

void frame_reset_input(void) { in_count = 0, in_overflow = 0; }

typedef struct {
  uint8_t *code_at;
  uint8_t *to;
  uint8_t code;
} Encoder;

static void encode(Encoder *encoder, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (bytes[i] != 0) *encoder->to++ = bytes[i], encoder->code++;
    if (bytes[i] == 0 || encoder->code == 0xff) {
      *encoder->code_at = encoder->code;
      encoder->code_at = encoder->to++;
      encoder->code = 1;
    }
  }
}

int frame_send(uint8_t type, uint32_t stream, const void *payload, size_t length) {
  size_t need = length + 9 + (length + 9) / 254 + 3;
  if (length > PAYLOAD_MAX) return -1;
  if (out_end + need > sizeof out_bytes && out_start > 0) {
    memmove(out_bytes, out_bytes + out_start, out_end - out_start);
    out_end -= out_start;
    out_start = 0;
  }
  if (out_end + need > sizeof out_bytes) return -1;
  uint8_t head[5] = {type}, tail[4];
  write_u32(head + 1, stream);
  uint32_t crc = crc_add(crc_add(~0u, head, 5), payload, length);
  write_u32(tail, ~crc);
  Encoder encoder = {out_bytes + out_end, out_bytes + out_end + 1, 1};
  encode(&encoder, head, 5);
  encode(&encoder, payload, length);
  encode(&encoder, tail, 4);
  *encoder.code_at = encoder.code;
  *encoder.to++ = 0;
  out_end = (size_t)(encoder.to - out_bytes);
  return 0;
}

void frame_reset_output(void) {
  out_start = 0;
  out_end = 1;
  out_bytes[0] = 0;
}

size_t frame_pending(void) { return out_end - out_start; }

int frame_flush(int fd) {
  while (out_start < out_end) {
    ssize_t wrote = write(fd, out_bytes + out_start, out_end - out_start);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno == EAGAIN ? 0 : -1;
    if (wrote == 0) return 0;
    out_start += (size_t)wrote;
  }
  out_start = out_end = 0;
  return 0;
}
