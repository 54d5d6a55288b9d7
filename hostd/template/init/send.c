#include "send.h"

#include "fields.h"
#include "frame.h"

void send_error(uint32_t stream, const char *code, const char *detail) {
  FieldWriter writer = {.count = 0};
  fields_put(&writer, "code", code);
  fields_put(&writer, "detail", detail);
  frame_send(T_ERROR, stream, writer.bytes, writer.count);
}

void send_number(uint8_t type, uint32_t stream, const char *key, long long value) {
  FieldWriter writer = {.count = 0};
  fields_put_number(&writer, key, value);
  frame_send(type, stream, writer.bytes, writer.count);
}
